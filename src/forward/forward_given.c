/* forward_given.c: finds the tensors of a forward call by the table of inputs.def, and tells which
   of them the model does not use. */
#include "forward/forward_internal.h"

#include <stdio.h>
#include <string.h>

enum { MAIN = HEED_MAIN_STACK, SOURCE = HEED_SOURCE_STACK, NO_STACK };

/* A row of inputs.def. */
typedef struct {
    const char *name;
    uint8_t given;        /* heed_given */
    uint8_t reads;        /* HEED_GIVEN_IDS or HEED_GIVEN_VECTORS */
    uint8_t single, pair; /* heed_input_stack, or NO_STACK */
} input_kind;

static const input_kind kinds[] = {
#define HEED_FORWARD_INPUT(name, given, reads, single, pair) \
    {name, HEED_GIVEN_##given, HEED_GIVEN_##reads, single, pair},
#include "forward/inputs.def"
#undef HEED_FORWARD_INPUT
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Returns the stack that an input belongs to in this model; NO_STACK if it is not read. */
static int stack_of(const heed_forward_call *call, const input_kind *kind)
{
    bool vectors = kind->reads == HEED_GIVEN_VECTORS;
    if (vectors != call->config->float_inputs) return NO_STACK;
    return call->both ? kind->pair : kind->single;
}

/* ---- finding ---- */

/* Returns the place of input "in.<name>" among the inputs; their count if there is none. */
static size_t find(const heed_forward_call *call, const char *name)
{
    size_t i = 0;
    for (; i < call->inputs->count; i++) {
        const char *own = call->inputs->tensors[i].name;
        if (strncmp(own, "in.", 3) == 0 && strcmp(own + 3, name) == 0) break;
    }
    return i;
}

const heed_named_tensor *heed_forward_input(const heed_forward_call *call, const char *name)
{
    size_t at = find(call, name);
    return at < call->inputs->count ? &call->inputs->tensors[at] : NULL;
}

const char *heed_forward_name(const heed_forward_call *call, heed_input_stack stack,
                              heed_given given)
{
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].given == given && stack_of(call, &kinds[i]) == (int)stack)
            return kinds[i].name;
    return "";
}

void heed_forward_find_given(heed_forward_call *call)
{
    for (int i = 0; i < KINDS; i++) {
        int stack = stack_of(call, &kinds[i]);
        if (stack == NO_STACK) continue;
        heed_forward_stack *reader = stack == MAIN ? &call->main : &call->source;
        reader->given[kinds[i].given] = heed_forward_input(call, kinds[i].name);
    }
}

/* ---- names ---- */

static bool is_cotangent(const char *name)
{
    return strncmp(name, "cotangent.", 10) == 0 || strcmp(name, "w") == 0;
}

/* Is "in.<name>" an input of some model? */
static bool is_known(const char *name)
{
    if (is_cotangent(name) || heed_head_names_labels(name) || strcmp(name, "use_cache") == 0)
        return true;
    for (int i = 0; i < KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0) return true;
    return false;
}

heed_status heed_forward_check_names(const heed_forward_call *call, heed_error *error)
{
    for (size_t i = 0; i < call->inputs->count; i++) {
        const heed_named_tensor *tensor = &call->inputs->tensors[i];
        if (strncmp(tensor->name, "in.", 3) != 0) continue;
        if (!is_known(tensor->name + 3))
            return heed_fail(error, HEED_E_ARG, "input \"%s\" is not known to models of type %s",
                             tensor->name, call->config->model_type);
        if (tensor->dtype != HEED_I64 && tensor->dtype != HEED_I32 && tensor->dtype != HEED_U8 &&
            tensor->dtype != HEED_BOOL && tensor->dtype != HEED_F32)
            return heed_fail(error, HEED_E_DTYPE, "input \"%s\": expected i64, i32, u8 or f32",
                             tensor->name);
    }
    return HEED_OK;
}

/* ---- what is not used ---- */

/* Does the model use what a stack was given? Positions also tell where segments begin. */
static bool uses(const heed_forward_call *call, heed_given given)
{
    const heed_config *config = call->config;
    if (given != HEED_GIVEN_POSITIONS) return true;
    return config->family->packs_positions ||
           (config->position != HEED_POSITION_NONE && config->position != HEED_POSITION_ALIBI);
}

static bool is_used(const heed_forward_call *call, const heed_named_tensor *tensor)
{
    const char *name = tensor->name + 3;
    if (is_cotangent(name)) return !call->scored;
    if (strcmp(name, "use_cache") == 0) return true;
    for (int given = 0; given < HEED_GIVEN_COUNT; given++)
        if (call->main.given[given] == tensor || call->source.given[given] == tensor)
            return uses(call, (heed_given)given);
    for (int i = 0; call->scored && i < call->terms.count; i++)
        if (call->labels[i] == tensor) return true;
    return call->main.shifted && strcmp(name, "labels") == 0 &&
           heed_head_any(call->config, HEED_TRAIT_PREDICTS_TOKENS);
}

void heed_forward_tell_unused(const heed_forward_call *call, const heed_forward_options *options)
{
    for (size_t i = 0; options->note && i < call->inputs->count; i++) {
        const heed_named_tensor *tensor = &call->inputs->tensors[i];
        char text[256];
        if (strncmp(tensor->name, "in.", 3) != 0 || is_used(call, tensor)) continue;
        snprintf(text, sizeof text, "input \"%.80s\" is not used by this model of type %.60s",
                 tensor->name, call->config->model_type);
        options->note(options->note_argument, text);
    }
}
