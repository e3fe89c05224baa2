/* bench.h: how fast a model reads and writes tokens, one sequence or many at once. */
#ifndef HEED_EVALUATE_BENCH_H
#define HEED_EVALUATE_BENCH_H

#include "generate/session.h"

enum { HEED_BENCH_ROUNDS = 5, HEED_BENCH_WARM = -1 };

/* tokens per second */
typedef struct heed_bench_round {
    double prefill, decode;
} heed_bench_round;
/* Called after every round, and once before the first (HEED_BENCH_WARM, rates 0): false ends the
   measurement. */
typedef bool heed_bench_visitor(void *argument, int64_t round, heed_bench_round rates);

typedef struct heed_bench_task {
    int64_t prompt; /* tokens to read, of the longest sequence */
    /* of the shortest one: sequence i of B reads shortest + i (prompt - shortest) / (B - 1), cut;
       0: all read `prompt` */
    int64_t shortest;
    int64_t sequences;           /* B, read and written together; 0: 1 */
    int64_t count;               /* tokens to write after each; encoders write none */
    int64_t depth;               /* decoders: tokens that stand in the cache of each before */
    int64_t rounds;              /* 0: HEED_BENCH_ROUNDS; < 0: until the visitor ends them */
    heed_bench_visitor *visitor; /* may be NULL */
    void *argument;
} heed_bench_task;

/* What was measured of reading, or of writing. */
typedef struct heed_bench_rate {
    double tokens_per_second; /* median of the rounds, all sequences together */
    double spread;            /* (largest - smallest) / median */
    /* multiplications and additions a token, by the type of number they are made in */
    double operations[HEED_NUMBERS];
    /* of weights, and in decoding of the cache, read for a token */
    double bytes;
} heed_bench_rate;

typedef struct heed_bench_result {
    heed_bench_rate prefill, decode; /* zeros where nothing was written */
    /* resident: of the process, at its peak */
    size_t weight_bytes, cache_bytes, cache_bytes_per_token, resident_bytes;
} heed_bench_result;

/* Reads made-up tokens, then writes, round after round; one before warms up, in which operations
   are counted. An encoder-decoder reads sources. Short rounds are repeated within their
   measurement. HEED_E_ARG when the tokens do not fit the context, or a task asks of a model what it
   cannot; HEED_E_UNSUPPORTED for a model that takes no tokens. */
heed_status heed_bench(heed_model *model, const heed_backend *backend, const heed_bench_task *task,
                       heed_bench_result *result, heed_error *error);

#endif
