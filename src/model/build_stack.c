/* Builds a stack: its front, its layers as lists of slots, and its end. */
#include "model/front/front.h"
#include "model/sublayer/sublayer.h"

static const char *stack_name(const heed_weight_place *place)
{
    return place->stack_id == HEED_STACK_ENCODER ? "encoder" : "decoder";
}

/* What the slots of a layer have read, by heed_slot_id: the residual stream, and what the norm
   made of it. */
typedef struct {
    heed_value stream[HEED_SLOT_IDS], input[HEED_SLOT_IDS];
} layer_reads;

static double scale_of(const heed_build *b, const heed_slot *slot)
{
    double scale = b->config->residual_scale;
    if (slot->scale == 0) return scale;
    return scale == 0 ? slot->scale : slot->scale * scale;
}

static heed_nn_sublayer norms_around(const heed_build *b, const heed_weight_place *place,
                                     const heed_slot *slot)
{
    return (heed_nn_sublayer){
        .place = (heed_norm_place)b->config->norm_place,
        .norm = heed_build_norm_at(b, place, HEED_ROLE_NORM_GAIN),
        .post_norm = heed_build_norm_at(b, place, HEED_ROLE_POST_NORM_GAIN),
        .scale = scale_of(b, slot),
        .dropout = heed_build_rate(b, b->config->residual_dropout, true),
        .samples = heed_build_inputs_at(b, place)->samples,
    };
}

/* Builds one slot of a layer; returns the residual stream after it. */
static heed_value build_slot(heed_build *b, const heed_weight_place *place, const heed_slot *slot,
                             heed_value x, layer_reads *reads)
{
    heed_nn_sublayer around = norms_around(b, place, slot);
    heed_scope(b->graph, "%s.%lld.%s", stack_name(place), (long long)place->run, slot->name);
    heed_value *read = &reads->stream[slot->id], *input = &reads->input[slot->id];
    if (slot->beside) {
        *read = reads->stream[slot->beside];
        *input = slot->shares_norm ? reads->input[slot->beside]
                                   : heed_nn_sublayer_input(b->graph, read, &around);
    } else {
        *input = heed_nn_sublayer_input(b->graph, &x, &around);
        *read = x;
    }
    heed_value y = slot->kind->build(b, place, *input);
    return heed_nn_sublayer_output(b->graph, x, y, &around);
}

static heed_value build_layer(heed_build *b, heed_weight_place place, heed_value x)
{
    layer_reads reads = {{0}, {0}};
    for (const heed_slot *slot = heed_layer_slots(b->config); slot->id; slot++) {
        place.slot = slot->id;
        if (!slot->when || slot->when(b->config, &place))
            x = build_slot(b, &place, slot, x, &reads);
    }
    return x;
}

heed_value heed_build_stack(heed_build *b, const heed_stack_inputs *inputs)
{
    const heed_stack *stack = heed_stack_by_id(b->config, inputs->stack_id);
    const heed_weight_place around = {.stack_id = (uint8_t)inputs->stack_id};
    const int64_t runs = heed_stack_runs(stack);
    heed_scope(b->graph, "%s.embedding", stack_name(&around));
    heed_value x = heed_front_build(b, &around);
    if (inputs == &b->main && heed_build_balances(b))
        b->counted = heed_build_input(b, NULL, HEED_INPUT_COUNTED, 0);
    for (int64_t run = 0; run < runs; run++) {
        heed_weight_place place = around;
        place.run = run;
        place.layer = heed_stack_layer_of(stack, run);
        heed_checkpoint(b->graph, x);
        if (b->spec->hidden_states)
            heed_build_publish(b, x, "%s.%lld", inputs->hidden, (long long)run);
        x = build_layer(b, place, x);
    }
    heed_checkpoint(b->graph, x);
    heed_scope(b->graph, "%s.final_norm", stack_name(&around));
    x = heed_front_end(b, &around, x);
    if (b->spec->hidden_states)
        heed_build_publish(b, x, "%s.%lld", inputs->hidden, (long long)runs);
    if (b->spec->hidden_states || inputs == &b->main) heed_build_publish(b, x, "%s", inputs->last);
    return x;
}

void heed_build_fill(heed_build *b)
{
    const heed_stack *stack = &b->config->decoder;
    for (int64_t run = 0; run < heed_stack_runs(stack); run++)
        for (const heed_slot *slot = heed_layer_slots(b->config); slot->id; slot++) {
            int64_t layer = heed_stack_layer_of(stack, run);
            heed_weight_place place = {HEED_STACK_DECODER, slot->id, layer, run};
            if (!slot->kind->fill || (slot->when && !slot->when(b->config, &place))) continue;
            heed_scope(b->graph, "decoder.%lld.%s", (long long)run, slot->name);
            slot->kind->fill(b, &place);
        }
}
