/* ir.h: the graph from inside, for ops, passes and the planner. */
#ifndef HEED_GRAPH_IR_H
#define HEED_GRAPH_IR_H

#include "base/memory.h"
#include "graph/op.h"

typedef enum heed_value_kind {
    HEED_VALUE_COMPUTED,  /* by a node */
    HEED_VALUE_INPUT,     /* run-time argument, filled by the caller */
    HEED_VALUE_CONSTANT,  /* frozen weight */
    HEED_VALUE_PARAMETER, /* trained weight */
    HEED_VALUE_STATE      /* persistent memory */
} heed_value_kind;

typedef struct heed_value_info {
    heed_value_kind kind;
    heed_dtype dtype;
    heed_layout layout; /* of externals; computed values are ROWS */
    heed_shape shape;
    int32_t node;      /* producer, -1 for inputs and externals */
    int32_t external;  /* index into bindings for CONSTANT, PARAMETER and STATE, else -1 */
    heed_value copy;   /* of a parameter: its bf16 working copy, HEED_NONE */
    heed_value master; /* of a bf16 working copy: the parameter, HEED_NONE */
    bool is_output, is_checkpoint;
    const char *name; /* of inputs, externals and outputs; else NULL */
} heed_value_info;

struct heed_node {
    const heed_op *op;
    heed_op_id id;
    uint8_t n_in, n_out;
    /* 0, or the recompute segment this node was cloned for: no pass merges across clones */
    int32_t clone;
    bool dead, is_gradient; /* is_gradient: appended by the gradient pass */
    const char *scope;
    const char *note; /* why fusion left it alone, for dumps; NULL */
    void *attributes;
    heed_value in[HEED_MAX_INPUTS], out[HEED_MAX_OUTPUTS];
};

struct heed_graph {
    heed_arena *arena;
    heed_error error; /* of the first failed builder */
    heed_value_info *values;
    size_t n_values, values_capacity;
    heed_node *nodes; /* always in an order in which every value is made before it is used */
    size_t n_nodes, nodes_capacity;
    heed_value *externals; /* value of each external */
    size_t n_externals, externals_capacity;
    heed_value *outputs; /* values kept by heed_output */
    const char **output_names;
    size_t n_outputs, outputs_capacity, output_names_capacity;
    const char *scope;
    int32_t streams; /* random streams handed out */
    int32_t clone;   /* clone id given to nodes built now */
    bool in_gradient;
};

/* Appends a node: infers shapes, allocates output values, returns out[0] (further ones in outputs,
   if not NULL). `in` may hold HEED_NONE for absent optional inputs; HEED_BAD in any input gives
   HEED_BAD without a new error. */
heed_value heed_emit(heed_graph *graph, heed_op_id op, const heed_value *in, int n_in,
                     const void *attributes, heed_value *outputs);
/* Records a builder's error; returns HEED_BAD. */
heed_value heed_graph_fail(heed_graph *graph, heed_status status, const char *format, ...)
    HEED_PRINTF(3, 4);
/* A fresh stream number for a random op. */
int32_t heed_graph_stream(heed_graph *graph);
/* "name", or "%12" for an unnamed value; static per call site buffer given by the caller. */
const char *heed_value_label(const heed_graph *graph, heed_value value, char text[HEED_SHAPE_TEXT]);
/* A deep copy, so that passes may rewrite it; NULL when out of memory. */
heed_graph *heed_graph_copy(const heed_graph *graph);
/* The bf16 working copy of a parameter, a second external: its elements rounded as matmuls with
   bf16 operands round them (heed_round_operand), in this layout. Whoever writes the parameter
   writes the copy. The precision pass lets such matmuls read it; what flows back to it is the
   parameter's gradient. */
heed_value heed_bf16_copy(heed_graph *graph, heed_value parameter, heed_layout layout);
/* Is this a constant, into which no gradient flows? A bf16 working copy is not. */
bool heed_value_is_frozen(const heed_graph *graph, heed_value value);
/* Marks the external as stored in the backend's panels. */
void heed_value_set_layout(heed_graph *graph, heed_value value, heed_layout layout);

#endif
