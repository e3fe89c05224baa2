/* position.h: where a token stands, as numbers: tables and frequencies computed once when a model
   is loaded. */
#ifndef HEED_NN_POSITION_H
#define HEED_NN_POSITION_H

#include "base/error.h"
#include "nn/kinds.h"
#include <stdbool.h>
#include <stdint.h>

enum { HEED_ROPE_FACTORS = 128 }; /* pairs of channels that longrope can stretch one by one */

/* Rotary positions of a model, in the words of Hugging Face's rope_parameters; 0 where a key is
   absent. */
typedef struct heed_rope {
    int64_t kind; /* heed_rope_kind */
    double base;  /* rope_theta */
    /* partial_rotary_factor: share of a head's channels that is rotated */
    double fraction;
    bool interleaved; /* pairs are (2i,2i+1), else (i,i+half) */
    double factor;
    double low_frequency_factor, high_frequency_factor; /* llama3 */
    /* yarn; attention_factor of longrope too */
    double attention_factor, beta_fast, beta_slow, mscale, mscale_all_dim;
    /* llama3, yarn, longrope, dynamic: the length trained on before stretching */
    int64_t original_context;
    int64_t short_factors, long_factors; /* longrope: how many of each there are */
    /* longrope: divisors of each pair's frequency */
    float short_factor[HEED_ROPE_FACTORS], long_factor[HEED_ROPE_FACTORS];
    bool truncate; /* yarn: whole numbers bound the ramp */
} heed_rope;

/* The channels of a head that `fraction` asks for, rounded down as transformers does:
   int(head_width * partial_rotary_factor). */
int64_t heed_rope_asked(const heed_rope *rope, int64_t head_width);
/* And those that are rotated, whole pairs: an odd number that is asked for is rounded up. */
int64_t heed_rope_channels(const heed_rope *rope, int64_t head_width);
/* Do the frequencies depend on how long a text is? Then they are an argument of every run, else a
   table of the model. */
bool heed_rope_varies(const heed_rope *rope);
/* The radians by which pair i turns from one position to the next in a text of `length` tokens:
   frequencies (heed_rope_channels/2). With `channels` those that are asked for, by type:
     default   base^(-2i/channels)
     linear    that / factor
     dynamic   with C the original context: the base grows by
               (factor length/C - factor + 1)^(channels/(channels-2)) once length > C
     llama3    low frequencies / factor, blended between two wavelengths
     yarn      blended between default and linear by the number of turns within the original context
     longrope  over the pair's short factor, past the original context over its long factor
   Sources: Su et al. 2021; Chen et al. 2023 (linear); Llama 3 2024; Peng et al. 2023 (YaRN,
   dynamic); Ding et al. 2024 (LongRoPE). */
void heed_rope_frequencies(const heed_rope *rope, int64_t head_width, int64_t length,
                           float *frequencies);
/* What cosines and sines are multiplied by: yarn 0.1 ln(factor) + 1, longrope sqrt(1 + ln(factor) /
   ln(original context)), else 1; attention_factor where it is given. */
float heed_rope_table_factor(const heed_rope *rope);
/* "default", "linear" ...; NULL for a number that is no heed_rope_kind. */
const char *heed_rope_name(int64_t kind);

/* Sinusoidal table (rows,width): sin and cos of row / 10000^(2i/width), i < width/2. Source:
   Vaswani et al. 2017, section 3.5. */
void heed_sinusoid_table(float *table, int64_t rows, int64_t width, heed_sinusoid_order order);

/* ALiBi: how fast the scores of each head fall. slope(h) = 2^(-most (h+1) / n), n the largest power
   of two that is at most `heads`; the heads beyond n take every second slope of 2n heads. most is 8
   in the paper. Source: Press et al. 2022, and their code. */
void heed_alibi_slopes(float *slopes, int64_t heads, double most);

#endif
