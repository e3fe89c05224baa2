/* plan.h: a graph compiled for one backend: passes, kernels, memory. A plan is immutable and holds
   no buffers; one workspace, as large as the largest of its plans, serves any number of plans of
   one session. Running a plan allocates nothing. */
#ifndef HEED_GRAPH_PLAN_H
#define HEED_GRAPH_PLAN_H

#include "base/cancel.h"
#include "graph/backend.h"
#include "graph/observer.h"

/* The passes, in the order in which they run (invariant 2). The gradient stands between precision
   and dead code; it is the caller's. */
enum {
    /* matmuls read bf16-rounded operands; before the gradient: heed_pass_precision */
    HEED_PASS_PRECISION = 1,
    HEED_PASS_DEAD = 2,
    HEED_PASS_COMMON = 4,
    HEED_PASS_RECOMPUTE = 8,
    HEED_PASS_FUSE = 16,
    HEED_PASS_REUSE = 32, /* liveness: views, in-place, shared buffers */
    HEED_PASS_DEFAULT = HEED_PASS_DEAD | HEED_PASS_COMMON | HEED_PASS_FUSE | HEED_PASS_REUSE,
    HEED_PASS_NONE = 1 << 30 /* nothing at all: the oracle */
};

typedef struct heed_plan_options {
    uint32_t passes; /* HEED_PASS_* bits; 0 means HEED_PASS_DEFAULT */
    /* f32 values hold doubles and the double reference kernels run; externals must be bound to
       doubles */
    bool double_precision;
    bool keep_all; /* no buffer is reused: every value can be read after the run */
} heed_plan_options;

typedef struct heed_workspace heed_workspace;

/* Compiles. The graph is copied and may be freed. Errors: the graph's own first error,
   HEED_E_NOMEM, HEED_E_UNSUPPORTED. */
heed_status heed_plan_new(const heed_graph *graph, const heed_backend *backend,
                          const heed_plan_options *options, heed_plan **plan, heed_error *error);
void heed_plan_free(heed_plan *plan);
/* workspace bytes; ask before running to choose a batch that fits */
size_t heed_plan_bytes(const heed_plan *plan);
/* after the passes; borrowed until the plan is freed */
const heed_graph *heed_plan_graph(const heed_plan *plan);

heed_workspace *heed_workspace_new(void); /* NULL when out of memory */
void heed_workspace_free(heed_workspace *workspace);
/* Makes the workspace large enough for the plan. What inputs held is lost when it grows.
   HEED_E_NOMEM with the bytes wanted. */
heed_status heed_workspace_reserve(heed_workspace *workspace, const heed_plan *plan,
                                   heed_error *error);
/* Who may end runs in this workspace; asked before each part that the first thread computes. */
void heed_workspace_set_cancel(heed_workspace *workspace, heed_cancel cancel);
size_t heed_workspace_bytes(const heed_workspace *workspace);

/* Inputs lie in one flat range at the workspace's start. The pointer holds until the workspace
   grows; NULL for an unknown name. f32 inputs of a double-precision plan are doubles. */
void *heed_plan_input(const heed_plan *plan, const heed_workspace *workspace, const char *name);
/* An output (or, with keep_all, any value) after a run, with live shape. HEED_E_ARG for an unknown
   name. */
heed_status heed_plan_output(const heed_plan *plan, const heed_workspace *workspace,
                             const char *name, heed_operand *output, heed_error *error);
heed_status heed_plan_value(const heed_plan *plan, const heed_workspace *workspace,
                            heed_value value, heed_operand *output, heed_error *error);
bool heed_plan_has_output(const heed_plan *plan, const char *name);

/* Externals by index, in the order in which the graph declared them: rows, or panels where the
   graph says so. */
typedef struct heed_binding {
    void *const *data;
    size_t count;
} heed_binding;

/* Runs the plan on the backend's pool. runtime->count must not exceed the maxima (HEED_E_ARG).
   Binding data may not be NULL. observer NULL: the backend's, if it has one. HEED_E_CANCELLED when
   the workspace's cancel says so: computed values, and states that the plan writes, are then partly
   written. */
heed_status heed_plan_run(const heed_plan *plan, heed_workspace *workspace,
                          const heed_binding *binding, const heed_runtime *runtime,
                          const heed_observer *observer, heed_error *error);

/* ---- passes, each its own file; each returns HEED_OK or HEED_E_NOMEM ---- */
/* before the gradient; the caller's choice (--bf16) */
heed_status heed_pass_precision(heed_graph *graph, heed_error *error);
heed_status heed_pass_dead(heed_graph *graph, heed_error *error);
heed_status heed_pass_common(heed_graph *graph, heed_error *error);
heed_status heed_pass_recompute(heed_graph *graph, heed_error *error);
/* accumulations as soon as their summand is there */
heed_status heed_pass_order(heed_graph *graph, heed_error *error);
/* as far as it pays on this backend */
heed_status heed_pass_fuse(heed_graph *graph, const heed_backend *backend, heed_error *error);
/* parts of heed_pass_fuse */
heed_status heed_pass_fuse_experts(heed_graph *graph, heed_error *error);
heed_status heed_pass_fuse_loss(heed_graph *graph, heed_error *error);

/* ---- dump ---- */
/* One node a line: id, op, attributes, inputs with shapes, scope, fusion notes. */
void heed_graph_dump_text(const heed_graph *graph, heed_buffer *out);
/* Graphviz; forward nodes blue, gradient nodes orange, weights gray; why a node was not fused as
   its tooltip. */
void heed_graph_dump_dot(const heed_graph *graph, heed_buffer *out);
/* The steps of a plan: region, kernel, buffers with offsets. */
void heed_plan_dump(const heed_plan *plan, heed_buffer *out);

/* ---- plan cache ---- */
/* Least recently used plans by key (any bytes). */
typedef struct heed_plan_cache heed_plan_cache;
heed_plan_cache *heed_plan_cache_new(size_t capacity);
void heed_plan_cache_free(heed_plan_cache *cache); /* frees its plans */
heed_plan *heed_plan_cache_find(heed_plan_cache *cache, const void *key, size_t key_bytes);
/* takes the plan */
heed_status heed_plan_cache_add(heed_plan_cache *cache, const void *key, size_t key_bytes,
                                heed_plan *plan, heed_error *error);
/* The bucket of a live count: the next power of two, at least 1. */
int64_t heed_bucket(int64_t count);

#endif
