/* memory.c: checked allocation and arenas (memory.h). */
#include "base/memory.h"

#include "base/number.h"
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool heed_multiply_size(size_t a, size_t b, size_t *result)
{
    return !__builtin_mul_overflow(a, b, result);
}

bool heed_add_size(size_t a, size_t b, size_t *result)
{
    return !__builtin_add_overflow(a, b, result);
}

void *heed_allocate(size_t count, size_t size)
{
    /* calloc(0) may return NULL, which callers would take for missing memory. */
    if (count == 0 || size == 0) count = size = 1;
    return calloc(count, size);
}

bool heed_grow(void *pointer_to_pointer, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity) return true;
    size_t grown = *capacity < 8 ? 8 : *capacity, bytes;
    while (grown < wanted) {
        if (grown > SIZE_MAX / 2) return false;
        grown *= 2;
    }
    if (!heed_multiply_size(grown, size, &bytes)) return false;
    void **slot = pointer_to_pointer;
    char *moved = realloc(*slot, bytes);
    if (!moved) return false;
    memset(moved + *capacity * size, 0, bytes - *capacity * size);
    *slot = moved;
    *capacity = grown;
    return true;
}

/* Blocks of at least 4 MiB are mapped at 2 MiB boundaries, so that the kernel can back them with
   huge pages. The cache line before each block stores what freeing it needs. */
enum { HEADER = 64, HUGE_PAGE = 2 << 20, LARGE = 4 << 20 };
typedef struct {
    void *base;
    size_t mapped;
} block_header;

/* Allocates a block with its header. `advice` goes to madvise for large blocks. */
static void *allocate_pages(size_t bytes, int advice)
{
    size_t total;
    if (!heed_add_size(bytes, HEADER + 63, &total)) return NULL;
    total &= ~(size_t)63;
    char *base;
    block_header header = {0};
    if (total < LARGE) {
        base = aligned_alloc(64, total);
        if (!base) return NULL;
        memset(base, 0, total);
        header.base = base;
    } else {
        if (!heed_add_size(total, HUGE_PAGE, &header.mapped)) return NULL;
        void *mapping = mmap(NULL, header.mapped, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) return NULL;
        header.base = mapping;
        base = (char *)heed_round_up((uintptr_t)mapping, HUGE_PAGE);
        (void)madvise(base, total, advice);
    }
    memcpy(base, &header, sizeof header);
    return base + HEADER;
}

void *heed_allocate_aligned(size_t bytes)
{
    return allocate_pages(bytes, MADV_HUGEPAGE);
}

void *heed_allocate_small_pages(size_t bytes)
{
    return allocate_pages(bytes, MADV_NOHUGEPAGE);
}

size_t heed_huge_page_bytes(const void *block, size_t bytes)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    if (!file) return 0;
    const unsigned long begin = (unsigned long)(uintptr_t)block, end = begin + bytes;
    unsigned long from, to, kilobytes;
    size_t sum = 0;
    char line[512];
    bool inside = false;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) inside = from < end && to > begin;
        else if (inside && sscanf(line, "AnonHugePages: %lu kB", &kilobytes) == 1)
            sum += (size_t)kilobytes << 10;
    }
    fclose(file);
    return sum < bytes ? sum : bytes;
}

void heed_free_aligned(void *pointer)
{
    if (!pointer) return;
    block_header header;
    memcpy(&header, (char *)pointer - HEADER, sizeof header);
    if (header.mapped) munmap(header.base, header.mapped);
    else free(header.base);
}

char *heed_string_copy(const char *text)
{
    size_t length = strlen(text) + 1;
    char *copy = malloc(length);
    if (copy) memcpy(copy, text, length);
    return copy;
}

typedef struct arena_block arena_block;
struct arena_block {
    alignas(16) arena_block *next; /* The pieces follow this header, so its alignment is theirs. */
    size_t used, size;
};
struct heed_arena {
    arena_block *first;
    size_t bytes;
};

enum { BLOCK_BYTES = 1 << 16, PIECE_ALIGNMENT = 16, BLOCK_HEADER = sizeof(arena_block) };

heed_arena *heed_arena_new(void)
{
    return heed_allocate(1, sizeof(heed_arena));
}

void heed_arena_free(heed_arena *arena)
{
    if (!arena) return;
    for (arena_block *block = arena->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

void *heed_arena_take(heed_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (!heed_multiply_size(count, size, &bytes) || bytes > SIZE_MAX - BLOCK_BYTES - BLOCK_HEADER)
        return NULL;
    bytes = heed_round_up(bytes, PIECE_ALIGNMENT);
    arena_block *block = arena->first;
    if (!block || block->size - block->used < bytes) {
        size_t room = bytes > BLOCK_BYTES / 4 ? bytes : BLOCK_BYTES;
        block = calloc(1, BLOCK_HEADER + room);
        if (!block) return NULL;
        block->size = room;
        /* A large piece gets a block of its own, and the current block stays in use. */
        if (arena->first && room != BLOCK_BYTES) {
            block->next = arena->first->next;
            arena->first->next = block;
        } else {
            block->next = arena->first;
            arena->first = block;
        }
    }
    void *piece = (char *)block + BLOCK_HEADER + block->used;
    block->used += bytes;
    arena->bytes += bytes;
    return piece;
}

char *heed_arena_string(heed_arena *arena, const char *text)
{
    size_t length = strlen(text) + 1;
    char *copy = heed_arena_take(arena, length, 1);
    if (copy) memcpy(copy, text, length);
    return copy;
}

size_t heed_arena_bytes(const heed_arena *arena)
{
    return arena->bytes;
}
