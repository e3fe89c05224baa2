/* attention_check_internal.h: what the records of attention and of its gradient have in common. */
#ifndef HEED_OP_ATTENTION_CHECK_INTERNAL_H
#define HEED_OP_ATTENTION_CHECK_INTERNAL_H

#include "graph/op.h"

/* Options, element types and shapes of q, k, v, tables and indices. */
heed_status heed_attention_check(const heed_infer *infer, heed_error *error);

extern const heed_op heed_op_attention;

#endif
