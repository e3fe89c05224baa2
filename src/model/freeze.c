/* Which tensors of a model opened for training stay as they are, and what gradients pass. */
#include "model/weights_internal.h"

/* Does the name fit a pattern, in which "*" stands for any characters? After a mismatch the last
   "*" takes one character more. */
static bool fits(const char *name, const char *pattern)
{
    const char *star = NULL, *taken = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            taken = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++taken;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

bool heed_weights_is_frozen(const heed_model *model, const char *name)
{
    for (const char *const *pattern = model->frozen; pattern && *pattern; pattern++)
        if (fits(name, *pattern)) return true;
    return false;
}

heed_status heed_weights_check_frozen(const heed_model *model, heed_error *error)
{
    size_t trained = 0;
    for (const char *const *pattern = model->frozen; pattern && *pattern; pattern++) {
        bool any = false;
        for (size_t i = 0; i < model->n_tensors && !any; i++)
            any = fits(model->tensors[i].listed, *pattern);
        if (!any)
            return heed_fail(error, HEED_E_ARG,
                             "nothing is frozen by \"%s\": no tensor of the model has such a name",
                             *pattern);
    }
    for (size_t i = 0; i < model->n_tensors; i++) {
        const heed_tensor *tensor = &model->tensors[i];
        const heed_weight *weight = &model->weights[tensor->first_weight];
        trained += weight->parameter && !tensor->absent;
        if (tensor->expert > 0 && tensor->trained != model->tensors[weight->tensor].trained)
            return heed_fail(error, HEED_E_ARG,
                             "\"%s\" and \"%s\" are experts of one layer: they are trained or "
                             "frozen together",
                             model->tensors[weight->tensor].listed, tensor->listed);
    }
    if (!model->frozen || trained > 0) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "all tensors of the model are frozen");
}

/* ---- what gradients pass ---- */

/* The place of a weight's uses in the order of the program: those of the encoder, of the decoder,
   of the heads. */
typedef struct {
    int64_t first, last;
} use_range;

static use_range uses_of(const heed_config *config, const heed_weight *weight)
{
    enum { STACK = 1 << 24 };
    const heed_weight_place *place = &weight->place;
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    int64_t base = (int64_t)place->stack_id * STACK, runs = heed_stack_runs(stack);
    bool shared = runs != heed_stack_own_layers(stack);
    use_range uses = {base, base};
    if (weight->use->flags & HEED_USE_LOOKED_UP) { /* a table may be the output matrix too */
        if (place->stack_id == HEED_STACK_MODEL) uses.first = 0;
        uses.last = (int64_t)HEED_STACK_IDS * STACK;
    } else if (weight->use->flags & HEED_USE_AT_END) {
        uses.first = uses.last = base + runs + 1;
    } else if (place->slot != HEED_SLOT_NONE) {
        uses.first = base + 1 + (shared ? 0 : place->layer);
        uses.last = base + (shared ? runs : 1 + place->layer);
    }
    return uses;
}

bool heed_weights_passes_gradients(const heed_model *model, const heed_weight *weight)
{
    if (!model->training || !heed_weight_is_multiplied(&model->config, weight)) return false;
    use_range own = uses_of(&model->config, weight);
    for (size_t i = 0; i < model->n_weights; i++) {
        const heed_weight *other = &model->weights[i];
        bool trained = other->parameter && !model->tensors[other->tensor].absent;
        if (trained && uses_of(&model->config, other).first <= own.last) return true;
    }
    return false;
}
