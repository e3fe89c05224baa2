/* stored.h: the list of tensors that a file of either format holds. */
#ifndef HEED_IO_STORED_H
#define HEED_IO_STORED_H

#include "io/safetensors.h"

/* In the order of their places; of two at one place the shorter first, then by name. */
void heed_stored_sort(heed_stored_tensor *tensors, size_t count);
/* Fills by_name (count): the tensors in the order of their names, for heed_stored_find. */
void heed_stored_index(heed_stored_tensor **by_name, heed_stored_tensor *tensors, size_t count);
const heed_stored_tensor *heed_stored_find(heed_stored_tensor *const *by_name, size_t count, const char *name); /* NULL when absent */

#endif
