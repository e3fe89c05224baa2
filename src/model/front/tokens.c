/* Rows of a table of tokens. */
#include "model/front/front.h"

/* One table serves both stacks, or each stack has its own. */
static bool has_table(const heed_config *config, const heed_weight_place *place)
{
    return (config->source_vocabulary > 0) == (place->stack_id != HEED_STACK_MODEL);
}

static bool has_spare(const heed_config *config, const heed_weight_place *place)
{
    return place->stack_id == HEED_STACK_MODEL && !config->tied;
}

static const heed_role_use roles[] = {
    HEED_USE_AS(HEED_USE_LOOKED_UP, TOKEN_EMBEDDING, "embedding.token", VOCABULARY, EMBEDDING,
                EMBEDDING, has_table),
    HEED_USE_AS(HEED_USE_SPARE, SPARE_EMBEDDING, "embedding.spare", VOCABULARY, EMBEDDING,
                EMBEDDING, has_spare),
    {0},
};

static void read(heed_build *b, const heed_weight_place *place, heed_nn_embedding *embedding)
{
    const heed_stack_inputs *inputs = heed_build_inputs_at(b, place);
    embedding->ids = heed_build_input(b, inputs, HEED_INPUT_IDS, 0);
    if (b->config->mask_scaling)
        embedding->row_scale = heed_build_input(b, inputs, HEED_INPUT_TOKEN_SCALE, 0);
    embedding->token_table = heed_build_token_table(b, (heed_stack_id)place->stack_id);
}

const heed_front_kind heed_front_tokens = {
    .name = "tokens",
    .roles = roles,
    .inputs = HEED_READS(POSITIONS),
    .read = read,
};
