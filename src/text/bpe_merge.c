/* bpe_merge.c: merges the symbols of a word in the order of ranks (heed_bpe_merge in model.h). */
#include "text/model.h"

#include "base/memory.h"
#include <string.h>

enum { SHORT_WORD = 32 };

const heed_merge_slot *heed_merge_find(const heed_merge_table *table, int32_t left, int32_t right)
{
    if (!table->slot_count) return NULL;
    const uint64_t pair = heed_merge_pair(left, right);
    const size_t mask = table->slot_count - 1;
    for (size_t slot = heed_merge_home(table, pair);; slot = (slot + 1) & mask) {
        const heed_merge_slot *candidate = &table->slots[slot];
        if (candidate->joined < 0) return NULL;
        if (candidate->pair == pair) return candidate;
    }
}

/* Merges few symbols: repeatedly finds the best pair, joins it and moves the rest up. This is
   quadratic and, for few symbols, faster than a heap. */
static void merge_short(const heed_merge_table *table, heed_symbol *symbols, size_t *count)
{
    const heed_merge_slot *best[SHORT_WORD]; /* merge of symbols i and i + 1 */
    size_t n = *count;
    for (size_t i = 0; i + 1 < n; i++)
        best[i] = heed_merge_find(table, symbols[i].id, symbols[i + 1].id);
    for (;;) {
        size_t chosen = n;
        for (size_t i = 0; i + 1 < n; i++)
            if (best[i] && (chosen == n || best[i]->rank < best[chosen]->rank)) chosen = i;
        if (chosen == n) break;
        symbols[chosen].id = best[chosen]->joined;
        symbols[chosen].length += symbols[chosen + 1].length;
        n--;
        memmove(&symbols[chosen + 1], &symbols[chosen + 2], (n - chosen - 1) * sizeof *symbols);
        if (chosen + 1 < n)
            memmove(&best[chosen + 1], &best[chosen + 2], (n - chosen - 2) * sizeof *best);
        if (chosen > 0)
            best[chosen - 1] = heed_merge_find(table, symbols[chosen - 1].id, symbols[chosen].id);
        if (chosen + 1 < n)
            best[chosen] = heed_merge_find(table, symbols[chosen].id, symbols[chosen + 1].id);
    }
    *count = n;
}

/* Restores the heap below `at`. The heap is a min-heap of rank << 32 | index of the left symbol. */
static void sift_down(uint64_t *heap, size_t count, size_t at)
{
    uint64_t moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= moved) break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static uint64_t heap_pop(heed_tokenizer_model_scratch *scratch)
{
    uint64_t top = scratch->heap[0];
    scratch->heap[0] = scratch->heap[--scratch->heap_count];
    if (scratch->heap_count) sift_down(scratch->heap, scratch->heap_count, 0);
    return top;
}

static bool heap_push(heed_tokenizer_model_scratch *scratch, uint64_t key)
{
    if (!heed_grow(&scratch->heap, &scratch->heap_capacity, scratch->heap_count + 1, sizeof key))
        return false;
    size_t at = scratch->heap_count++;
    for (size_t parent; at > 0 && scratch->heap[parent = (at - 1) / 2] > key; at = parent)
        scratch->heap[at] = scratch->heap[parent];
    scratch->heap[at] = key;
    return true;
}

/* Queues the pair of `left` and its right neighbor if a merge exists. False if out of memory. */
static bool push_pair(const heed_merge_table *table, heed_tokenizer_model_scratch *scratch,
                      int32_t left)
{
    const heed_symbol *symbols = scratch->symbols;
    const heed_merge_slot *merge = heed_merge_find(table, symbols[left].id,
                                                   symbols[symbols[left].next].id);
    return !merge || heap_push(scratch, (uint64_t)merge->rank << 32 | (uint32_t)left);
}

/* Checks for cancellation now and then. */
static heed_status may_go_on(const heed_tokenizer_model_scratch *scratch, size_t step,
                             heed_error *error)
{
    return step % HEED_STEPS_UNASKED ? HEED_OK
                                     : heed_cancel_check(scratch->cancel, "tokenizing", error);
}

static heed_status fail_long(const heed_tokenizer_model_scratch *scratch, heed_error *error)
{
    return heed_fail_memory(error, scratch->symbol_count * sizeof(uint64_t), "merging a long word");
}

/* Links the symbols and queues the merges of all pairs. */
static heed_status fill_heap(const heed_merge_table *table, heed_tokenizer_model_scratch *scratch,
                             heed_error *error)
{
    size_t count = scratch->symbol_count;
    scratch->heap_count = 0;
    if (!heed_grow(&scratch->heap, &scratch->heap_capacity, count, sizeof *scratch->heap))
        return fail_long(scratch, error);
    for (size_t i = 0; i < count; i++) {
        HEED_TRY(may_go_on(scratch, i, error));
        scratch->symbols[i].previous = (int32_t)i - 1;
        scratch->symbols[i].next = i + 1 < count ? (int32_t)i + 1 : -1;
        if (i + 1 == count) break;
        const heed_merge_slot *merge = heed_merge_find(table, scratch->symbols[i].id,
                                                       scratch->symbols[i + 1].id);
        if (merge) scratch->heap[scratch->heap_count++] = (uint64_t)merge->rank << 32 | (uint32_t)i;
    }
    for (size_t i = scratch->heap_count / 2; i-- > 0;) {
        HEED_TRY(may_go_on(scratch, i, error));
        sift_down(scratch->heap, scratch->heap_count, i);
    }
    return HEED_OK;
}

/* Merges many symbols with a heap and a linked list. Entries of the heap whose pair has changed are
   skipped when they come up. */
static heed_status merge_long(const heed_merge_table *table, heed_tokenizer_model_scratch *scratch,
                              heed_error *error)
{
    HEED_TRY(fill_heap(table, scratch, error));
    heed_symbol *symbols = scratch->symbols;
    for (size_t step = 1; scratch->heap_count; step++) {
        HEED_TRY(may_go_on(scratch, step, error));
        uint64_t top = heap_pop(scratch);
        int32_t left = (int32_t)(uint32_t)top, right = symbols[left].next;
        /* The left symbol was merged into its neighbor, or is the last one now. */
        if (!symbols[left].length || right < 0) continue;
        const heed_merge_slot *merge = heed_merge_find(table, symbols[left].id, symbols[right].id);
        /* the pair has changed since it was queued */
        if (!merge || merge->rank != (uint32_t)(top >> 32)) continue;
        symbols[left].id = merge->joined;
        symbols[left].length += symbols[right].length;
        symbols[left].next = symbols[right].next;
        symbols[right].length = 0;
        if (symbols[left].next >= 0) {
            symbols[symbols[left].next].previous = left;
            if (!push_pair(table, scratch, left)) return fail_long(scratch, error);
        }
        if (symbols[left].previous >= 0 && !push_pair(table, scratch, symbols[left].previous))
            return fail_long(scratch, error);
    }
    size_t kept = 0;
    for (size_t i = 0; i < scratch->symbol_count; i++)
        if (symbols[i].length) symbols[kept++] = symbols[i];
    scratch->symbol_count = kept;
    return HEED_OK;
}

heed_status heed_bpe_merge(const heed_merge_table *table, heed_tokenizer_model_scratch *scratch,
                           heed_error *error)
{
    if (scratch->symbol_count < 2 || !table->count) return HEED_OK;
    if (scratch->symbol_count <= SHORT_WORD)
        merge_short(table, scratch->symbols, &scratch->symbol_count);
    else return merge_long(table, scratch, error);
    return HEED_OK;
}
