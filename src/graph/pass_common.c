/* pass_common.c: merges common subexpressions. Two nodes compute the same values if they have the
   same op, attributes, inputs and clone id; random ops carry their stream among the attributes.
   Nodes that write state are never merged. Seen nodes are kept in a hash table with linear
   probing. */
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t count)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u; /* FNV-1a */
    return hash;
}

static uint64_t hash_node(const heed_node *node)
{
    uint64_t hash = hash_bytes(0xCBF29CE484222325u, &node->id, sizeof node->id);
    hash = hash_bytes(hash, &node->clone, sizeof node->clone);
    hash = hash_bytes(hash, node->in, node->n_in * sizeof *node->in);
    return node->op->attribute_size ? hash_bytes(hash, node->attributes, node->op->attribute_size)
                                    : hash;
}

/* Do two nodes compute the same values? */
static bool same(const heed_node *a, const heed_node *b)
{
    return a->id == b->id && a->clone == b->clone && a->n_in == b->n_in &&
           !memcmp(a->in, b->in, a->n_in * sizeof *a->in) &&
           (!a->op->attribute_size || !memcmp(a->attributes, b->attributes, a->op->attribute_size));
}

heed_status heed_pass_common(heed_graph *graph, heed_error *error)
{
    size_t slots = 16;
    while (slots < 2 * graph->n_nodes) slots *= 2;
    /* by hash: index + 1 of a node among the new ones, 0 if empty */
    int32_t *table = heed_allocate(slots, sizeof *table);
    if (!table) return heed_fail_memory(error, slots * sizeof *table, "common subexpressions");
    heed_graph_rewrite rewrite;
    heed_status status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < rewrite.n_old; i++) {
        heed_node node = rewrite.old[i];
        for (int j = 0; j < node.n_in; j++)
            node.in[j] = heed_graph_rewrite_find(&rewrite, node.in[j]);
        size_t slot = hash_node(&node) & (slots - 1);
        while (table[slot] && !same(&graph->nodes[table[slot] - 1], &node))
            slot = (slot + 1) & (slots - 1);
        if (table[slot] && heed_node_state(&node) == HEED_NONE) {
            const heed_node *twin = &graph->nodes[table[slot] - 1];
            for (int j = 0; j < node.n_out; j++) {
                heed_graph_rewrite_replace(&rewrite, node.out[j], twin->out[j]);
                if (graph->values[node.out[j]].is_checkpoint)
                    graph->values[twin->out[j]].is_checkpoint = true;
            }
        } else {
            heed_graph_rewrite_push(&rewrite, &node);
            if (graph->error.status == HEED_OK) table[slot] = (int32_t)graph->n_nodes;
        }
    }
    if (status == HEED_OK) status = heed_graph_rewrite_end(&rewrite, error);
    free(table);
    return status;
}
