/* cache.c: reserves and commits the memory of a KV cache and keeps its page tables. */
#include "cache/cache.h"
#include "base/memory.h"
#include "base/number.h"
#include <errno.h>
#include <heed/graph.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The length of a sequence that is not held. */
enum { UNUSED = -1 };

/* One array and where it lies. */
typedef struct {
    heed_cache_array_kind kind;
    size_t page_bytes;
    size_t offset; /* in the reserved memory, a multiple of the system's page */
} array_place;

struct heed_cache {
    heed_cache_options options;
    array_place *arrays;
    int64_t pages;       /* pages in each array */
    int64_t table_pages; /* pages that one sequence can have */
    size_t os_page;      /* the system's page */
    size_t page_bytes;   /* bytes of a page in all arrays */
    size_t reserved;     /* bytes of the reserved memory */
    char *memory;        /* the reserved arrays */
    int64_t mark;        /* all pages below it are committed */
    int32_t *references; /* (pages) sequences that hold each page */
    int32_t *free_pages; /* (pages) a stack of committed pages that no sequence holds */
    int64_t free_count;
    /* (pages) how many owners are about to write into a page; all 0 between calls */
    int32_t *growing;
    int32_t *tables;  /* (sequences,table_pages) */
    int64_t *lengths; /* (sequences) positions, or UNUSED */
    heed_cancel cancel;
};

/* ---- sizes ---- */

/* The number of pages that hold this many positions. */
static int64_t pages_of(int64_t positions)
{
    return positions / HEED_PAGE_POSITIONS + (positions % HEED_PAGE_POSITIONS != 0);
}

/* Returns HEED_E_ARG for options without meaning. */
static heed_status check_options(const heed_cache_options *options, heed_error *error)
{
    bool ok = options->array_count >= 0 && options->sequences >= 1 && options->positions >= 1;
    int64_t columns = 1;
    for (int64_t i = 0; ok && i < options->array_count; i++) {
        columns = options->arrays[i].columns;
        ok = columns >= 1;
    }
    if (ok) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "KV cache: %lld arrays of %lld columns for %lld sequences of %lld positions: "
                     "expected positive numbers",
                     (long long)options->array_count, (long long)columns,
                     (long long)options->sequences, (long long)options->positions);
}

/* Computes the pages of the cache. HEED_E_ARG if they are too many: the page table and the slots
   number the rows of an array by 32 bits. */
static heed_status count_pages(heed_cache *cache, heed_error *error)
{
    const heed_cache_options *options = &cache->options;
    int64_t most = INT32_MAX / HEED_PAGE_POSITIONS;
    cache->table_pages = pages_of(options->positions);
    if (options->positions > INT32_MAX - HEED_PAGE_POSITIONS ||
        cache->table_pages > most / options->sequences)
        return heed_fail(error, HEED_E_ARG,
                         "KV cache: %lld sequences of %lld positions are more than %lld positions "
                         "in all; hold fewer "
                         "sequences or a shorter context",
                         (long long)options->sequences, (long long)options->positions,
                         (long long)most * HEED_PAGE_POSITIONS);
    cache->pages = cache->table_pages * options->sequences;
    return HEED_OK;
}

/* Places an array after the first *end bytes, which it adds itself to. Returns false if the bytes
   overflow. */
static bool place_array(const heed_cache *cache, array_place *array, size_t *end)
{
    size_t rows = array->kind.per_page ? 1 : HEED_PAGE_POSITIONS, bytes;
    array->offset = *end;
    if (!heed_multiply_size((size_t)array->kind.columns, rows * array->kind.element,
                            &array->page_bytes) ||
        !heed_multiply_size(array->page_bytes, (size_t)cache->pages, &bytes) ||
        bytes > SIZE_MAX / 2)
        return false;
    return heed_add_size(*end, heed_round_up(bytes, cache->os_page), end);
}

/* Copies the arrays of the options and places them. HEED_E_ARG if their bytes overflow. */
static heed_status place_arrays(heed_cache *cache, heed_error *error)
{
    const heed_cache_options *options = &cache->options;
    bool ok = true;
    cache->os_page = (size_t)sysconf(_SC_PAGESIZE);
    cache->arrays = heed_allocate((size_t)options->array_count, sizeof *cache->arrays);
    if (!cache->arrays)
        return heed_fail_memory(error, (size_t)options->array_count * sizeof *cache->arrays,
                                "a KV cache");
    for (int64_t i = 0; ok && i < options->array_count; i++) {
        array_place *array = &cache->arrays[i];
        array->kind = options->arrays[i];
        if (!array->kind.element) array->kind.element = sizeof(float);
        ok = place_array(cache, array, &cache->reserved) &&
             heed_add_size(cache->page_bytes, array->page_bytes, &cache->page_bytes);
    }
    if (ok) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "KV cache: %lld arrays for %lld sequences of %lld positions exceed the "
                     "address space",
                     (long long)options->array_count, (long long)options->sequences,
                     (long long)options->positions);
}

/* Reserves address space. Returns NULL and sets errno if the system refuses. */
static char *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* The bytes of all arrays if every sequence had `pages` pages. */
static size_t bytes_for(const heed_cache *cache, int64_t pages)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < cache->options.array_count; i++)
        bytes += heed_round_up(cache->arrays[i].page_bytes *
                                   (size_t)(pages * cache->options.sequences),
                               cache->os_page);
    return bytes;
}

/* The most positions of each sequence for which the system grants address space, found by
   bisection. */
static int64_t context_that_fits(const heed_cache *cache)
{
    int64_t fits = 0, refused = cache->table_pages;
    while (refused - fits > 1) {
        int64_t pages = fits + (refused - fits) / 2;
        size_t bytes = bytes_for(cache, pages);
        char *memory = reserve(bytes);
        if (memory) munmap(memory, bytes);
        if (memory) fits = pages;
        else refused = pages;
    }
    return fits * HEED_PAGE_POSITIONS;
}

heed_status heed_cache_new(heed_cache **result, const heed_cache_options *options,
                           heed_error *error)
{
    *result = NULL;
    heed_cache *cache = heed_allocate(1, sizeof *cache);
    if (!cache) return heed_fail_memory(error, sizeof *cache, "a KV cache");
    cache->options = *options;
    heed_status status = check_options(options, error);
    if (status == HEED_OK) status = count_pages(cache, error);
    if (status == HEED_OK) status = place_arrays(cache, error);
    cache->options.arrays = NULL; /* the caller's */
    if (status != HEED_OK) goto done;
    cache->references = heed_allocate((size_t)cache->pages, sizeof(int32_t));
    cache->free_pages = heed_allocate((size_t)cache->pages, sizeof(int32_t));
    cache->growing = heed_allocate((size_t)cache->pages, sizeof(int32_t));
    cache->tables = heed_allocate((size_t)cache->pages, sizeof(int32_t));
    cache->lengths = heed_allocate((size_t)options->sequences, sizeof(int64_t));
    if (!cache->references || !cache->free_pages || !cache->growing || !cache->tables ||
        !cache->lengths) {
        status = heed_fail_memory(error, 4 * (size_t)cache->pages * sizeof(int32_t),
                                  "the tables of a KV cache");
        goto done;
    }
    for (int64_t i = 0; i < options->sequences; i++) cache->lengths[i] = UNUSED;
    if (cache->reserved && !(cache->memory = reserve(cache->reserved))) {
        const char *reason = strerror(errno);
        status = heed_fail(
            error, HEED_E_NOMEM,
            "KV cache: the system refuses %zu bytes of address space for %lld sequences of %lld "
            "positions (%s); a context of %lld positions for each would fit: hold fewer sequences "
            "or a shorter context, or "
            "raise `ulimit -v`",
            cache->reserved, (long long)options->sequences, (long long)options->positions, reason,
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
    if (cache->memory) munmap(cache->memory, cache->reserved);
    free(cache->arrays);
    free(cache->references);
    free(cache->free_pages);
    free(cache->growing);
    free(cache->tables);
    free(cache->lengths);
    free(cache);
}

int64_t heed_cache_pages(const heed_cache *cache)
{
    return cache->pages;
}

void *heed_cache_array(const heed_cache *cache, int64_t array)
{
    return cache->memory + cache->arrays[array].offset;
}

const heed_cache_array_kind *heed_cache_array_kind_of(const heed_cache *cache, int64_t array)
{
    return &cache->arrays[array].kind;
}

size_t heed_cache_row_bytes(const heed_cache *cache, int64_t array)
{
    const heed_cache_array_kind *kind = &cache->arrays[array].kind;
    return (size_t)kind->columns * kind->element;
}

/* The bytes of an array that are committed when all pages below `mark` are. */
static size_t bytes_at_mark(const heed_cache *cache, int64_t array, int64_t mark)
{
    return heed_round_up((size_t)mark * cache->arrays[array].page_bytes, cache->os_page);
}

size_t heed_cache_committed(const heed_cache *cache)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < cache->options.array_count; i++)
        bytes += bytes_at_mark(cache, i, cache->mark);
    return bytes;
}

size_t heed_cache_position_bytes(const heed_cache *cache)
{
    return cache->page_bytes / HEED_PAGE_POSITIONS;
}

int64_t heed_cache_arrays(const heed_cache *cache)
{
    return cache->options.array_count;
}

void heed_cache_set_cancel(heed_cache *cache, heed_cancel cancel)
{
    cache->cancel = cancel;
}

/* ---- committing ---- */

/* Makes memory writable and backs it at once. Memory that is backed already keeps its content.
   Returns false if the system has no memory. */
static bool populate(char *begin, size_t bytes, size_t os_page)
{
    if (mprotect(begin, bytes, PROT_READ | PROT_WRITE) != 0) return false;
    if (madvise(begin, bytes, MADV_POPULATE_WRITE) == 0) return true;
    if (errno != EINVAL) return false; /* kernels before 5.14 do not know the advice */
    for (size_t at = 0; at < bytes; at += os_page) {
        volatile char *byte = begin + at;
        *byte = *byte;
    }
    return true;
}

/* The error that memory is short, with the context that would fit if all held sequences were
   equally long. */
static heed_status fail_commit(const heed_cache *cache, int64_t wanted, size_t bytes, size_t spare,
                               int64_t growing, heed_error *error)
{
    int64_t could = cache->mark + (int64_t)(spare / cache->page_bytes), held = 0;
    for (int64_t i = 0; i < cache->options.sequences; i++) held += cache->lengths[i] != UNUSED;
    int64_t context = could / (held ? held : 1) * HEED_PAGE_POSITIONS;
    if (context > cache->options.positions) context = cache->options.positions;
    return heed_fail(error, HEED_E_NOMEM,
                     "KV cache: %zu bytes are wanted for %lld more pages of %d positions (%lld "
                     "sequences grow), but "
                     "%s %zu; a context of %lld positions for each of %lld sequences would fit",
                     bytes, (long long)wanted, HEED_PAGE_POSITIONS, (long long)growing,
                     cache->options.budget ? "its budget leaves" : "the system can spare", spare,
                     (long long)context, (long long)held);
}

/* Commits memory until `wanted` pages are free. `growing` is the number of sequences that grow, for
   the error. */
static heed_status commit(heed_cache *cache, int64_t wanted, int64_t growing, heed_error *error)
{
    int64_t more = wanted - cache->free_count;
    if (more <= 0) return HEED_OK;
    /* The mark stays within `pages`, which hold every sequence at full length without sharing. */
    int64_t mark = cache->mark + more;
    size_t bytes = 0, held = heed_cache_committed(cache);
    for (int64_t i = 0; i < cache->options.array_count; i++)
        bytes += bytes_at_mark(cache, i, mark) - bytes_at_mark(cache, i, cache->mark);
    const size_t budget = cache->options.budget;
    size_t spare = budget > held ? budget - held : 0;
    if (!budget) spare = heed_memory_available();
    if (bytes > spare) return fail_commit(cache, more, bytes, spare, growing, error);
    for (int64_t i = 0; i < cache->options.array_count; i++) {
        size_t before = bytes_at_mark(cache, i, cache->mark);
        size_t after = bytes_at_mark(cache, i, mark);
        if (after == before) continue;
        HEED_TRY(heed_cancel_check(cache->cancel, "making room for keys and values", error));
        if (!populate((char *)heed_cache_array(cache, i) + before, after - before, cache->os_page))
            return fail_commit(cache, more, bytes, 0, growing, error);
    }
    for (int64_t page = mark; page-- > cache->mark;)
        cache->free_pages[cache->free_count++] = (int32_t)page;
    cache->mark = mark;
    return HEED_OK;
}

/* ---- sequences ---- */

static int32_t *table_of(const heed_cache *cache, int64_t sequence)
{
    return cache->tables + sequence * cache->table_pages;
}

/* Gives up one reference to a page. The last one frees the page. */
static void release(heed_cache *cache, int32_t page)
{
    if (--cache->references[page] == 0) cache->free_pages[cache->free_count++] = page;
}

/* Takes a free page; commit has made sure that there is one. */
static int32_t take(heed_cache *cache)
{
    int32_t page = cache->free_pages[--cache->free_count];
    cache->references[page] = 1;
    return page;
}

heed_status heed_cache_add(heed_cache *cache, int64_t *sequence, heed_error *error)
{
    for (int64_t i = 0; i < cache->options.sequences; i++) {
        if (cache->lengths[i] != UNUSED) continue;
        cache->lengths[i] = 0;
        *sequence = i;
        return HEED_OK;
    }
    return heed_fail(error, HEED_E_ARG,
                     "KV cache: %lld sequences are held already; drop one, or make room for more",
                     (long long)cache->options.sequences);
}

heed_status heed_cache_fork(heed_cache *cache, int64_t sequence, int64_t length, int64_t *fork,
                            heed_error *error)
{
    if (length < 0 || length > cache->lengths[sequence])
        return heed_fail(error, HEED_E_ARG,
                         "KV cache: a fork of %lld positions from a sequence of %lld",
                         (long long)length, (long long)cache->lengths[sequence]);
    HEED_TRY(heed_cache_add(cache, fork, error));
    int64_t pages = pages_of(length);
    const int32_t *from = table_of(cache, sequence);
    int32_t *to = table_of(cache, *fork);
    for (int64_t i = 0; i < pages; i++) {
        to[i] = from[i];
        cache->references[to[i]]++;
    }
    cache->lengths[*fork] = length;
    return HEED_OK;
}

void heed_cache_truncate(heed_cache *cache, int64_t sequence, int64_t length)
{
    if (length < 0) length = 0;
    if (length >= cache->lengths[sequence]) return;
    const int32_t *table = table_of(cache, sequence);
    for (int64_t i = pages_of(cache->lengths[sequence]); i-- > pages_of(length);)
        release(cache, table[i]);
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

/* The page that the sequence's next position falls into, if it is part-filled and other sequences
   hold it too; else -1. */
static int32_t shared_page(const heed_cache *cache, int64_t sequence)
{
    int64_t length = cache->lengths[sequence];
    if (length % HEED_PAGE_POSITIONS == 0) return -1;
    int32_t page = table_of(cache, sequence)[length / HEED_PAGE_POSITIONS];
    return cache->references[page] > 1 ? page : -1;
}

/* The number of free pages that a growth takes: new pages, and copies of shared part-filled pages.
   If every owner of a shared page writes, the last one keeps the original and needs no copy. */
static int64_t count_wanted(heed_cache *cache, const heed_cache_growth *growth, int64_t count)
{
    int64_t wanted = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = cache->lengths[growth[i].sequence];
        int32_t shared = growth[i].positions ? shared_page(cache, growth[i].sequence) : -1;
        wanted += pages_of(length + growth[i].positions) - pages_of(length);
        if (shared >= 0) wanted += ++cache->growing[shared] < cache->references[shared];
    }
    for (int64_t i = 0; i < count; i++) {
        int32_t shared = shared_page(cache, growth[i].sequence);
        if (shared >= 0) cache->growing[shared] = 0;
    }
    return wanted;
}

/* Replaces the sequence's part-filled last page with a copy of its own. */
static void copy_last_page(heed_cache *cache, int64_t sequence)
{
    int64_t length = cache->lengths[sequence];
    int32_t *entry = table_of(cache, sequence) + length / HEED_PAGE_POSITIONS;
    int32_t old = *entry, new = take(cache);
    size_t positions = (size_t)(length % HEED_PAGE_POSITIONS);
    for (int64_t i = 0; i < cache->options.array_count; i++) {
        const size_t page_bytes = cache->arrays[i].page_bytes;
        size_t filled = heed_cache_row_bytes(cache, i);
        if (!cache->arrays[i].kind.per_page) filled *= positions;
        char *array = heed_cache_array(cache, i);
        memcpy(array + (size_t) new *page_bytes, array + (size_t)old * page_bytes, filled);
    }
    release(cache, old);
    *entry = new;
}

heed_status heed_cache_extend(heed_cache *cache, const heed_cache_growth *growth, int64_t count,
                              heed_error *error)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t length = cache->lengths[growth[i].sequence], more = growth[i].positions;
        if (more < 0 || more > cache->options.positions - length)
            return heed_fail(error, HEED_E_ARG,
                             "KV cache: %lld more positions for a sequence of %lld, but at most "
                             "%lld are held for one",
                             (long long)more, (long long)length,
                             (long long)cache->options.positions);
    }
    HEED_TRY(commit(cache, count_wanted(cache, growth, count), count, error));
    for (int64_t i = 0; i < count; i++) {
        int64_t sequence = growth[i].sequence;
        int64_t length = cache->lengths[sequence];
        int64_t more = growth[i].positions;
        if (more && shared_page(cache, sequence) >= 0) copy_last_page(cache, sequence);
        int32_t *table = table_of(cache, sequence);
        for (int64_t page = pages_of(length); page < pages_of(length + more); page++)
            table[page] = take(cache);
        cache->lengths[sequence] = length + more;
    }
    return HEED_OK;
}

int64_t heed_cache_row(const heed_cache *cache, int64_t sequence, int64_t position)
{
    return (int64_t)table_of(cache, sequence)[position / HEED_PAGE_POSITIONS] *
               HEED_PAGE_POSITIONS +
           position % HEED_PAGE_POSITIONS;
}

const int32_t *heed_cache_table(const heed_cache *cache, int64_t sequence, int64_t *pages)
{
    *pages = pages_of(cache->lengths[sequence]);
    return table_of(cache, sequence);
}
