/* bench.h: measures how fast a model reads and writes tokens, for one sequence or many at once. */
#ifndef HEED_EVALUATE_BENCH_H
#define HEED_EVALUATE_BENCH_H

#include "generate/session.h"

/* The rounds of a measurement by default; the number that the warm-up has as a round. */
enum { HEED_BENCH_ROUNDS = 5, HEED_BENCH_WARM = -1 };

/* The speed of one round in tokens per second. */
typedef struct heed_bench_round {
    double prefill, decode;
} heed_bench_round;
/* Called after every round, and once before the first (HEED_BENCH_WARM, rates 0). false ends the
   measurement. */
typedef bool heed_bench_visitor(void *argument, int64_t round, heed_bench_round rates);

typedef struct heed_bench_task {
    int64_t prompt; /* tokens that the longest sequence reads */
    /* tokens that the shortest sequence reads; 0: all read `prompt`. Sequence i of B reads shortest
       + i (prompt - shortest) / (B - 1), rounded down. */
    int64_t shortest;
    int64_t sequences; /* B sequences, read and written together; 0 means 1 */
    int64_t count;     /* tokens that each sequence writes; ignored for encoders */
    int64_t depth;     /* decoders only: tokens that each cache holds before */
    int64_t rounds;    /* 0 means HEED_BENCH_ROUNDS; below 0: until the visitor ends them */
    heed_bench_visitor *visitor; /* may be NULL */
    void *argument;
} heed_bench_task;

/* The measurement of reading, or of writing. */
typedef struct heed_bench_rate {
    double tokens_per_second; /* median of the rounds, of all sequences together */
    double spread;            /* (largest - smallest) / median */
    /* multiplications and additions for a token, by the type of number */
    double operations[HEED_NUMBERS];
    /* bytes that are read for a token: of the weights, and when writing also of the cache */
    double bytes;
} heed_bench_rate;

typedef struct heed_bench_result {
    heed_bench_rate prefill, decode; /* decode is all zeros if nothing was written */
    /* resident_bytes: the peak of the process */
    size_t weight_bytes, cache_bytes, cache_bytes_per_token, resident_bytes;
} heed_bench_result;

/* Reads made-up tokens, then writes, round after round. A warm-up round comes first and counts the
   operations. An encoder-decoder reads sources. A round repeats short passes until they have taken
   long enough to measure.
   Errors: HEED_E_ARG if the tokens do not fit the context or the model cannot do what the task
   asks; HEED_E_UNSUPPORTED for a model that takes no tokens; HEED_E_NOMEM. */
heed_status heed_bench(heed_model *model, const heed_backend *backend, const heed_bench_task *task,
                       heed_bench_result *result, heed_error *error);

#endif
