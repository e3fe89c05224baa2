/* The options as a table, and the conversion of what somebody chose into the options of a run. */
#include "train/options_internal.h"

#define GIVEN(name) offsetof(heed_train_options, name)
#define AT(name) offsetof(heed_run_options, name)
/* clang-format off */
#define PLACE(name) GIVEN(name), AT(name)
#define WORD(name, kind) {#name, HEED_FIELD_##kind, PLACE(name), 0, 0, 0, 0, 0}
#define LIST(name) {#name, HEED_FIELD_PATHS, PLACE(name), PLACE(name##_count), 0, 0, 0}
#define NUMBER(name, kind, low, high, preset) \
    {#name, HEED_FIELD_##kind, PLACE(name), 0, 0, low, high, preset}
/* clang-format on */

static const double most = 9e15; /* integers up to here are exact in JSON readers too */
static const double choose = -1; /* the trainer chooses when it knows data and model */

/* They are in the order of run.json. */
const heed_train_field heed_train_fields[] = {
    LIST(data),
    LIST(valid),
    WORD(pairs, FLAG),
    WORD(tokenizer, PATH),
    WORD(template_file, PATH),
    NUMBER(template_time, INTEGER, 0, most, choose),
    WORD(objective, TEXT),
    WORD(init, PATH),
    WORD(config, PATH),
    WORD(family, TEXT),
    NUMBER(layers, COUNT, 1, 4096, choose),
    NUMBER(d_model, COUNT, 1, 1 << 20, choose),
    NUMBER(heads, COUNT, 1, 1 << 16, choose),
    NUMBER(kv_heads, COUNT, 1, 1 << 16, choose),
    NUMBER(d_ff, COUNT, 1, 1 << 24, choose),
    NUMBER(context, COUNT, 4, 1 << 24, choose),
    WORD(max_steps, TEXT),
    NUMBER(batch_size, COUNT, 1, 1 << 24, choose),
    NUMBER(gradient_accumulation_steps, COUNT, 1, 1 << 20, 1),
    WORD(optimizer, TEXT),
    NUMBER(learning_rate, REAL, 0, 1e6, choose),
    NUMBER(weight_decay, REAL, 0, 1e6, choose),
    WORD(decay_all, FLAG),
    NUMBER(adam_beta1, REAL, 0, 1, 0.9),
    NUMBER(adam_beta2, REAL, 0, 1, choose),
    NUMBER(adam_epsilon, REAL, 0, 1, 1e-8),
    NUMBER(momentum, REAL, 0, 1, 0),
    WORD(nesterov, FLAG),
    WORD(amsgrad, FLAG),
    NUMBER(max_grad_norm, REAL, 0, 1e30, 1),
    WORD(lr_scheduler_type, TEXT),
    NUMBER(warmup_steps, INTEGER, 0, most, choose),
    NUMBER(warmup_ratio, REAL, 0, 1, choose),
    NUMBER(decay_steps, INTEGER, 0, most, choose),
    NUMBER(min_lr_rate, REAL, 0, 1, choose),
    NUMBER(dropout, REAL, 0, 0.999, choose),
    NUMBER(label_smoothing, REAL, 0, 0.999, 0),
    WORD(bf16, FLAG),
    WORD(gradient_checkpointing, FLAG),
    NUMBER(seed, INTEGER, 0, most, 1),
    NUMBER(eval_steps, INTEGER, 0, most, choose),
    NUMBER(save_steps, INTEGER, 0, most, choose),
    NUMBER(logging_steps, COUNT, 1, most, 1),
    NUMBER(save_total_limit, INTEGER, 0, 1 << 20, choose),
    NUMBER(average_last, INTEGER, 0, 1 << 16, 0)};
const size_t heed_train_field_count = sizeof heed_train_fields / sizeof *heed_train_fields;

/* ---- defaults ---- */

heed_run_options heed_run_options_default(void)
{
    heed_run_options run = {.optimizer = "adamw", .max_steps = "1e", .stop_at = -1};
    for (size_t i = 0; i < heed_train_field_count; i++) {
        const heed_train_field *field = &heed_train_fields[i];
        void *at = (char *)&run + field->offset;
        bool integer = field->kind == HEED_FIELD_COUNT || field->kind == HEED_FIELD_INTEGER;
        if (integer) *(int64_t *)at = (int64_t)field->preset;
        if (field->kind == HEED_FIELD_REAL) *(double *)at = field->preset;
    }
    return run;
}

bool heed_train_options_chosen(const heed_train_options *options, const heed_train_field *field)
{
    const void *at = (const char *)options + field->given;
    switch (field->kind) {
    case HEED_FIELD_TEXT:
    case HEED_FIELD_PATH: return *(const char *const *)at != NULL;
    case HEED_FIELD_PATHS: return *(const size_t *)((const char *)options + field->given_count) > 0;
    case HEED_FIELD_FLAG: return *(const bool *)at;
    case HEED_FIELD_COUNT: return *(const int64_t *)at != 0;
    case HEED_FIELD_INTEGER: return ((const heed_optional_int *)at)->set;
    case HEED_FIELD_REAL: return ((const heed_optional_real *)at)->set;
    }
    return false;
}

/* ---- from what somebody chose ---- */

static heed_status take_number(const heed_train_field *field, const void *given, void *at,
                               heed_error *error)
{
    double value;
    if (field->kind == HEED_FIELD_REAL) {
        value = ((const heed_optional_real *)given)->value;
        *(double *)at = value;
    } else {
        int64_t whole = field->kind == HEED_FIELD_COUNT ? *(const int64_t *)given
                                                        : ((const heed_optional_int *)given)->value;
        value = (double)whole;
        *(int64_t *)at = whole;
    }
    return heed_train_field_check(field, value, error);
}

static heed_status take(const heed_train_field *field, const heed_train_options *options,
                        heed_run_options *run, heed_error *error)
{
    const void *given = (const char *)options + field->given;
    void *at = (char *)run + field->offset;
    switch (field->kind) {
    case HEED_FIELD_TEXT:
    case HEED_FIELD_PATH: *(const char **)at = *(const char *const *)given; break;
    case HEED_FIELD_PATHS:
        *(const char *const **)at = *(const char *const *const *)given;
        *(size_t *)((char *)run + field->count_offset) = *(const size_t *)((const char *)options +
                                                                           field->given_count);
        break;
    case HEED_FIELD_FLAG: *(bool *)at = *(const bool *)given; break;
    case HEED_FIELD_COUNT:
    case HEED_FIELD_INTEGER:
    case HEED_FIELD_REAL: return take_number(field, given, at, error);
    }
    return HEED_OK;
}

heed_status heed_run_options_from(heed_run_options *run, const heed_train_options *options,
                                  heed_error *error)
{
    *run = heed_run_options_default();
    run->out = options->out;
    run->stop_at = heed_int_or(options->stop_at, -1);
    if (options->stop_at.set && options->stop_at.value < 0)
        return heed_fail(error, HEED_E_ARG, "stop_at %lld: expected an update, 0 or more",
                         (long long)options->stop_at.value);
    for (size_t i = 0; i < heed_train_field_count; i++)
        if (heed_train_options_chosen(options, &heed_train_fields[i]))
            HEED_TRY(take(&heed_train_fields[i], options, run, error));
    return HEED_OK;
}

heed_status heed_train_field_check(const heed_train_field *field, double value, heed_error *error)
{
    if (value >= field->low && value <= field->high) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "%s %.15g: expected a number from %.15g to %.15g",
                     field->name, value, field->low, field->high);
}
