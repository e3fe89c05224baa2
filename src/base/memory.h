/* memory.h: allocation with checked sizes, and arenas. Sizes that would wrap fail like missing
   memory: the result is NULL or false. */
#ifndef HEED_BASE_MEMORY_H
#define HEED_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Compute a * b and a + b. Return false if the result would wrap. */
bool heed_multiply_size(size_t a, size_t b, size_t *result);
bool heed_add_size(size_t a, size_t b, size_t *result);

/* Allocates a zeroed array of `count` elements of `size` bytes; the caller frees it with free().
   NULL means out of memory, or a size that wraps; an empty array therefore gets one byte. */
void *heed_allocate(size_t count, size_t size);
/* Grows the array at *pointer_to_pointer by doubling until it has at least `wanted` elements of
   `size` bytes. New elements are zero. *capacity counts elements. Returns false, and changes
   nothing, if out of memory. */
bool heed_grow(void *pointer_to_pointer, size_t *capacity, size_t wanted, size_t size);
/* Allocates zeroed memory aligned to 64 bytes. Large blocks use huge pages if the system grants
   them. The caller frees it with heed_free_aligned. */
void *heed_allocate_aligned(size_t bytes);
/* Frees memory of the two functions here. NULL is allowed. */
void heed_free_aligned(void *pointer);
/* Allocates in the same way without huge pages, so that benchmarks can measure what those bring. */
void *heed_allocate_small_pages(size_t bytes);
/* Returns how many bytes of a block are on huge pages, from /proc/self/smaps; 0 if the system does
   not say. */
size_t heed_huge_page_bytes(const void *block, size_t bytes);
/* Copies a NUL-terminated string; the caller frees it with free(). NULL if out of memory. */
char *heed_string_copy(const char *text);

/* Returns the bytes that the system can give to this process without swapping or killing it: free
   and reclaimable memory within the limits of its control groups (versions 1 and 2). SIZE_MAX if
   the system does not say. Other processes may take the memory at any time. */
size_t heed_memory_available(void);

/* An arena allocates pieces that are all freed together. Pieces are zeroed and aligned to 16
   bytes. */
typedef struct heed_arena heed_arena;
heed_arena *heed_arena_new(void);
void heed_arena_free(heed_arena *arena);
void *heed_arena_take(heed_arena *arena, size_t count, size_t size); /* NULL if out of memory */
char *heed_arena_string(heed_arena *arena, const char *text);
size_t heed_arena_bytes(const heed_arena *arena); /* bytes of all pieces */

#endif
