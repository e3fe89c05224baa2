/* gaps.c: a segment tree over the regions. A value that lives in regions 1 to 6 is stored as
   `whole` in the few nodes that together are these regions, and as `within` in all nodes above
   them:

      within |0 - - - - - - - - - - - 7|
      within |0 - - - - 3|4 - - - - - 7|
             |0 - 1|2 - 3|4 - 5|6 - - 7|       2-3 and 4-5 are whole, and so are 1 and 6
             |0|-1-|- - -|- - -|-6-| 7 |

   Hence a node knows all that is taken in some region of it: `whole` of the nodes above it, and
   both lists of its own. Lists hold ranges of offsets in ascending order; ranges that touch are
   one. A value is in O(log n) lists, and so is the answer to a question. */
#include "graph/gaps.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t begin, end;
} range;

typedef struct {
    range *ranges; /* ascending, with gaps between them */
    size_t count, capacity;
} range_list;

typedef struct {
    range_list whole;  /* taken in all regions of the node */
    range_list within; /* taken in some regions of a node below */
} tree_node;

/* A question collects at most four lists at each of at most 31 levels. */
enum { MOST_LISTS = 4 * 32 };

/* A question that meets so many gaps which are too small or not free in all its regions is answered
   with the end of all that is taken there. Plans of models meet some tens, since few of their
   values differ in size; without the limit, thousands of sizes would take quadratic time. */
enum { MOST_PUSHES = 1000 };

struct heed_gaps {
    tree_node *nodes; /* node 1 is all regions; the halves of node i are 2i and 2i + 1 */
    int32_t regions;  /* a power of two */
    uint64_t comparisons;
};

heed_gaps *heed_gaps_new(int32_t regions)
{
    heed_gaps *gaps = heed_allocate(1, sizeof *gaps);
    if (!gaps) return NULL;
    gaps->regions = 1;
    while (gaps->regions < regions) gaps->regions *= 2;
    gaps->nodes = heed_allocate(2 * (size_t)gaps->regions, sizeof *gaps->nodes);
    if (gaps->nodes) return gaps;
    free(gaps);
    return NULL;
}

void heed_gaps_free(heed_gaps *gaps)
{
    if (!gaps) return;
    for (size_t i = 0; i < 2 * (size_t)gaps->regions; i++) {
        free(gaps->nodes[i].whole.ranges);
        free(gaps->nodes[i].within.ranges);
    }
    free(gaps->nodes);
    free(gaps);
}

uint64_t heed_gaps_comparisons(const heed_gaps *gaps)
{
    return gaps->comparisons;
}

/* ---- lists ---- */

/* The index of the first range that ends at `offset` or later. */
static size_t first_ending(heed_gaps *gaps, const range_list *list, size_t offset)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        gaps->comparisons++;
        if (list->ranges[middle].end < offset) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Adds a range, and joins it with those that it touches. */
static bool add_range(heed_gaps *gaps, range_list *list, range added)
{
    const size_t first = first_ending(gaps, list, added.begin);
    size_t next = first;
    while (next < list->count && list->ranges[next].begin <= added.end) {
        gaps->comparisons++;
        if (list->ranges[next].begin < added.begin) added.begin = list->ranges[next].begin;
        if (list->ranges[next].end > added.end) added.end = list->ranges[next].end;
        next++;
    }
    if (next == first &&
        !heed_grow(&list->ranges, &list->capacity, list->count + 1, sizeof *list->ranges))
        return false;
    /* the ranges from `first` up to `next` become one */
    memmove(list->ranges + first + 1, list->ranges + next,
            (list->count - next) * sizeof *list->ranges);
    list->ranges[first] = added;
    list->count = list->count + 1 - (next - first);
    return true;
}

/* ---- the tree ---- */

/* A node, and the regions that it stands for. */
typedef struct {
    size_t number;
    int32_t first, last;
} tree_place;

static tree_place half_of(tree_place place, bool upper)
{
    const int32_t middle = place.first + (place.last - place.first) / 2;
    return upper ? (tree_place){2 * place.number + 1, middle + 1, place.last}
                 : (tree_place){2 * place.number, place.first, middle};
}

static bool take_below(heed_gaps *gaps, tree_place place, int32_t from, int32_t to, range taken)
{
    tree_node *node = &gaps->nodes[place.number];
    if (to < place.first || from > place.last) return true;
    if (from <= place.first && place.last <= to) return add_range(gaps, &node->whole, taken);
    return add_range(gaps, &node->within, taken) &&
           take_below(gaps, half_of(place, false), from, to, taken) &&
           take_below(gaps, half_of(place, true), from, to, taken);
}

bool heed_gaps_take(heed_gaps *gaps, int32_t from, int32_t to, size_t bytes, size_t offset)
{
    const tree_place all = {1, 0, gaps->regions - 1};
    return bytes == 0 || take_below(gaps, all, from, to, (range){offset, offset + bytes});
}

/* Collects the lists of all that is taken in these regions; returns their new number. */
static size_t collect(const heed_gaps *gaps, tree_place place, int32_t from, int32_t to,
                      const range_list **lists, size_t count)
{
    const tree_node *node = &gaps->nodes[place.number];
    if (to < place.first || from > place.last) return count;
    if (node->whole.count > 0) lists[count++] = &node->whole;
    if (from <= place.first && place.last <= to) {
        if (node->within.count > 0) lists[count++] = &node->within;
        return count;
    }
    count = collect(gaps, half_of(place, false), from, to, lists, count);
    return collect(gaps, half_of(place, true), from, to, lists, count);
}

/* The end of all that is taken in these lists. */
static size_t end_of(const range_list *const *lists, size_t count, size_t offset)
{
    for (size_t i = 0; i < count; i++) {
        const size_t end = lists[i]->ranges[lists[i]->count - 1].end;
        if (end > offset) offset = end;
    }
    return offset;
}

size_t heed_gaps_lowest(heed_gaps *gaps, int32_t from, int32_t to, size_t bytes, size_t base)
{
    const range_list *lists[MOST_LISTS];
    const tree_place all = {1, 0, gaps->regions - 1};
    const size_t count = bytes > 0 ? collect(gaps, all, from, to, lists, 0) : 0;
    size_t offset = base;
    int pushes = 0;
    /* each list in turn pushes the offset past its range there, until all agree */
    for (size_t i = 0, agree = 0; agree < count; i = (i + 1) % count) {
        const size_t at = first_ending(gaps, lists[i], offset + 1);
        gaps->comparisons++;
        if (at == lists[i]->count || lists[i]->ranges[at].begin >= offset + bytes) {
            agree++;
            continue;
        }
        if (pushes++ == MOST_PUSHES) return end_of(lists, count, offset);
        offset = lists[i]->ranges[at].end;
        agree = 0;
    }
    return offset;
}
