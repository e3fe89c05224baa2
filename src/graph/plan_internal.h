/* plan_internal.h: what plan.c makes, liveness.c places and run.c walks. */
#ifndef HEED_GRAPH_PLAN_INTERNAL_H
#define HEED_GRAPH_PLAN_INTERNAL_H

#include "graph/plan.h"

/* Where a value lies. Views and in-place results share the root's memory. */
typedef struct heed_place {
    enum { HEED_PLACE_NOWHERE, HEED_PLACE_WORKSPACE, HEED_PLACE_EXTERNAL } where;
    heed_value root;    /* whose memory this is */
    size_t offset;      /* bytes: from the workspace's start, or from the external's data */
    int64_t row_stride; /* elements between rows */
} heed_place;

/* A plan step: one kernel call; a view of its input computes nothing. Within a region that produces
   tiles the step works on columns [shift, shift + columns) of the producer's rows (if tiles are
   whole rows: on its own `columns`), and its output has them if tile consumers may read it
   (`open`). */
typedef struct heed_step {
    const heed_node *node;
    const heed_kernel *kernel; /* NULL: the reference */
    int32_t region, operand;   /* first of its operands: inputs, then outputs */
    bool view, open;
    int64_t shift, columns;
    size_t prepared; /* bytes from the plan's prepared_offset to what its kernel prepares */
} heed_step;

/* Steps of few rows are one part each. */
enum { HEED_ROWS_PER_PART = 16 };

/* A run of plan steps between two barriers: row-local steps cut alike; or steps of a single part
   each, which one thread runs one after another; or a tile producer, whose kernel tells of every
   tile that it has finished, and its tile consumers, which run on that tile while it is in the
   cache (an epilogue made of steps); or one step alone. */
typedef struct heed_region {
    int32_t first, count; /* steps */
    bool by_rows, single, produces_tiles;
    int32_t phases;
    int32_t counter;      /* first of its counters of taken parts, one a phase */
    int64_t tile_columns; /* columns that the tile consumers need together */
} heed_region;

struct heed_plan {
    heed_graph *graph;
    const heed_backend *backend;
    bool double_precision, keep_all, reuse; /* values share memory when their lives allow it */
    int threads;
    heed_place *places; /* by value */
    heed_step *steps;
    size_t n_steps;
    heed_region *regions;
    size_t n_regions, n_operands, n_counters;
    /* The workspace, every range aligned:

         0                inputs, one after another, then computed values, up to values_bytes
         operands_offset  heed_operand of every step's inputs and outputs
         args_offset      heed_kernel_args of every step
         consumers_offset heed_tile_consumers of every region
         prepared_offset  what the kernels of the steps prepare once a run
         counters_offset  taken parts, by counter and thread
         shared_offset    memory that all threads share in one step
         scratch_offset   scratch_bytes for each thread, up to total_bytes */
    size_t values_bytes, operands_offset, args_offset, consumers_offset, prepared_offset,
        counters_offset, shared_offset, scratch_offset, scratch_bytes, total_bytes;
};

/* The tile consumers of a region, as its producer knows them; args are those of the plan's first
   step. */
typedef struct heed_tile_consumers {
    const heed_plan *plan;
    const heed_region *region;
    const heed_kernel_args *args;
} heed_tile_consumers;

/* Bytes of one element, and of a whole value at its maximal shape. */
size_t heed_plan_element(const heed_plan *plan, heed_dtype dtype);
bool heed_plan_value_bytes(const heed_plan *plan, heed_value value, size_t *bytes);

/* Fills plan->steps and plan->regions. */
heed_status heed_plan_make_steps(heed_plan *plan, heed_error *error);
/* Fills plan->places and plan->values_bytes: inputs first, one after another; then computed values,
   sharing memory with `reuse` when their lives (in regions) do not overlap. */
heed_status heed_plan_place(heed_plan *plan, heed_error *error);
/* Is output 0 of this node surely a view of its input: the same rows, all columns or some? */
bool heed_plan_views_rows(const heed_plan *plan, const heed_node *node);

/* The arguments of a step at maximal shapes, as `fits`, `scratch` and `shared` see them; room for
   its operands is the caller's. */
heed_kernel_args heed_plan_maximal_args(const heed_plan *plan, const heed_node *node,
                                        heed_operand *operands);

/* The operand of a value at its maximal shape, without data. */
heed_operand heed_plan_operand(const heed_plan *plan, heed_value value);

/* Appends the attributes worth reading, of the ops that have such: " add", " heads=4/2 width=64
   causal". */
void heed_node_put_attributes(heed_buffer *out, const heed_node *node);

/* What an observer sees of a region that has run; args are those of the plan's first step.
   HEED_E_ARG for a value that is not finite. */
heed_status heed_observer_region(const heed_observer *observer, const heed_plan *plan,
                                 const heed_region *region, const heed_kernel_args *args,
                                 double seconds, heed_error *error);

struct heed_workspace {
    char *data;
    size_t bytes;
    int64_t count[HEED_EXTENT_COUNT]; /* live counts of the last run */
    heed_cancel cancel;
};

#endif
