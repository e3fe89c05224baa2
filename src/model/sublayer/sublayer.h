/* sublayer.h: what layers are made of. A layer is a list of slots, each with a sublayer in it. The
   record of a sublayer stands in its own file, with the roles of its weights and its builder. To
   add one, write its file and name it in sublayer.c. */
#ifndef HEED_MODEL_SUBLAYER_H
#define HEED_MODEL_SUBLAYER_H

#include "model/build.h"

/* A kind of sublayer. The norms around it are not part of it. */
typedef struct heed_sublayer_kind {
    const char *name;
    const heed_role_use *roles;
    uint64_t inputs;           /* HEED_READS of the inputs of its stack that it reads */
    const heed_keeping *keeps; /* what it keeps between steps; NULL: nothing */
    /* Returns what the sublayer adds to the residual stream, given its normalized input x. */
    heed_value (*build)(heed_build *b, const heed_weight_place *place, heed_value x);
    /* ENCODE: writes what the sublayer keeps of the encoder's result; NULL: it keeps nothing of
       it */
    void (*fill)(heed_build *b, const heed_weight_place *place);
} heed_sublayer_kind;
extern const heed_sublayer_kind heed_sublayer_attention, heed_sublayer_cross_attention,
    heed_sublayer_feed_forward, heed_sublayer_experts;

/* A slot of a layer. Zero-initialized fields mean a sublayer in every layer, after what is before
   it, with a norm of its own. */
typedef struct heed_slot {
    uint8_t id;       /* heed_slot_id; 0 ends a list */
    const char *name; /* in names of weights and scopes */
    const heed_sublayer_kind *kind;
    /* the slot that it runs beside: it reads what that slot has read; NONE: it reads the residual
       stream */
    uint8_t beside;
    bool shares_norm; /* it has no norm of its own and reads the normalized input of that slot */
    double scale;     /* factor of what it adds to the residual stream; 0: 1 */
    /* whether the layer at this place has it; NULL: every layer has it */
    bool (*when)(const heed_config *config, const heed_weight_place *place);
} heed_slot;

/* Returns the list of slots of the model's layers. */
const heed_slot *heed_layer_slots(const heed_config *config);
/* Returns the slot that the layer at this place has under place->slot; NULL if it has none. */
const heed_slot *heed_slot_at(const heed_config *config, const heed_weight_place *place);
/* Returns which inputs the layers of the encoder or the decoder read (HEED_READS). */
uint64_t heed_layers_read(const heed_config *config, heed_stack_id stack_id);
/* Returns the roles of the norms around the sublayers of any kind. */
extern const heed_role_use heed_sublayer_norms[];

#endif
