/* keep.c: lists what the layers of a model keep between steps. */
#include "model/keep.h"
#include "model/sublayer/sublayer.h"
#include "tensor/scaled_rows.h"

static heed_kept kept_of(const heed_model *model, const heed_keeping *what, const heed_slot *slot,
                         int64_t layer)
{
    heed_kept kept = {
        .what = what,
        .layer = layer,
        .slot = slot->id,
        .slot_name = slot->name,
        .dtype = what->exact ? HEED_F32 : model->cache,
        .width = what->width(&model->config),
    };
    kept.columns = kept.width.runs * kept.width.columns;
    if (kept.dtype == HEED_I8)
        kept.columns = heed_scaled_row_bytes(kept.width.runs, kept.width.columns);
    return kept;
}

/* Adds what the sublayer in a slot keeps to the lists of the model; without lists, only counts
   it. */
static void add_slot(heed_model *model, const heed_slot *slot, int64_t layer)
{
    for (const heed_keeping *what = slot->kind->keeps; what && what->name; what++) {
        heed_kept *list = model->kept[what->side];
        size_t at = model->n_kept[what->side]++;
        if (list) list[at] = kept_of(model, what, slot, layer);
    }
}

static void add_layers(heed_model *model)
{
    const heed_config *config = &model->config;
    const heed_stack *stack = &config->decoder;
    model->n_kept[HEED_KEEP_SELF] = model->n_kept[HEED_KEEP_SOURCE] = 0;
    for (int64_t run = 0; run < heed_stack_runs(stack); run++)
        for (const heed_slot *slot = heed_layer_slots(config); slot->id; slot++) {
            const heed_weight_place place = {HEED_STACK_DECODER, slot->id,
                                             heed_stack_layer_of(stack, run), run};
            if (!slot->when || slot->when(config, &place)) add_slot(model, slot, run);
        }
}

heed_status heed_keep_list(heed_model *model, heed_error *error)
{
    if (model->config.arrangement == HEED_ENCODER_ONLY) return HEED_OK;
    add_layers(model);
    for (int side = 0; side < HEED_KEEP_SIDES; side++) {
        size_t count = model->n_kept[side] + 1;
        model->kept[side] = heed_arena_take(model->arena, count, sizeof *model->kept[side]);
        if (!model->kept[side])
            return heed_fail_memory(error, count * sizeof *model->kept[side], "a model");
    }
    add_layers(model);
    return HEED_OK;
}

const heed_kept *heed_model_keeps(const heed_model *model, heed_keep_side side, size_t *count)
{
    *count = model->n_kept[side];
    return model->kept[side];
}

void heed_kept_widen(const heed_kept *kept, const void *row, float *values)
{
    const heed_keep_width *width = &kept->width;
    if (kept->dtype != HEED_I8) {
        heed_convert(values, HEED_F32, row, kept->dtype, (size_t)(width->runs * width->columns));
        return;
    }
    for (int64_t run = 0; run < width->runs; run++)
        heed_scaled_run_decode(row, width->runs, width->columns, run,
                               values + run * width->columns);
}
