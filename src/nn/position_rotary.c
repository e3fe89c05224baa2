/* position_rotary.c: the frequencies of rotary positions, with a function for each way of
   stretching them. */
#include "nn/position.h"

#include <math.h>
#include <stddef.h>

static const double pi = 3.14159265358979323846;

const char *const heed_rope_names[HEED_ROPE_KINDS + 1] = {"default", "linear",   "llama3", "yarn",
                                                          "dynamic", "longrope", NULL};

const char *heed_rope_name(int64_t kind)
{
    return kind >= 0 && kind < HEED_ROPE_KINDS ? heed_rope_names[kind] : NULL;
}

int64_t heed_rope_asked(const heed_rope *rope, int64_t head_width)
{
    return (int64_t)((double)head_width * rope->fraction);
}

int64_t heed_rope_channels(const heed_rope *rope, int64_t head_width)
{
    int64_t asked = heed_rope_asked(rope, head_width);
    return asked + asked % 2;
}

/* Divides the frequencies of wavelengths longer than original / low by the factor, keeps those of
   wavelengths shorter than original / high, and blends the rest. */
static double llama3_frequency(const heed_rope *rope, double frequency)
{
    double wavelength = 2 * pi / frequency, original = (double)rope->original_context;
    if (wavelength > original / rope->low_frequency_factor) return frequency / rope->factor;
    if (wavelength < original / rope->high_frequency_factor) return frequency;
    double smooth = (original / wavelength - rope->low_frequency_factor) /
                    (rope->high_frequency_factor - rope->low_frequency_factor);
    return (1 - smooth) * frequency / rope->factor + smooth * frequency;
}

/* Returns the channel pair that turns `turns` times within the original context, as a fraction. */
static double yarn_pair(const heed_rope *rope, int64_t channels, double turns)
{
    return (double)channels * log((double)rope->original_context / (turns * 2 * pi)) /
           (2 * log(rope->base));
}

/* Returns YaRN's factor of attention for a factor of stretching. */
static double yarn_scale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static double yarn_table_factor(const heed_rope *rope)
{
    if (rope->mscale > 0 && rope->mscale_all_dim > 0)
        return yarn_scale(rope->factor, rope->mscale) /
               yarn_scale(rope->factor, rope->mscale_all_dim);
    return yarn_scale(rope->factor, 1);
}

/* Blends the stretched and the original frequency of a pair. Pairs before the ramp turn often and
   keep their frequency; pairs after it are divided by the factor. */
static double yarn_frequency(const heed_rope *rope, int64_t channels, int64_t pair,
                             double frequency)
{
    double low = yarn_pair(rope, channels, rope->beta_fast > 0 ? rope->beta_fast : 32);
    double high = yarn_pair(rope, channels, rope->beta_slow > 0 ? rope->beta_slow : 1);
    if (rope->truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)channels - 1);
    if (low == high) high += 0.001; /* as in the published code: the ramp needs a width */
    double ramp = fmin(fmax(((double)pair - low) / (high - low), 0), 1);
    return frequency / rope->factor * ramp + frequency * (1 - ramp);
}

/* Returns the base of dynamic stretching in a text of `length` tokens. */
static double dynamic_base(const heed_rope *rope, int64_t channels, int64_t length)
{
    double context = (double)rope->original_context, reached = fmax((double)length, context);
    if (channels <= 2) return rope->base; /* one pair: base^0 is 1 for any base */
    return rope->base * pow(rope->factor * reached / context - (rope->factor - 1),
                            (double)channels / (double)(channels - 2));
}

bool heed_rope_varies(const heed_rope *rope)
{
    return rope->kind == HEED_ROPE_DYNAMIC || rope->kind == HEED_ROPE_LONGROPE;
}

void heed_rope_frequencies(const heed_rope *rope, int64_t head_width, int64_t length,
                           float *frequencies)
{
    int64_t channels = heed_rope_asked(rope, head_width);
    double base = rope->kind == HEED_ROPE_DYNAMIC ? dynamic_base(rope, channels, length)
                                                  : rope->base;
    const float *divisors = length > rope->original_context ? rope->long_factor
                                                            : rope->short_factor;
    for (int64_t pair = 0; 2 * pair < channels; pair++) {
        double frequency = pow(base, -2.0 * (double)pair / (double)channels);
        if (rope->kind == HEED_ROPE_LINEAR) frequency /= rope->factor;
        if (rope->kind == HEED_ROPE_LLAMA3) frequency = llama3_frequency(rope, frequency);
        if (rope->kind == HEED_ROPE_YARN)
            frequency = yarn_frequency(rope, channels, pair, frequency);
        if (rope->kind == HEED_ROPE_LONGROPE) frequency /= (double)divisors[pair];
        frequencies[pair] = (float)frequency;
    }
}

float heed_rope_table_factor(const heed_rope *rope)
{
    if (rope->kind != HEED_ROPE_YARN && rope->kind != HEED_ROPE_LONGROPE) return 1;
    if (rope->attention_factor > 0) return (float)rope->attention_factor;
    if (rope->kind == HEED_ROPE_YARN) return (float)yarn_table_factor(rope);
    return rope->factor <= 1
               ? 1
               : (float)sqrt(1 + log(rope->factor) / log((double)rope->original_context));
}
