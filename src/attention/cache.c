#include "attention/cache.h"
#include "base/memory.h"
#include <errno.h>
#include <heed/graph.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { UNUSED = -1 };

struct heed_cache {
    heed_cache_options options;
    int64_t blocks;           /* in each array */
    int64_t table_blocks;     /* that one sequence can have */
    size_t page, block_bytes; /* of one block in one array */
    size_t array_bytes;       /* from one array to the next: whole pages */
    char *memory;             /* arrays, reserved */
    int64_t mark;             /* blocks below it are committed */
    int32_t *references;      /* (blocks) */
    int32_t *free_blocks;     /* (blocks) committed ones that nobody holds, the last first */
    int64_t free_count;
    int32_t *growing;         /* (blocks) owners that are about to write into a block; 0 between calls */
    int32_t *tables;          /* (sequences, table_blocks) */
    int64_t *lengths;         /* (sequences), UNUSED */
    heed_cancel cancel;
};

/* ---- sizes ---- */

static int64_t blocks_of(int64_t positions)
{
    return positions / HEED_BLOCK_POSITIONS + (positions % HEED_BLOCK_POSITIONS != 0);
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static heed_status set_sizes(heed_cache *cache, size_t *reserved, heed_error *error)
{
    const heed_cache_options *options = &cache->options;
    if (options->arrays < 0 || options->columns < 1 || options->sequences < 1 || options->positions < 1)
        return heed_fail(error, HEED_E_ARG, "block cache: %lld arrays of %lld columns for %lld sequences of %lld positions: expected "
                         "positive numbers", (long long)options->arrays, (long long)options->columns, (long long)options->sequences,
                         (long long)options->positions);
    cache->table_blocks = blocks_of(options->positions);
    /* Rows of the arrays are numbered by 32 bits in the block table and the slots. */
    int64_t most = INT32_MAX / HEED_BLOCK_POSITIONS;
    if (options->positions > INT32_MAX - HEED_BLOCK_POSITIONS || cache->table_blocks > most / options->sequences)
        return heed_fail(error, HEED_E_ARG, "block cache: %lld sequences of %lld positions are more than %lld positions in all; hold fewer "
                         "sequences or a shorter context", (long long)options->sequences, (long long)options->positions,
                         (long long)most * HEED_BLOCK_POSITIONS);
    cache->blocks = cache->table_blocks * options->sequences;
    cache->page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes;
    if (!heed_multiply_size((size_t)options->columns, HEED_BLOCK_POSITIONS * options->element, &cache->block_bytes) ||
        !heed_multiply_size(cache->block_bytes, (size_t)cache->blocks, &bytes) || bytes > SIZE_MAX / 2 ||
        !heed_multiply_size(round_up(bytes, cache->page), (size_t)options->arrays, reserved))
        return heed_fail(error, HEED_E_ARG, "block cache: %lld arrays of %lld columns for %lld sequences of %lld positions exceed the "
                         "address space", (long long)options->arrays, (long long)options->columns, (long long)options->sequences,
                         (long long)options->positions);
    cache->array_bytes = round_up(bytes, cache->page);
    return HEED_OK;
}

/* Address space for every sequence at `blocks` blocks; NULL, with errno, when the system refuses. */
static char *reserve(const heed_cache *cache, int64_t blocks, size_t *bytes)
{
    size_t array = round_up(cache->block_bytes * (size_t)(blocks * cache->options.sequences), cache->page);
    *bytes = array * (size_t)cache->options.arrays;
    void *memory = mmap(NULL, *bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* The most positions of each sequence that address space is granted for, found by trying. */
static int64_t context_that_fits(const heed_cache *cache)
{
    int64_t fits = 0, refused = cache->table_blocks;
    while (refused - fits > 1) {
        int64_t blocks = fits + (refused - fits) / 2;
        size_t bytes;
        char *memory = reserve(cache, blocks, &bytes);
        if (memory) munmap(memory, bytes);
        *(memory ? &fits : &refused) = blocks;
    }
    return fits * HEED_BLOCK_POSITIONS;
}

heed_status heed_cache_new(heed_cache **result, const heed_cache_options *options, heed_error *error)
{
    *result = NULL;
    heed_cache *cache = heed_allocate(1, sizeof *cache);
    if (!cache) return heed_fail_memory(error, sizeof *cache, "a block cache");
    cache->options = *options;
    if (!cache->options.element) cache->options.element = sizeof(float);
    size_t reserved = 0;
    heed_status status = set_sizes(cache, &reserved, error);
    if (status != HEED_OK) goto done;
    cache->references = heed_allocate((size_t)cache->blocks, sizeof(int32_t));
    cache->free_blocks = heed_allocate((size_t)cache->blocks, sizeof(int32_t));
    cache->growing = heed_allocate((size_t)cache->blocks, sizeof(int32_t));
    cache->tables = heed_allocate((size_t)cache->blocks, sizeof(int32_t));
    cache->lengths = heed_allocate((size_t)options->sequences, sizeof(int64_t));
    if (!cache->references || !cache->free_blocks || !cache->growing || !cache->tables || !cache->lengths) {
        status = heed_fail_memory(error, 4 * (size_t)cache->blocks * sizeof(int32_t), "the tables of a block cache");
        goto done;
    }
    for (int64_t i = 0; i < options->sequences; i++) cache->lengths[i] = UNUSED;
    if (reserved && !(cache->memory = reserve(cache, cache->table_blocks, &reserved))) {
        const char *reason = strerror(errno);
        status = heed_fail(error, HEED_E_NOMEM, "block cache: the system refuses %zu bytes of address space for %lld sequences of %lld "
                           "positions (%s); a context of %lld positions for each would fit: hold fewer sequences or a shorter context, or "
                           "raise `ulimit -v`", reserved, (long long)options->sequences, (long long)options->positions, reason,
                           (long long)context_that_fits(cache));
        goto done;
    }
    *result = cache;
    return HEED_OK;
done:
    heed_cache_free(cache);
    return status;
}

void heed_cache_free(heed_cache *cache)
{
    if (!cache) return;
    if (cache->memory) munmap(cache->memory, cache->array_bytes * (size_t)cache->options.arrays);
    free(cache->references);
    free(cache->free_blocks);
    free(cache->growing);
    free(cache->tables);
    free(cache->lengths);
    free(cache);
}

int64_t heed_cache_blocks(const heed_cache *cache)
{
    return cache->blocks;
}

void *heed_cache_array(const heed_cache *cache, int64_t array)
{
    return cache->memory + (size_t)array * cache->array_bytes;
}

size_t heed_cache_committed(const heed_cache *cache)
{
    return round_up((size_t)cache->mark * cache->block_bytes, cache->page) * (size_t)cache->options.arrays;
}

size_t heed_cache_row_bytes(const heed_cache *cache)
{
    return cache->block_bytes / HEED_BLOCK_POSITIONS;
}

size_t heed_cache_position_bytes(const heed_cache *cache)
{
    return heed_cache_row_bytes(cache) * (size_t)cache->options.arrays;
}

int64_t heed_cache_arrays(const heed_cache *cache)
{
    return cache->options.arrays;
}

int64_t heed_cache_columns(const heed_cache *cache)
{
    return cache->options.columns;
}

void heed_cache_set_cancel(heed_cache *cache, heed_cancel cancel)
{
    cache->cancel = cancel;
}

/* ---- committing ---- */

/* Makes pages writable and present. Pages that are present already keep what they hold. */
static bool populate(char *begin, size_t bytes, size_t page)
{
    if (mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) return false;
    if (madvise(begin, bytes, MADV_POPULATE_WRITE) == 0) return true;
    if (errno != EINVAL) return false; /* kernels before 5.14 do not know the advice */
    for (size_t at = 0; at < bytes; at += page) {
        volatile char *byte = begin + at;
        *byte = *byte;
    }
    return true;
}

static size_t bytes_at_mark(const heed_cache *cache, int64_t mark)
{
    return round_up((size_t)mark * cache->block_bytes, cache->page);
}

static heed_status fail_commit(const heed_cache *cache, int64_t wanted, size_t bytes, size_t spare, int64_t growing, heed_error *error)
{
    size_t block_bytes = cache->block_bytes * (size_t)cache->options.arrays;
    int64_t could = cache->mark + (int64_t)(spare / block_bytes), held = 0;
    for (int64_t i = 0; i < cache->options.sequences; i++) held += cache->lengths[i] != UNUSED;
    int64_t context = could / (held ? held : 1) * HEED_BLOCK_POSITIONS;
    if (context > cache->options.positions) context = cache->options.positions;
    return heed_fail(error, HEED_E_NOMEM, "block cache: %zu bytes are wanted for %lld more blocks of %d positions (%lld sequences grow), but "
                     "%s %zu; a context of %lld positions for each of %lld sequences would fit", bytes, (long long)wanted,
                     HEED_BLOCK_POSITIONS, (long long)growing, cache->options.budget ? "its budget leaves" : "the system can spare", spare,
                     (long long)context, (long long)held);
}

/* Commits so that `wanted` blocks are free. */
static heed_status commit(heed_cache *cache, int64_t wanted, int64_t growing, heed_error *error)
{
    int64_t more = wanted - cache->free_count;
    if (more <= 0) return HEED_OK;
    int64_t mark = cache->mark + more; /* at most `blocks`: they hold every sequence at full length with blocks of its own */
    size_t before = bytes_at_mark(cache, cache->mark), after = bytes_at_mark(cache, mark);
    size_t bytes = (after - before) * (size_t)cache->options.arrays, held = heed_cache_committed(cache);
    const size_t budget = cache->options.budget;
    size_t spare = budget > held ? budget - held : 0;
    if (!budget) spare = heed_memory_available();
    if (bytes > spare) return fail_commit(cache, more, bytes, spare, growing, error);
    for (int64_t i = 0; i < cache->options.arrays && after > before; i++) {
        HEED_TRY(heed_cancel_check(cache->cancel, "making room for keys and values", error));
        if (!populate(cache->memory + (size_t)i * cache->array_bytes + before, after - before, cache->page))
            return fail_commit(cache, more, bytes, 0, growing, error);
    }
    for (int64_t block = mark; block-- > cache->mark;) cache->free_blocks[cache->free_count++] = (int32_t)block;
    cache->mark = mark;
    return HEED_OK;
}

/* ---- sequences ---- */

static int32_t *table_of(const heed_cache *cache, int64_t sequence)
{
    return cache->tables + sequence * cache->table_blocks;
}

static void release(heed_cache *cache, int32_t block)
{
    if (--cache->references[block] == 0) cache->free_blocks[cache->free_count++] = block;
}

static int32_t take(heed_cache *cache)
{
    int32_t block = cache->free_blocks[--cache->free_count];
    cache->references[block] = 1;
    return block;
}

heed_status heed_cache_add(heed_cache *cache, int64_t *sequence, heed_error *error)
{
    for (int64_t i = 0; i < cache->options.sequences; i++) {
        if (cache->lengths[i] != UNUSED) continue;
        cache->lengths[i] = 0;
        *sequence = i;
        return HEED_OK;
    }
    return heed_fail(error, HEED_E_ARG, "block cache: %lld sequences are held already; drop one, or make room for more",
                     (long long)cache->options.sequences);
}

heed_status heed_cache_fork(heed_cache *cache, int64_t sequence, int64_t length, int64_t *fork, heed_error *error)
{
    if (length < 0 || length > cache->lengths[sequence])
        return heed_fail(error, HEED_E_ARG, "block cache: a fork of %lld positions from a sequence of %lld", (long long)length,
                         (long long)cache->lengths[sequence]);
    HEED_TRY(heed_cache_add(cache, fork, error));
    int64_t blocks = blocks_of(length);
    const int32_t *from = table_of(cache, sequence);
    int32_t *to = table_of(cache, *fork);
    for (int64_t i = 0; i < blocks; i++) cache->references[to[i] = from[i]]++;
    cache->lengths[*fork] = length;
    return HEED_OK;
}

void heed_cache_truncate(heed_cache *cache, int64_t sequence, int64_t length)
{
    if (length < 0) length = 0;
    if (length >= cache->lengths[sequence]) return;
    const int32_t *table = table_of(cache, sequence);
    for (int64_t i = blocks_of(cache->lengths[sequence]); i-- > blocks_of(length);) release(cache, table[i]);
    cache->lengths[sequence] = length;
}

void heed_cache_drop(heed_cache *cache, int64_t sequence)
{
    heed_cache_truncate(cache, sequence, 0);
    cache->lengths[sequence] = UNUSED;
}

int64_t heed_cache_length(const heed_cache *cache, int64_t sequence)
{
    return cache->lengths[sequence];
}

/* The part-filled block that the sequence's next position falls into, when others hold it too; else -1. */
static int32_t shared_block(const heed_cache *cache, int64_t sequence)
{
    int64_t length = cache->lengths[sequence];
    if (length % HEED_BLOCK_POSITIONS == 0) return -1;
    int32_t block = table_of(cache, sequence)[length / HEED_BLOCK_POSITIONS];
    return cache->references[block] > 1 ? block : -1;
}

/* Blocks that the growth takes: new ones, and copies of shared ones for all owners that write but the last. */
static int64_t count_wanted(heed_cache *cache, const heed_cache_growth *growth, int64_t count)
{
    int64_t wanted = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = cache->lengths[growth[i].sequence];
        int32_t shared = growth[i].positions ? shared_block(cache, growth[i].sequence) : -1;
        wanted += blocks_of(length + growth[i].positions) - blocks_of(length);
        if (shared >= 0) wanted += ++cache->growing[shared] < cache->references[shared];
    }
    for (int64_t i = 0; i < count; i++) {
        int32_t shared = shared_block(cache, growth[i].sequence);
        if (shared >= 0) cache->growing[shared] = 0;
    }
    return wanted;
}

static void copy_last_block(heed_cache *cache, int64_t sequence)
{
    int64_t length = cache->lengths[sequence];
    int32_t *place = table_of(cache, sequence) + length / HEED_BLOCK_POSITIONS, old = *place, new = take(cache);
    size_t filled = cache->block_bytes / HEED_BLOCK_POSITIONS * (size_t)(length % HEED_BLOCK_POSITIONS);
    for (int64_t i = 0; i < cache->options.arrays; i++) {
        char *array = cache->memory + (size_t)i * cache->array_bytes;
        memcpy(array + (size_t)new * cache->block_bytes, array + (size_t)old * cache->block_bytes, filled);
    }
    release(cache, old);
    *place = new;
}

heed_status heed_cache_extend(heed_cache *cache, const heed_cache_growth *growth, int64_t count, heed_error *error)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t length = cache->lengths[growth[i].sequence], more = growth[i].positions;
        if (more < 0 || more > cache->options.positions - length)
            return heed_fail(error, HEED_E_ARG, "block cache: %lld more positions for a sequence of %lld, but at most %lld are held for one",
                             (long long)more, (long long)length, (long long)cache->options.positions);
    }
    HEED_TRY(commit(cache, count_wanted(cache, growth, count), count, error));
    for (int64_t i = 0; i < count; i++) {
        int64_t sequence = growth[i].sequence, length = cache->lengths[sequence], more = growth[i].positions;
        if (more && shared_block(cache, sequence) >= 0) copy_last_block(cache, sequence);
        int32_t *table = table_of(cache, sequence);
        for (int64_t block = blocks_of(length); block < blocks_of(length + more); block++) table[block] = take(cache);
        cache->lengths[sequence] = length + more;
    }
    return HEED_OK;
}

int64_t heed_cache_row(const heed_cache *cache, int64_t sequence, int64_t position)
{
    return (int64_t)table_of(cache, sequence)[position / HEED_BLOCK_POSITIONS] * HEED_BLOCK_POSITIONS + position % HEED_BLOCK_POSITIONS;
}

const int32_t *heed_cache_table(const heed_cache *cache, int64_t sequence, int64_t *blocks)
{
    *blocks = blocks_of(cache->lengths[sequence]);
    return table_of(cache, sequence);
}
