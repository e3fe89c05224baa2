/* stored.c: orders, finds, reads and writes stored tensors. */
#include "io/stored.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static int compare_places(const void *a, const void *b)
{
    const heed_stored_tensor *left = a, *right = b;
    if (left->offset != right->offset) return left->offset < right->offset ? -1 : 1;
    if (left->bytes != right->bytes) return left->bytes < right->bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(heed_stored_tensor *const *)a)->name, (*(heed_stored_tensor *const *)b)->name);
}

void heed_stored_sort(heed_stored_tensor *tensors, size_t count)
{
    if (count) qsort(tensors, count, sizeof *tensors, compare_places);
}

void heed_stored_index(heed_stored_tensor **by_name, heed_stored_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) by_name[i] = &tensors[i];
    if (count) qsort(by_name, count, sizeof *by_name, compare_names);
}

const heed_stored_tensor *heed_stored_find(heed_stored_tensor *const *by_name, size_t count,
                                           const char *name)
{
    const heed_stored_tensor wanted = {.name = name}, *key = &wanted;
    if (!count) return NULL;
    heed_stored_tensor *const *found = bsearch(&key, by_name, count, sizeof *by_name,
                                               compare_names);
    return found ? *found : NULL;
}

heed_status heed_stored_read(const heed_stored_tensor *tensor, size_t offset, void *bytes,
                             size_t count, heed_error *error)
{
    if (tensor->reader)
        return heed_file_reader_get(tensor->reader, tensor->offset + offset, bytes, count, error);
    if (count) memcpy(bytes, (const char *)tensor->data + offset, count);
    return HEED_OK;
}

heed_status heed_stored_put(heed_file_writer *writer, const heed_tensor_set *set, const void *bytes,
                            size_t count, heed_error *error)
{
    enum { CHUNK = 1 << 22 };
    const char *at = bytes;
    for (size_t done = 0, chunk; done < count; done += chunk) {
        chunk = count - done < CHUNK ? count - done : CHUNK;
        HEED_TRY(heed_cancel_check(set->cancel, "writing tensors", error));
        HEED_TRY(heed_file_writer_put(writer, at + done, chunk, error));
    }
    return HEED_OK;
}

/* Makes room for `bytes`; the content of the buffer is lost. Returns false if memory is out. */
static bool reserve(heed_stored_window *window, size_t bytes)
{
    if (window->capacity >= bytes) return true;
    free(window->buffer);
    window->buffer = malloc(bytes);
    window->capacity = window->buffer ? bytes : 0;
    return window->buffer != NULL;
}

heed_status heed_stored_window_get(heed_stored_window *window, size_t offset, size_t count,
                                   const void **bytes, heed_error *error)
{
    const heed_stored_tensor *tensor = window->tensor;
    if (!tensor->reader) {
        *bytes = (const char *)tensor->data + offset;
        return HEED_OK;
    }
    bool held = window->held == tensor && offset >= window->begin && offset + count <= window->end;
    if (!held) {
        bool fits = tensor->bytes <= HEED_STORED_WINDOW;
        size_t begin = fits ? 0 : offset;
        size_t wanted = count > HEED_STORED_WINDOW ? count : HEED_STORED_WINDOW;
        size_t size = tensor->bytes - begin < wanted ? tensor->bytes - begin : wanted;
        window->held = NULL;
        if (!reserve(window, size)) return heed_fail_memory(error, size, tensor->name);
        HEED_TRY(heed_stored_read(tensor, begin, window->buffer, size, error));
        window->held = tensor;
        window->begin = begin;
        window->end = begin + size;
    }
    *bytes = window->buffer + (offset - window->begin);
    return HEED_OK;
}

void heed_stored_window_free(heed_stored_window *window)
{
    free(window->buffer);
    *window = (heed_stored_window){0};
}
