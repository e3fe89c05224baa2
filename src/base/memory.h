/* memory.h: checked allocation and arenas. Every size is computed in 64 bits and checked; NULL
   means out of memory. */
#ifndef HEED_BASE_MEMORY_H
#define HEED_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a * b and a + b; false when the result would wrap (then *result is untouched). */
bool heed_multiply_size(size_t a, size_t b, size_t *result);
bool heed_add_size(size_t a, size_t b, size_t *result);

/* Zeroed array of `count` elements of `size` bytes; NULL when it wraps or memory is out. Free with
   free(). */
void *heed_allocate(size_t count, size_t size);
/* Grows (never shrinks) *pointer to hold at least `wanted` elements, doubling; new bytes are zero.
   *capacity counts elements. */
bool heed_grow(void *pointer_to_pointer, size_t *capacity, size_t wanted, size_t size);
/* 64-byte aligned, zeroed, on huge pages when it is large enough and the system grants them. Free
   with heed_free_aligned. */
void *heed_allocate_aligned(size_t bytes);
void heed_free_aligned(void *pointer);
/* The same on pages of the ordinary size, whatever the system would grant: to measure what huge
   ones give. */
void *heed_allocate_small_pages(size_t bytes);
/* How much of a block the system has put on huge pages (Linux: /proc/self/smaps); 0 where it does
   not say. */
size_t heed_huge_page_bytes(const void *block, size_t bytes);
/* Copies of a NUL-terminated string; NULL when memory is out. Free with free(). */
char *heed_string_copy(const char *text);

/* Bytes that the system can give to this process without swapping or being stopped: free and
   reclaimable memory, within the limits of its control groups (version 1 and 2). SIZE_MAX when it
   does not say. Other processes may take them at any moment. */
size_t heed_memory_available(void);

/* An arena hands out pieces that die together. Pieces are zeroed and 16-byte aligned. */
typedef struct heed_arena heed_arena;
heed_arena *heed_arena_new(void);
void heed_arena_free(heed_arena *arena);
void *heed_arena_take(heed_arena *arena, size_t count, size_t size); /* NULL when out of memory */
char *heed_arena_string(heed_arena *arena, const char *text);
size_t heed_arena_bytes(const heed_arena *arena); /* bytes handed out so far */

#endif
