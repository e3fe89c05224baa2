/* padded.c: makes rows of a padded batch. */
#include "forward/padded.h"
#include "base/memory.h"
#include "base/number.h"

#include <stdlib.h>
#include <string.h>

heed_status heed_padded_new(heed_padded *padded, int64_t batch, int64_t length, heed_error *error)
{
    *padded = (heed_padded){.batch = batch, .length = length};
    if (batch < 0 || length < 0 || (length > 0 && batch > ((int64_t)1 << 30) / length) ||
        batch > 1 << 30)
        return heed_fail(error, HEED_E_ARG, "a batch of %lld x %lld tokens; expected at most 2^30",
                         (long long)batch, (long long)length);
    size_t places = (size_t)(batch * length) + 1;
    padded->keep = heed_allocate(places, sizeof *padded->keep);
    padded->needed = heed_allocate(places, sizeof *padded->needed);
    padded->segment = heed_allocate(places, sizeof *padded->segment);
    if (padded->keep && padded->needed && padded->segment) return HEED_OK;
    heed_padded_free(padded);
    return heed_fail_memory(error, 3 * places, "a batch");
}

void heed_padded_free(heed_padded *padded)
{
    free(padded->keep);
    free(padded->needed);
    free(padded->segment);
    *padded = (heed_padded){0};
}

/* Does token t of sequence b see any token? */
static bool sees_something(const heed_padded *padded, int64_t b, int64_t t, heed_view view)
{
    int64_t first = 0, last = view.causal ? t : padded->length - 1;
    if (view.window > 0) {
        first = heed_larger(first, t - view.window + 1);
        last = heed_smaller(last, t + view.window - 1);
    }
    for (int64_t key = first; key <= last; key++)
        if (padded->keep[b * padded->length + key]) return true;
    return false;
}

bool heed_padded_mark_fully_masked(heed_padded *padded, heed_view view)
{
    bool any = false;
    for (int64_t b = 0; b < padded->batch; b++) {
        bool fully_masked = false;
        for (int64_t t = 0; t < padded->length && !fully_masked; t++)
            fully_masked = padded->needed[b * padded->length + t] &&
                           !padded->keep[b * padded->length + t] &&
                           !sees_something(padded, b, t, view);
        for (int64_t t = 0; fully_masked && t < padded->length; t++)
            padded->needed[b * padded->length + t] = true;
        any = any || fully_masked;
    }
    return any;
}

void heed_rows_free(heed_rows *rows)
{
    free(rows->place);
    free(rows->row);
    free(rows->batch);
    free(rows->table);
    free(rows->kept);
    *rows = (heed_rows){0};
}

/* The tokens [begin, end) of sequence b of the batch. */
typedef struct {
    int64_t b, begin, end;
} token_range;

/* Appends rows for the tokens of a range: those that are seen, those that are only needed, or both.
   Sets rows->indexed if a row is only needed or places are not adjacent. */
static void append(heed_rows *rows, const heed_padded *padded, token_range range, bool seen,
                   bool unseen)
{
    int64_t last = -1;
    for (int64_t t = range.begin; t < range.end; t++) {
        int64_t place = range.b * padded->length + t;
        bool keep = padded->keep[place], only = padded->needed[place] && !keep;
        if (!((keep && seen) || (only && unseen))) continue;
        rows->indexed = rows->indexed || only || (last >= 0 && t != last + 1);
        rows->row[place] = rows->count;
        rows->place[rows->count++] = place;
        last = t;
    }
}

/* Adds a segment with its rows and its row of the sequence table. */
static void add_sequence(heed_rows *rows, const heed_padded *padded, token_range range,
                         bool seen_first)
{
    int64_t start = rows->count;
    append(rows, padded, range, true, !seen_first);
    if (seen_first) append(rows, padded, range, false, true);
    int32_t kept = 0;
    for (int64_t i = start; i < rows->count; i++) kept += padded->keep[rows->place[i]];
    int32_t *entry = rows->table + rows->sequences * HEED_SEQUENCE_FIELDS;
    int32_t length = (int32_t)(rows->count - start);
    entry[HEED_SEQUENCE_QUERY_START] = entry[HEED_SEQUENCE_KEY_START] = (int32_t)start;
    entry[HEED_SEQUENCE_QUERY_LENGTH] = entry[HEED_SEQUENCE_KEY_LENGTH] = length;
    entry[HEED_SEQUENCE_SAMPLE] = entry[HEED_SEQUENCE_TABLE_ROW] = (int32_t)range.b;
    rows->kept[rows->sequences] = kept;
    rows->batch[rows->sequences++] = range.b;
}

heed_status heed_rows_new(heed_rows *rows, const heed_padded *padded, bool seen_first,
                          heed_error *error)
{
    *rows = (heed_rows){0};
    int64_t places = padded->batch * padded->length, sequences = padded->batch;
    for (int64_t i = 0; i < places; i++) sequences += padded->segment[i] && i % padded->length > 0;
    rows->place = heed_allocate((size_t)places + 1, sizeof *rows->place);
    rows->row = heed_allocate((size_t)places + 1, sizeof *rows->row);
    rows->batch = heed_allocate((size_t)sequences + 1, sizeof *rows->batch);
    rows->kept = heed_allocate((size_t)sequences + 1, sizeof *rows->kept);
    rows->table = heed_allocate((size_t)(sequences + 1) * HEED_SEQUENCE_FIELDS,
                                sizeof *rows->table);
    if (!rows->place || !rows->row || !rows->batch || !rows->kept || !rows->table) {
        heed_rows_free(rows);
        return heed_fail_memory(error, (size_t)places * 2 * sizeof(int64_t), "the rows of a batch");
    }
    for (int64_t i = 0; i < places; i++) rows->row[i] = -1;
    for (int64_t b = 0; b < padded->batch; b++) {
        int64_t begin = 0;
        for (int64_t t = 1; t < padded->length; t++) {
            if (!padded->segment[b * padded->length + t]) continue;
            add_sequence(rows, padded, (token_range){b, begin, t}, seen_first);
            begin = t;
        }
        add_sequence(rows, padded, (token_range){b, begin, padded->length}, seen_first);
    }
    return HEED_OK;
}
