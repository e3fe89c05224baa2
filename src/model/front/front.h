/* front.h: what makes the rows that the first layer of a stack reads. The record of a front stands
   in its own file; what all fronts add to their rows (token types, positions, a norm) and the end
   of a stack, after its last layer, are in front.c. */
#ifndef HEED_MODEL_FRONT_H
#define HEED_MODEL_FRONT_H

#include "model/build.h"

typedef struct heed_front_kind {
    const char *name;
    const heed_role_use *roles;
    uint64_t inputs; /* HEED_READS of the inputs that it reads besides those that it declares */
    /* Declares the input of the stack at this place, and says in *embedding what the rows are. */
    void (*read)(heed_build *b, const heed_weight_place *place, heed_nn_embedding *embedding);
} heed_front_kind;
extern const heed_front_kind heed_front_tokens, heed_front_vectors;

/* Returns the front of the model's stacks. */
const heed_front_kind *heed_front_of(const heed_config *config);
/* Roles of what all fronts add, and of the end of a stack. */
extern const heed_role_use heed_front_roles[];
/* Builds the rows that the first layer reads (N,D). */
heed_value heed_front_build(heed_build *b, const heed_weight_place *place);
/* Builds the end of a stack: its last norm, and a projection if heads read narrower rows. */
heed_value heed_front_end(heed_build *b, const heed_weight_place *place, heed_value x);

#endif
