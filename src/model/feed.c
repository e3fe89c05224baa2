/* feed.c: fills the inputs of a program from a batch. The functions named in program.def fill what
   the batch leaves out. */
#include "model/feed.h"
#include "graph/ir.h"
#include "model/engine.h"
#include "tensor/dtype.h"

#include <string.h>

/* An input that is being filled. */
typedef struct feed {
    const heed_model *model;
    const heed_batch *batch;
    const char *name;
    heed_input_stack stack;
    heed_dtype dtype;
    heed_shape shape; /* live */
    size_t bytes;
    void *data;
} feed;

/* ---- inputs that a batch leaves out ---- */

static heed_status required(const feed *to, heed_error *error)
{
    return heed_fail(error, HEED_E_ARG,
                     "nothing fills the input \"%s\": the batch has no such column", to->name);
}

static heed_status zeros(const feed *to, heed_error *error)
{
    (void)error;
    memset(to->data, 0, to->bytes);
    return HEED_OK;
}

/* The rows of one sequence of a stack, and its row of the sequence table. */
typedef struct sequence {
    int64_t index, first, count;
    const int32_t *fields;
} sequence;

/* Writes what an input has for one sequence. */
typedef void fill_sequence(const feed *to, const sequence *of);

/* Returns the sequence table of a stack; NULL, with an error, if there is none. */
static const heed_column *sequence_table(const feed *to, heed_input_stack stack, heed_error *error)
{
    const char *name = heed_input_name(HEED_INPUT_SEQUENCES, stack);
    const heed_column *table = heed_batch_column(to->batch, name);
    int64_t sequences = to->batch->count[HEED_EXTENT_SEQUENCES];
    if (table && table->dtype == HEED_I32 && table->columns == HEED_SEQUENCE_FIELDS &&
        table->rows == sequences)
        return table;
    heed_fail(error, HEED_E_ARG,
              "nothing fills the input \"%s\": it follows from \"%s\" (%lld,%d), which the batch "
              "does not have",
              to->name, name, (long long)sequences, HEED_SEQUENCE_FIELDS);
    return NULL;
}

/* Fills an input from the sequence table of its stack, sequence by sequence. Rows that belong to no
   sequence are zeros. */
static heed_status fill_by_sequence(const feed *to, fill_sequence *fill, heed_error *error)
{
    const heed_column *table = sequence_table(to, to->stack, error);
    int64_t rows = to->batch->count[heed_stack_extent(to->stack)];
    if (!table) return HEED_E_ARG;
    memset(to->data, 0, to->bytes);
    for (int64_t i = 0; i < table->rows; i++) {
        const int32_t *fields = (const int32_t *)table->data + i * HEED_SEQUENCE_FIELDS;
        const sequence of = {i, fields[HEED_SEQUENCE_QUERY_START],
                             fields[HEED_SEQUENCE_QUERY_LENGTH], fields};
        if (of.first < 0 || of.count < 0 || of.first > rows - of.count)
            return heed_fail(error, HEED_E_ARG,
                             "sequence %lld has the %lld rows from %lld on, but there are %lld",
                             (long long)i, (long long)of.count, (long long)of.first,
                             (long long)rows);
        fill(to, &of);
    }
    return HEED_OK;
}

static void positions_of(const feed *to, const sequence *of)
{
    int32_t *positions = (int32_t *)to->data + of->first;
    for (int64_t i = 0; i < of->count; i++)
        positions[i] = of->fields[HEED_SEQUENCE_FIRST_INDEX] + (int32_t)i;
}

/* The positions of a sequence count on from FIRST_INDEX. */
static heed_status count_positions(const feed *to, heed_error *error)
{
    return fill_by_sequence(to, positions_of, error);
}

static void token_positions_of(const feed *to, const sequence *of)
{
    const heed_config *config = heed_model_config(to->model);
    const int32_t *ids = heed_batch_read(to->batch, heed_input_name(HEED_INPUT_IDS, to->stack));
    int32_t next = (int32_t)config->position_offset + of->fields[HEED_SEQUENCE_FIRST_INDEX];
    for (int64_t row = of->first; row < of->first + of->count; row++) {
        bool padding = ids[row] == config->pad_id;
        ((int32_t *)to->data)[row] = padding ? (int32_t)config->pad_id : next++;
    }
}

/* Positions count rows, or the tokens that are not padding. */
static heed_status place_rows(const feed *to, heed_error *error)
{
    const heed_column *ids;
    if (!heed_model_config(to->model)->counts_tokens) return count_positions(to, error);
    ids = heed_batch_column(to->batch, heed_input_name(HEED_INPUT_IDS, to->stack));
    if (!ids || ids->rows != to->shape.dim[0]) return required(to, error);
    return fill_by_sequence(to, token_positions_of, error);
}

static void samples_of(const feed *to, const sequence *of)
{
    int32_t *samples = (int32_t *)to->data + 2 * of->first;
    for (int64_t i = 0; i < of->count; i++) {
        samples[2 * i] = of->fields[HEED_SEQUENCE_SAMPLE];
        samples[2 * i + 1] = (int32_t)i;
    }
}

static heed_status count_samples(const feed *to, heed_error *error)
{
    return fill_by_sequence(to, samples_of, error);
}

static void frequencies_of(const feed *to, const sequence *of)
{
    const char *name = heed_input_name(HEED_INPUT_LENGTHS, to->stack);
    const heed_column *lengths = heed_batch_column(to->batch, name);
    int64_t length = of->fields[HEED_SEQUENCE_KEY_LENGTH];
    float *frequencies = (float *)to->data + of->first * to->shape.dim[1];
    if (lengths && of->index < lengths->rows) length = ((const int32_t *)lengths->data)[of->index];
    heed_model_rotary_fill(to->model, to->stack == HEED_SOURCE_STACK, length, of->count,
                           frequencies);
}

/* A text is as long as "lengths" says, else as its keys. */
static heed_status compute_frequencies(const feed *to, heed_error *error)
{
    return fill_by_sequence(to, frequencies_of, error);
}

/* Counts the rows of a sequence that queries see, and those of all its rows that are masks. */
static void count_masks(const feed *to, const sequence *of, const int32_t *ids, int64_t *seen,
                        int64_t *masks)
{
    const int32_t *keys = heed_batch_read(to->batch,
                                          heed_input_name(HEED_INPUT_KEY_INDEX, to->stack));
    const int64_t mask = heed_model_config(to->model)->mask_id;
    *seen = *masks = 0;
    for (int64_t row = of->first; row < of->first + of->count; row++) {
        *seen += !keys || keys[row] >= 0;
        *masks += ids[row] == mask;
    }
}

float heed_feed_token_scale(int64_t masks, int64_t seen)
{
    const double share_trained = 0.15 * 0.8; /* masks among the tokens that ESM was trained on */
    double share = seen > 0 ? (double)masks / (double)seen : 0;
    return share == 1 ? 0 : (float)((1 - share_trained) / (1 - share));
}

static void token_scale_of(const feed *to, const sequence *of)
{
    const int32_t *ids = heed_batch_read(to->batch, heed_input_name(HEED_INPUT_IDS, to->stack));
    const int64_t mask = heed_model_config(to->model)->mask_id;
    int64_t seen, masks;
    count_masks(to, of, ids, &seen, &masks);
    const float scale = heed_feed_token_scale(masks, seen);
    for (int64_t row = of->first; row < of->first + of->count; row++)
        ((float *)to->data)[row] = ids[row] == mask ? 0 : scale;
}

/* The embeddings of masks are zeros. Those of other tokens grow with the share of masks in their
   sequence, so that their sum is what it was in training. Source: Rives et al. 2021 (ESM). */
static heed_status scale_by_masks(const feed *to, heed_error *error)
{
    const heed_column *ids = heed_batch_column(to->batch,
                                               heed_input_name(HEED_INPUT_IDS, to->stack));
    if (!ids || ids->rows != to->shape.dim[0]) return required(to, error);
    return fill_by_sequence(to, token_scale_of, error);
}

static void pooled_row_of(const feed *to, const sequence *of)
{
    const heed_config *config = heed_model_config(to->model);
    bool last = config->arrangement != HEED_ENCODER_ONLY;
    if (config->pooled_row != HEED_POOLED_USUAL) last = config->pooled_row == HEED_POOLED_LAST;
    int64_t chosen = last && of->count > 0 ? of->count - 1 : 0;
    ((int32_t *)to->data)[of->index] = (int32_t)(of->first + chosen);
}

/* The first row represents a sequence of an encoder, the last one that of a decoder, unless the
   model chooses. Where its end token is, only the batch knows. */
static heed_status choose_pooled_rows(const feed *to, heed_error *error)
{
    if (heed_model_config(to->model)->pooled_row == HEED_POOLED_END) return required(to, error);
    return fill_by_sequence(to, pooled_row_of, error);
}

static void pooled_sample_of(const feed *to, const sequence *of)
{
    ((int32_t *)to->data)[2 * of->index] = of->fields[HEED_SEQUENCE_SAMPLE];
}

static heed_status count_pooled_samples(const feed *to, heed_error *error)
{
    return fill_by_sequence(to, pooled_sample_of, error);
}

static heed_status copy_sequences(const feed *to, heed_error *error)
{
    const heed_column *table = sequence_table(to, HEED_MAIN_STACK, error);
    if (!table) return HEED_E_ARG;
    memcpy(to->data, table->data, to->bytes);
    return HEED_OK;
}

/* Queries are the rows of the main stack, keys those of the source. */
static heed_status join_sequences(const feed *to, heed_error *error)
{
    const heed_column *queries = sequence_table(to, HEED_MAIN_STACK, error);
    const heed_column *keys = queries ? sequence_table(to, HEED_SOURCE_STACK, error) : NULL;
    int32_t *fields = to->data;
    if (!keys) return HEED_E_ARG;
    memcpy(fields, queries->data, to->bytes);
    for (int64_t i = 0; i < to->shape.dim[0]; i++) {
        const int32_t *source = (const int32_t *)keys->data + i * HEED_SEQUENCE_FIELDS;
        fields[HEED_SEQUENCE_KEY_START] = source[HEED_SEQUENCE_KEY_START];
        fields[HEED_SEQUENCE_KEY_LENGTH] = source[HEED_SEQUENCE_KEY_LENGTH];
        fields += HEED_SEQUENCE_FIELDS;
    }
    return HEED_OK;
}

/* The head sees all rows if it sees as many as there are. */
static heed_status take_all_rows(const feed *to, heed_error *error)
{
    int32_t *rows = to->data;
    if (to->shape.dim[0] != to->batch->count[HEED_EXTENT_ROWS]) return required(to, error);
    for (int64_t i = 0; i < to->shape.dim[0]; i++) rows[i] = (int32_t)i;
    return HEED_OK;
}

/* Rows count unless no query sees them. */
static heed_status count_visible(const feed *to, heed_error *error)
{
    const heed_column *index = heed_batch_column(to->batch,
                                                 heed_input_name(HEED_INPUT_KEY_INDEX, to->stack));
    const int32_t *keys = index ? index->data : NULL;
    float *counted = to->data;
    (void)error;
    for (int64_t i = 0; i < to->shape.dim[0]; i++) {
        bool hidden = keys && i < index->rows && keys[i] < 0;
        counted[i] = hidden ? 0 : 1;
    }
    return HEED_OK;
}

/* A term is scaled by its weight over its count. */
static heed_status scale_terms(const feed *to, heed_error *error)
{
    heed_loss_terms terms;
    float *scales = to->data;
    (void)error;
    heed_loss_terms_list(heed_model_config(to->model), HEED_PROBLEM_UNKNOWN, &terms);
    for (int64_t i = 0; i < to->shape.dim[0]; i++) {
        int64_t labels = to->batch->term_counts[i];
        scales[i] = labels > 0 ? (float)((double)terms.items[i].weight / (double)labels) : 0;
    }
    return HEED_OK;
}

typedef heed_status fill_absent(const feed *to, heed_error *error);

static fill_absent *const fillers[HEED_INPUTS] = {
#define HEED_INPUT(symbol, name, dtype, extent, columns, absent) absent,
#include "model/program.def"
#undef HEED_INPUT
};

/* ---- all inputs ---- */

/* Copies a column into an input. */
static heed_status copy_column(const feed *to, const heed_column *column, heed_error *error)
{
    int64_t columns = to->shape.rank > 1 ? heed_shape_columns(to->shape) : 0;
    if (column->dtype != to->dtype || column->columns != columns ||
        column->rows != to->shape.dim[0])
        return heed_fail(error, HEED_E_ARG,
                         "column \"%s\" of the batch is (%lld,%lld) in %s; the program reads "
                         "(%lld,%lld) in %s",
                         to->name, (long long)column->rows, (long long)column->columns,
                         heed_dtypes[column->dtype].name, (long long)to->shape.dim[0],
                         (long long)columns, heed_dtypes[to->dtype].name);
    memcpy(to->data, column->data, to->bytes);
    return HEED_OK;
}

/* Fills one input from its column, or as program.def says. */
static heed_status fill_input(feed *to, heed_error *error)
{
    heed_input_id id;
    const heed_column *column = heed_batch_column(to->batch, to->name);
    if (column) return copy_column(to, column, error);
    if (!heed_input_find(to->name, &id, &to->stack)) return required(to, error);
    return fillers[id](to, error);
}

/* Returns the rows of an extent, which may be a multiple of another one. */
static int64_t live_rows(const heed_plan *plan, const heed_batch *batch, int extent)
{
    const heed_extent_rule rule = heed_extent_rule_of(heed_plan_graph(plan), extent);
    const int64_t count = batch->count[rule.base];
    return count > INT64_MAX / rule.multiple ? INT64_MAX : count * rule.multiple;
}

/* Returns how many classes the labels of a column have; -1 if any number will do. */
static int64_t classes_of(const heed_batch *batch, const heed_config *config,
                          const heed_label_use *use)
{
    const heed_column *grid = heed_batch_column(batch, "grid_bias");
    if (use->classes) return use->classes(config);
    return grid ? grid->columns : -1;
}

/* Checks that the labels of a term are classes of its head. */
static heed_status check_labels(const heed_batch *batch, const heed_config *config,
                                const heed_loss_term *term, heed_error *error)
{
    const heed_column *column = heed_batch_column(batch, term->labels->column);
    int64_t classes = classes_of(batch, config, term->labels);
    if (!column || column->dtype != HEED_I32 || classes < 0) return HEED_OK;
    const int32_t *labels = column->data;
    for (int64_t i = 0; i < column->rows; i++)
        if (labels[i] != HEED_IGNORE && (labels[i] < 0 || labels[i] >= classes))
            return heed_fail(error, HEED_E_ARG,
                             "column \"%s\" of the batch has the label %d in row %lld; the head "
                             "\"%s\" has 0 to %lld",
                             column->name, labels[i], (long long)i, term->head->name,
                             (long long)classes - 1);
    return HEED_OK;
}

static heed_status check_all_labels(const heed_model *model, const heed_batch *batch,
                                    heed_error *error)
{
    const heed_config *config = heed_model_config(model);
    heed_loss_terms terms;
    heed_loss_terms_list(config, HEED_PROBLEM_UNKNOWN, &terms);
    for (int i = 0; i < terms.count; i++)
        if (terms.items[i].labels) HEED_TRY(check_labels(batch, config, &terms.items[i], error));
    return HEED_OK;
}

heed_status heed_program_feed(const heed_model *model, const heed_plan *plan,
                              heed_workspace *workspace, const heed_batch *batch, heed_error *error)
{
    size_t count;
    const heed_plan_input_info *inputs = heed_plan_inputs(plan, &count);
    HEED_TRY(check_all_labels(model, batch, error));
    for (size_t i = 0; i < count; i++) {
        feed to = {.model = model,
                   .batch = batch,
                   .name = inputs[i].name,
                   .dtype = inputs[i].dtype,
                   .shape = inputs[i].shape};
        int64_t most = to.shape.dim[0];
        if (!inputs[i].is_read) continue;
        if (to.shape.extent != HEED_EXTENT_FIXED)
            to.shape.dim[0] = live_rows(plan, batch, to.shape.extent);
        if (to.shape.dim[0] < 0 || to.shape.dim[0] > most)
            return heed_fail(error, HEED_E_ARG,
                             "\"%s\": %lld live rows, the plan was made for at most %lld", to.name,
                             (long long)to.shape.dim[0], (long long)most);
        if (to.shape.dim[0] == 0) continue;
        to.bytes = (size_t)heed_shape_elements(to.shape) * sizeof(int32_t);
        to.data = heed_plan_input(plan, workspace, to.name);
        if (!to.data) return heed_fail(error, HEED_E_ARG, "no memory was reserved for the plan");
        HEED_TRY(fill_input(&to, error));
    }
    return HEED_OK;
}
