/* rewrite.h: how passes change a graph. Between begin and end a pass takes all nodes away and
   pushes them back one by one, with new nodes between them (heed_emit) or some left out. Values
   keep their numbers. */
#ifndef HEED_GRAPH_REWRITE_H
#define HEED_GRAPH_REWRITE_H

#include "graph/ir.h"

typedef struct heed_graph_rewrite {
    heed_graph *graph;
    heed_node *old; /* the nodes taken away */
    size_t n_old;
    heed_value *replacement; /* by value: what readers get instead; itself if unchanged */
    size_t n_values;
} heed_graph_rewrite;

heed_status heed_graph_rewrite_begin(heed_graph_rewrite *rewrite, heed_graph *graph,
                                     heed_error *error);
/* Pushes a node, with its inputs replaced. */
void heed_graph_rewrite_push(heed_graph_rewrite *rewrite, const heed_node *node);
/* From here on, readers of `value` (of the old graph) read `other`, and so do outputs. */
void heed_graph_rewrite_replace(heed_graph_rewrite *rewrite, heed_value value, heed_value other);
heed_value heed_graph_rewrite_find(const heed_graph_rewrite *rewrite, heed_value value);
/* Nodes that are emitted from here on take scope, clone id and side of the gradient from this node;
   NULL: from none. */
void heed_graph_rewrite_as(heed_graph *graph, const heed_node *node);
/* Ends the rewriting. Reports a push or emit that failed. */
heed_status heed_graph_rewrite_end(heed_graph_rewrite *rewrite, heed_error *error);

/* The state whose next version the node writes, or HEED_NONE. */
heed_value heed_node_state(const heed_node *node);
/* Which values are versions of a state that a node overwrites with the next one. NULL if out of
   memory; the caller frees it. */
bool *heed_graph_overwritten(const heed_graph *graph);
/* Does the node read one of these, other than the state that it writes itself? */
bool heed_node_reads_overwritten(const heed_node *node, const bool *overwritten);
/* How often nodes and outputs read each value. What is computed from an overwritten version counts
   one more: fused into its reader, the read would wait for all that its reader waits for, maybe for
   the write itself. NULL if out of memory; the caller frees it. */
int32_t *heed_graph_uses(const heed_graph *graph);

#endif
