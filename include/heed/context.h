/* heed/context.h: a context owns threads and kernels; it observes what they compute and measures
   what the machine can do. heed.h includes it, and says what holds for errors and ownership. */
#ifndef HEED_CONTEXT_H
#define HEED_CONTEXT_H

#include <heed/peak.h>
#include <heed/status.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

typedef struct heed_context heed_context;
/* Observes everything that a context computes: generation, evaluation, forward runs and training.
   The results keep their bits. The callbacks run on the thread that made the computing call. Their
   text consists of whole lines and is borrowed for the callback. */
typedef struct heed_observer_options {
    bool profile; /* sum up time, operations and bytes, for heed_context_profile */
    /* Fail with HEED_E_ARG at the first value that is NaN or infinite. The message names op, place
       in the model, element and inputs. */
    bool nan_guard;
    /* Run graphs as they were built, without fusion and without reuse of memory. Tests compare
       optimized runs with this. */
    bool no_passes;
    /* Receives each step that has run: op, shape, place in the model, mean, smallest, largest and
       first values. May be NULL. */
    void (*trace)(void *argument, const char *text);
    /* Receives each graph that is compiled, after its passes, with the reason why a matmul was not
       fused. May be NULL. */
    void (*dump)(void *argument, const char *text);
    bool dot;       /* dumps are input for Graphviz instead of text to read */
    void *argument; /* first argument of the callbacks */
} heed_observer_options;
typedef struct heed_context_options {
    /* 1 to 256; 0: the value of OMP_NUM_THREADS if it is set, else one for each processor. Never
       more threads work than there are processors within the container's quota. */
    int threads;
    /* "generic", "avx2" or "avx512"; NULL: the environment variable HEED_ISA if it is set, else the
       best that the machine has */
    const char *isa;
    bool reference; /* use the reference kernels: plain, slow, and what others are tested against */
    const heed_observer_options *observer; /* copied; NULL: nothing is observed */
} heed_context_options;
/* Makes a context; free it with heed_context_free. options may be NULL. HEED_E_ARG if the number of
   threads is out of range or the instruction set is unknown or missing on this machine. */
heed_status heed_context_new(heed_context **context, const heed_context_options *options,
                             heed_error *error);
void heed_context_free(heed_context *context); /* NULL is allowed */
/* Returns a sentence about an environment variable that could not be followed, borrowed from the
   context; NULL if there is none. */
const char *heed_context_note(const heed_context *context);
/* Returns a human-readable table of what has been computed so far, if observer.profile was chosen:
   time, operations and bytes for each kernel, and their share of what this machine can do. The call
   measures the machine, which takes about a second. Free *text with heed_free. HEED_E_NOMEM. */
heed_status heed_context_profile(heed_context *context, char **text, heed_error *error);
/* Measures what this machine reaches (peak.h) with the context's threads and instruction set: the
   best of ten rounds, about a second in all. HEED_E_NOMEM if there is no memory to measure with. */
heed_status heed_context_peak(heed_context *context, heed_peak *peak, heed_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
