/* bench.h: how fast a model reads prompts and writes tokens, one sequence at a time. */
#ifndef HEED_GENERATE_BENCH_H
#define HEED_GENERATE_BENCH_H

#include "generate/session.h"

enum { HEED_BENCH_ROUNDS = 5 };

typedef struct heed_bench_result {
    double prefill_tokens_per_second, decode_tokens_per_second; /* medians of HEED_BENCH_ROUNDS */
    double prefill_spread, decode_spread;                       /* (largest - smallest) / median */
    double bytes_per_token;  /* weights and cache that writing one token reads */
    size_t weight_bytes, cache_bytes, resident_bytes; /* resident: of the process, at its peak */
} heed_bench_result;

/* Reads `prompt` made-up tokens, then writes `count`, HEED_BENCH_ROUNDS times after one round to warm up. HEED_E_ARG when they do not fit
   the context. The session must hold no sequence. */
heed_status heed_bench(heed_session *session, int64_t prompt, int64_t count, heed_bench_result *result, heed_error *error);

#endif
