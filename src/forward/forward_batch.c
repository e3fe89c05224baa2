/* Reading the inputs of a forward call: shapes, ranges, masks, and which tokens become rows. */
#include "forward/forward_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

bool heed_tensor_is_float(const heed_named_tensor *tensor)
{
    return tensor->dtype == HEED_F32;
}

int64_t heed_tensor_integer(const heed_named_tensor *tensor, int64_t at)
{
    switch (tensor->dtype) {
    case HEED_I64: {
        int64_t value;
        memcpy(&value, (const char *)tensor->data + at * 8, 8);
        return value;
    }
    case HEED_I32: {
        int32_t value;
        memcpy(&value, (const char *)tensor->data + at * 4, 4);
        return value;
    }
    case HEED_F32: {
        float value;
        memcpy(&value, (const char *)tensor->data + at * 4, 4);
        return (int64_t)value;
    }
    default: return ((const uint8_t *)tensor->data)[at];
    }
}

double heed_tensor_number(const heed_named_tensor *tensor, int64_t at)
{
    float value;
    if (tensor->dtype != HEED_F32) return (double)heed_tensor_integer(tensor, at);
    memcpy(&value, (const char *)tensor->data + at * 4, 4);
    return value;
}

int64_t heed_tensor_elements(const heed_named_tensor *tensor)
{
    int64_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) elements *= tensor->shape[i];
    return elements;
}

const heed_named_tensor *heed_forward_input(const heed_forward_call *call, const char *name)
{
    for (size_t i = 0; i < call->count; i++)
        if (strncmp(call->inputs[i].name, "in.", 3) == 0 &&
            strcmp(call->inputs[i].name + 3, name) == 0)
            return &call->inputs[i];
    return NULL;
}

/* ---- checks ---- */

static heed_status check_names(const heed_forward_call *call, heed_error *error)
{
    static const char *const known[] = {"input_ids",
                                        "attention_mask",
                                        "token_type_ids",
                                        "position_ids",
                                        "decoder_input_ids",
                                        "decoder_attention_mask",
                                        "labels",
                                        "next_sentence_label",
                                        "start_positions",
                                        "end_positions",
                                        "w",
                                        "src",
                                        "tgt",
                                        "src_key_padding_mask",
                                        "tgt_key_padding_mask",
                                        "memory_key_padding_mask",
                                        "use_cache",
                                        NULL};
    for (size_t i = 0; i < call->count; i++) {
        const heed_named_tensor *tensor = &call->inputs[i];
        if (strncmp(tensor->name, "in.", 3) != 0) continue;
        bool found = strncmp(tensor->name + 3, "cotangent.", 10) == 0;
        for (int j = 0; known[j]; j++) found = found || strcmp(tensor->name + 3, known[j]) == 0;
        if (!found)
            return heed_fail(error, HEED_E_ARG, "input \"%s\" is not known to models of type %s",
                             tensor->name, call->config->model_type);
        if (tensor->dtype != HEED_I64 && tensor->dtype != HEED_I32 && tensor->dtype != HEED_U8 &&
            tensor->dtype != HEED_BOOL && tensor->dtype != HEED_F32)
            return heed_fail(error, HEED_E_DTYPE, "input \"%s\": expected i64, i32, u8 or f32",
                             tensor->name);
    }
    return HEED_OK;
}

/* (B,T); a broadcast first axis of 1 is fine where torch takes it. */
static heed_status check_grid(const heed_named_tensor *tensor, const heed_padded *padded,
                              bool broadcast, heed_error *error)
{
    if (!tensor) return HEED_OK;
    int64_t tokens = heed_tensor_elements(tensor), places = padded->batch * padded->length;
    bool fits = tensor->rank >= 2 && tensor->shape[tensor->rank - 1] == padded->length &&
                (tokens == places || (broadcast && tokens == padded->length));
    if (fits) return HEED_OK;
    return heed_fail(error, HEED_E_SHAPE,
                     "input \"%s\" has another shape than the tokens, which are (%lld,%lld)",
                     tensor->name, (long long)padded->batch, (long long)padded->length);
}

static heed_status check_range(const char *name, int64_t value, int64_t least, int64_t most,
                               int64_t place, int64_t length, const char *what, heed_error *error)
{
    if (value >= least && value <= most) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "%s: %lld at sequence %lld, token %lld; %s has %lld to %lld", name,
                     (long long)value, (long long)(place / length), (long long)(place % length),
                     what, (long long)least, (long long)most);
}

int64_t heed_forward_position(const heed_forward_inputs *side, int64_t place)
{
    if (!side->positions && side->seen)
        return side->padded.keep[place] ? side->seen[place] - 1 : -1;
    if (!side->positions) return place % side->padded.length;
    int64_t elements = heed_tensor_elements(side->positions);
    return heed_tensor_integer(
        side->positions, elements == side->padded.length ? place % side->padded.length : place);
}

static heed_status check_side(const heed_forward_call *call, const heed_forward_inputs *side,
                              heed_stack_id stack_id, heed_error *error)
{
    const heed_config *config = call->config;
    bool table = config->position == HEED_POSITION_LEARNED ||
                 config->position == HEED_POSITION_SINUSOIDAL;
    int64_t vocabulary = stack_id == HEED_STACK_ENCODER && config->source_vocabulary > 0
                             ? config->source_vocabulary
                             : config->vocabulary;
    int64_t length = side->padded.length;
    for (int64_t row = 0; row < side->rows.count; row++) {
        int64_t place = side->rows.place[row], position = heed_forward_position(side, place);
        const char *name = side->ids ? side->ids->name : "in.labels";
        if (side->ids || side->shifted)
            HEED_TRY(check_range(
                name, side->ids ? heed_tensor_integer(side->ids, place) : side->shifted[place], 0,
                vocabulary - 1, place, length, "the vocabulary", error));
        if (side->types)
            HEED_TRY(check_range(side->types->name, heed_tensor_integer(side->types, place), 0,
                                 config->token_types - 1, place, length, "the table of token types",
                                 error));
        HEED_TRY(check_range(side->positions ? side->positions->name : "position", position,
                             table ? 0 : -(1 << 30), table ? config->context - 1 : 1 << 30, place,
                             length, "the table of positions", error));
    }
    return HEED_OK;
}

/* ---- sides ---- */

static heed_status open_side(heed_forward_call *call, heed_forward_inputs *side, const char *ids,
                             const char *vectors, const char *mask, heed_error *error)
{
    bool floats = call->config->float_inputs;
    const heed_named_tensor *tokens = heed_forward_input(call, floats ? vectors : ids);
    if (floats) side->vectors = tokens;
    else side->ids = tokens;
    side->mask = heed_forward_input(call, mask);
    side->mask_is_padding = floats;
    if (!tokens)
        return heed_fail(error, HEED_E_ARG, "input \"in.%s\" is missing", floats ? vectors : ids);
    int rank = floats ? 3 : call->config->head == HEED_HEAD_CHOICE ? 3 : 2;
    if (tokens->rank != rank || heed_tensor_is_float(tokens) != floats ||
        (floats && tokens->shape[2] != call->config->d_model))
        return heed_fail(error, HEED_E_SHAPE, "input \"%s\": expected %s", tokens->name,
                         floats      ? "f32 (batch, tokens, width)"
                         : rank == 3 ? "integers (batch, choices, tokens)"
                                     : "integers (batch, tokens)");
    call->choices = rank == 3 && !floats ? tokens->shape[1] : 1;
    int64_t batch = rank == 3 && !floats ? tokens->shape[0] * tokens->shape[1] : tokens->shape[0];
    HEED_TRY(heed_padded_new(&side->padded, batch, tokens->shape[floats ? 1 : rank - 1], error));
    return check_grid(side->mask, &side->padded, false, error);
}

/* Decoder input of labels: shifted right after the start token, ignored ones replaced by
   padding. */
static heed_status shift_labels(heed_forward_call *call, heed_error *error)
{
    heed_forward_inputs *side = &call->main;
    const heed_config *config = call->config;
    if (!call->labels || call->labels->rank != 2)
        return heed_fail(error, HEED_E_ARG,
                         "input \"in.decoder_input_ids\" is missing, and there is no in.labels "
                         "(batch, tokens) to make it of");
    if (config->decoder_start_id < 0 || config->pad_id < 0)
        return heed_fail(
            error, HEED_E_ARG,
            "config.json has no decoder_start_token_id or pad_token_id: give in.decoder_input_ids");
    HEED_TRY(heed_padded_new(&side->padded, call->labels->shape[0], call->labels->shape[1], error));
    int64_t places = side->padded.batch * side->padded.length;
    side->shifted = heed_allocate((size_t)places + 1, sizeof *side->shifted);
    if (!side->shifted)
        return heed_fail_memory(error, (size_t)places * sizeof *side->shifted, "a batch");
    for (int64_t place = 0; place < places; place++) {
        int64_t label = place % side->padded.length == 0
                            ? config->decoder_start_id
                            : heed_tensor_integer(call->labels, place - 1);
        side->shifted[place] = label == HEED_IGNORE ? config->pad_id : label;
    }
    side->mask = heed_forward_input(call, "decoder_attention_mask");
    return check_grid(side->mask, &side->padded, false, error);
}

static void read_mask(heed_forward_inputs *side)
{
    for (int64_t place = 0; place < side->padded.batch * side->padded.length; place++) {
        bool set = !side->mask || heed_tensor_number(side->mask, place) != 0;
        side->padded.keep[place] = side->mask && side->mask_is_padding ? !set : set;
    }
}

/* A source row that is padding is no row at all, for the target neither: another mask of the memory
   cannot be had. */
static heed_status check_memory_mask(const heed_forward_call *call, heed_error *error)
{
    const heed_named_tensor *mask = heed_forward_input(call, "memory_key_padding_mask");
    const heed_padded *source = &call->source.padded;
    if (!mask) return HEED_OK;
    HEED_TRY(check_grid(mask, source, false, error));
    for (int64_t place = 0; place < source->batch * source->length; place++)
        if ((heed_tensor_number(mask, place) != 0) == source->keep[place])
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "input \"%s\" differs from in.src_key_padding_mask at sequence %lld, "
                             "token %lld; expected the same mask",
                             mask->name, (long long)(place / source->length),
                             (long long)(place % source->length));
    return HEED_OK;
}

static heed_status count_seen(const heed_forward_call *call, heed_forward_inputs *side,
                              heed_error *error)
{
    int64_t places = side->padded.batch * side->padded.length;
    if (!call->config->counts_seen) return HEED_OK;
    side->seen = heed_allocate((size_t)places + 1, sizeof *side->seen);
    if (!side->seen) return heed_fail_memory(error, (size_t)places * sizeof *side->seen, "a batch");
    for (int64_t place = 0; place < places; place++)
        side->seen[place] = (place % side->padded.length > 0 ? side->seen[place - 1] : 0) +
                            side->padded.keep[place];
    return HEED_OK;
}

/* Without a mask, position ids that do not rise by one start a segment of their own. Models that
   keep a cache do not look for it, and keeping one is the default of config.json. */
static void read_segments(const heed_forward_call *call, heed_forward_inputs *side)
{
    const heed_named_tensor *cache = heed_forward_input(call, "use_cache");
    bool cached = cache ? heed_tensor_number(cache, 0) != 0 : call->config->use_cache;
    if (!side->positions || side->mask || cached || !call->config->family->packs_positions) return;
    for (int64_t place = 0; place < side->padded.batch * side->padded.length; place++)
        if (place % side->padded.length > 0)
            side->padded.segment[place] = heed_forward_position(side, place) !=
                                          heed_forward_position(side, place - 1) + 1;
}

/* ---- what heads pool and labels need ---- */

int64_t heed_forward_label(const heed_forward_call *call, int64_t place)
{
    int64_t length = call->main.padded.length;
    bool shifts = call->config->head == HEED_HEAD_CAUSAL_LM && !call->both;
    if (!call->labels || !call->scored) return HEED_IGNORE;
    if (shifts && place % length == length - 1) return HEED_IGNORE;
    return heed_tensor_integer(call->labels, place + shifts);
}

static bool is_token_head(const heed_config *config)
{
    return config->head == HEED_HEAD_CAUSAL_LM || config->head == HEED_HEAD_MASKED_LM ||
           config->head == HEED_HEAD_PRETRAINING || config->head == HEED_HEAD_TOKEN_CLASS;
}

/* Encoders pool the first token; decoders the last one that is not padding. */
static heed_status choose_pooled(heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    const heed_forward_inputs *side = &call->main;
    int64_t length = side->padded.length, batch = side->padded.batch;
    bool pools = config->head == HEED_HEAD_SEQUENCE_CLASS || config->head == HEED_HEAD_CHOICE ||
                 config->head == HEED_HEAD_NEXT_SENTENCE || config->head == HEED_HEAD_PRETRAINING ||
                 (config->head == HEED_HEAD_NONE && config->arrangement == HEED_ENCODER_ONLY);
    if (!pools || length == 0) return HEED_OK;
    call->pooled = heed_allocate((size_t)batch + 1, sizeof *call->pooled);
    if (!call->pooled)
        return heed_fail_memory(error, (size_t)batch * sizeof *call->pooled, "a batch");
    bool last = config->arrangement == HEED_DECODER_ONLY;
    if (last && config->pad_id < 0 && batch > 1)
        return heed_fail(error, HEED_E_ARG,
                         "a batch of %lld sequences cannot be classified without pad_token_id in "
                         "config.json: their ends are unknown",
                         (long long)batch);
    for (int64_t b = 0; b < batch; b++) {
        int64_t at = last && config->pad_id < 0 ? length - 1 : 0;
        for (int64_t t = 0; last && config->pad_id >= 0 && t < length; t++)
            if (heed_tensor_integer(side->ids, b * length + t) != config->pad_id) at = t;
        call->pooled[b] = b * length + at;
        side->padded.needed[b * length + at] = true;
    }
    return HEED_OK;
}

static void mark_needed(heed_forward_call *call)
{
    heed_padded *padded = &call->main.padded;
    /* every token takes part in the softmax over the text */
    bool all = call->config->head == HEED_HEAD_QUESTION && call->scored;
    for (int64_t place = 0; place < padded->batch * padded->length; place++)
        padded->needed[place] = padded->needed[place] || all ||
                                (is_token_head(call->config) &&
                                 heed_forward_label(call, place) != HEED_IGNORE);
}

/* Tokens that everything hangs on although they see nothing, under the masks of any layer. */
static void mark_fully_masked(heed_forward_call *call)
{
    const heed_config *config = call->config;
    const heed_stack *stack = heed_config_main(config);
    heed_padded *source = &call->source.padded;
    call->fully_masked = heed_padded_mark_fully_masked(&call->main.padded,
                                                       (heed_view){.causal = config->causal});
    for (int64_t layer = 0; layer < stack->layers; layer++)
        if (heed_config_windowed(config, layer)) {
            bool found = heed_padded_mark_fully_masked(
                &call->main.padded,
                (heed_view){.causal = config->causal, .window = config->window});
            call->fully_masked = call->fully_masked || found;
            break;
        }
    /* A source that is all padding is seen by its target as a whole. */
    for (int64_t b = 0; b < source->batch; b++) {
        bool seen = false;
        for (int64_t t = 0; t < source->length; t++)
            seen = seen || source->keep[b * source->length + t];
        for (int64_t t = 0; !seen && t < source->length; t++)
            source->needed[b * source->length + t] = call->fully_masked = true;
    }
}

static heed_status check_labels(const heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    const heed_padded *padded = &call->main.padded;
    if (!call->scored) return HEED_OK;
    if (is_token_head(config)) {
        int64_t classes = config->head == HEED_HEAD_TOKEN_CLASS ? config->labels
                                                                : config->vocabulary;
        HEED_TRY(check_grid(call->labels, padded, false, error));
        for (int64_t place = 0; place < padded->batch * padded->length; place++) {
            int64_t label = heed_forward_label(call, place);
            if (label != HEED_IGNORE)
                HEED_TRY(check_range(call->labels->name, label, 0, classes - 1, place,
                                     padded->length, "the model", error));
        }
    } else if (config->head == HEED_HEAD_SEQUENCE_CLASS && call->problem != HEED_PROBLEM_SINGLE) {
        if (heed_tensor_elements(call->labels) != padded->batch * config->labels)
            return heed_fail(error, HEED_E_SHAPE,
                             "input \"%s\": expected %lld numbers for each of %lld sequences",
                             call->labels->name, (long long)config->labels,
                             (long long)padded->batch);
    } else if (call->labels) {
        int64_t classes = config->head == HEED_HEAD_SEQUENCE_CLASS ? config->labels
                          : config->head == HEED_HEAD_CHOICE       ? call->choices
                                                                   : 2;
        if (heed_tensor_elements(call->labels) !=
            padded->batch / (call->choices > 0 ? call->choices : 1))
            return heed_fail(error, HEED_E_SHAPE,
                             "input \"%s\": expected one label for each of %lld sequences",
                             call->labels->name, (long long)padded->batch);
        for (int64_t b = 0; b < heed_tensor_elements(call->labels); b++)
            if (heed_tensor_integer(call->labels, b) != HEED_IGNORE)
                HEED_TRY(check_range(call->labels->name, heed_tensor_integer(call->labels, b), 0,
                                     classes - 1, b, 1, "the model", error));
    }
    return HEED_OK;
}

static heed_status read_targets(heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    call->labels = heed_forward_input(call, "labels");
    call->next_sentence = heed_forward_input(call, "next_sentence_label");
    call->starts = heed_forward_input(call, "start_positions");
    call->ends = heed_forward_input(call, "end_positions");
    if (config->head == HEED_HEAD_QUESTION) call->scored = call->starts && call->ends;
    else if (config->head == HEED_HEAD_PRETRAINING)
        call->scored = call->labels && call->next_sentence;
    else call->scored = call->labels && config->head != HEED_HEAD_NONE;
    heed_program_spec spec = {0};
    /* Without a problem_type, floating labels of several classes mean independent ones. */
    bool multi = config->problem == HEED_PROBLEM_UNKNOWN && config->labels > 1 && call->labels &&
                 heed_tensor_is_float(call->labels);
    call->problem = multi ? HEED_PROBLEM_MULTI : heed_build_problem(config, &spec);
    if (call->scored) return HEED_OK;
    for (size_t i = 0; i < call->count; i++) {
        const char *name = call->inputs[i].name;
        if (strncmp(name, "in.cotangent.", 13) != 0 || call->n_cotangents == 15) continue;
        call->cotangents[call->n_cotangents++] = name + 13;
    }
    if (heed_forward_input(call, "w"))
        call->cotangents[call->n_cotangents++] = config->head == HEED_HEAD_NONE
                                                     ? "last_hidden_state"
                                                     : "logits";
    return call->n_cotangents < 8
               ? HEED_OK
               : heed_fail(error, HEED_E_ARG, "at most 7 cotangents are taken at once");
}

heed_status heed_forward_open(heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    call->both = config->arrangement == HEED_ENCODER_DECODER;
    call->choices = 1;
    HEED_TRY(check_names(call, error));
    HEED_TRY(read_targets(call, error));
    if (call->both) {
        HEED_TRY(open_side(call, &call->source, "input_ids", "src",
                           config->float_inputs ? "src_key_padding_mask" : "attention_mask",
                           error));
        bool given = config->float_inputs || heed_forward_input(call, "decoder_input_ids");
        const char *mask = config->float_inputs ? "tgt_key_padding_mask" : "decoder_attention_mask";
        HEED_TRY(given ? open_side(call, &call->main, "decoder_input_ids", "tgt", mask, error)
                       : shift_labels(call, error));
        if (call->main.padded.batch != call->source.padded.batch)
            return heed_fail(error, HEED_E_SHAPE,
                             "%lld source sequences, %lld target sequences; expected equal numbers",
                             (long long)call->source.padded.batch,
                             (long long)call->main.padded.batch);
        read_mask(&call->source);
        HEED_TRY(check_memory_mask(call, error));
    } else {
        HEED_TRY(open_side(call, &call->main, "input_ids", "src", "attention_mask", error));
        call->main.positions = heed_forward_input(call, "position_ids");
        call->main.types = heed_forward_input(call, "token_type_ids");
        if (call->main.types && config->token_types == 0)
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "input \"in.token_type_ids\": models of type %s have no table of "
                             "token types here; leave it out",
                             config->model_type);
        HEED_TRY(check_grid(call->main.positions, &call->main.padded, true, error));
        HEED_TRY(check_grid(call->main.types, &call->main.padded, false, error));
    }
    read_mask(&call->main);
    HEED_TRY(count_seen(call, &call->main, error));
    read_segments(call, &call->main);
    HEED_TRY(check_labels(call, error));
    HEED_TRY(choose_pooled(call, error));
    mark_needed(call);
    mark_fully_masked(call);
    if (call->both) {
        HEED_TRY(heed_rows_new(&call->source.rows, &call->source.padded, false, error));
        HEED_TRY(check_side(call, &call->source, HEED_STACK_ENCODER, error));
    }
    bool means = config->head == HEED_HEAD_NONE && config->arrangement == HEED_ENCODER_ONLY;
    HEED_TRY(heed_rows_new(&call->main.rows, &call->main.padded, means, error));
    return check_side(
        call, &call->main,
        config->arrangement == HEED_ENCODER_ONLY ? HEED_STACK_ENCODER : HEED_STACK_DECODER, error);
}

void heed_forward_close(heed_forward_call *call)
{
    heed_forward_inputs *sides[] = {&call->main, &call->source};
    for (int i = 0; i < 2; i++) {
        heed_padded_free(&sides[i]->padded);
        heed_rows_free(&sides[i]->rows);
        free(sides[i]->shifted);
        free(sides[i]->seen);
    }
    free(call->pooled);
}
