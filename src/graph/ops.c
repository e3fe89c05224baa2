/* ops.c: the table of all op records, from ops.def. */
#include "graph/op.h"

#define HEED_OP(symbol, name) extern const heed_op heed_op_##name;
#include "graph/ops.def"
#undef HEED_OP

const heed_op *const heed_ops[HEED_OP_COUNT] = {
#define HEED_OP(symbol, name) [HEED_OP_##symbol] = &heed_op_##name,
#include "graph/ops.def"
#undef HEED_OP
};
