/* role_internal.h: what weights are for. A weight is known by its place (stack, slot of the layer,
   layer) and its role there. Which roles a place has is said by the records of what stands
   there. */
#ifndef HEED_MODEL_ROLE_INTERNAL_H
#define HEED_MODEL_ROLE_INTERNAL_H

#include "model/config.h"
#include <stddef.h>
#include <stdint.h>

typedef enum heed_role {
#define HEED_ROLE(symbol, slot) HEED_ROLE_##symbol,
#include "model/roles.def"
#undef HEED_ROLE
    HEED_ROLE_COUNT
} heed_role;

/* The size of one axis of a weight. */
typedef enum heed_dimension {
    HEED_DIMENSION_NONE,    /* as columns: the weight is a vector */
    HEED_DIMENSION_D_MODEL, /* the width of the stack */
    HEED_DIMENSION_MEMORY,  /* the width of the stack that cross-attention reads */
    HEED_DIMENSION_QUERIES, /* H*E */
    HEED_DIMENSION_KEYS,    /* K*E */
    HEED_DIMENSION_QUERY_NORM,
    HEED_DIMENSION_KEY_NORM,
    HEED_DIMENSION_D_FF,
    HEED_DIMENSION_VOCABULARY,
    HEED_DIMENSION_CONTEXT,
    HEED_DIMENSION_TOKEN_TYPES,
    HEED_DIMENSION_LABELS,
    HEED_DIMENSION_ONE,
    HEED_DIMENSION_TWO,
    HEED_DIMENSION_EMBEDDING, /* the width of the token embedding */
    HEED_DIMENSION_INPUT,     /* the width of the rows to which types and positions are added */
    HEED_DIMENSION_OUTPUT,    /* the width of the last hidden states, which heads read */
    HEED_DIMENSION_HEADS,
    HEED_DIMENSION_ALL_HEADS, /* of all layers */
    HEED_DIMENSION_EXPERTS,
    HEED_DIMENSION_EXPERT_D_FF,
    HEED_DIMENSION_SHARED_D_FF
} heed_dimension;

typedef enum heed_initial {
    HEED_INITIAL_ZERO,
    HEED_INITIAL_ONE,    /* 1, or 0 where gains are stored as g - 1 */
    HEED_INITIAL_NORMAL, /* normal, initializer_range */
    /* normal; divided by sqrt(2 L) in families that scale what a sublayer adds to the residual
       stream */
    HEED_INITIAL_RESIDUAL,
    HEED_INITIAL_EMBEDDING /* normal, but the row of the padding token is zero */
} heed_initial;

/* The stack that a weight belongs to. MODEL is for weights that belong to no stack. */
typedef enum heed_stack_id {
    HEED_STACK_ENCODER,
    HEED_STACK_DECODER,
    HEED_STACK_MODEL,
    HEED_STACK_IDS
} heed_stack_id;

/* The slot of a layer that a sublayer stands in. A layer has at most one sublayer in each slot; the
   order of the slots is that of the layer's list (sublayer/sublayer.h). */
typedef enum heed_slot_id {
    HEED_SLOT_NONE, /* outside of layers */
    HEED_SLOT_ATTENTION,
    HEED_SLOT_CROSS,
    HEED_SLOT_FFN,
    HEED_SLOT_FFN_BEFORE, /* before attention */
    HEED_SLOT_IDS
} heed_slot_id;

typedef struct heed_weight_place {
    uint8_t stack_id; /* heed_stack_id */
    uint8_t slot;     /* heed_slot_id */
    int64_t layer;    /* among those with weights of their own; 0 outside of layers */
    /* which run of a layer, counted through the stack; equal to `layer` unless layers share
       weights. Windows, positions, caches and outputs belong to runs */
    int64_t run;
} heed_weight_place;

/* How weights of a role are kept and used. */
enum {
    HEED_USE_PER_EXPERT = 1, /* one weight holds the rows of all experts */
    HEED_USE_LOOKED_UP = 2,  /* rows are gathered, and no matmul reads the weight */
    /* a parameter that published files have and that no graph reads: a model has it only if its
       file has it */
    HEED_USE_SPARE = 4,
    HEED_USE_AT_END = 8 /* after the last layer */
};

/* One role in the list of a record. A weight is (rows,columns) = (O,I). */
typedef struct heed_role_use {
    uint8_t role; /* heed_role */
    /* its name in graphs after that of the stack and the layer; a name that begins with "." has
       the name of the slot before it. NULL ends a list */
    const char *name;
    uint8_t rows, columns; /* heed_dimension */
    uint8_t initial;       /* heed_initial */
    uint8_t flags;
    /* whether a model has it at this place; NULL: always */
    bool (*when)(const heed_config *config, const heed_weight_place *place);
} heed_role_use;
/* Rows of such lists. A condition NULL means always. */
/* clang-format off */
#define HEED_USE_AS(how, symbol, text, to, from, begins, condition) \
    {.role = HEED_ROLE_##symbol, .name = text, .rows = HEED_DIMENSION_##to, \
     .columns = HEED_DIMENSION_##from, .initial = HEED_INITIAL_##begins, .flags = (how), \
     .when = condition}
#define HEED_USE_MATRIX(symbol, text, to, from, begins, condition) \
    HEED_USE_AS(0, symbol, text, to, from, begins, condition)
#define HEED_USE_VECTOR(symbol, text, size, begins, condition) \
    HEED_USE_AS(0, symbol, text, size, NONE, begins, condition)
/* clang-format on */

/* Returns how the model uses a role at a place; NULL if it has no such weight. */
const heed_role_use *heed_role_find(const heed_config *config, const heed_weight_place *place,
                                    heed_role role);
/* Returns the use of a role in a list that holds at this place, or NULL. */
const heed_role_use *heed_role_in(const heed_role_use *list, const heed_config *config,
                                  const heed_weight_place *place, heed_role role);
/* Returns whether the model has a weight in this role at any layer of the slot. */
bool heed_role_wanted(const heed_config *config, heed_stack_id stack_id, heed_slot_id slot,
                      heed_role role);
/* Returns the slot that tables of tensor names mean if they name none. */
heed_slot_id heed_role_slot(heed_role role);
/* Writes the rows and columns (0: a vector) of a weight; for a stacked weight those of one
   expert. */
void heed_role_shape(const heed_config *config, const heed_weight_place *place,
                     const heed_role_use *use, int64_t *rows, int64_t *columns);
/* Returns whether token rows of the stack at this place have another width than its layers. */
bool heed_role_widths_differ(const heed_config *config, const heed_weight_place *place);
/* Returns the width of the rows to which the stack's front adds types and positions. */
int64_t heed_role_input_width(const heed_config *config, const heed_weight_place *place);
/* Writes the name of a role at a place, such as "attention.query.weight", and returns text. */
const char *heed_role_name(const heed_config *config, const heed_weight_place *place,
                           const heed_role_use *use, char *text, size_t room);
/* A `when`: only layer norms have a bias, and not all of them. */
static inline bool heed_norm_has_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->norm == HEED_NORM_LAYER && config->norm_bias;
}

/* Returns the number of layers of a stack that have weights of their own; 1 for
   HEED_STACK_MODEL. */
int64_t heed_stack_layers(const heed_config *config, heed_stack_id stack_id);
/* Returns a stack; of HEED_STACK_MODEL the one that heads read. */
const heed_stack *heed_stack_by_id(const heed_config *config, heed_stack_id stack_id);
bool heed_stack_exists(const heed_config *config, heed_stack_id stack_id);

#endif
