#include "train/schedule.h"

#include <math.h>
#include <string.h>

#define PI 3.141592653589793

/* Returns how much of the way from `begin` to `end` is done at `step`, as a share. A distance below
   1 counts as 1. */
static double progress_between(int64_t begin, int64_t end, int64_t step)
{
    int64_t length = end - begin > 1 ? end - begin : 1;
    return (double)(step - begin) / (double)length;
}

static double total_progress(const heed_schedule *s, int64_t step)
{
    return progress_between(s->warmup, s->total, step);
}

static double half_wave(double cycles, double progress)
{
    return 0.5 * (1.0 + cos(PI * cycles * 2.0 * progress));
}

static double floored(double factor, double minimum)
{
    return fmax(0.0, factor * (1 - minimum) + minimum);
}

static double constant(const heed_schedule *s, int64_t step)
{
    (void)s;
    (void)step;
    return 1;
}

static double linear(const heed_schedule *s, int64_t step)
{
    int64_t length = s->total - s->warmup > 1 ? s->total - s->warmup : 1;
    return fmax(0.0, (double)(s->total - step) / (double)length);
}

static double cosine(const heed_schedule *s, int64_t step)
{
    return fmax(0.0, half_wave(s->cycles, total_progress(s, step)));
}

static double cosine_with_restarts(const heed_schedule *s, int64_t step)
{
    double progress = total_progress(s, step);
    if (progress >= 1.0) return 0.0;
    return fmax(0.0, 0.5 * (1.0 + cos(PI * fmod(s->cycles * progress, 1.0))));
}

static double polynomial(const heed_schedule *s, int64_t step)
{
    if (step > s->total) return s->end / s->rate;
    double remaining = 1 - progress_between(s->warmup, s->total, step);
    return ((s->rate - s->end) * pow(remaining, s->power) + s->end) / s->rate;
}

static double inverse_sqrt(const heed_schedule *s, int64_t step)
{
    int64_t timescale = s->timescale;
    if (timescale == 0) timescale = s->warmup > 0 ? s->warmup : 10000;
    return 1.0 / sqrt((double)(step + timescale - s->warmup) / (double)timescale);
}

static double cosine_with_min_lr(const heed_schedule *s, int64_t step)
{
    return floored(half_wave(s->cycles, total_progress(s, step)), s->minimum);
}

static double warmup_stable_decay(const heed_schedule *s, int64_t step)
{
    int64_t begin = s->total - s->decay;
    if (step < begin) return 1;
    if (step >= s->total) return s->minimum;
    return floored(half_wave(s->cycles, progress_between(begin, s->total, step)), s->minimum);
}

/* factor: computes the factor of the rate after the warm-up. */
static const struct {
    const char *name;
    double (*factor)(const heed_schedule *, int64_t);
    double cycles;
} kinds[HEED_SCHEDULE_COUNT] = {
    [HEED_SCHEDULE_CONSTANT] = {"constant", constant, 0},
    [HEED_SCHEDULE_CONSTANT_WITH_WARMUP] = {"constant_with_warmup", constant, 0},
    [HEED_SCHEDULE_LINEAR] = {"linear", linear, 0},
    [HEED_SCHEDULE_COSINE] = {"cosine", cosine, 0.5},
    [HEED_SCHEDULE_COSINE_WITH_RESTARTS] = {"cosine_with_restarts", cosine_with_restarts, 1},
    [HEED_SCHEDULE_POLYNOMIAL] = {"polynomial", polynomial, 0},
    [HEED_SCHEDULE_INVERSE_SQRT] = {"inverse_sqrt", inverse_sqrt, 0},
    [HEED_SCHEDULE_COSINE_WITH_MIN_LR] = {"cosine_with_min_lr", cosine_with_min_lr, 0.5},
    [HEED_SCHEDULE_WARMUP_STABLE_DECAY] = {"warmup_stable_decay", warmup_stable_decay, 0.5},
};

heed_schedule heed_schedule_default(heed_schedule_kind kind)
{
    return (heed_schedule){.kind = kind, .cycles = kinds[kind].cycles, .power = 1, .end = 1e-7};
}

const char *heed_schedule_name(heed_schedule_kind kind)
{
    return kinds[kind].name;
}

heed_status heed_schedule_by_name(heed_schedule_kind *kind, const char *name, heed_error *error)
{
    char known[256] = "";
    for (int i = 0; i < HEED_SCHEDULE_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *kind = (heed_schedule_kind)i;
            return HEED_OK;
        }
        if (i > 0) strcat(known, ", ");
        strcat(known, kinds[i].name);
    }
    return heed_fail(error, HEED_E_ARG, "learning-rate schedule '%s' is not known; there are %s",
                     name, known);
}

heed_status heed_schedule_check(const heed_schedule *s, heed_error *error)
{
    if (!isfinite(s->rate) || s->rate < 0)
        return heed_fail(error, HEED_E_ARG, "learning rate %g: expected a number of at least 0",
                         s->rate);
    if (s->total < 1)
        return heed_fail(error, HEED_E_ARG, "schedule over %lld steps: expected at least 1",
                         (long long)s->total);
    if (s->warmup < 0 || s->decay < 0 || s->timescale < 0)
        return heed_fail(
            error, HEED_E_ARG,
            "schedule with warm-up %lld, decay %lld, time scale %lld: expected no negative steps",
            (long long)s->warmup, (long long)s->decay, (long long)s->timescale);
    bool stable = s->kind == HEED_SCHEDULE_WARMUP_STABLE_DECAY;
    if (stable && (s->decay > s->total || s->warmup > s->total - s->decay))
        return heed_fail(error, HEED_E_ARG,
                         "%lld warm-up and %lld decay steps do not fit into %lld steps",
                         (long long)s->warmup, (long long)s->decay, (long long)s->total);
    if (!isfinite(s->cycles) || !isfinite(s->power) || s->cycles < 0 || s->power < 0)
        return heed_fail(error, HEED_E_ARG,
                         "schedule with cycles %g and power %g: expected numbers of at least 0",
                         s->cycles, s->power);
    if (!(s->minimum >= 0 && s->minimum <= 1))
        return heed_fail(error, HEED_E_ARG,
                         "lowest learning rate %g of the highest: expected a share between 0 and 1",
                         s->minimum);
    if (s->kind == HEED_SCHEDULE_POLYNOMIAL && !(s->end >= 0 && s->end < s->rate))
        return heed_fail(error, HEED_E_ARG,
                         "last learning rate %g: expected less than the first, %g", s->end,
                         s->rate);
    return HEED_OK;
}

double heed_schedule_rate(const heed_schedule *s, int64_t step)
{
    if (s->kind == HEED_SCHEDULE_CONSTANT || step >= s->warmup)
        return s->rate * kinds[s->kind].factor(s, step);
    double factor = (double)step / (double)s->warmup;
    if (s->kind == HEED_SCHEDULE_WARMUP_STABLE_DECAY) factor = floored(factor, s->minimum);
    return s->rate * factor;
}
