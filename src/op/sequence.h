/* sequence.h: how every kernel reads the sequence table. */
#ifndef HEED_OP_SEQUENCE_H
#define HEED_OP_SEQUENCE_H

#include "graph/op.h"

typedef struct heed_sequence {
    int64_t query_start, queries; /* rows of q; queries is 0 if the table points outside of them */
    int64_t key_start, keys;      /* rows of dense k and v; with a page table key_start is unused */
    int32_t first_index, sample, table_row;
} heed_sequence;

/* Row b of the sequence table. Ranges that leave [0, query_rows) or [0, key_rows) are empty. With a
   page table the keys lie in its pages, and there are at most as many as it has positions. */
static inline heed_sequence heed_sequence_of(const heed_operand *sequences, int64_t b,
                                             int64_t query_rows, int64_t key_rows,
                                             const heed_operand *page_table)
{
    const int32_t *field = (const int32_t *)sequences->data + b * sequences->row_stride;
    heed_sequence sequence = {field[HEED_SEQUENCE_QUERY_START], field[HEED_SEQUENCE_QUERY_LENGTH],
                              field[HEED_SEQUENCE_KEY_START],   field[HEED_SEQUENCE_KEY_LENGTH],
                              field[HEED_SEQUENCE_FIRST_INDEX], field[HEED_SEQUENCE_SAMPLE],
                              field[HEED_SEQUENCE_TABLE_ROW]};
    bool queries_inside = sequence.query_start >= 0 && sequence.queries >= 0 &&
                          sequence.query_start + sequence.queries <= query_rows;
    if (!queries_inside) sequence.query_start = sequence.queries = 0;
    if (page_table) {
        sequence.key_start = 0;
        key_rows = page_table->shape.dim[1] * HEED_PAGE_POSITIONS;
    }
    bool keys_inside = sequence.key_start >= 0 && sequence.keys >= 0 &&
                       sequence.key_start + sequence.keys <= key_rows;
    if (!keys_inside) sequence.key_start = sequence.keys = 0;
    return sequence;
}

#endif
