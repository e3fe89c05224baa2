/* plan_internal.h: the inside of a plan, which regions.c and liveness.c make and run.c walks. */
#ifndef HEED_GRAPH_PLAN_INTERNAL_H
#define HEED_GRAPH_PLAN_INTERNAL_H

#include "graph/plan.h"

/* Where a value lies. Views and in-place results share the memory of another value, their root. */
typedef struct heed_place {
    enum { HEED_PLACE_NOWHERE, HEED_PLACE_WORKSPACE, HEED_PLACE_EXTERNAL } where;
    heed_value root; /* the value whose memory this is */
    /* in bytes, from the start of the workspace or of the data of the external */
    size_t offset;
    int64_t row_stride; /* elements from row to row */
} heed_place;

/* One step of a plan: the computation of one node. tile_readable, producer_column and width matter
   only in a tile region. There a step works on some columns of the producer's rows, for example on
   those of v:

        producer's row   | q ........ | k ... | v ... |
        step                                  |<width>|
                         0             producer_column

   If a tile is whole rows of the producer, the step makes whole rows of its own instead. */
typedef struct heed_step {
    const heed_node *node;
    const heed_kernel *kernel; /* NULL: the reference kernel of the op */
    int32_t region;            /* its region */
    int32_t operand;           /* its first operand: inputs, then outputs */
    bool view;                 /* output 0 is a view of input 0, so nothing is computed */
    bool tile_readable;        /* tile consumers may read output 0 */
    int64_t producer_column;   /* the first of its columns in rows of the producer */
    int64_t width;             /* how many columns it has */
    size_t prepared; /* where its kernel prepares, in bytes from prepared_offset of the plan */
} heed_step;

/* A run of steps without a barrier between them. Its phases are those of its first step; after each
   is a barrier. Several of its flags may be set; without any it is one step and views
   (regions.c).
   - by_rows: row-local steps, whose rows are cut into the same parts
   - single_part: steps of one part each, which one thread runs one after another
   - produces_tiles: a tile producer and the consumers of its tiles */
typedef struct heed_region {
    int32_t first, count; /* steps */
    bool by_rows, single_part, produces_tiles;
    int32_t phases;
    int32_t counter;      /* its first counter of taken parts; there is one for each phase */
    int64_t tile_columns; /* tiles begin and end at multiples of this many columns */
} heed_region;

struct heed_plan {
    heed_graph *graph;
    const heed_backend *backend;
    bool double_precision, keep_all, reuse; /* values share memory if their lives allow it */
    int threads;
    heed_place *places; /* where each value lies */
    bool *overwritten;  /* by value: a version of a state that a step overwrites */
    heed_plan_input_info *inputs;
    size_t n_inputs;
    heed_step *steps;
    size_t n_steps;
    heed_region *regions;
    size_t n_regions, n_operands, n_counters;
    /* The workspace of a plan; every range is aligned:

         0                 +-----------------------------------------------------+
                           | inputs, one after another                           |
                           | computed values; lives share memory (liveness.c)    |
         operands_offset   +-----------------------------------------------------+ values_bytes
                           | heed_operand of the inputs and outputs of each step |
         args_offset       +-----------------------------------------------------+
                           | heed_kernel_args of each step                       |
         consumers_offset  +-----------------------------------------------------+
                           | heed_tile_consumers of each region                  |
         prepared_offset   +-----------------------------------------------------+
                           | what the kernels of the steps prepare once a run    |
         counters_offset   +-----------------------------------------------------+
                           | how many parts were taken, by thread and phase      |
         shared_offset     +-----------------------------------------------------+
                           | memory that all threads share in one step           |
         scratch_offset    +-----------------------------------------------------+
                           | scratch_bytes for each thread                       |
                           +-----------------------------------------------------+ total_bytes */
    size_t values_bytes, operands_offset, args_offset, consumers_offset, prepared_offset,
        counters_offset, shared_offset, scratch_offset, scratch_bytes, total_bytes;
};

/* The tile consumers of a region, for the kernel of the producer. args are those of the first step
   of the plan. */
typedef struct heed_tile_consumers {
    const heed_plan *plan;
    const heed_region *region;
    const heed_kernel_args *args;
} heed_tile_consumers;

/* Bytes of one element, and of a value at its maximal shape; false if the size overflows. */
size_t heed_plan_element(const heed_plan *plan, heed_dtype dtype);
bool heed_plan_value_bytes(const heed_plan *plan, heed_value value, size_t *bytes);

/* Fills plan->steps, plan->regions and plan->overwritten. */
heed_status heed_plan_make_steps(heed_plan *plan, heed_error *error);
/* Fills plan->inputs from the graph and the steps. */
heed_status heed_plan_list_inputs(heed_plan *plan, heed_error *error);
/* Fills plan->places and plan->values_bytes. Inputs come first, one after another, then computed
   values, which with `reuse` share memory if their lives (in regions) do not overlap. */
heed_status heed_plan_place(heed_plan *plan, heed_error *error);
/* Is output 0 of this node a view of its input wherever that lies: the same rows, with all columns
   or some? Never if a step overwrites that input. */
bool heed_plan_views_rows(const heed_plan *plan, const heed_node *node);

/* The arguments of a step at maximal shapes, as plan time functions of kernels get them. The caller
   provides the memory of the operands. */
heed_kernel_args heed_plan_maximal_args(const heed_plan *plan, const heed_node *node,
                                        heed_operand *operands);

/* The operand of a value at its maximal shape, without data. */
heed_operand heed_plan_operand(const heed_plan *plan, heed_value value);
/* The value of operand j of a node. Operands are the inputs, then the outputs. */
heed_value heed_plan_operand_value(const heed_node *node, int j);

/* Appends the attributes that are worth reading: " add", " heads=4/2 width=64 causal". */
void heed_node_put_attributes(heed_buffer *out, const heed_node *node);

/* Shows an observer a region that has run. args are those of the first step of the plan. HEED_E_ARG
   if a value is not finite and the observer checks that. */
heed_status heed_observer_region(const heed_observer *observer, const heed_plan *plan,
                                 const heed_region *region, const heed_kernel_args *args,
                                 double seconds, heed_error *error);

struct heed_workspace {
    char *data;
    size_t bytes;
    int64_t count[HEED_MAX_EXTENTS]; /* live counts of the last run */
    /* the plan whose inputs lie here, and which of them are filled, by index in plan->inputs; the
       pointer is compared only, since the plan may be gone */
    const heed_plan *filled_for;
    bool *filled;
    size_t filled_capacity;
    heed_cancel cancel;
};

#endif
