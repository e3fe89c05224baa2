/* Vectors that the caller gives instead of tokens. */
#include "model/front/front.h"

static const heed_role_use roles[] = {{0}};

static void read(heed_build *b, const heed_weight_place *place, heed_nn_embedding *embedding)
{
    const heed_stack_inputs *inputs = heed_build_inputs_at(b, place);
    const heed_stack *stack = heed_stack_by_id(b->config, (heed_stack_id)place->stack_id);
    embedding->vectors = heed_build_input(b, inputs, HEED_INPUT_VECTORS,
                                          heed_stack_width(b->config, stack));
}

const heed_front_kind heed_front_vectors = {
    .name = "vectors",
    .roles = roles,
    .inputs = HEED_READS(POSITIONS),
    .read = read,
};
