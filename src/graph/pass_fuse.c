/* pass_fuse.c: fuses matmuls with their neighbors. It runs after the gradient pass, so that values
   that training still reads are never swallowed. Four rewritings, each a walk over the graph:
   1. chains: matmul [+ bias] [activation] [* gate] [+ residual], or state + matmul
              -> fused_matmul
   2. gates:  a matmul that makes the gate of another matmul over the same rows
              -> one fused_matmul, gated
   3. joins:  matmuls of the same rows by several weights (Q, K, V)
              -> one fused_matmul, whose output is sliced
   4. norms:  a norm that one matmul reads
              -> the prologue of that matmul
   Matmuls by expert are fused in pass_fuse_experts.c, losses in pass_fuse_loss.c. Gates and norms
   are fused if the backend says that it pays. A value is swallowed only if it has one reader and
   is neither an output nor a checkpoint; `note` tells dumps why a chain ended. */
#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>

/* The inputs and attributes of a fused_matmul that is being put together. */
typedef struct {
    heed_value in[HEED_FUSED_INPUTS];
    heed_fused_matmul_attributes attributes;
} fused;

static bool is_matmul(const heed_node *node)
{
    return node->id == HEED_OP_MATMUL || node->id == HEED_OP_FUSED_MATMUL;
}

/* A matmul or fused_matmul as a fused_matmul. */
static fused as_fused(const heed_node *node)
{
    fused f = {0};
    for (int i = 0; i < HEED_FUSED_INPUTS; i++) f.in[i] = HEED_NONE;
    if (node->id == HEED_OP_FUSED_MATMUL) {
        for (int i = 0; i < node->n_in; i++) f.in[i] = node->in[i];
        f.attributes = *(const heed_fused_matmul_attributes *)node->attributes;
        return f;
    }
    const heed_matmul_attributes *plain = node->attributes;
    f.in[HEED_FUSED_A] = node->in[0];
    f.in[HEED_FUSED_B] = node->in[1];
    f.attributes.transpose_a = plain->transpose_a;
    f.attributes.transpose_b = plain->transpose_b;
    f.attributes.bf16_operands = plain->bf16_operands;
    f.attributes.activation = HEED_UNARY_LINEAR;
    f.attributes.joined = 1;
    return f;
}

static heed_value emit_fused(heed_graph *graph, const fused *f)
{
    return heed_emit(graph, HEED_OP_FUSED_MATMUL, f->in, HEED_FUSED_INPUTS, &f->attributes, NULL);
}

/* What a backend needs to know of a matmul, to say whether a fusion pays. */
static heed_matmul_descriptor descriptor_of(const heed_graph *graph, heed_value rows,
                                            heed_value weight)
{
    const heed_value_info *w = &graph->values[weight];
    return (heed_matmul_descriptor){graph->values[rows].shape.dim[0], w->dtype, w->layout};
}

/* ---- 1. chains ---- */

/* What becomes of a node: it stays, a later node of its chain swallows it, or a chain ends here. */
enum { STAYS, SWALLOWED, END };

typedef struct {
    const heed_graph *graph;
    const heed_node *nodes;
    size_t n;
    int32_t *uses, *reader; /* by value: how many nodes read it; the last node that does */
    fused *result;          /* by node: what a chain that ends here became */
    uint8_t *outcome;       /* by node: STAYS, SWALLOWED or END */
    const char **note;
} epilogue_chains;

/* Takes node `c`, which reads `value`, into the chain if it may come next: stages only go up.
   Returns whether it did. */
static bool absorb(const epilogue_chains *state, fused *f, int *stage, const heed_node *c,
                   heed_value value)
{
    enum { BIAS = 1, ACTIVATION, GATE, RESIDUAL, DONE };
    const heed_value_info *values = state->graph->values;
    heed_value other = HEED_NONE;
    if (c->n_in == 2) other = c->in[0] == value ? c->in[1] : c->in[0];
    if (other == value || f->in[HEED_FUSED_STATE] != HEED_NONE) return false;
    bool alike = other > 0 && heed_shape_equal(values[other].shape, values[value].shape);
    if (c->id == HEED_OP_ACCUMULATE && *stage == 0 && c->in[1] == value) {
        f->in[HEED_FUSED_STATE] = other;
        *stage = DONE;
        return true;
    }
    if (f->attributes.transpose_a) return false;
    if (c->id == HEED_OP_UNARY && *stage < ACTIVATION) {
        f->attributes.activation = ((const heed_unary_attributes *)c->attributes)->kind;
        *stage = ACTIVATION;
        return true;
    }
    if (c->id != HEED_OP_BINARY) return false;
    int kind = ((const heed_binary_attributes *)c->attributes)->kind;
    if (kind == HEED_BINARY_ADD && *stage < BIAS && c->in[0] == value &&
        values[other].shape.rank == 1 && values[other].shape.extent == HEED_EXTENT_FIXED &&
        values[other].shape.dim[0] == values[value].shape.dim[1]) {
        f->in[HEED_FUSED_BIAS] = other;
        *stage = BIAS;
        return true;
    }
    if (kind == HEED_BINARY_MULTIPLY && *stage < GATE && alike) {
        f->in[HEED_FUSED_GATE] = other;
        *stage = GATE;
        return true;
    }
    if (kind == HEED_BINARY_ADD && *stage < RESIDUAL && alike) {
        f->in[HEED_FUSED_RESIDUAL] = other;
        *stage = RESIDUAL;
        return true;
    }
    return false;
}

/* Grows a chain from the matmul `start` as far as it goes. */
static void grow_chain(epilogue_chains *state, size_t start)
{
    size_t at = start;
    fused f = as_fused(&state->nodes[start]);
    for (int stage = 0;;) {
        heed_value value = state->nodes[at].out[0];
        const heed_value_info *info = &state->graph->values[value];
        if (state->uses[value] != 1 || info->is_output || info->is_checkpoint) {
            state->note[start] = info->is_checkpoint ? "result is a checkpoint"
                                                     : "result has several readers";
            if (info->is_output) state->note[start] = "result is an output";
            break;
        }
        size_t next = (size_t)state->reader[value];
        if (state->outcome[next] != STAYS ||
            state->nodes[next].clone != state->nodes[start].clone ||
            !absorb(state, &f, &stage, &state->nodes[next], value)) {
            state->note[start] = "its reader is no further part of an epilogue";
            break;
        }
        state->outcome[at] = SWALLOWED;
        at = next;
        state->outcome[at] = END;
        state->result[at] = f;
    }
}

/* Grows a chain from every matmul, then replaces each chain by one fused_matmul at the place of its
   last node. */
static heed_status fuse_chains(heed_graph *graph, heed_error *error)
{
    size_t n = graph->n_nodes;
    epilogue_chains state = {.graph = graph, .nodes = graph->nodes, .n = n};
    state.uses = heed_graph_uses(graph);
    state.reader = heed_allocate(graph->n_values, sizeof *state.reader);
    state.result = heed_allocate(n, sizeof *state.result);
    state.outcome = heed_allocate(n, 1);
    state.note = heed_allocate(n, sizeof *state.note);
    heed_graph_rewrite rewrite = {0};
    heed_status status = HEED_OK;
    if (!state.uses || !state.reader || !state.result || !state.outcome || !state.note)
        status = heed_fail_memory(error, n * sizeof *state.result, "fusion");
    for (size_t i = 0; status == HEED_OK && i < n; i++)
        for (int j = 0; j < graph->nodes[i].n_in; j++)
            if (graph->nodes[i].in[j] > 0) state.reader[graph->nodes[i].in[j]] = (int32_t)i;
    for (size_t i = 0; status == HEED_OK && i < n; i++)
        if (graph->nodes[i].id == HEED_OP_MATMUL && state.outcome[i] == STAYS)
            grow_chain(&state, i);
    if (status == HEED_OK) status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < n; i++) {
        heed_node node = rewrite.old[i];
        if (state.outcome[i] == SWALLOWED) continue;
        if (state.outcome[i] == STAYS) {
            node.note = state.note[i];
            heed_graph_rewrite_push(&rewrite, &node);
            continue;
        }
        fused f = state.result[i];
        for (int j = 0; j < HEED_FUSED_INPUTS; j++)
            f.in[j] = heed_graph_rewrite_find(&rewrite, f.in[j]);
        heed_graph_rewrite_as(graph, &node);
        heed_graph_rewrite_replace(&rewrite, node.out[0], emit_fused(graph, &f));
        heed_graph_rewrite_as(graph, NULL);
    }
    graph->scope = "";
    if (rewrite.graph) status = heed_graph_rewrite_end(&rewrite, error);
    free(state.uses);
    free(state.reader);
    free(state.result);
    free(state.outcome);
    free(state.note);
    return status;
}

/* ---- 2. gates ---- */

/* Puts the fused matmul `node` and the matmul `maker` that makes its gate into `both`; the one with
   an activation comes first. Returns false if they cannot be one. */
static bool pair_with_gate(const heed_graph *graph, const int32_t *uses, const heed_node *node,
                           const heed_node *maker, fused *both)
{
    fused f = as_fused(node), g = as_fused(maker);
    const heed_value gate = maker->out[0];
    const heed_value_info *made = &graph->values[gate], *w = &graph->values[f.in[HEED_FUSED_B]],
                          *v = &graph->values[g.in[HEED_FUSED_B]];
    bool plain = f.attributes.joined == 1 && g.attributes.joined == 1 &&
                 f.in[HEED_FUSED_RESIDUAL] == HEED_NONE && g.in[HEED_FUSED_RESIDUAL] == HEED_NONE &&
                 g.in[HEED_FUSED_GATE] == HEED_NONE && g.in[HEED_FUSED_STATE] == HEED_NONE &&
                 f.in[HEED_FUSED_STATE] == HEED_NONE;
    bool alike = f.in[HEED_FUSED_A] == g.in[HEED_FUSED_A] && node->clone == maker->clone &&
                 !f.attributes.transpose_a && !g.attributes.transpose_a &&
                 f.attributes.transpose_b == g.attributes.transpose_b &&
                 f.attributes.bf16_operands == g.attributes.bf16_operands && w->dtype == v->dtype &&
                 w->layout == v->layout && heed_shape_equal(w->shape, v->shape) &&
                 w->external >= 0 && v->external >= 0;
    if (!plain || !alike || uses[gate] != 1 || made->is_output || made->is_checkpoint) return false;
    if (f.attributes.activation != HEED_UNARY_LINEAR &&
        g.attributes.activation != HEED_UNARY_LINEAR)
        return false;
    bool gate_activated = g.attributes.activation != HEED_UNARY_LINEAR;
    const fused *first = gate_activated ? &g : &f;
    const fused *second = gate_activated ? &f : &g;
    *both = *first;
    both->attributes.joined = 2;
    both->attributes.gated = 1;
    both->in[HEED_FUSED_GATE] = HEED_NONE;
    both->in[HEED_FUSED_B + 1] = second->in[HEED_FUSED_B];
    both->in[HEED_FUSED_BIAS + 1] = second->in[HEED_FUSED_BIAS];
    return true;
}

/* Does the backend gain from computing the matmul and its gate in one step? */
static bool gate_pays(const heed_graph *graph, const heed_backend *backend, const heed_node *node)
{
    const heed_matmul_descriptor matmul = descriptor_of(graph, node->out[0],
                                                        as_fused(node).in[HEED_FUSED_B]);
    return heed_backend_rules_of(backend)->fuses_gate(&matmul);
}

/* Finds pairs of a matmul and the matmul that makes its gate, then replaces each pair by one gated
   matmul. */
static heed_status fuse_gates(heed_graph *graph, const heed_backend *backend, heed_error *error)
{
    heed_graph_rewrite rewrite = {0};
    /* maker, by value: the matmul that makes it; partner, by node: the matmul that makes its gate,
       if both become one. Both are the number of a node + 1; 0: none. */
    int32_t *uses = heed_graph_uses(graph), *maker = heed_allocate(graph->n_values, sizeof *maker),
            *partner = heed_allocate(graph->n_nodes, sizeof *partner);
    heed_status status = uses && maker && partner
                             ? HEED_OK
                             : heed_fail_memory(error, graph->n_values * sizeof *maker, "fusion");
    for (size_t i = 0; status == HEED_OK && i < graph->n_nodes; i++) {
        heed_node *node = &graph->nodes[i];
        fused both;
        if (is_matmul(node)) maker[node->out[0]] = (int32_t)i + 1;
        heed_value gate = node->id == HEED_OP_FUSED_MATMUL && node->n_in > HEED_FUSED_GATE
                              ? node->in[HEED_FUSED_GATE]
                              : HEED_NONE;
        if (gate > 0 && maker[gate] && gate_pays(graph, backend, node) &&
            pair_with_gate(graph, uses, node, &graph->nodes[maker[gate] - 1], &both))
            partner[i] = maker[gate];
    }
    if (status == HEED_OK) status = heed_graph_rewrite_begin(&rewrite, graph, error);
    /* the partner has no other reader */
    for (size_t i = 0; rewrite.graph && i < rewrite.n_old; i++)
        if (partner[i]) rewrite.old[partner[i] - 1].dead = true;
    for (size_t i = 0; rewrite.graph && i < rewrite.n_old; i++) {
        heed_node *node = &rewrite.old[i];
        fused both;
        if (node->dead) continue;
        if (!partner[i]) {
            heed_graph_rewrite_push(&rewrite, node);
            continue;
        }
        pair_with_gate(graph, uses, node, &rewrite.old[partner[i] - 1], &both);
        for (int j = 0; j < HEED_FUSED_INPUTS; j++)
            both.in[j] = heed_graph_rewrite_find(&rewrite, both.in[j]);
        heed_graph_rewrite_as(graph, node);
        heed_graph_rewrite_replace(&rewrite, node->out[0], emit_fused(graph, &both));
        heed_graph_rewrite_as(graph, NULL);
    }
    graph->scope = "";
    if (rewrite.graph) status = heed_graph_rewrite_end(&rewrite, error);
    free(uses);
    free(maker);
    free(partner);
    return status;
}

/* ---- 3. joins ---- */

/* Is this a plain matmul by a weight that others may be joined to? With gate, residual or state it
   is not. */
static bool joinable(const heed_graph *graph, const heed_node *node)
{
    if (!is_matmul(node)) return false;
    fused f = as_fused(node);
    const heed_value_info *b = &graph->values[f.in[HEED_FUSED_B]];
    return !f.attributes.transpose_a && f.attributes.joined == 1 &&
           f.in[HEED_FUSED_GATE] == HEED_NONE && f.in[HEED_FUSED_RESIDUAL] == HEED_NONE &&
           f.in[HEED_FUSED_STATE] == HEED_NONE &&
           (f.in[HEED_FUSED_BIAS] == HEED_NONE ||
            graph->values[f.in[HEED_FUSED_BIAS]].external >= 0) &&
           b->external >= 0 && !graph->values[node->out[0]].is_output &&
           !graph->values[node->out[0]].is_checkpoint;
}

/* May two joinable matmuls become one: the same rows, and weights that are read in the same way? */
static bool join_alike(const heed_graph *graph, const heed_node *x, const heed_node *y)
{
    fused a = as_fused(x), b = as_fused(y);
    const heed_value_info *wa = &graph->values[a.in[HEED_FUSED_B]],
                          *wb = &graph->values[b.in[HEED_FUSED_B]];
    return a.in[HEED_FUSED_A] == b.in[HEED_FUSED_A] && x->clone == y->clone &&
           a.attributes.transpose_b == b.attributes.transpose_b &&
           a.attributes.activation == b.attributes.activation &&
           a.attributes.bf16_operands == b.attributes.bf16_operands && wa->dtype == wb->dtype &&
           wa->layout == wb->layout;
}

/* Joins each matmul with alike ones that follow closely; slices of the joined result replace the
   old results. */
static heed_status fuse_joins(heed_graph *graph, heed_error *error)
{
    heed_graph_rewrite rewrite;
    HEED_TRY(heed_graph_rewrite_begin(&rewrite, graph, error));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        heed_node *node = &rewrite.old[i];
        if (node->dead) continue; /* it was joined to an earlier one */
        heed_node *members[HEED_FUSED_JOINED] = {node};
        int count = 1;
        if (joinable(graph, node))
            for (size_t k = i + 1; k < rewrite.n_old && k < i + 64 && count < HEED_FUSED_JOINED;
                 k++)
                if (!rewrite.old[k].dead && joinable(graph, &rewrite.old[k]) &&
                    join_alike(graph, node, &rewrite.old[k]))
                    members[count++] = &rewrite.old[k];
        if (count == 1) {
            heed_graph_rewrite_push(&rewrite, node);
            continue;
        }
        fused f = as_fused(node);
        int64_t begin = 0;
        f.attributes.joined = count;
        f.in[HEED_FUSED_A] = heed_graph_rewrite_find(&rewrite, f.in[HEED_FUSED_A]);
        for (int m = 0; m < count; m++) {
            fused part = as_fused(members[m]);
            f.in[HEED_FUSED_B + m] = part.in[HEED_FUSED_B];
            f.in[HEED_FUSED_BIAS + m] = part.in[HEED_FUSED_BIAS];
            members[m]->dead = true;
        }
        heed_graph_rewrite_as(graph, node);
        heed_value joined = emit_fused(graph, &f);
        for (int m = 0; m < count; m++) {
            int64_t width = graph->values[members[m]->out[0]].shape.dim[1];
            heed_graph_rewrite_replace(&rewrite, members[m]->out[0],
                                       heed_slice(graph, joined, begin, begin + width));
            begin += width;
        }
        heed_graph_rewrite_as(graph, NULL);
    }
    graph->scope = "";
    return heed_graph_rewrite_end(&rewrite, error);
}

/* ---- 4. norms ---- */

/* Can the norm become the prologue of the matmul that reads it, and does that pay? */
static bool becomes_prologue(const heed_graph *graph, const heed_backend *backend,
                             const heed_node *norm, const heed_node *reader)
{
    const fused f = as_fused(reader);
    const heed_matmul_descriptor matmul = descriptor_of(graph, norm->out[0], f.in[HEED_FUSED_B]);
    return !f.attributes.transpose_a && reader->clone == norm->clone &&
           heed_backend_rules_of(backend)->fuses_norm(&matmul);
}

static bool is_norm(const heed_node *node)
{
    return node->id == HEED_OP_LAYER_NORM || node->id == HEED_OP_RMS_NORM;
}

/* Holds back each norm that can be a prologue until the matmul that reads it, which then becomes a
   fused_matmul with a norm. */
static heed_status fuse_norms(heed_graph *graph, const heed_backend *backend, heed_error *error)
{
    int32_t *uses = heed_graph_uses(graph);
    if (!uses) return heed_fail_memory(error, graph->n_values * sizeof *uses, "fusion");
    heed_graph_rewrite rewrite;
    heed_status status = heed_graph_rewrite_begin(&rewrite, graph, error);
    /* by value: number + 1, among the old nodes, of a norm that waits for its matmul */
    int32_t *pending = status == HEED_OK ? heed_allocate(rewrite.n_values, sizeof *pending) : NULL;
    if (status == HEED_OK && !pending)
        heed_fail_memory(&graph->error, rewrite.n_values * sizeof *pending, "fusion");
    for (size_t i = 0; pending && i < rewrite.n_old; i++) {
        heed_node *node = &rewrite.old[i];
        const heed_value_info *out = &graph->values[node->out[0]];
        if (is_norm(node) && out->shape.rank == 2 && uses[node->out[0]] == 1 && !out->is_output &&
            !out->is_checkpoint) {
            size_t reader = i + 1;
            while (reader < rewrite.n_old &&
                   !(is_matmul(&rewrite.old[reader]) && rewrite.old[reader].in[0] == node->out[0]))
                reader++;
            if (reader < rewrite.n_old &&
                becomes_prologue(graph, backend, node, &rewrite.old[reader])) {
                pending[node->out[0]] = (int32_t)i + 1;
                continue;
            }
        }
        int32_t held = is_matmul(node) && node->in[0] > 0 ? pending[node->in[0]] : 0;
        if (!held) {
            heed_graph_rewrite_push(&rewrite, node);
            continue;
        }
        const heed_node *norm = &rewrite.old[held - 1];
        const heed_norm_attributes *how = norm->attributes;
        fused f = as_fused(node);
        f.attributes.norm = norm->id == HEED_OP_LAYER_NORM ? HEED_FUSED_NORM_LAYER
                                                           : HEED_FUSED_NORM_RMS;
        f.attributes.eps = how->eps;
        f.attributes.offset = how->offset;
        f.in[HEED_FUSED_A] = norm->in[0];
        f.in[HEED_FUSED_NORM_GAIN] = norm->n_in > 1 ? norm->in[1] : HEED_NONE;
        f.in[HEED_FUSED_NORM_BIAS] = norm->n_in > 2 ? norm->in[2] : HEED_NONE;
        for (int j = 0; j < HEED_FUSED_INPUTS; j++)
            f.in[j] = heed_graph_rewrite_find(&rewrite, f.in[j]);
        heed_graph_rewrite_as(graph, node);
        heed_graph_rewrite_replace(&rewrite, node->out[0], emit_fused(graph, &f));
        heed_graph_rewrite_as(graph, NULL);
    }
    graph->scope = "";
    free(uses);
    free(pending);
    return status == HEED_OK ? heed_graph_rewrite_end(&rewrite, error) : status;
}

heed_status heed_pass_fuse(heed_graph *graph, const heed_backend *backend, heed_error *error)
{
    HEED_TRY(fuse_chains(graph, error));
    HEED_TRY(heed_pass_fuse_experts(graph, error));
    HEED_TRY(heed_pass_fuse_loss(graph, error));
    HEED_TRY(fuse_gates(graph, backend, error));
    HEED_TRY(fuse_joins(graph, error));
    return fuse_norms(graph, backend, error);
}
