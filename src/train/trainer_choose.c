/* Chooses what nobody chose: options that follow from model, data and the length of the
   training. */
#include "train/trainer_internal.h"

#include <math.h>
#include <string.h>
#include <time.h>

static void choose_integer(int64_t *value, int64_t chosen)
{
    if (*value < 0) *value = chosen;
}

static void choose_number(double *value, double chosen)
{
    if (*value < 0) *value = chosen;
}

/* Returns the default context. Conversations are usually much shorter than the context of models
   with a long one. */
static int64_t usual_context(const heed_trainer *t, const heed_data *data)
{
    enum { CONVERSATION = 1024 };
    bool conversations = heed_data_kind_of(data) == HEED_DATA_CONVERSATIONS;
    return conversations && t->config.context > CONVERSATION ? CONVERSATION : t->config.context;
}

static double usual_learning_rate(const heed_run_options *o)
{
    if (strcmp(o->optimizer, "sgd") == 0) return 0.1;
    return o->init != NULL ? 5e-5 : 1e-3;
}

heed_status heed_trainer_choose(heed_trainer *t, const heed_data *data, heed_error *error)
{
    heed_run_options *o = &t->options;
    bool adamw = strcmp(o->optimizer, "adamw") == 0;
    o->objective = t->objective->name;
    choose_integer(&o->context, usual_context(t, data));
    choose_integer(&o->template_time, (int64_t)time(NULL));
    if (o->context > t->config.context)
        return heed_fail(error, HEED_E_ARG, "context %lld: the model has %lld positions",
                         (long long)o->context, (long long)t->config.context);
    choose_integer(&o->batch_size, heed_data_kind_of(data) == HEED_DATA_PAIRS ? 32 : 16);
    choose_number(&o->learning_rate, usual_learning_rate(o));
    choose_number(&o->weight_decay, adamw ? 0.1 : 0);
    choose_number(&o->adam_beta2, t->objective == &heed_objective_clm ? 0.95 : 0.999);
    bool usual = o->lr_scheduler_type == NULL && o->warmup_steps < 0;
    choose_number(&o->warmup_ratio, usual ? 0.05 : 0);
    if (o->lr_scheduler_type == NULL) o->lr_scheduler_type = "cosine";
    if (o->dropout < 0) o->dropout = -1;
    return HEED_OK;
}

/* Computes the updates of the whole training. Epochs are rounded up to whole updates; tokens are
   rounded down, because no more than so many may be read. */
static heed_status count_steps(const heed_trainer *t, const char *max_steps, int64_t *count,
                               heed_error *error)
{
    heed_length length;
    HEED_TRY(heed_length_parse(&length, max_steps, error));
    if (length.unit == HEED_LENGTH_STEPS) {
        *count = (int64_t)length.value;
        return HEED_OK;
    }
    bool in_epochs = length.unit == HEED_LENGTH_EPOCHS;
    double units = (double)heed_dataset_units(t->data);
    double update = (double)(t->options.batch_size * t->options.gradient_accumulation_steps);
    double epochs = length.value;
    if (!in_epochs) epochs /= (double)heed_dataset_tokens(t->data);
    double whole = floor(epochs), rest = (epochs - whole) * units / update;
    double steps = whole * ceil(units / update) + (in_epochs ? ceil(rest) : floor(rest));
    if (steps > 1e15)
        return heed_fail(error, HEED_E_ARG, "max_steps %s: more updates than can be counted",
                         max_steps);
    *count = steps < 1 ? 1 : (int64_t)steps;
    return HEED_OK;
}

static heed_status make_schedule(const heed_run_options *o, int64_t total, heed_schedule *schedule,
                                 heed_error *error)
{
    heed_schedule_kind kind = HEED_SCHEDULE_CONSTANT;
    HEED_TRY(heed_schedule_by_name(&kind, o->lr_scheduler_type, error));
    *schedule = heed_schedule_default(kind);
    schedule->rate = o->learning_rate;
    schedule->warmup = o->warmup_steps;
    schedule->total = total;
    schedule->decay = o->decay_steps;
    schedule->minimum = o->min_lr_rate;
    if (schedule->end >= schedule->rate) schedule->end = 0;
    return HEED_OK;
}

static int64_t warmup_of(const heed_run_options *o, int64_t steps)
{
    return (int64_t)ceil(o->warmup_ratio * (double)steps);
}

static int64_t decay_of(int64_t steps)
{
    return steps / 5;
}

/* A training that is resumed with another length gets the schedule of a training begun with that
   length: values that followed from the old length are chosen again, values that somebody chose
   stay. */
static heed_status renew_lengths(heed_trainer *t, heed_error *error)
{
    heed_run_options *o = &t->options;
    int64_t begun = 0;
    if (!t->extension.length) return HEED_OK;
    HEED_TRY(count_steps(t, t->extension.max_steps, &begun, error));
    HEED_TRY(make_schedule(o, begun, &t->begun_schedule, error));
    if (o->warmup_ratio > 0 && o->warmup_steps == warmup_of(o, begun)) o->warmup_steps = -1;
    if (o->decay_steps == decay_of(begun)) o->decay_steps = -1;
    return HEED_OK;
}

/* Returns how many checkpoints are kept: all of them if somebody chose when to save. */
static int64_t usual_save_limit(const heed_run_options *o, bool chose_when)
{
    if (chose_when) return 0;
    return o->average_last > 2 ? o->average_last : 2;
}

heed_status heed_trainer_choose_by_steps(heed_trainer *t, heed_error *error)
{
    heed_run_options *o = &t->options;
    heed_schedule_kind kind = HEED_SCHEDULE_CONSTANT;
    HEED_TRY(count_steps(t, o->max_steps, &t->steps, error));
    HEED_TRY(heed_schedule_by_name(&kind, o->lr_scheduler_type, error));
    HEED_TRY(renew_lengths(t, error));
    choose_integer(&o->warmup_steps, warmup_of(o, t->steps));
    choose_integer(&o->decay_steps, decay_of(t->steps));
    choose_number(&o->min_lr_rate, kind == HEED_SCHEDULE_COSINE_WITH_MIN_LR ? 0.1 : 0);
    HEED_TRY(make_schedule(o, t->steps, &t->schedule, error));
    int64_t tenth = t->steps / 10 > 1 ? t->steps / 10 : 1;
    bool chose_when = o->save_steps >= 0;
    choose_integer(&o->eval_steps, tenth);
    choose_integer(&o->save_steps, t->valid != NULL && o->eval_steps > 0 ? o->eval_steps : tenth);
    choose_integer(&o->save_total_limit, usual_save_limit(o, chose_when));
    return heed_schedule_check(&t->schedule, error);
}

heed_status heed_trainer_rule(const heed_trainer *t, heed_optimizer_options *rule,
                              heed_error *error)
{
    const heed_run_options *o = &t->options;
    *rule = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    HEED_TRY(heed_optimizer_by_name(&rule->kind, o->optimizer, error));
    rule->beta1 = o->adam_beta1;
    rule->beta2 = o->adam_beta2;
    rule->eps = o->adam_epsilon;
    rule->weight_decay = o->weight_decay;
    rule->momentum = o->momentum;
    rule->nesterov = o->nesterov;
    rule->amsgrad = o->amsgrad;
    return HEED_OK;
}
