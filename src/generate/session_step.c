/* session_step.c: feeds step items to the decoder, run by run. session.h draws how runs are
   made. */
#include "generate/session_internal.h"
#include "graph/plan.h"
#include <math.h>
#include <string.h>

/* ---- what a run reads ---- */

/* The columns of a run's page table: the pages of the session's context, however few are held.
   Hence the plan chooses attention's kernel, the split one or not, by the context. */
static int64_t table_columns(const heed_session *session)
{
    return (session->context + HEED_PAGE_POSITIONS - 1) / HEED_PAGE_POSITIONS;
}

/* Appends the page numbers of a sequence to a page table of the batch. */
static heed_status put_pages(heed_session *session, int which, const char *name, int64_t sequence,
                             heed_error *error)
{
    int32_t *row;
    int64_t pages;
    const int32_t *held = heed_cache_table(session->caches[which], sequence, &pages);
    HEED_TRY(heed_batch_ints(&session->batch, name, 1, table_columns(session), &row, error));
    memcpy(row, held, (size_t)pages * sizeof *row);
    return HEED_OK;
}

/* Appends what cross-attention reads for a piece, whose rows begin at `start`: they attend to all
   keys of the source. */
static heed_status put_cross(heed_session *session, const heed_session_piece *piece,
                             const heed_step_item *item, int64_t start, heed_error *error)
{
    int64_t sequence = session->sequences[item->sequence].cache_sequence[HEED_SESSION_CROSS];
    int64_t keys = heed_cache_length(session->caches[HEED_SESSION_CROSS], sequence);
    int32_t *fields;
    HEED_TRY(heed_batch_ints(&session->batch, "cross_sequences", 1, HEED_SEQUENCE_FIELDS, &fields,
                             error));
    fields[HEED_SEQUENCE_QUERY_START] = (int32_t)start;
    fields[HEED_SEQUENCE_QUERY_LENGTH] = (int32_t)piece->count;
    fields[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)keys;
    fields[HEED_SEQUENCE_TABLE_ROW] = (int32_t)session->batch.count[HEED_EXTENT_SEQUENCES] - 1;
    return put_pages(session, HEED_SESSION_CROSS, "cross_page_table", sequence, error);
}

/* Appends a piece to the batch. The cache already counts the positions of the whole step, so a
   piece begins at position length - item->count + piece->begin. */
static heed_status put_piece(heed_session *session, const heed_session_piece *piece,
                             const heed_step_item *item, heed_error *error)
{
    heed_batch *batch = &session->batch;
    int64_t sequence = session->sequences[item->sequence].cache_sequence[HEED_SESSION_SELF];
    int64_t length = heed_cache_length(session->caches[HEED_SESSION_SELF], sequence);
    int64_t start = batch->count[HEED_EXTENT_ROWS], wanted = piece->count - piece->want;
    int32_t *rows;
    const heed_session_span span = {sequence, length - item->count + piece->begin, piece->count,
                                    length};
    HEED_TRY(heed_session_put(session, HEED_MAIN_STACK, &span, item->ids + piece->begin, error));
    HEED_TRY(put_pages(session, HEED_SESSION_SELF, "page_table", sequence, error));
    HEED_TRY(heed_batch_ints(batch, "rows", wanted, 0, &rows, error));
    for (int64_t i = 0; i < wanted; i++) rows[i] = (int32_t)(start + piece->want + i);
    batch->count[HEED_EXTENT_GATHERED] += wanted;
    if (!session->caches[HEED_SESSION_CROSS]) return HEED_OK;
    return put_cross(session, piece, item, start, error);
}

/* Is anything kept of a sequence in f16? */
static bool keeps_f16(const heed_session *session)
{
    size_t count;
    const heed_kept *kept = heed_model_keeps(heed_session_model(session), HEED_KEEP_SELF, &count);
    for (size_t i = 0; i < count; i++)
        if (kept[i].dtype == HEED_F16) return true;
    return false;
}

/* Returns HEED_E_ARG if the logits of a run with f16 caches hold NaN. A key or value too large for
   f16 is stored as NaN, which reaches the logits of every token that attends to it. */
static heed_status check_cache_holds(const heed_session *session, int64_t count, heed_error *error)
{
    if (!keeps_f16(session)) return HEED_OK;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < heed_session_vocabulary(session); j++)
            if (isnan(session->rows[i].logits[j]))
                return heed_fail(error, HEED_E_ARG,
                                 "the model's logits hold NaN: a key or value is too large for a "
                                 "cache of f16, which holds up to 65504 (try --cache bf16 or f32), "
                                 "or the weights or activations are not finite");
    return HEED_OK;
}

/* Hands the logits of a run to the visitor, with tokens counted in the caller's items. */
static heed_status visit_run(heed_session *session, int64_t pieces, heed_logits_visitor *visitor,
                             void *argument, heed_error *error)
{
    heed_operand logits = {0};
    int64_t count = 0;
    HEED_TRY(heed_engine_output(session->engine, "logits", &logits, error));
    for (int64_t i = 0; i < pieces; i++) {
        const heed_session_piece *p = &session->pieces[i];
        int64_t first = p->begin - session->recomputed[p->item]; /* in the caller's item */
        for (int64_t token = p->want; token < p->count; token++, count++)
            session->rows[count] = (heed_logits_row){
                .item = p->item,
                .token = first + token,
                .logits = (const float *)logits.data + count * logits.row_stride,
            };
    }
    HEED_TRY(check_cache_holds(session, count, error));
    return count && visitor ? visitor(argument, session->rows, count, error) : HEED_OK;
}

/* Takes the next piece of every item that has room in a run and stores these pieces in the
   session. If a piece has no room, its item waits for the next run; it is not cut differently.
   Returns the number of pieces. */
static int64_t pack_run(heed_session *session, const heed_step_item *items, int64_t count)
{
    int64_t pieces = 0, rows = 0, gathered = 0;
    for (int64_t i = 0; i < count && rows < session->chunk; i++) {
        int64_t done = session->done[i], left = items[i].count - done, want = items[i].want - done;
        /* If logits are wanted of more than one token, each piece has at most `gathered` tokens. */
        bool many = items[i].count - items[i].want > 1;
        int64_t most = many ? session->gathered : session->chunk;
        int64_t size = left < most ? left : most;
        if (want < 0) want = 0;
        if (want > size) want = size;
        if (left == 0 || rows + size > session->chunk || gathered + size - want > session->gathered)
            continue;
        session->pieces[pieces++] = (heed_session_piece){i, done, size, want};
        rows += size;
        gathered += size - want;
    }
    return pieces;
}

/* Appends empty rows to the page tables until they have as many as the plan's. */
static heed_status fill_page_tables(heed_session *session, int64_t rows, heed_error *error)
{
    static const char *const names[] = {"page_table", "cross_page_table"};
    for (int i = 0; i < 2; i++) {
        int32_t *empty;
        if (!session->caches[i]) continue;
        int64_t more = rows - heed_batch_column(&session->batch, names[i])->rows;
        HEED_TRY(heed_batch_ints(&session->batch, names[i], more, table_columns(session), &empty,
                                 error));
    }
    return HEED_OK;
}

/* Runs the decoder over the first `pieces` pieces of the session. */
static heed_status run_pieces(heed_session *session, const heed_step_item *items, int64_t pieces,
                              heed_error *error)
{
    heed_batch *batch = &session->batch;
    heed_runtime runtime = {0};
    heed_batch_clear(batch, 0);
    for (int64_t i = 0; i < pieces; i++) {
        const heed_session_piece *piece = &session->pieces[i];
        HEED_TRY(put_piece(session, piece, &items[piece->item], error));
    }
    HEED_TRY(fill_page_tables(session, heed_bucket(pieces), error));
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_DECODE,
        .rows = batch->count[HEED_EXTENT_ROWS],
        .sequences = pieces,
        .gathered = batch->count[HEED_EXTENT_GATHERED],
        .cache_pages = heed_session_cache_pages(session, HEED_SESSION_SELF),
        .cross_pages = heed_session_cache_pages(session, HEED_SESSION_CROSS),
        .table_rows = heed_bucket(pieces),
        .table_columns = table_columns(session),
    };
    HEED_TRY(heed_engine_prepare(session->engine, &spec, error));
    HEED_TRY(heed_engine_feed(session->engine, batch, &runtime, error));
    return heed_engine_run(session->engine, &runtime, error);
}

/* Runs the decoder until all items are fed and visits the logits of each run. */
static heed_status run_all(heed_session *session, const heed_step_item *items, int64_t count,
                           heed_logits_visitor *visitor, void *argument, heed_error *error)
{
    for (int64_t pieces; (pieces = pack_run(session, items, count)) > 0;) {
        HEED_TRY(run_pieces(session, items, pieces, error));
        for (int64_t i = 0; i < pieces; i++)
            session->done[session->pieces[i].item] += session->pieces[i].count;
        HEED_TRY(visit_run(session, pieces, visitor, argument, error));
    }
    return HEED_OK;
}

/* Returns HEED_E_ARG for items that the session cannot feed. */
static heed_status check_items(heed_session *session, const heed_step_item *items, int64_t count,
                               heed_error *error)
{
    if (count > session->capacity)
        return heed_fail(error, HEED_E_ARG, "a step of %lld items in a session of %lld sequences",
                         (long long)count, (long long)session->capacity);
    memset(session->named, 0, (size_t)session->capacity * sizeof *session->named);
    for (int64_t i = 0; i < count; i++) {
        const heed_step_item *item = &items[i];
        if (!heed_session_find(session, item->sequence))
            return heed_session_fail_unknown(item->sequence, error);
        if (session->named[item->sequence])
            return heed_fail(error, HEED_E_ARG, "sequence %lld occurs twice in a step",
                             (long long)item->sequence);
        session->named[item->sequence] = true;
        if (item->count < 0 || item->want < 0)
            return heed_fail(
                error, HEED_E_ARG,
                "a step of %lld tokens with logits from token %lld: expected no negative numbers",
                (long long)item->count, (long long)item->want);
        int64_t length = heed_session_length(session, item->sequence);
        if (item->count > session->context - length)
            return heed_fail(error, HEED_E_ARG, "%lld tokens after %lld exceed the context of %lld",
                             (long long)item->count, (long long)length,
                             (long long)session->context);
        HEED_TRY(heed_session_check_ids(session, HEED_MAIN_STACK, item->ids, item->count, error));
    }
    return HEED_OK;
}

/* Records the ids of every item in its slot, after those that the sequence has. */
static heed_status record_ids(heed_session *session, const heed_step_item *items, int64_t count,
                              heed_error *error)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t before = heed_session_length(session, items[i].sequence);
        HEED_TRY(heed_session_emit(session, items[i].sequence, before, items[i].ids, items[i].count,
                                   error));
    }
    return HEED_OK;
}

/* Copies the items into session->items as they will be fed. If a sequence grows past the original
   context, or was cut back within it, its keys are dropped and its item becomes all of its ids. */
static void gather_items(heed_session *session, const heed_step_item *items, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const heed_step_item *item = &items[i];
        heed_sequence_slot *slot = &session->sequences[item->sequence];
        int64_t before = heed_session_length(session, item->sequence);
        int64_t length = before + item->count;
        bool past = session->original_context && length > session->original_context;
        session->items[i] = *item;
        session->recomputed[i] = 0;
        if (before && item->count && past != slot->past_original) {
            session->items[i] = (heed_step_item){
                .sequence = item->sequence,
                .ids = slot->ids,
                .count = length,
                .want = before + item->want,
            };
            session->recomputed[i] = before;
            heed_session_truncate(session, item->sequence, 0);
        }
        if (item->count) slot->past_original = past;
    }
}

/* Shortens the sequences after a failure: each gets its previous length. A sequence that was being
   recomputed keeps the earlier ids that have been fed. */
static void restore_lengths(heed_session *session, const heed_step_item *items, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t length = heed_session_length(session, items[i].sequence) - items[i].count;
        int64_t fed = session->done[i], recomputed = session->recomputed[i];
        if (recomputed) length = fed < recomputed ? fed : recomputed;
        heed_session_truncate(session, items[i].sequence, length);
    }
}

heed_status heed_session_step(heed_session *session, const heed_step_item *items, int64_t count,
                              heed_logits_visitor *visitor, void *argument, heed_error *error)
{
    HEED_TRY(check_items(session, items, count, error));
    if (session->original_context) HEED_TRY(record_ids(session, items, count, error));
    gather_items(session, items, count);
    items = session->items;
    for (int64_t i = 0; i < count; i++) {
        session->growth[i] = (heed_cache_growth){
            session->sequences[items[i].sequence].cache_sequence[HEED_SESSION_SELF],
            items[i].count};
        session->done[i] = 0;
    }
    HEED_TRY(heed_cache_extend(session->caches[HEED_SESSION_SELF], session->growth, count, error));
    heed_status status = run_all(session, items, count, visitor, argument, error);
    if (status != HEED_OK) restore_lengths(session, items, count);
    return status;
}
