/* generated.h: the fixtures that generate, and comparison of what they wrote. */
#ifndef HEED_TESTS_GENERATE_GENERATED_H
#define HEED_TESTS_GENERATE_GENERATED_H

#include "generate/support.h"

static const char *const names[] = {"gpt2",
                                    "llama",
                                    "mistral",
                                    "qwen2",
                                    "smollm2",
                                    "marian",
                                    "bart",
                                    "bart-causal",
                                    "mbart",
                                    "fsmt",
                                    "qwen3",
                                    "gemma2",
                                    "gemma3",
                                    "gemma3-nested",
                                    "phi",
                                    "cohere-qk-norm",
                                    "starcoder2",
                                    "gpt_neo",
                                    "gpt_neox",
                                    "gptj-odd",
                                    "opt",
                                    "opt-350m",
                                    "bloom",
                                    "bloom-6-heads",
                                    "mpt",
                                    "falcon-groups",
                                    "falcon-alibi",
                                    "mixtral",
                                    "qwen2_moe",
                                    "qwen3_moe-step",
                                    "gpt_oss-balanced"};
enum { NAMES = sizeof names / sizeof names[0] };

/* The same ids, reasons to end, probabilities and scores, to the bit; `likely` is how many
   alternatives were asked for. */
static inline void assert_same_items(const char *what, const heed_generated *a,
                                     const heed_generated *b, int64_t likely)
{
    if (a->count != b->count || memcmp(a->ids, b->ids, a->count * sizeof *a->ids) != 0 ||
        a->finish != b->finish)
        fail_msg("%s: prompt %zu, sequence %zu: other ids", what, a->prompt, a->number);
    if (a->log_probabilities)
        assert_memory_equal(a->log_probabilities, b->log_probabilities, a->count * sizeof(float));
    if (a->likely)
        assert_memory_equal(a->likely, b->likely, a->count * (size_t)likely * sizeof *a->likely);
    assert_true(a->score == b->score);
}

#endif
