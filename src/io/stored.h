/* stored.h: orders and finds the tensors of a file of either format, and reads and writes their
   bytes. */
#ifndef HEED_IO_STORED_H
#define HEED_IO_STORED_H

#include "io/safetensors.h"

/* Sorts tensors by place; of two at one place the shorter comes first, then they go by name. */
void heed_stored_sort(heed_stored_tensor *tensors, size_t count);
/* Fills by_name (count) with the tensors in the order of their names, for heed_stored_find. */
void heed_stored_index(heed_stored_tensor **by_name, heed_stored_tensor *tensors, size_t count);
/* Returns the tensor of a name; NULL if there is none. */
const heed_stored_tensor *heed_stored_find(heed_stored_tensor *const *by_name, size_t count,
                                           const char *name);

/* Writes bytes of a tensor of the set in chunks and asks set->cancel before each. HEED_E_IO;
   HEED_E_CANCELLED. */
heed_status heed_stored_put(heed_file_writer *writer, const heed_tensor_set *set, const void *bytes,
                            size_t count, heed_error *error);

/* Reads the bytes of tensors as they are asked for, one tensor after the other. Begin with zeros
   and set `tensor`. A tensor of at most HEED_STORED_WINDOW bytes is read once, a larger one in
   pieces. */
enum { HEED_STORED_WINDOW = 1 << 24 };
typedef struct heed_stored_window {
    const heed_stored_tensor *tensor;
    const heed_stored_tensor *held; /* the tensor whose bytes [begin, end) are in the buffer */
    char *buffer;
    size_t capacity, begin, end;
} heed_stored_window;

/* Sets *bytes to bytes [offset, offset + count) of the tensor, valid until the next call. They are
   aligned for the elements if `offset` is a multiple of their size. HEED_E_IO; HEED_E_NOMEM. */
heed_status heed_stored_window_get(heed_stored_window *window, size_t offset, size_t count,
                                   const void **bytes, heed_error *error);
void heed_stored_window_free(heed_stored_window *window);

#endif
