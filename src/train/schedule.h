/* schedule.h: learning-rate schedules, each a row of a table. Names and values are those of
   transformers (optimization.py, get_scheduler). rate(k) is used for update k + 1, so a warm-up
   begins at 0. */
#ifndef HEED_TRAIN_SCHEDULE_H
#define HEED_TRAIN_SCHEDULE_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum heed_schedule_kind {
    HEED_SCHEDULE_CONSTANT,
    HEED_SCHEDULE_CONSTANT_WITH_WARMUP,
    HEED_SCHEDULE_LINEAR,
    HEED_SCHEDULE_COSINE,
    HEED_SCHEDULE_COSINE_WITH_RESTARTS,
    HEED_SCHEDULE_POLYNOMIAL,
    HEED_SCHEDULE_INVERSE_SQRT,
    HEED_SCHEDULE_COSINE_WITH_MIN_LR,
    HEED_SCHEDULE_WARMUP_STABLE_DECAY,
    HEED_SCHEDULE_COUNT
} heed_schedule_kind;

/* Steps count finished updates. A kind reads only the members that name it. */
typedef struct heed_schedule {
    heed_schedule_kind kind;
    double rate; /* highest learning rate */
    /* updates in which the rate rises from 0 (warmup_stable_decay: from minimum * rate) to `rate`;
       constant has none */
    int64_t warmup;
    int64_t total; /* updates of the whole training */
    int64_t decay; /* warmup_stable_decay: updates of the last part, in which the rate falls */
    /* cosine, cosine_with_min_lr, warmup_stable_decay: waves, where 0.5 is one fall;
       cosine_with_restarts: restarts */
    double cycles;
    double power; /* polynomial */
    double end;   /* polynomial: the last rate */
    /* cosine_with_min_lr, warmup_stable_decay: lowest rate divided by `rate` */
    double minimum;
    int64_t timescale; /* inverse_sqrt; 0: `warmup`, or 10,000 if that is 0 */
} heed_schedule;

/* Returns the defaults of a kind: cycles 0.5 (restarts 1), power 1, end 1e-7, minimum 0. */
heed_schedule heed_schedule_default(heed_schedule_kind kind);
/* Errors: HEED_E_ARG lists the known names. */
heed_status heed_schedule_by_name(heed_schedule_kind *kind, const char *name, heed_error *error);
const char *heed_schedule_name(heed_schedule_kind kind);
/* Returns HEED_E_ARG if the numbers do not fit together: negative or non-finite values, a warm-up
   and decay longer than the training, and so on. */
heed_status heed_schedule_check(const heed_schedule *schedule, heed_error *error);
/* Returns the learning rate of update step + 1, step >= 0. */
double heed_schedule_rate(const heed_schedule *schedule, int64_t step);

#endif
