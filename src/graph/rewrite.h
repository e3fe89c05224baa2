/* rewrite.h: how passes change a graph: take its nodes away, then push them back one by one, with
   others between. Values keep their ids; heed_emit appends to the new list meanwhile. */
#ifndef HEED_GRAPH_REWRITE_H
#define HEED_GRAPH_REWRITE_H

#include "graph/ir.h"

typedef struct heed_graph_rewrite {
    heed_graph *graph;
    heed_node *old; /* the nodes taken away */
    size_t n_old;
    heed_value *replacement; /* by value: what to read instead; itself when unchanged */
    size_t n_values;
} heed_graph_rewrite;

heed_status heed_graph_rewrite_begin(heed_graph_rewrite *rewrite, heed_graph *graph,
                                     heed_error *error);
/* Pushes a node with its inputs replaced. */
void heed_graph_rewrite_push(heed_graph_rewrite *rewrite, const heed_node *node);
/* From here on `value` (of the old graph) is read as `other`; kept outputs follow. */
void heed_graph_rewrite_replace(heed_graph_rewrite *rewrite, heed_value value, heed_value other);
heed_value heed_graph_rewrite_find(const heed_graph_rewrite *rewrite, heed_value value);
/* What is emitted from here on takes its scope, clone and side of the gradient from this node;
   NULL: from none. */
void heed_graph_rewrite_as(heed_graph *graph, const heed_node *node);
/* Ends the rewriting; reports a failed push or emit. */
heed_status heed_graph_rewrite_end(heed_graph_rewrite *rewrite, heed_error *error);

/* The state input a node writes the next version of, or HEED_NONE. */
heed_value heed_node_state(const heed_node *node);
/* Number of reads of every value by nodes and outputs; NULL when out of memory; caller frees. */
int32_t *heed_graph_uses(const heed_graph *graph);

#endif
