/* Names of activations in config.json. Source of the list: ACT2FN of transformers. */
#include "model/config.h"

#include <string.h>

/* Further spellings of functions of unaries.def. */
static const struct {
    const char *name;
    heed_unary_kind kind;
} aliases[] = {
    {"gelu_python", HEED_UNARY_GELU},
    {"gelu_pytorch_tanh", HEED_UNARY_GELU_TANH},
    {"gelu_python_tanh", HEED_UNARY_GELU_TANH},
    {"gelu_accurate", HEED_UNARY_GELU_TANH},
    {"swish", HEED_UNARY_SILU},
};

/* Tells activations of models from the other functions of unaries.def. */
static bool is_activation(heed_unary_kind kind)
{
    switch (kind) {
    case HEED_UNARY_EXP:
    case HEED_UNARY_LOG:
    case HEED_UNARY_SQRT:
    case HEED_UNARY_RSQRT:
    case HEED_UNARY_SQUARE:
    case HEED_UNARY_ABS:
    case HEED_UNARY_NEGATE: return false;
    default: return true;
    }
}

static const char *const names[HEED_UNARY_COUNT] = {
#define HEED_UNARY(symbol, name, formula, derivative) name,
#include <heed/unaries.def>
#undef HEED_UNARY
};

bool heed_activation_by_name(const char *name, heed_unary_kind *kind)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, name) == 0) {
            *kind = aliases[i].kind;
            return true;
        }
    for (int i = 0; i < HEED_UNARY_COUNT; i++)
        if (is_activation((heed_unary_kind)i) && strcmp(names[i], name) == 0) {
            *kind = (heed_unary_kind)i;
            return true;
        }
    return false;
}

const char *heed_activation_name(heed_unary_kind kind)
{
    return kind < HEED_UNARY_COUNT ? names[kind] : "unknown";
}
