/* program.c: the tables of the inputs and outputs that programs have. */
#include "model/program.h"

#include <string.h>

/* clang-format off */
/* The names of an input in each stack. */
#define NAMES_STACK_ROWS(name) {name, "source_" name}
#define NAMES_STACK_SEQUENCES(name) {name, "source_" name}
#define NAMES_ROWS(name) {name, NULL}
#define NAMES_SOURCE_ROWS(name) {name, NULL}
#define NAMES_SEQUENCES(name) {name, NULL}
#define NAMES_GATHERED(name) {name, NULL}
#define NAMES_SHAPED(name) {name, NULL}
/* clang-format on */
enum { ANY = HEED_INPUT_ANY };

const heed_input_kind heed_input_kinds[HEED_INPUTS] = {
#define HEED_INPUT(symbol, name, dtype, extent, columns, absent) \
    {NAMES_##extent(name), HEED_##dtype, HEED_INPUT_OF_##extent, columns},
#include "model/program.def"
#undef HEED_INPUT
};

const char *heed_input_name(heed_input_id id, heed_input_stack stack)
{
    return heed_input_kinds[id].names[stack];
}

/* The names of cotangents go on with that of the output. */
static bool is_cotangent(const char *name)
{
    const char *prefix = heed_input_kinds[HEED_INPUT_COTANGENT].names[HEED_MAIN_STACK];
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

bool heed_input_find(const char *name, heed_input_id *id, heed_input_stack *stack)
{
    *id = HEED_INPUT_COTANGENT;
    *stack = HEED_MAIN_STACK;
    if (is_cotangent(name)) return true;
    for (int i = 0; i < HEED_INPUTS; i++)
        for (int s = 0; s < HEED_INPUT_STACKS; s++) {
            const char *own = heed_input_kinds[i].names[s];
            if (!own || strcmp(own, name) != 0) continue;
            *id = (heed_input_id)i;
            *stack = (heed_input_stack)s;
            return true;
        }
    return false;
}

heed_extent heed_stack_extent(heed_input_stack stack)
{
    return stack == HEED_MAIN_STACK ? HEED_EXTENT_ROWS : HEED_EXTENT_SOURCE_ROWS;
}

/* Outputs (B,H,T,S): the weights with which rows of one stack attend to rows of one stack. There is
   one for each layer, "attentions.0" and so on. */
static const struct {
    const char *name;
    heed_input_stack queries, keys;
} weights[] = {
    {"attentions", HEED_MAIN_STACK, HEED_MAIN_STACK},
    {"decoder_attentions", HEED_MAIN_STACK, HEED_MAIN_STACK},
    {"encoder_attentions", HEED_SOURCE_STACK, HEED_SOURCE_STACK},
    {"cross_attentions", HEED_MAIN_STACK, HEED_SOURCE_STACK},
};

bool heed_output_find_weights(const char *name, heed_input_stack *queries, heed_input_stack *keys)
{
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        size_t length = strlen(weights[i].name);
        if (strncmp(name, weights[i].name, length) != 0 || name[length] != '.') continue;
        *queries = weights[i].queries;
        *keys = weights[i].keys;
        return true;
    }
    return false;
}
