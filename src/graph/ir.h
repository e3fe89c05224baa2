/* ir.h: the inside of a graph, for ops, passes and the planner. */
#ifndef HEED_GRAPH_IR_H
#define HEED_GRAPH_IR_H

#include "base/memory.h"
#include "graph/name_table.h"
#include "graph/op.h"

typedef enum heed_value_kind {
    HEED_VALUE_COMPUTED,  /* made by a node */
    HEED_VALUE_INPUT,     /* a run-time argument that the caller fills */
    HEED_VALUE_CONSTANT,  /* a frozen weight */
    HEED_VALUE_PARAMETER, /* a trained weight */
    HEED_VALUE_STATE      /* memory that outlives a run */
} heed_value_kind;

/* What is known of one value. */
typedef struct heed_value_info {
    heed_value_kind kind;
    heed_dtype dtype;
    heed_layout layout; /* layout of an external; computed values are ROWS */
    heed_shape shape;
    int32_t node; /* the node that makes it; -1 for inputs and externals */
    /* its index in bindings if it is CONSTANT, PARAMETER or STATE; -1 otherwise */
    int32_t external;
    int32_t input;     /* its index among the inputs if it is one; -1 otherwise */
    heed_value copy;   /* of a parameter: its bf16 working copy, or HEED_NONE */
    heed_value master; /* of a bf16 working copy: its parameter, or HEED_NONE */
    bool is_output, is_checkpoint;
    const char *name; /* of inputs, externals and outputs; else NULL */
} heed_value_info;

struct heed_node {
    const heed_op *op;
    heed_op_id id;
    uint8_t n_in, n_out;
    /* 0, or the number + 1 of the recompute segment this node is a clone of: no pass merges nodes
       whose clone differs */
    int32_t clone;
    bool dead, is_gradient; /* is_gradient: appended by the gradient pass */
    const char *scope;
    const char *note; /* for dumps: why fusion left it alone; NULL if there is nothing to say */
    void *attributes;
    heed_value in[HEED_MAX_INPUTS], out[HEED_MAX_OUTPUTS];
};

/* An extent whose count is `multiple` times that of `base`, which is not such an extent itself. */
typedef struct heed_extent_rule {
    heed_extent base;
    int64_t multiple;
    char letter; /* in dumps and errors */
} heed_extent_rule;

struct heed_graph {
    heed_arena *arena;
    heed_error error; /* the error of the first builder that failed */
    heed_value_info *values;
    size_t n_values, values_capacity;
    heed_node *nodes; /* in an order in which every value is made before it is used */
    size_t n_nodes, nodes_capacity;
    heed_value *externals; /* the value of each external, in the order of their declaration */
    size_t n_externals, externals_capacity;
    size_t n_inputs;
    heed_value *outputs; /* the values that heed_output keeps */
    const char **output_names;
    size_t n_outputs, outputs_capacity, output_names_capacity;
    heed_name_table named;         /* the values of inputs and externals */
    heed_name_table named_outputs; /* indices in outputs */
    const char *scope;
    /* from HEED_EXTENT_COUNT on; base HEED_EXTENT_FIXED: a count of its own */
    heed_extent_rule extents[HEED_MAX_EXTENTS];
    int n_extents;   /* those before HEED_EXTENT_COUNT included */
    int32_t streams; /* the number of random streams handed out */
    int32_t clone;   /* the clone id that new nodes get */
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
/* The input or external of this name, or HEED_NONE. */
heed_value heed_graph_find(const heed_graph *graph, const char *name);
/* The extent that this one is a multiple of, and the multiple; itself and 1 if it is none. */
heed_extent_rule heed_extent_rule_of(const heed_graph *graph, int extent);
/* A fresh stream number for a random op. */
int32_t heed_graph_stream(heed_graph *graph);
/* "name", or "%12" for a value without a name, for which `text` is the memory. */
const char *heed_value_label(const heed_graph *graph, heed_value value, char text[HEED_SHAPE_TEXT]);
/* A deep copy, which passes may rewrite; NULL if out of memory. */
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
