/* logits_internal.h: the two tables that the chain of processors is made of, the first before the second. */
#ifndef HEED_GENERATE_LOGITS_INTERNAL_H
#define HEED_GENERATE_LOGITS_INTERNAL_H

#include "generate/logits.h"

extern const heed_logits_processor heed_logits_penalties[], heed_logits_cuts[];
extern const size_t heed_logits_penalty_count, heed_logits_cut_count;

#endif
