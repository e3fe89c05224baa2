/* observer.h: observing plans that are compiled and run. An observer is attached to a backend, so
   it observes all that computes there: generation, evaluation, training, forward. Observed runs
   give the same bits. */
#ifndef HEED_GRAPH_OBSERVER_H
#define HEED_GRAPH_OBSERVER_H

#include "base/buffer.h"
#include "graph/ir.h"
#include <pthread.h>

typedef struct heed_plan heed_plan;

/* One line of a profile, summed over runs: regions that begin with the same op and kernel and have
   equally many steps. */
typedef struct heed_profile_line {
    const char *op, *kernel; /* static storage */
    int32_t more;            /* steps after the first */
    /* operations, by the type of number that they are made in */
    double seconds, flops[HEED_NUMBERS], bytes;
    int64_t runs;
} heed_profile_line;
typedef struct heed_profile {
    heed_profile_line *lines;
    size_t count, capacity;
} heed_profile;

/* Adds to the line with the same op, kernel and number of steps. If memory runs out, a new line is
   not counted. */
void heed_profile_add(heed_profile *profile, const heed_profile_line *line);

typedef struct heed_observer heed_observer;
/* The same for work outside of plans; takes the turn if there is one. Does nothing without a
   profile. */
void heed_observer_add(const heed_observer *observer, const heed_profile_line *line);

/* All fields are optional. With trace or check_finite, plans keep every value (plan option
   keep_all), so that what is observed is what was computed. */
struct heed_observer {
    /* stop with HEED_E_ARG, naming scope, op, element and inputs, if a step makes NaN or
       infinity */
    bool check_finite;
    bool no_passes; /* compile graphs as they were built (HEED_PASS_NONE) */
    void (*compiled)(void *argument, const heed_plan *plan);
    /* called for each step of a region after the region has run */
    void (*trace)(void *argument, const heed_graph *graph, const heed_node *node,
                  const heed_kernel_args *args);
    void *argument;
    heed_profile *profile;
    /* held while observing, if several threads run plans of one backend; NULL: they do not */
    pthread_mutex_t *turn;
};

/* "%12 softmax (16,65) f32 @decoder.0.attention  mean 0.0154 min 1.2e-5 max 0.93  [0.01 0.2
   ...]": a step that has run, a line for each output. */
void heed_trace_text(const heed_graph *graph, const heed_node *node, const heed_kernel_args *args,
                     heed_buffer *out);

#endif
