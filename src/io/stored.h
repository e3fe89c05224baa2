/* stored.h: the list of tensors that a file of either format holds, and their bytes. */
#ifndef HEED_IO_STORED_H
#define HEED_IO_STORED_H

#include "io/safetensors.h"

/* In the order of their places; of two at one place the shorter first, then by name. */
void heed_stored_sort(heed_stored_tensor *tensors, size_t count);
/* Fills by_name (count): the tensors in the order of their names, for heed_stored_find. */
void heed_stored_index(heed_stored_tensor **by_name, heed_stored_tensor *tensors, size_t count);
/* NULL when absent */
const heed_stored_tensor *heed_stored_find(heed_stored_tensor *const *by_name, size_t count,
                                           const char *name);

/* Puts bytes of a tensor of the set, by parts, between which set->cancel is asked. */
heed_status heed_stored_put(heed_file_writer *writer, const heed_tensor_set *set, const void *bytes,
                            size_t count, heed_error *error);

/* The bytes of one tensor after the other, read as they are asked for. Begin with zeros and set
   `tensor`. A tensor of at most HEED_STORED_WINDOW bytes is read once, a larger one by parts. */
enum { HEED_STORED_WINDOW = 1 << 24 };
typedef struct heed_stored_window {
    const heed_stored_tensor *tensor;
    const heed_stored_tensor *held; /* the one whose bytes [begin, end) are in the buffer */
    char *buffer;
    size_t capacity, begin, end;
} heed_stored_window;

/* *bytes becomes the place of bytes [offset, offset + count), valid until the next call. It is
   aligned for the elements if `offset` is a multiple of their size. */
heed_status heed_stored_window_get(heed_stored_window *window, size_t offset, size_t count,
                                   const void **bytes, heed_error *error);
void heed_stored_window_free(heed_stored_window *window);

#endif
