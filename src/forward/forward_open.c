/* forward_open.c: reads the inputs of a forward call: shapes, masks, and which tokens become
   rows. */
#include "forward/forward_internal.h"
#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the inputs of a stack ---- */

/* Returns the width of the vectors that a stack reads. */
static int64_t width_of(const heed_forward_call *call, const heed_forward_stack *stack)
{
    bool source = stack == &call->source;
    return heed_stack_width(call->config,
                            source ? &call->config->encoder : heed_config_main(call->config));
}

/* Checks the shape of what masks a stack's tokens. */
static heed_status check_masks(const heed_forward_stack *stack, heed_error *error)
{
    HEED_TRY(heed_forward_check_grid(stack->given[HEED_GIVEN_MASK], &stack->padded, false, error));
    return heed_forward_check_grid(stack->given[HEED_GIVEN_PADDING], &stack->padded, false, error);
}

/* Checks the shapes of a stack's inputs. */
static heed_status open_stack(heed_forward_call *call, heed_input_stack reader, heed_error *error)
{
    heed_forward_stack *stack = reader == HEED_MAIN_STACK ? &call->main : &call->source;
    bool floats = call->config->float_inputs;
    heed_given given = floats ? HEED_GIVEN_VECTORS : HEED_GIVEN_IDS;
    const heed_named_tensor *tokens = stack->given[given];
    if (!tokens)
        return heed_fail(error, HEED_E_ARG, "input \"in.%s\" is missing",
                         heed_forward_name(call, reader, given));
    bool choice = heed_head_any(call->config, HEED_TRAIT_COMPARES) && !floats;
    int rank = choice || floats ? 3 : 2;
    const char *expected = "integers (batch, tokens)";
    if (choice) expected = "integers (batch, choices, tokens)";
    if (floats) expected = "f32 (batch, tokens, width)";
    if (tokens->rank != rank || heed_tensor_is_float(tokens) != floats ||
        (floats && tokens->shape[2] != width_of(call, stack)))
        return heed_fail(error, HEED_E_SHAPE, "input \"%s\": expected %s", tokens->name, expected);
    call->choices = choice ? tokens->shape[1] : 1;
    int64_t batch = tokens->shape[0] * call->choices, length = tokens->shape[choice ? 2 : 1];
    HEED_TRY(heed_padded_new(&stack->padded, batch, length, error));
    return check_masks(stack, error);
}

/* Finds what the decoder's input is made of if it is not given: the labels of a language model, the
   source of other models. */
static heed_status find_targets(const heed_forward_call *call, const heed_named_tensor **targets,
                                heed_error *error)
{
    const heed_config *config = call->config;
    bool words = heed_head_any(config, HEED_TRAIT_PREDICTS_TOKENS);
    *targets = words ? heed_forward_input(call, "labels") : call->source.given[HEED_GIVEN_IDS];
    if (!*targets || (*targets)->rank != 2)
        return heed_fail(error, HEED_E_ARG,
                         "input \"in.decoder_input_ids\" is missing, and there is no in.labels "
                         "(batch, tokens) to make it of");
    if ((config->decoder_start_id < 0 && !config->starts_with_end) || config->pad_id < 0)
        return heed_fail(
            error, HEED_E_ARG,
            "config.json has no decoder_start_token_id or pad_token_id: give in.decoder_input_ids");
    return HEED_OK;
}

/* Returns the target of a place; padding in place of ignored labels. */
static int64_t target_at(const heed_forward_call *call, const heed_named_tensor *targets,
                         int64_t place)
{
    int64_t target = heed_tensor_integer(targets, place);
    return target == HEED_IGNORE ? call->config->pad_id : target;
}

/* Returns the token with which the decoder's input of sequence b starts: decoder_start_id, or the
   last target that is not padding. */
static int64_t start_of(const heed_forward_call *call, const heed_named_tensor *targets, int64_t b)
{
    const heed_config *config = call->config;
    int64_t length = targets->shape[1], seen = 0;
    if (!config->starts_with_end) return config->decoder_start_id;
    for (int64_t t = 0; t < length; t++)
        seen += target_at(call, targets, b * length + t) != config->pad_id;
    return target_at(call, targets, b * length + heed_larger(seen - 1, 0));
}

/* Makes the decoder's input of the targets, shifted right. */
static heed_status shift_targets(heed_forward_call *call, heed_error *error)
{
    heed_forward_stack *stack = &call->main;
    const heed_named_tensor *targets = NULL;
    HEED_TRY(find_targets(call, &targets, error));
    HEED_TRY(heed_padded_new(&stack->padded, targets->shape[0], targets->shape[1], error));
    int64_t places = stack->padded.batch * stack->padded.length;
    stack->shifted = heed_allocate((size_t)places + 1, sizeof *stack->shifted);
    if (!stack->shifted)
        return heed_fail_memory(error, (size_t)places * sizeof *stack->shifted, "a batch");
    for (int64_t place = 0; place < places; place++) {
        bool first = place % stack->padded.length == 0;
        stack->shifted[place] = first ? start_of(call, targets, place / stack->padded.length)
                                      : target_at(call, targets, place - 1);
    }
    return check_masks(stack, error);
}

/* Sets which tokens are seen; without a mask, all are, or those of a decoder's input that are not
   padding. */
static void read_mask(const heed_forward_call *call, heed_forward_stack *stack)
{
    const heed_named_tensor *mask = stack->given[HEED_GIVEN_MASK];
    const heed_named_tensor *padding = stack->given[HEED_GIVEN_PADDING];
    bool by_id = call->both && stack == &call->main && call->config->family->hides_padding && !mask;
    for (int64_t place = 0; place < stack->padded.batch * stack->padded.length; place++) {
        bool masked = mask && heed_tensor_number(mask, place) == 0;
        if (by_id) masked = heed_forward_token(stack, place) == call->config->pad_id;
        bool padded = padding && heed_tensor_number(padding, place) != 0;
        stack->padded.keep[place] = !masked && !padded;
    }
}

/* Checks that the memory has the same mask as the source. A source token that is padding has no
   row, so the target cannot see it either. */
static heed_status check_memory_mask(const heed_forward_call *call, heed_error *error)
{
    const heed_named_tensor *mask = call->source.given[HEED_GIVEN_MEMORY_PADDING];
    const heed_padded *source = &call->source.padded;
    if (!mask) return HEED_OK;
    HEED_TRY(heed_forward_check_grid(mask, source, false, error));
    for (int64_t place = 0; place < source->batch * source->length; place++)
        if ((heed_tensor_number(mask, place) != 0) == source->keep[place])
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "input \"%s\" differs from in.src_key_padding_mask at sequence %lld, "
                             "token %lld; expected the same mask",
                             mask->name, (long long)(place / source->length),
                             (long long)(place % source->length));
    return HEED_OK;
}

/* Do positions count the token? They count those that the mask shows, or those that are not
   padding. */
static bool is_counted(const heed_forward_call *call, const heed_forward_stack *stack,
                       int64_t place)
{
    if (!call->config->counts_tokens) return stack->padded.keep[place];
    return heed_forward_token(stack, place) != call->config->pad_id;
}

/* Counts the tokens up to each place, for models whose positions count them. */
static heed_status count_tokens(const heed_forward_call *call, heed_forward_stack *stack,
                                heed_error *error)
{
    const heed_config *config = call->config;
    int64_t places = stack->padded.batch * stack->padded.length;
    if (!config->counts_seen && !config->counts_tokens) return HEED_OK;
    stack->counted = heed_allocate((size_t)places + 1, sizeof *stack->counted);
    if (!stack->counted)
        return heed_fail_memory(error, (size_t)places * sizeof *stack->counted, "a batch");
    if (config->counts_tokens) stack->first_position = (int32_t)config->position_offset;
    for (int64_t place = 0; place < places; place++) {
        int32_t before = place % stack->padded.length > 0 ? stack->counted[place - 1] : 0;
        stack->counted[place] = before + is_counted(call, stack, place);
    }
    return HEED_OK;
}

/* Marks segments: without a mask, a position that is not one more than the one before begins a new
   segment. Models that keep a cache do not have segments; keeping one is the default of
   config.json. */
static void read_segments(const heed_forward_call *call, heed_forward_stack *stack)
{
    const heed_named_tensor *cache = heed_forward_input(call, "use_cache");
    bool cached = cache ? heed_tensor_number(cache, 0) != 0 : call->config->use_cache;
    if (!stack->given[HEED_GIVEN_POSITIONS] || stack->given[HEED_GIVEN_MASK] || cached ||
        !call->config->family->packs_positions)
        return;
    for (int64_t place = 0; place < stack->padded.batch * stack->padded.length; place++)
        if (place % stack->padded.length > 0)
            stack->padded.segment[place] = heed_forward_position(stack, place) !=
                                           heed_forward_position(stack, place - 1) + 1;
}

/* Marks the tokens that see no key under the masks of some layer, and the tokens whose mean they
   become. */
static void mark_fully_masked(heed_forward_call *call)
{
    const heed_config *config = call->config;
    const heed_stack *stack = heed_config_main(config);
    heed_padded *source = &call->source.padded;
    call->fully_masked = heed_padded_mark_fully_masked(&call->main.padded,
                                                       (heed_view){.causal = config->causal});
    for (int64_t run = 0; run < heed_stack_runs(stack); run++)
        if (heed_config_windowed(config, run)) {
            bool found = heed_padded_mark_fully_masked(
                &call->main.padded,
                (heed_view){.causal = config->causal, .window = config->window});
            call->fully_masked = call->fully_masked || found;
            break;
        }
    /* If a source is all padding, its target sees all of it. */
    for (int64_t b = 0; b < source->batch; b++) {
        bool seen = false;
        for (int64_t t = 0; t < source->length; t++)
            seen = seen || source->keep[b * source->length + t];
        for (int64_t t = 0; !seen && t < source->length; t++)
            source->needed[b * source->length + t] = call->fully_masked = true;
    }
}

/* Opens the two stacks of an encoder-decoder. */
static heed_status open_encoder_decoder(heed_forward_call *call, heed_error *error)
{
    bool given = call->config->float_inputs || call->main.given[HEED_GIVEN_IDS];
    HEED_TRY(open_stack(call, HEED_SOURCE_STACK, error));
    HEED_TRY(given ? open_stack(call, HEED_MAIN_STACK, error) : shift_targets(call, error));
    if (call->main.padded.batch != call->source.padded.batch)
        return heed_fail(error, HEED_E_SHAPE,
                         "%lld source sequences, %lld target sequences; expected equal numbers",
                         (long long)call->source.padded.batch, (long long)call->main.padded.batch);
    read_mask(call, &call->source);
    return check_memory_mask(call, error);
}

/* Opens a model of one stack. Positions and token types may be given too. */
static heed_status open_single(heed_forward_call *call, heed_error *error)
{
    heed_forward_stack *stack = &call->main;
    const heed_named_tensor *types = stack->given[HEED_GIVEN_TYPES];
    HEED_TRY(open_stack(call, HEED_MAIN_STACK, error));
    if (types && call->config->token_types == 0)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "input \"in.token_type_ids\": models of type %s have no table of token "
                         "types here; leave it out",
                         call->config->model_type);
    HEED_TRY(
        heed_forward_check_grid(stack->given[HEED_GIVEN_POSITIONS], &stack->padded, true, error));
    return heed_forward_check_grid(types, &stack->padded, false, error);
}

heed_status heed_forward_open(heed_forward_call *call, heed_error *error)
{
    const heed_config *config = call->config;
    call->both = config->arrangement == HEED_ENCODER_DECODER;
    call->choices = 1;
    HEED_TRY(heed_forward_read_targets(call, error));
    HEED_TRY(heed_forward_check_names(call, error));
    heed_forward_find_given(call);
    if (call->both) HEED_TRY(open_encoder_decoder(call, error));
    else HEED_TRY(open_single(call, error));
    read_mask(call, &call->main);
    HEED_TRY(count_tokens(call, &call->main, error));
    if (call->both) HEED_TRY(count_tokens(call, &call->source, error));
    read_segments(call, &call->main);
    HEED_TRY(heed_forward_check_labels(call, error));
    HEED_TRY(heed_forward_choose_pooled(call, error));
    heed_forward_mark_needed(call);
    mark_fully_masked(call);
    if (call->both) {
        HEED_TRY(heed_rows_new(&call->source.rows, &call->source.padded, false, error));
        HEED_TRY(heed_forward_check_columns(call, &call->source, HEED_STACK_ENCODER, error));
    }
    bool encoder = config->arrangement == HEED_ENCODER_ONLY;
    /* the mean is taken over seen rows */
    bool seen_first = (encoder && heed_head_any(config, HEED_TRAIT_BARE)) ||
                      config->pooled_row == HEED_POOLED_MEAN;
    HEED_TRY(heed_rows_new(&call->main.rows, &call->main.padded, seen_first, error));
    heed_stack_id stack_id = encoder ? HEED_STACK_ENCODER : HEED_STACK_DECODER;
    return heed_forward_check_columns(call, &call->main, stack_id, error);
}

void heed_forward_close(heed_forward_call *call)
{
    heed_forward_stack *stacks[] = {&call->main, &call->source};
    for (int i = 0; i < 2; i++) {
        heed_padded_free(&stacks[i]->padded);
        heed_rows_free(&stacks[i]->rows);
        free(stacks[i]->shifted);
        free(stacks[i]->counted);
    }
    free(call->pooled);
}
