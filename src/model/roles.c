/* Finds the roles that a configuration has, and the shapes of their weights. */
#include "model/front/front.h"
#include "model/head/head.h"
#include "model/sublayer/sublayer.h"

#include <stdio.h>
#include <string.h>

/* ---- stacks ---- */

const heed_stack *heed_stack_by_id(const heed_config *config, heed_stack_id stack_id)
{
    if (stack_id == HEED_STACK_MODEL) return heed_config_main(config);
    return stack_id == HEED_STACK_ENCODER ? &config->encoder : &config->decoder;
}

int64_t heed_stack_layers(const heed_config *config, heed_stack_id stack_id)
{
    if (stack_id == HEED_STACK_MODEL) return 1;
    return heed_stack_own_layers(heed_stack_by_id(config, stack_id));
}

bool heed_stack_exists(const heed_config *config, heed_stack_id stack_id)
{
    if (stack_id == HEED_STACK_ENCODER) return config->arrangement != HEED_DECODER_ONLY;
    return stack_id == HEED_STACK_MODEL || config->arrangement != HEED_ENCODER_ONLY;
}

/* ---- roles ---- */

heed_slot_id heed_role_slot(heed_role role)
{
    static const uint8_t slots[HEED_ROLE_COUNT] = {
#define HEED_ROLE(symbol, slot) HEED_SLOT_##slot,
#include "model/roles.def"
#undef HEED_ROLE
    };
    return (heed_slot_id)slots[role];
}

const heed_role_use *heed_role_in(const heed_role_use *list, const heed_config *config,
                                  const heed_weight_place *place, heed_role role)
{
    for (; list->name; list++)
        if (list->role == role && (!list->when || list->when(config, place))) return list;
    return NULL;
}

static const heed_role_use *find_in_layer(const heed_config *config, const heed_weight_place *place,
                                          heed_role role)
{
    const heed_slot *slot = heed_slot_at(config, place);
    if (!slot) return NULL;
    const heed_role_use *norm = heed_role_in(heed_sublayer_norms, config, place, role);
    return norm ? norm : heed_role_in(slot->kind->roles, config, place, role);
}

const heed_head_kind *heed_head_of_role(const heed_config *config, const heed_weight_place *place,
                                        heed_role role)
{
    const heed_head_kind *head;
    for (int at = 0; (head = heed_head_at(config, at)) != NULL; at++)
        if (heed_role_in(head->roles, config, place, role)) return head;
    return NULL;
}

static const heed_role_use *find_in_heads(const heed_config *config, const heed_weight_place *place,
                                          heed_role role)
{
    const heed_head_kind *head = heed_head_of_role(config, place, role);
    return head ? heed_role_in(head->roles, config, place, role) : NULL;
}

const heed_role_use *heed_role_find(const heed_config *config, const heed_weight_place *place,
                                    heed_role role)
{
    if (!heed_stack_exists(config, (heed_stack_id)place->stack_id)) return NULL;
    bool in_stack = place->stack_id != HEED_STACK_MODEL;
    if (place->slot != HEED_SLOT_NONE) return in_stack ? find_in_layer(config, place, role) : NULL;
    const heed_role_use *use = heed_role_in(heed_front_of(config)->roles, config, place, role);
    if (!use) use = heed_role_in(heed_front_roles, config, place, role);
    return use || in_stack ? use : find_in_heads(config, place, role);
}

bool heed_role_wanted(const heed_config *config, heed_stack_id stack_id, heed_slot_id slot,
                      heed_role role)
{
    int64_t layers = slot == HEED_SLOT_NONE ? 1 : heed_stack_layers(config, stack_id);
    for (int64_t layer = 0; layer < layers; layer++) {
        heed_weight_place place = {(uint8_t)stack_id, (uint8_t)slot, layer, layer};
        if (heed_role_find(config, &place, role)) return true;
    }
    return false;
}

const char *heed_role_name(const heed_config *config, const heed_weight_place *place,
                           const heed_role_use *use, char *text, size_t room)
{
    const heed_slot *slot = *use->name == '.' ? heed_slot_at(config, place) : NULL;
    snprintf(text, room, "%s%s", slot ? slot->name : "", use->name);
    return text;
}

/* ---- shapes ---- */

/* Returns the elements of a norm of `heads` heads: one gain per channel of a head that serves all
   of them, or one for each head's. */
static int64_t head_norm_size(const heed_config *config, const heed_stack *stack, int64_t heads)
{
    return config->qk_norm == HEED_QK_NORM_HEAD ? stack->head_width : heads * stack->head_width;
}

static int64_t vocabulary_of(const heed_config *config, const heed_weight_place *place)
{
    if (place->stack_id == HEED_STACK_ENCODER) return heed_config_source_vocabulary(config);
    return config->vocabulary;
}

/* Returns the width of a stack's token rows. A table of its own is as wide as the stack, unless
   the model has a narrower embedding. */
static int64_t embedding_width(const heed_config *config, const heed_weight_place *place)
{
    bool own = config->source_vocabulary > 0 && place->stack_id != HEED_STACK_MODEL;
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    bool narrower = config->embedding_width != config->d_model;
    return own && !narrower ? heed_stack_width(config, stack) : config->embedding_width;
}

bool heed_role_widths_differ(const heed_config *config, const heed_weight_place *place)
{
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    return embedding_width(config, place) != heed_stack_width(config, stack);
}

int64_t heed_role_input_width(const heed_config *config, const heed_weight_place *place)
{
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    if (config->embedding_order == HEED_EMBEDDING_PROJECTED_LAST)
        return embedding_width(config, place);
    return heed_stack_width(config, stack);
}

/* Returns the width of the last hidden states, which are projected back if token rows were
   projected first. */
static int64_t output_width(const heed_config *config)
{
    bool back = config->embedding_order == HEED_EMBEDDING_PROJECTED_FIRST;
    return back ? config->embedding_width : heed_stack_width(config, heed_config_main(config));
}

static int64_t dimension_size(const heed_config *config, const heed_weight_place *place,
                              heed_dimension dimension)
{
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    switch (dimension) {
    case HEED_DIMENSION_D_MODEL: return heed_stack_width(config, stack);
    case HEED_DIMENSION_MEMORY: return heed_stack_width(config, &config->encoder);
    case HEED_DIMENSION_QUERIES: return stack->heads * stack->head_width;
    case HEED_DIMENSION_KEYS: return stack->kv_heads * stack->head_width;
    case HEED_DIMENSION_QUERY_NORM: return head_norm_size(config, stack, stack->heads);
    case HEED_DIMENSION_KEY_NORM: return head_norm_size(config, stack, stack->kv_heads);
    case HEED_DIMENSION_D_FF: return stack->d_ff;
    case HEED_DIMENSION_VOCABULARY: return vocabulary_of(config, place);
    case HEED_DIMENSION_CONTEXT: return config->context + config->position_offset;
    case HEED_DIMENSION_TOKEN_TYPES: return config->token_types;
    case HEED_DIMENSION_LABELS: return config->labels;
    case HEED_DIMENSION_ONE: return 1;
    case HEED_DIMENSION_TWO: return 2;
    case HEED_DIMENSION_HEADS: return stack->heads;
    case HEED_DIMENSION_ALL_HEADS: return stack->heads * heed_stack_runs(stack);
    case HEED_DIMENSION_EXPERTS: return config->experts;
    case HEED_DIMENSION_EXPERT_D_FF: return config->expert_d_ff;
    case HEED_DIMENSION_SHARED_D_FF: return config->shared_d_ff;
    case HEED_DIMENSION_EMBEDDING: return embedding_width(config, place);
    case HEED_DIMENSION_INPUT: return heed_role_input_width(config, place);
    case HEED_DIMENSION_OUTPUT: return output_width(config);
    case HEED_DIMENSION_NONE: break;
    }
    return 0;
}

void heed_role_shape(const heed_config *config, const heed_weight_place *place,
                     const heed_role_use *use, int64_t *rows, int64_t *columns)
{
    *rows = dimension_size(config, place, (heed_dimension)use->rows);
    *columns = dimension_size(config, place, (heed_dimension)use->columns);
}
