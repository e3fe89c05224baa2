/* forward_labels.c: finds and checks the labels of a forward call, and the tokens that its head
   pools or needs. */
#include "forward/forward_internal.h"

#include <string.h>

int64_t heed_forward_label(const heed_forward_call *call, int64_t place)
{
    int64_t length = call->main.padded.length;
    bool shifts = call->config->head == HEED_HEAD_CAUSAL_LM && !call->both;
    if (!call->labels || !call->scored) return HEED_IGNORE;
    if (shifts && place % length == length - 1) return HEED_IGNORE;
    return heed_tensor_integer(call->labels, place + shifts);
}

/* Does the head predict something for each token? */
static bool is_token_head(const heed_config *config)
{
    return config->head == HEED_HEAD_CAUSAL_LM || config->head == HEED_HEAD_MASKED_LM ||
           config->head == HEED_HEAD_PRETRAINING || config->head == HEED_HEAD_TOKEN_CLASS;
}

/* Encoders pool the first token; decoders pool the last one that is not padding. */
heed_status heed_forward_choose_pooled(heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    const heed_forward_stack *stack = &call->main;
    int64_t length = stack->padded.length, batch = stack->padded.batch;
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
            if (heed_tensor_integer(stack->ids, b * length + t) != config->pad_id) at = t;
        call->pooled[b] = b * length + at;
        stack->padded.needed[b * length + at] = true;
    }
    return HEED_OK;
}

void heed_forward_mark_needed(heed_forward_call *call)
{
    heed_padded *padded = &call->main.padded;
    /* All tokens of a text take part in the softmax of a question head. */
    bool all = call->config->head == HEED_HEAD_QUESTION && call->scored;
    for (int64_t place = 0; place < padded->batch * padded->length; place++)
        padded->needed[place] = padded->needed[place] || all ||
                                (is_token_head(call->config) &&
                                 heed_forward_label(call, place) != HEED_IGNORE);
}

/* Checks labels of tokens: their shape (B,T), and that they are classes of the head. */
static heed_status check_token_labels(const heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    const heed_padded *padded = &call->main.padded;
    heed_value_range classes = {0, config->vocabulary - 1, "the model"};
    if (config->head == HEED_HEAD_TOKEN_CLASS) classes.most = config->labels - 1;
    HEED_TRY(heed_forward_check_grid(call->labels, padded, false, error));
    for (int64_t place = 0; place < padded->batch * padded->length; place++) {
        int64_t label = heed_forward_label(call, place);
        if (label != HEED_IGNORE)
            HEED_TRY(heed_forward_check_range(call->labels->name, label, classes, place,
                                              padded->length, error));
    }
    return HEED_OK;
}

/* Checks labels that are numbers: those of regression and of several classes at once. */
static heed_status check_number_labels(const heed_forward_call *call, heed_error *error)
{
    int64_t labels = call->config->labels, batch = call->main.padded.batch;
    if (heed_tensor_elements(call->labels) == batch * labels) return HEED_OK;
    return heed_fail(error, HEED_E_SHAPE,
                     "input \"%s\": expected %lld numbers for each of %lld sequences",
                     call->labels->name, (long long)labels, (long long)batch);
}

/* Checks labels of sequences: one for each, or one for the choices of a question. */
static heed_status check_class_labels(const heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    int64_t batch = call->main.padded.batch, choices = call->choices > 0 ? call->choices : 1;
    heed_value_range classes = {0, 1, "the model"};
    if (config->head == HEED_HEAD_SEQUENCE_CLASS) classes.most = config->labels - 1;
    if (config->head == HEED_HEAD_CHOICE) classes.most = call->choices - 1;
    if (heed_tensor_elements(call->labels) != batch / choices)
        return heed_fail(error, HEED_E_SHAPE,
                         "input \"%s\": expected one label for each of %lld sequences",
                         call->labels->name, (long long)batch);
    for (int64_t b = 0; b < heed_tensor_elements(call->labels); b++) {
        int64_t label = heed_tensor_integer(call->labels, b);
        if (label != HEED_IGNORE)
            HEED_TRY(heed_forward_check_range(call->labels->name, label, classes, b, 1, error));
    }
    return HEED_OK;
}

heed_status heed_forward_check_labels(const heed_forward_call *call, heed_error *error)
{
    if (!call->scored) return HEED_OK;
    if (is_token_head(call->config)) return check_token_labels(call, error);
    if (call->config->head == HEED_HEAD_SEQUENCE_CLASS && call->problem != HEED_PROBLEM_SINGLE)
        return check_number_labels(call, error);
    return call->labels ? check_class_labels(call, error) : HEED_OK;
}

heed_status heed_forward_read_targets(heed_forward_call *call, heed_error *error)
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
    /* Without a problem_type, floating labels of several classes mean independent classes. */
    bool multi = config->problem == HEED_PROBLEM_UNKNOWN && config->labels > 1 && call->labels &&
                 heed_tensor_is_float(call->labels);
    call->problem = multi ? HEED_PROBLEM_MULTI : heed_build_problem(config, &spec);
    if (call->scored) return HEED_OK;
    for (size_t i = 0; i < call->inputs->count; i++) {
        const char *name = call->inputs->tensors[i].name;
        if (strncmp(name, "in.cotangent.", 13) != 0 || call->n_cotangents == 15) continue;
        call->cotangents[call->n_cotangents++] = name + 13;
    }
    const char *output = config->head == HEED_HEAD_NONE ? "last_hidden_state" : "logits";
    if (heed_forward_input(call, "w")) call->cotangents[call->n_cotangents++] = output;
    if (call->n_cotangents < 8) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "at most 7 cotangents are taken at once");
}
