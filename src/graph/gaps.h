/* gaps.h: which bytes of the workspace are taken in which regions, and where the lowest gap is. The
   memory plan asks and tells once for each value. */
#ifndef HEED_GRAPH_GAPS_H
#define HEED_GRAPH_GAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_gaps heed_gaps;

/* Makes an empty workspace for regions 0 up to `regions` - 1; NULL if out of memory. */
heed_gaps *heed_gaps_new(int32_t regions);
void heed_gaps_free(heed_gaps *gaps);
/* Returns the lowest offset from `base` on where `bytes` bytes are free in all regions from `from`
   to `to`, both included. `to` may lie past the last region. If there are very many gaps that do
   not fit, returns an offset after all of them. */
size_t heed_gaps_lowest(heed_gaps *gaps, int32_t from, int32_t to, size_t bytes, size_t base);
/* Takes the bytes in these regions. Returns false if out of memory. */
bool heed_gaps_take(heed_gaps *gaps, int32_t from, int32_t to, size_t bytes, size_t offset);
/* Returns how many comparisons of offsets were made so far. */
uint64_t heed_gaps_comparisons(const heed_gaps *gaps);

#endif
