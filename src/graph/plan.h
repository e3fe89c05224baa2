/* plan.h: a graph compiled for one backend: passes, kernels, memory. A plan is immutable and holds
   no buffers. A workspace, as large as its largest plan, serves any number of plans, one run at a
   time. Running a plan allocates nothing. */
#ifndef HEED_GRAPH_PLAN_H
#define HEED_GRAPH_PLAN_H

#include "base/cancel.h"
#include "graph/backend.h"
#include "graph/observer.h"

/* The passes, in the order in which they run (docs/architecture.md, invariant 2). The caller asks
   for the gradient between precision and dead code. */
enum {
    /* before the gradient: matmuls round their operands to bf16 (heed_pass_precision) */
    HEED_PASS_PRECISION = 1,
    HEED_PASS_DEAD = 2,
    HEED_PASS_COMMON = 4,
    HEED_PASS_RECOMPUTE = 8,
    HEED_PASS_FUSE = 16,
    HEED_PASS_REUSE = 32, /* liveness: views, in-place results, shared memory */
    HEED_PASS_DEFAULT = HEED_PASS_DEAD | HEED_PASS_COMMON | HEED_PASS_FUSE | HEED_PASS_REUSE,
    /* no pass but heed_pass_states: what tests compare with */
    HEED_PASS_NONE = 1 << 30
};

typedef struct heed_plan_options {
    uint32_t passes; /* HEED_PASS_* bits; 0 means HEED_PASS_DEFAULT */
    /* f32 values hold doubles, and the double reference kernels run; externals must be bound to
       doubles */
    bool double_precision;
    bool keep_all; /* no memory is reused: every value can be read after the run */
} heed_plan_options;

typedef struct heed_workspace heed_workspace;

/* Compiles a graph, which is copied and may be freed. Errors: the first error of the graph itself,
   HEED_E_NOMEM, HEED_E_UNSUPPORTED. */
heed_status heed_plan_new(const heed_graph *graph, const heed_backend *backend,
                          const heed_plan_options *options, heed_plan **plan, heed_error *error);
void heed_plan_free(heed_plan *plan);
/* bytes of workspace that the plan needs; callers choose by it a batch that fits */
size_t heed_plan_bytes(const heed_plan *plan);
/* the graph after the passes; valid until the plan is freed */
const heed_graph *heed_plan_graph(const heed_plan *plan);

heed_workspace *heed_workspace_new(void); /* NULL when out of memory */
void heed_workspace_free(heed_workspace *workspace);
/* Makes the workspace large enough for the plan. No input counts as filled any more.
   HEED_E_NOMEM says how many bytes were wanted. */
heed_status heed_workspace_reserve(heed_workspace *workspace, const heed_plan *plan,
                                   heed_error *error);
/* Who may cancel runs in this workspace. It is asked before each region, and before each part that
   the first thread computes. */
void heed_workspace_set_cancel(heed_workspace *workspace, heed_cancel cancel);
size_t heed_workspace_bytes(const heed_workspace *workspace);

/* One input of a plan, as its graph declared it. */
typedef struct heed_plan_input_info {
    const char *name;
    heed_dtype dtype;
    heed_shape shape; /* with the maximum, if it is live */
    heed_value value; /* in the graph of the plan */
    bool is_read;     /* by a step or as an output; others need not be filled */
} heed_plan_input_info;
/* All inputs of the plan, in the order in which the graph declared them; borrowed. A caller that
   walks them fills each input it knows, and heed_plan_run names one that it did not know. */
const heed_plan_input_info *heed_plan_inputs(const heed_plan *plan, size_t *count);
bool heed_plan_has_input(const heed_plan *plan, const char *name);
/* The memory of an input, for the caller to fill: from now on it counts as filled. NULL if there is
   no input of this name. Inputs lie one after another at the start of the workspace, and pointers
   are valid until it grows. What was filled stays for further runs of this plan, until the next
   heed_workspace_reserve, or until an input of another plan is asked for. f32 inputs of a
   double-precision plan are doubles. */
void *heed_plan_input(const heed_plan *plan, heed_workspace *workspace, const char *name);
/* An output after a run, with its live shape; with keep_all, heed_plan_value gives any value.
   HEED_E_ARG if the name is unknown, or the value does not lie in the workspace. */
heed_status heed_plan_output(const heed_plan *plan, const heed_workspace *workspace,
                             const char *name, heed_operand *output, heed_error *error);
heed_status heed_plan_value(const heed_plan *plan, const heed_workspace *workspace,
                            heed_value value, heed_operand *output, heed_error *error);
bool heed_plan_has_output(const heed_plan *plan, const char *name);

/* The memory of externals by index, in the order in which the graph declared them: rows, or panels
   if the graph says so. */
typedef struct heed_binding {
    void *const *data;
    size_t count;
} heed_binding;

/* Runs the plan on the threads of the backend.
   - runtime->count must not exceed the maxima of the plan, and binding->data may not hold NULL
     (HEED_E_ARG).
   - Every input that is read and has a row in this run must be filled (heed_plan_input). HEED_E_ARG
     names one that is not: it would hold what an earlier run left there.
   - observer NULL: that of the backend, if it has one.
   - HEED_E_CANCELLED if the workspace is told to stop: computed values, and states that the plan
     writes, are then partly written. */
heed_status heed_plan_run(const heed_plan *plan, heed_workspace *workspace,
                          const heed_binding *binding, const heed_runtime *runtime,
                          const heed_observer *observer, heed_error *error);

/* ---- passes, each its own file; each returns HEED_OK or HEED_E_NOMEM ---- */
/* before the gradient, if the caller wants it (--bf16) */
heed_status heed_pass_precision(heed_graph *graph, heed_error *error);
heed_status heed_pass_dead(heed_graph *graph, heed_error *error);
heed_status heed_pass_common(heed_graph *graph, heed_error *error);
heed_status heed_pass_recompute(heed_graph *graph, heed_error *error);
/* moves accumulations to where their summand is made */
heed_status heed_pass_order(heed_graph *graph, heed_error *error);
/* Puts each reader of a state's version before the node that overwrites it. The last pass of every
   plan, whatever its options. HEED_E_ARG names the state and both ops if that cannot be. */
heed_status heed_pass_states(heed_graph *graph, heed_error *error);
/* as far as the backend says that it pays */
heed_status heed_pass_fuse(heed_graph *graph, const heed_backend *backend, heed_error *error);
/* called by heed_pass_fuse */
heed_status heed_pass_fuse_experts(heed_graph *graph, heed_error *error);
heed_status heed_pass_fuse_loss(heed_graph *graph, heed_error *error);

/* ---- dump ---- */
/* One line for each node: number, op, attributes, inputs with shapes, scope, fusion notes. */
void heed_graph_dump_text(const heed_graph *graph, heed_buffer *out);
/* Graphviz: forward nodes are blue, gradient nodes orange, clones of recompute purple; inputs are
   white, weights gray, states green, outputs yellow. A tooltip says why a node was not fused. */
void heed_graph_dump_dot(const heed_graph *graph, heed_buffer *out);
/* The steps of a plan: region, kernel, buffers with offsets. */
void heed_plan_dump(const heed_plan *plan, heed_buffer *out);

/* ---- plan cache ---- */
/* Plans by key (any bytes); the least recently used one makes room for a new one. */
typedef struct heed_plan_cache heed_plan_cache;
heed_plan_cache *heed_plan_cache_new(size_t capacity);
void heed_plan_cache_free(heed_plan_cache *cache); /* frees its plans as well */
heed_plan *heed_plan_cache_find(heed_plan_cache *cache, const void *key, size_t key_bytes);
/* takes over the plan, also on failure */
heed_status heed_plan_cache_add(heed_plan_cache *cache, const void *key, size_t key_bytes,
                                heed_plan *plan, heed_error *error);
/* The bucket of a live count: the next power of two, at least 1. */
int64_t heed_bucket(int64_t count);

#endif
