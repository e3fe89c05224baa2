/* forward_labels.c: finds, checks and writes the labels of a forward call, and chooses the tokens
   that its heads pool or need. */
#include "forward/forward_internal.h"
#include "base/number.h"

#include <string.h>

/* ---- finding ---- */

/* Returns the labels of a term: under the name that they have beside other heads, or under that of
   a head alone. */
static const heed_named_tensor *labels_of(const heed_forward_call *call, const heed_label_use *use)
{
    if (use == NULL) return NULL;
    if (heed_head_has_others(call->config)) return heed_forward_input(call, use->name_beside);
    const heed_named_tensor *labels = heed_forward_input(call, use->name);
    return labels ? labels : heed_forward_input(call, use->name_beside);
}

/* Lists the terms of the loss and finds the labels of each. */
static void find_labels(heed_forward_call *call)
{
    int scored = 0, found = 0;
    heed_loss_terms_list(call->config, call->problem, &call->terms);
    call->token_term = -1;
    for (int i = 0; i < call->terms.count; i++) {
        const heed_label_use *use = call->terms.items[i].labels;
        call->labels[i] = labels_of(call, use);
        scored += use != NULL;
        found += call->labels[i] != NULL;
        if (use && use->kind == HEED_LABEL_TOKEN && call->token_term < 0) call->token_term = i;
    }
    call->scored = scored > 0 && found == scored;
}

/* Finds the cotangents; "w" is that of the logits, or of the hidden states without a head. */
static heed_status find_cotangents(heed_forward_call *call, heed_error *error)
{
    const char *output = heed_head_output(call->config, heed_head_at(call->config, 0));
    int count = 0;
    for (size_t i = 0; i < call->inputs->count; i++) {
        const char *name = call->inputs->tensors[i].name;
        if (strncmp(name, "in.cotangent.", 13) != 0) continue;
        if (count < HEED_FORWARD_COTANGENTS) call->cotangents[count] = name + 13;
        count++;
    }
    if (heed_forward_input(call, "w")) {
        if (count < HEED_FORWARD_COTANGENTS)
            call->cotangents[count] = output ? output : "last_hidden_state";
        count++;
    }
    call->n_cotangents = count;
    if (count <= HEED_FORWARD_COTANGENTS) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "%d cotangents; at most %d are taken at once", count,
                     HEED_FORWARD_COTANGENTS);
}

heed_status heed_forward_read_targets(heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    const heed_named_tensor *labels = heed_forward_input(call, "labels");
    /* Without a problem_type, floating labels of several classes mean independent classes. */
    bool multi = config->problem == HEED_PROBLEM_UNKNOWN && config->labels > 1 && labels &&
                 heed_tensor_is_float(labels);
    call->problem = heed_loss_problem(config, multi ? HEED_PROBLEM_MULTI : HEED_PROBLEM_UNKNOWN);
    find_labels(call);
    return call->scored ? HEED_OK : find_cotangents(call, error);
}

/* ---- which tokens need rows ---- */

/* Returns the label of a place of the main stack, HEED_IGNORE if it has none. */
static int64_t token_label(const heed_forward_call *call, int64_t place)
{
    if (!call->scored || call->token_term < 0) return HEED_IGNORE;
    int64_t length = call->main.padded.length;
    const heed_label_use *use = call->terms.items[call->token_term].labels;
    bool next = use->next && !call->both && !heed_config_is_decoder_alone(call->config);
    if (next && place % length == length - 1) return HEED_IGNORE;
    if (use->seen && !call->main.padded.keep[place]) return HEED_IGNORE;
    return heed_tensor_integer(call->labels[call->token_term], place + next);
}

/* Do the heads read one row of each sequence? */
static bool pools(const heed_config *config)
{
    uint32_t traits = HEED_TRAIT_POOLS;
    if (config->arrangement == HEED_ENCODER_ONLY) traits |= HEED_TRAIT_POOLS_ENCODER;
    return heed_head_any(config, traits) && config->pooled_row != HEED_POOLED_MEAN;
}

/* Returns the last token of sequence b that is an end, or is not padding; -1 if there is none. */
static int64_t last_token(const heed_forward_stack *stack, int64_t b, int64_t id, bool is)
{
    int64_t length = stack->padded.length, at = -1;
    for (int64_t t = 0; t < length; t++)
        if ((heed_forward_token(stack, b * length + t) == id) == is) at = t;
    return at;
}

/* Finds the last row of sequence b that is not padding. A single sequence needs no pad_token_id. */
static heed_status find_last(const heed_forward_call *call, int64_t b, int64_t *at,
                             heed_error *error)
{
    const heed_config *config = call->config;
    const heed_padded *padded = &call->main.padded;
    if (config->pad_id < 0 && padded->batch > 1)
        return heed_fail(error, HEED_E_ARG,
                         "a batch of %lld sequences cannot be classified without pad_token_id in "
                         "config.json: their ends are unknown",
                         (long long)padded->batch);
    *at = padded->length - 1;
    if (config->pad_id >= 0)
        *at = heed_larger(last_token(&call->main, b, config->pad_id, false), 0);
    return HEED_OK;
}

/* Finds the row of sequence b whose token ends the text; in an encoder-decoder the token is one of
   the source, and the row that of the same place. */
static heed_status find_end(const heed_forward_call *call, int64_t b, int64_t *at,
                            heed_error *error)
{
    const heed_forward_stack *stack = call->both ? &call->source : &call->main;
    *at = last_token(stack, b, call->config->eos_id, true);
    if (*at < 0)
        return heed_fail(error, HEED_E_ARG,
                         "sequence %lld of input \"in.input_ids\" has no token %lld "
                         "(eos_token_id): the row that stands for it is unknown",
                         (long long)b, (long long)call->config->eos_id);
    if (*at < call->main.padded.length) return HEED_OK;
    return heed_fail(error, HEED_E_SHAPE,
                     "input \"in.decoder_input_ids\" has %lld tokens; expected as many as "
                     "in.input_ids, whose end at token %lld is pooled",
                     (long long)call->main.padded.length, (long long)*at);
}

/* Returns the first token of sequence b, or the first that the mask shows if sequences are
   compared. */
static int64_t first_token(const heed_forward_call *call, int64_t b)
{
    const heed_padded *padded = &call->main.padded;
    if (!heed_head_any(call->config, HEED_TRAIT_COMPARES)) return 0;
    for (int64_t t = 0; t < padded->length; t++)
        if (padded->keep[b * padded->length + t]) return t;
    return 0;
}

static heed_status find_pooled(const heed_forward_call *call, int64_t b, int64_t *at,
                               heed_error *error)
{
    int64_t row = call->config->pooled_row;
    *at = row == HEED_POOLED_FIRST ? first_token(call, b) : 0;
    if (row == HEED_POOLED_USUAL && call->config->arrangement == HEED_DECODER_ONLY)
        row = HEED_POOLED_LAST;
    if (row == HEED_POOLED_LAST) return find_last(call, b, at, error);
    return row == HEED_POOLED_END ? find_end(call, b, at, error) : HEED_OK;
}

heed_status heed_forward_choose_pooled(heed_forward_call *call, heed_error *error)
{
    heed_padded *padded = &call->main.padded;
    if (!pools(call->config) || padded->length == 0) return HEED_OK;
    call->pooled = heed_allocate((size_t)padded->batch + 1, sizeof *call->pooled);
    if (!call->pooled)
        return heed_fail_memory(error, (size_t)padded->batch * sizeof *call->pooled, "a batch");
    for (int64_t b = 0; b < padded->batch; b++) {
        int64_t at = 0;
        HEED_TRY(find_pooled(call, b, &at, error));
        call->pooled[b] = b * padded->length + at;
        padded->needed[call->pooled[b]] = true;
    }
    return HEED_OK;
}

/* Is some term scored by positions? Then all tokens of a text take part in a softmax. */
static bool scores_positions(const heed_forward_call *call)
{
    bool any = false;
    for (int i = 0; call->scored && i < call->terms.count; i++) {
        const heed_label_use *use = call->terms.items[i].labels;
        any = any || (use && use->kind == HEED_LABEL_POSITION);
    }
    return any;
}

void heed_forward_mark_needed(heed_forward_call *call)
{
    heed_padded *padded = &call->main.padded;
    bool all = scores_positions(call);
    for (int64_t place = 0; place < padded->batch * padded->length; place++)
        padded->needed[place] = padded->needed[place] || all ||
                                token_label(call, place) != HEED_IGNORE;
}

/* ---- checks ---- */

/* Checks labels of tokens: their shape (B,T), and that they are classes of the head. */
static heed_status check_tokens(const heed_forward_call *call, const heed_named_tensor *labels,
                                heed_value_range range, heed_error *error)
{
    const heed_padded *padded = &call->main.padded;
    HEED_TRY(heed_forward_check_grid(labels, padded, false, error));
    for (int64_t place = 0; place < padded->batch * padded->length; place++) {
        int64_t label = token_label(call, place);
        if (label != HEED_IGNORE)
            HEED_TRY(
                heed_forward_check_range(labels->name, label, range, place, padded->length, error));
    }
    return HEED_OK;
}

/* Checks that there are `each` labels for each of the sequences or questions. */
static heed_status check_count(const heed_named_tensor *labels, int64_t lines, int64_t each,
                               const char *what, heed_error *error)
{
    if (heed_tensor_elements(labels) == lines * each) return HEED_OK;
    if (each == 1)
        return heed_fail(error, HEED_E_SHAPE,
                         "input \"%s\": expected one label for each of %lld %s", labels->name,
                         (long long)lines, what);
    return heed_fail(error, HEED_E_SHAPE, "input \"%s\": expected %lld numbers for each of %lld %s",
                     labels->name, (long long)each, (long long)lines, what);
}

/* Checks that labels of sequences or questions are among the classes of the head. */
static heed_status check_classes(const heed_named_tensor *labels, heed_value_range range,
                                 heed_error *error)
{
    for (int64_t b = 0; b < heed_tensor_elements(labels); b++) {
        int64_t label = heed_tensor_integer(labels, b);
        if (label != HEED_IGNORE)
            HEED_TRY(heed_forward_check_range(labels->name, label, range, b, 1, error));
    }
    return HEED_OK;
}

static int64_t questions(const heed_forward_call *call)
{
    return call->choices > 0 ? call->main.padded.batch / call->choices : 0;
}

static heed_status check_term(const heed_forward_call *call, int term, heed_error *error)
{
    const heed_label_use *use = call->terms.items[term].labels;
    const heed_named_tensor *labels = call->labels[term];
    int64_t batch = call->main.padded.batch;
    int64_t classes = use->classes ? use->classes(call->config) : call->choices;
    heed_value_range range = {0, classes - 1, call->terms.items[term].head->name};
    switch ((heed_label_kind)use->kind) {
    case HEED_LABEL_TOKEN: return check_tokens(call, labels, range, error);
    case HEED_LABEL_NUMBERS: return check_count(labels, batch, classes, "sequences", error);
    case HEED_LABEL_POSITION: return check_count(labels, batch, 1, "sequences", error);
    case HEED_LABEL_SEQUENCE:
        HEED_TRY(check_count(labels, batch, 1, "sequences", error));
        return check_classes(labels, range, error);
    case HEED_LABEL_CHOICE:
        HEED_TRY(check_count(labels, questions(call), 1, "questions", error));
        return check_classes(labels, range, error);
    }
    return HEED_OK;
}

heed_status heed_forward_check_labels(const heed_forward_call *call, heed_error *error)
{
    for (int i = 0; call->scored && i < call->terms.count; i++)
        if (call->labels[i]) HEED_TRY(check_term(call, i, error));
    return HEED_OK;
}

/* ---- writing ---- */

static int64_t write_tokens(const heed_forward_call *call, int32_t *column)
{
    int64_t scored = 0;
    for (int64_t row = 0; row < call->main.rows.count; row++) {
        int64_t label = token_label(call, call->main.rows.place[row]);
        if (column) column[row] = (int32_t)label;
        scored += label != HEED_IGNORE;
    }
    return scored;
}

static int64_t write_numbers(const heed_forward_call *call, int term, float *column)
{
    int64_t classes = call->terms.items[term].labels->classes(call->config);
    int64_t count = call->main.padded.batch * classes;
    if (column) memset(column, 0, (size_t)(call->main.rows.sequences * classes) * sizeof *column);
    for (int64_t i = 0; column && call->scored && i < count; i++)
        column[i] = (float)heed_tensor_number(call->labels[term], i);
    return call->scored ? count : 0;
}

/* What becomes of an integer label. */
typedef struct {
    int64_t given; /* number of labels; lines after them have none */
    /* > 0: a label from there on is not scored, and one below 0 counts as 0, as in transformers */
    int64_t most;
} label_rule;

static int64_t read_label(const heed_forward_call *call, int term, int64_t line, label_rule rule)
{
    if (!call->scored || line >= rule.given) return HEED_IGNORE;
    int64_t label = heed_tensor_integer(call->labels[term], line);
    if (rule.most <= 0 || label == HEED_IGNORE) return label;
    if (label >= rule.most) return HEED_IGNORE;
    return label < 0 ? 0 : label;
}

static int64_t write_integers(const heed_forward_call *call, int term, label_rule rule,
                              int32_t *column)
{
    int64_t scored = 0, lines = heed_larger(call->main.rows.sequences, rule.given);
    for (int64_t line = 0; line < lines; line++) {
        int64_t label = read_label(call, term, line, rule);
        if (column) column[line] = (int32_t)label;
        scored += label != HEED_IGNORE;
    }
    return scored;
}

/* Returns how many rows are seen. */
static int64_t seen_rows(const heed_forward_stack *stack)
{
    int64_t seen = 0;
    for (int64_t row = 0; row < stack->rows.count; row++)
        seen += stack->padded.keep[stack->rows.place[row]];
    return seen;
}

int64_t heed_forward_write_labels(const heed_forward_call *call, int term, void *column)
{
    const heed_label_use *use = call->terms.items[term].labels;
    int64_t batch = call->main.padded.batch, length = call->main.padded.length;
    if (use == NULL) return seen_rows(&call->main);
    switch ((heed_label_kind)use->kind) {
    case HEED_LABEL_TOKEN: return write_tokens(call, column);
    case HEED_LABEL_NUMBERS: return write_numbers(call, term, column);
    case HEED_LABEL_SEQUENCE: return write_integers(call, term, (label_rule){batch, 0}, column);
    case HEED_LABEL_POSITION:
        return write_integers(call, term, (label_rule){batch, length}, column);
    case HEED_LABEL_CHOICE:
        return write_integers(call, term, (label_rule){questions(call), 0}, column);
    }
    return 0;
}

bool heed_forward_is_empty(const heed_forward_call *call)
{
    bool empty = false;
    for (int i = 0; call->scored && i < call->terms.count; i++)
        if (call->labels[i]) empty = empty || heed_forward_write_labels(call, i, NULL) == 0;
    return empty;
}
