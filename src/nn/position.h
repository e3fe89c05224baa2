/* position.h: computes tables and frequencies of positions when a model is loaded. */
#ifndef HEED_NN_POSITION_H
#define HEED_NN_POSITION_H

#include "base/error.h"
#include "nn/kinds.h"
#include <stdbool.h>
#include <stdint.h>

/* the most pairs of channels whose frequencies longrope stretches one by one */
enum { HEED_ROPE_FACTORS = 128 };

/* Rotary positions of a model, with the fields of Hugging Face's rope_parameters. A field is 0 if
   its key is absent. */
typedef struct heed_rope {
    heed_rope_kind kind;
    double base; /* rope_theta */
    /* partial_rotary_factor: the share of a head's channels that is rotated */
    double fraction;
    bool interleaved; /* pairs are (2i,2i+1); else (i,i+half) */
    double factor;
    double low_frequency_factor, high_frequency_factor; /* llama3 */
    /* yarn; longrope has attention_factor too */
    double attention_factor, beta_fast, beta_slow, mscale, mscale_all_dim;
    /* llama3, yarn, longrope, dynamic: the length trained on before the frequencies were
       stretched */
    int64_t original_context;
    int64_t short_factors, long_factors; /* longrope: the number of short and of long factors */
    /* longrope: divisors of each pair's frequency */
    float short_factor[HEED_ROPE_FACTORS], long_factor[HEED_ROPE_FACTORS];
    bool truncate; /* yarn: the bounds of the ramp are rounded to whole numbers */
} heed_rope;

/* Returns the channels of a head that `fraction` asks for, rounded down as transformers does:
   int(head_width * partial_rotary_factor). */
int64_t heed_rope_asked(const heed_rope *rope, int64_t head_width);
/* Returns the channels that are rotated, in pairs: an odd number of channels asked for is rounded
   up. */
int64_t heed_rope_channels(const heed_rope *rope, int64_t head_width);
/* Do the frequencies depend on the length of a text? If they do, they are an input of every run,
   else a table of the model. */
bool heed_rope_varies(const heed_rope *rope);
/* Computes frequencies (heed_rope_channels/2): the angle in radians by which pair i turns from one
   position to the next in a text of `length` tokens. `channels` below are those asked for; C is the
   original context.

        default   base^(-2i/channels)
        linear    default / factor
        dynamic   default with a larger base if length > C:
                  base * (factor length/C - factor + 1)^(channels/(channels-2))
        llama3    low frequencies / factor, high ones unchanged, blended between two wavelengths
        yarn      a blend of default and linear by the number of turns within C
        longrope  default / short factor of the pair, or / its long factor if length > C

   Sources: Su et al. 2021; Chen et al. 2023 (linear); Llama 3 2024; Peng et al. 2023 (YaRN,
   dynamic); Ding et al. 2024 (LongRoPE). */
void heed_rope_frequencies(const heed_rope *rope, int64_t head_width, int64_t length,
                           float *frequencies);
/* Returns the factor of cosines and sines: attention_factor if it is given; else for yarn 0.1
   ln(factor) + 1, or the quotient of two such terms with mscale and mscale_all_dim; for longrope
   sqrt(1 + ln(factor) / ln(original context)); 1 for the others. */
float heed_rope_table_factor(const heed_rope *rope);
/* Returns "default", "linear" ...; NULL for a number that is not a heed_rope_kind. */
const char *heed_rope_name(int64_t kind);
/* The same names in order; NULL ends the list. */
extern const char *const heed_rope_names[];

/* Fills a sinusoidal table (rows,width) with sin and cos of row / 10000^(2i/width), i < width/2. An
   odd width has one sine more. Source: Vaswani et al. 2017, section 3.5. */
void heed_sinusoid_table(float *table, int64_t rows, int64_t width, heed_sinusoid_order order);
/* Fills a sinusoidal table (rows,width) of fairseq: the sines and then the cosines of row * f(i),
   i < width/2, with frequencies f(i) = 10000^(-i/(width/2 - 1)) from 1 to 1/10000. The last channel
   of an odd width is 0. Computed in f32, as there. Source: Vaswani et al. 2018 (tensor2tensor). */
void heed_sinusoid_table_fairseq(float *table, int64_t rows, int64_t width);

/* Fills slopes (heads): how fast the scores of each head fall with the distance in ALiBi. slope(h)
   = 2^(-most (h+1) / n), where n is the largest power of two that is at most `heads`. The heads
   from n on take every second slope of 2n heads. `most` is 8 in the paper. Source: Press et al.
   2022, and their code. */
void heed_alibi_slopes(float *slopes, int64_t heads, double most);

#endif
