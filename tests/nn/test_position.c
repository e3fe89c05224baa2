/* Rotary frequencies of every kind against transformers' (to an ulp), sinusoids against their
   formula. */
#include "nn/position.h"
#include "support/test.h"
#include <math.h>

typedef struct {
    const char *name;
    heed_rope rope;
    int64_t width, count;
    float factor;
    double frequencies[8];
    int64_t length;
} rope_case;

#define BASE(kind_, base_) .kind = (kind_), .base = (base_), .fraction = 1, .truncate = true

#define LONGROPE                                                            \
    BASE(HEED_ROPE_LONGROPE, 10000), .factor = 4, .original_context = 16,   \
                                     .short_factor = {1, 1.1f, 1.2f, 1.5f}, \
                                     .long_factor = {1, 2, 4.5f, 9}

/* LlamaRotaryEmbedding.inv_freq and attention_scaling of transformers 5.23. */
static const rope_case cases[] = {
    {"default",
     {BASE(HEED_ROPE_DEFAULT, 10000)},
     8,
     4,
     1,
     {1.0, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513},
     0},
    {"half of the channels",
     {.kind = HEED_ROPE_DEFAULT, .base = 10000, .fraction = 0.5},
     16,
     4,
     1,
     {1.0, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513},
     0},
    /* Odd numbers of channels: exponents are no binary fractions; these values are exact,
       transformers' within 1.7e-7 of them. */
    {"three channels, rounded up",
     {.kind = HEED_ROPE_DEFAULT, .base = 10000, .fraction = 0.75},
     4,
     2,
     1,
     {1.0, 0.0021544346900318843},
     0},
    {"one channel, rounded up",
     {.kind = HEED_ROPE_DEFAULT, .base = 10000, .fraction = 0.25},
     4,
     1,
     1,
     {1.0},
     0},
    {"seven channels of ten, linear",
     {.kind = HEED_ROPE_LINEAR, .base = 500, .fraction = 0.75, .factor = 3},
     10,
     4,
     1,
     {0.3333333432674408, 0.05646046600321509, 0.009563352663900623, 0.0016198540438707527},
     0},
    {"five channels of eight, llama3",
     {.kind = HEED_ROPE_LLAMA3,
      .base = 500000,
      .fraction = 0.7,
      .factor = 8,
      .low_frequency_factor = 1,
      .high_frequency_factor = 4,
      .original_context = 64},
     8,
     3,
     1,
     {1.0, 0.0006566319511009416, 3.449324153653035e-06},
     0},
    {"linear",
     {BASE(HEED_ROPE_LINEAR, 500), .factor = 3},
     8,
     4,
     1,
     {0.3333333432674408, 0.07049141079187393, 0.01490712072700262, 0.0031524719670414925},
     0},
    {"llama3",
     {BASE(HEED_ROPE_LLAMA3, 500000), .factor = 8, .low_frequency_factor = 1,
      .high_frequency_factor = 4, .original_context = 64},
     16,
     8,
     1,
     {1.0, 0.07940301299095154, 0.004700753837823868, 0.0009115831344388425, 0.00017677668074611574,
      3.428102354519069e-05, 6.647869668086059e-06, 1.289173155782919e-06},
     0},
    {"yarn",
     {BASE(HEED_ROPE_YARN, 10000), .factor = 4, .original_context = 64},
     16,
     8,
     1.138629436111989f,
     {1.0, 0.23717081546783447, 0.04999999701976776, 0.007905694656074047, 0.0024999999441206455,
      0.0007905694656074047, 0.0002500000118743628, 7.905694656074047e-05},
     0},
    {"yarn, all keys",
     {.kind = HEED_ROPE_YARN,
      .base = 500,
      .fraction = 1,
      .factor = 4,
      .original_context = 32,
      .beta_fast = 8,
      .beta_slow = 2,
      .mscale = 1.2,
      .mscale_all_dim = 0.7},
     16,
     8,
     1.0631833659779666f,
     {1.0, 0.17322374880313873, 0.0528685599565506, 0.02431231178343296, 0.011180340312421322,
      0.005141428206115961, 0.0023643539752811193, 0.0010872796410694718},
     0},
    {"dynamic within the context",
     {BASE(HEED_ROPE_DYNAMIC, 10000), .factor = 2, .original_context = 16},
     8,
     4,
     1,
     {1.0, 0.10000000149011612, 0.009999999776482582, 0.0010000000474974513},
     16},
    {"dynamic, one token beyond",
     {BASE(HEED_ROPE_DYNAMIC, 10000), .factor = 2, .original_context = 16},
     8,
     4,
     1,
     {1.0, 0.0961499735713005, 0.009244817309081554, 0.0008888888987712562},
     17},
    {"dynamic, far beyond",
     {BASE(HEED_ROPE_DYNAMIC, 10000), .factor = 2, .original_context = 16},
     8,
     4,
     1,
     {1.0, 0.04430309310555458, 0.0019627639558166265, 8.695651922607794e-05},
     100},
    {"longrope, short",
     {LONGROPE},
     8,
     4,
     1.224744871391589f,
     {1.0, 0.09090909361839294, 0.00833333283662796, 0.0006666666595265269},
     16},
    {"longrope, long",
     {LONGROPE},
     8,
     4,
     1.224744871391589f,
     {1.0, 0.05000000074505806, 0.002222222276031971, 0.00011111111234640703},
     17},
    {"longrope, attention factor",
     {LONGROPE, .attention_factor = 1.25},
     8,
     4,
     1.25f,
     {1.0, 0.09090909361839294, 0.00833333283662796, 0.0006666666595265269},
     5},
};

static void frequencies_are_those_of_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const rope_case *c = &cases[i];
        float found[8], factor = heed_rope_table_factor(&c->rope);
        assert_int_equal(heed_rope_channels(&c->rope, c->width), 2 * c->count);
        heed_rope_frequencies(&c->rope, c->width, c->length, found);
        if (fabsf(factor - c->factor) > 1e-6f)
            fail_msg("%s: factor %g, expected %g", c->name, (double)factor, (double)c->factor);
        for (int64_t j = 0; j < c->count; j++)
            if (fabs((double)found[j] - c->frequencies[j]) > 1.3e-7 * c->frequencies[j])
                fail_msg("%s: frequency %lld is %.9g, expected %.9g", c->name, (long long)j,
                         (double)found[j], c->frequencies[j]);
    }
}

static void every_kind_has_a_name_and_two_follow_the_length(void **state)
{
    (void)state;
    for (int64_t kind = 0; kind < HEED_ROPE_KINDS; kind++) {
        heed_rope rope = {.kind = kind};
        assert_non_null(heed_rope_name(kind));
        assert_int_equal(heed_rope_varies(&rope),
                         kind == HEED_ROPE_DYNAMIC || kind == HEED_ROPE_LONGROPE);
    }
    assert_null(heed_rope_name(-1));
    assert_null(heed_rope_name(HEED_ROPE_KINDS));
}

static void sinusoids_stand_in_either_order(void **state)
{
    (void)state;
    enum { ROWS = 5 };
    for (int64_t width = 1; width <= 7; width++) {
        float halves[ROWS * 7], woven[ROWS * 7];
        heed_sinusoid_table(halves, ROWS, width, HEED_SINUSOID_HALVES);
        heed_sinusoid_table(woven, ROWS, width, HEED_SINUSOID_INTERLEAVED);
        for (int64_t row = 0; row < ROWS; row++)
            for (int64_t i = 0; i < (width + 1) / 2; i++) {
                double angle = (double)row / pow(10000, 2.0 * (double)i / (double)width);
                assert_float_equal(halves[row * width + i], sin(angle), 1e-7);
                assert_float_equal(woven[row * width + 2 * i], sin(angle), 1e-7);
                if (2 * i + 1 >= width) continue;
                assert_float_equal(halves[row * width + (width + 1) / 2 + i], cos(angle), 1e-7);
                assert_float_equal(woven[row * width + 2 * i + 1], cos(angle), 1e-7);
            }
    }
}

/* Values that FSMT's SinusoidalPositionalEmbedding of transformers 5.24 gives. */
static void sinusoids_of_fairseq_reach_both_ends(void **state)
{
    (void)state;
    enum { ROWS = 58 };
    static const struct {
        int64_t width, row;
        float values[6];
    } cases[] = {
        {5, 0, {0, 0, 1, 1, 0}},
        {5, 2, {0.909297407f, 0.00019999998f, -0.416146845f, 1, 0}},
        {5, 57, {0.436164767f, 0.0056999689f, 0.899866819f, 0.999983788f, 0}},
        {6, 2, {0.909297407f, 0.0199986659f, 0.00019999998f, -0.416146845f, 0.999800026f, 1}},
        {6,
         57,
         {0.436164767f, 0.539632022f, 0.0056999689f, 0.899866819f, 0.841901004f, 0.999983788f}},
        {1, 57, {0}},
    };
    float table[ROWS * 6];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        heed_sinusoid_table_fairseq(table, ROWS, cases[c].width);
        for (int64_t i = 0; i < cases[c].width; i++)
            assert_float_equal(table[cases[c].row * cases[c].width + i], cases[c].values[i], 3e-7);
    }
}

/* Slopes that build_alibi_tensor (Bloom) and build_mpt_alibi_tensor of transformers 5.23 give. */
static void slopes_of_any_number_of_heads(void **state)
{
    (void)state;
    static const struct {
        int64_t heads;
        double most;
        float slopes[6];
    } cases[] = {
        {1, 8, {0.00390625f}},
        {2, 8, {0.0625f, 0.00390625f}},
        {3, 8, {0.0625f, 0.00390625f, 0.25f}},
        {4, 4, {0.5f, 0.25f, 0.125f, 0.0625f}},
        {6, 8, {0.25f, 0.0625f, 0.015625f, 0.00390625f, 0.5f, 0.125f}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float slopes[6];
        heed_alibi_slopes(slopes, cases[i].heads, cases[i].most);
        for (int64_t h = 0; h < cases[i].heads; h++) assert_true(slopes[h] == cases[i].slopes[h]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequencies_are_those_of_transformers),
        cmocka_unit_test(every_kind_has_a_name_and_two_follow_the_length),
        cmocka_unit_test(sinusoids_stand_in_either_order),
        cmocka_unit_test(sinusoids_of_fairseq_reach_both_ends),
        cmocka_unit_test(slopes_of_any_number_of_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
