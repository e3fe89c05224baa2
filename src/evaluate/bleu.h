/* bleu.h: corpus BLEU as sacrebleu computes it by default: 13a tokenizer, cased, 4-grams,
   exponential smoothing, one reference.

        BLEU = BP * exp(mean_n ln p_n)
        p_n  = clipped matches / n-grams, in percent
        BP   = min(1, exp(1 - reference length / hypothesis length))

   The k-th order without a match counts as 1 / (2^k * n-grams). Sources: Papineni et al. 2002; Post
   2018; Chen & Cherry 2014, method 3. */
#ifndef HEED_EVALUATE_BLEU_H
#define HEED_EVALUATE_BLEU_H

#include "base/buffer.h"
#include <stdint.h>

enum { HEED_BLEU_ORDER = 4 };

/* Zero-initialize, add every segment, then call heed_bleu_finish. */
typedef struct heed_bleu {
    int64_t matches[HEED_BLEU_ORDER], total[HEED_BLEU_ORDER];
    int64_t hypothesis_length, reference_length; /* tokens */
    double precision[HEED_BLEU_ORDER];           /* percent */
    double brevity, score;                       /* score: 0 to 100 */
} heed_bleu;

/* Adds a segment in UTF-8; invalid bytes count as U+FFFD. HEED_E_NOMEM. */
heed_status heed_bleu_add(heed_bleu *bleu, const char *hypothesis, size_t hypothesis_length,
                          const char *reference, size_t reference_length, heed_error *error);
double heed_bleu_finish(heed_bleu *bleu); /* Fills precision, brevity and score; returns score. */

/* Appends the tokens of mteval-v13a, joined by blanks, to `out`. */
void heed_bleu_tokenize_13a(const char *text, size_t length, heed_buffer *out);

#endif
