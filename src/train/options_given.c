/* Tells which options somebody chose, which may change when a training is resumed, and which have
   no effect. */
#include "base/path.h"
#include "train/options_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static const void *member(const heed_run_options *options, const heed_train_field *field)
{
    return (const char *)options + field->offset;
}

static size_t list_count(const heed_run_options *options, const heed_train_field *field)
{
    return *(const size_t *)((const char *)options + field->count_offset);
}

static bool same_text(const char *a, const char *b)
{
    if (a == NULL || b == NULL) return a == b;
    return strcmp(a, b) == 0;
}

/* Compares paths: they are the same if they lead to the same file. */
static heed_status same_path(const char *a, const char *b, bool *same, heed_error *error)
{
    char *left = NULL, *right = NULL;
    *same = same_text(a, b);
    if (*same || a == NULL || b == NULL) return HEED_OK;
    HEED_TRY(heed_path_resolve(&left, a, error));
    heed_status status = heed_path_resolve(&right, b, error);
    if (status == HEED_OK) *same = strcmp(left, right) == 0;
    free(left);
    free(right);
    return status;
}

static heed_status same_paths(const heed_run_options *a, const heed_run_options *b,
                              const heed_train_field *field, bool *same, heed_error *error)
{
    const char *const *left = *(const char *const *const *)member(a, field);
    const char *const *right = *(const char *const *const *)member(b, field);
    size_t count = list_count(a, field);
    *same = count == list_count(b, field);
    for (size_t i = 0; *same && i < count; i++) HEED_TRY(same_path(left[i], right[i], same, error));
    return HEED_OK;
}

static heed_status same_value(const heed_run_options *a, const heed_run_options *b,
                              const heed_train_field *field, bool *same, heed_error *error)
{
    const void *left = member(a, field), *right = member(b, field);
    switch (field->kind) {
    case HEED_FIELD_TEXT:
        *same = same_text(*(const char *const *)left, *(const char *const *)right);
        break;
    case HEED_FIELD_PATH:
        return same_path(*(const char *const *)left, *(const char *const *)right, same, error);
    case HEED_FIELD_PATHS: return same_paths(a, b, field, same, error);
    case HEED_FIELD_FLAG: *same = *(const bool *)left == *(const bool *)right; break;
    case HEED_FIELD_COUNT:
    case HEED_FIELD_INTEGER: *same = *(const int64_t *)left == *(const int64_t *)right; break;
    case HEED_FIELD_REAL: *same = *(const double *)left == *(const double *)right; break;
    }
    return HEED_OK;
}

void heed_train_option_spell(const char *name, char *text, size_t size)
{
    bool file = strcmp(name, "template_file") == 0;
    snprintf(text, size, "--%s", file ? "template" : name);
    for (char *at = text; *at; at++)
        if (*at == '_') *at = '-';
}

/* ---- words for messages ---- */

static void put_value(const heed_run_options *options, const heed_train_field *field, char *text,
                      size_t size)
{
    const void *at = member(options, field);
    const char *string = NULL;
    *text = 0;
    if (field->kind == HEED_FIELD_TEXT || field->kind == HEED_FIELD_PATH)
        string = *(const char *const *)at;
    if (field->kind == HEED_FIELD_PATHS && list_count(options, field) > 0)
        string = **(const char *const *const *)at;
    if (string != NULL) snprintf(text, size, "%.200s", string);
    bool integer = field->kind == HEED_FIELD_COUNT || field->kind == HEED_FIELD_INTEGER;
    if (integer && *(const int64_t *)at >= 0)
        snprintf(text, size, "%lld", (long long)*(const int64_t *)at);
    if (field->kind == HEED_FIELD_REAL && *(const double *)at >= 0)
        snprintf(text, size, "%.15g", *(const double *)at);
}

/* ---- going on ---- */

/* May this option change when a training is resumed? Such options change no update that is already
   done. */
static bool may_change(const char *name)
{
    static const char *const names[] = {"data",         "valid",           "max_steps",
                                        "eval_steps",   "save_steps",      "logging_steps",
                                        "average_last", "save_total_limit"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* Returns HEED_E_ARG with what is wanted now and what the run was started with: "with VALUE" or
   "without it". */
static heed_status refuse(const heed_run_options *run, const heed_run_options *changes,
                          const heed_train_field *field, heed_error *error)
{
    char name[64], wanted[256], had[256], started[300] = "without it";
    heed_train_option_spell(field->name, name, sizeof name);
    put_value(changes, field, wanted, sizeof wanted);
    put_value(run, field, had, sizeof had);
    if (*had) snprintf(started, sizeof started, "with %s", had);
    return heed_fail(error, HEED_E_ARG,
                     "%s%s%s: the run was started %s: leave it out, or begin a new training "
                     "(--init %s --out NEW-RUN)",
                     name, *wanted ? " " : "", wanted, started, run->out);
}

static void take_over(heed_run_options *run, const heed_run_options *changes,
                      const heed_train_field *field)
{
    static const size_t sizes[] = {
        [HEED_FIELD_TEXT] = sizeof(char *),   [HEED_FIELD_PATH] = sizeof(char *),
        [HEED_FIELD_PATHS] = sizeof(char **), [HEED_FIELD_FLAG] = sizeof(bool),
        [HEED_FIELD_COUNT] = sizeof(int64_t), [HEED_FIELD_INTEGER] = sizeof(int64_t),
        [HEED_FIELD_REAL] = sizeof(double)};
    memcpy((char *)run + field->offset, member(changes, field), sizes[field->kind]);
    if (field->kind == HEED_FIELD_PATHS)
        *(size_t *)((char *)run + field->count_offset) = list_count(changes, field);
}

static heed_status check_out(const char *run, const char *out, heed_error *error)
{
    bool same = true;
    if (out != NULL) HEED_TRY(same_path(run, out, &same, error));
    if (same) return HEED_OK;
    return heed_fail(
        error, HEED_E_ARG,
        "--out %s: a training goes on in its own folder; to keep that as it is, copy it "
        "(cp -a %s %s) and resume the copy",
        out, run, out);
}

/* Is this change about a template that was read from its file once and that the run's tokenizer has
   now? It is compared when the tokenizer is loaded. */
static bool is_kept_template(const heed_run_options *run, const heed_run_options *changes,
                             const heed_train_field *field)
{
    return strcmp(field->name, "template_file") == 0 && run->template_file == NULL &&
           strcmp(changes->template_file, "none") != 0;
}

heed_status heed_run_options_extend(heed_run_options *run, const heed_train_options *changes,
                                    heed_train_extension *extension, heed_error *error)
{
    heed_run_options wanted;
    *extension = (heed_train_extension){.max_steps = run->max_steps};
    HEED_TRY(heed_run_options_from(&wanted, changes, error));
    HEED_TRY(check_out(run->out, changes->out, error));
    for (size_t i = 0; i < heed_train_field_count; i++) {
        const heed_train_field *field = &heed_train_fields[i];
        bool same = true;
        if (!heed_train_options_chosen(changes, field)) continue;
        HEED_TRY(same_value(run, &wanted, field, &same, error));
        if (same) continue;
        if (is_kept_template(run, &wanted, field)) {
            extension->template_file = changes->template_file;
            continue;
        }
        if (!may_change(field->name)) return refuse(run, &wanted, field, error);
        extension->any = true;
        extension->data |= strcmp(field->name, "data") == 0;
        extension->valid |= strcmp(field->name, "valid") == 0;
        extension->length |= strcmp(field->name, "max_steps") == 0;
        take_over(run, &wanted, field);
    }
    run->stop_at = wanted.stop_at;
    return HEED_OK;
}

/* ---- without effect ---- */

/* An option has an effect if the fact of its cause is among the words; if "-" is before them, it
   has an effect if the fact is not among them. */
static const struct {
    const char *name;
    heed_train_cause cause;
    const char *words;
} effects[] = {
    {"adam_beta1", HEED_BY_OPTIMIZER, "adamw adam"},
    {"adam_beta2", HEED_BY_OPTIMIZER, "adamw adam"},
    {"adam_epsilon", HEED_BY_OPTIMIZER, "adamw adam"},
    {"amsgrad", HEED_BY_OPTIMIZER, "adamw adam"},
    {"momentum", HEED_BY_OPTIMIZER, "sgd"},
    {"nesterov", HEED_BY_OPTIMIZER, "sgd"},
    {"warmup_steps", HEED_BY_SCHEDULE, "-constant"},
    {"warmup_ratio", HEED_BY_SCHEDULE, "-constant"},
    {"decay_steps", HEED_BY_SCHEDULE, "warmup_stable_decay"},
    {"min_lr_rate", HEED_BY_SCHEDULE, "cosine_with_min_lr warmup_stable_decay"},
    {"kv_heads", HEED_BY_FAMILY, "-gpt2 bert transformer"},
    {"decay_all", HEED_BY_DECAY, "decay"},
    {"template_file", HEED_BY_DATA, "conversations"},
    {"template_time", HEED_BY_DATA, "conversations"},
    {"eval_steps", HEED_BY_VALID, "valid"},
};

static const char *const reasons[HEED_CAUSES] = {
    [HEED_BY_OPTIMIZER] = "with --optimizer", [HEED_BY_SCHEDULE] = "with --lr-scheduler-type",
    [HEED_BY_FAMILY] = "with --family",       [HEED_BY_DECAY] = "without --weight-decay",
    [HEED_BY_DATA] = "without conversations", [HEED_BY_VALID] = "without --valid"};

static bool is_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) return true;
    return false;
}

static bool has_effect(const char *words, const char *fact)
{
    if (*words == '-') return !is_word(words + 1, fact);
    return is_word(words, fact);
}

static const heed_train_field *find_field(const char *name)
{
    size_t i = 0;
    while (strcmp(heed_train_fields[i].name, name) != 0) i++;
    return &heed_train_fields[i];
}

bool heed_train_options_idle(const heed_train_options *options, const heed_train_facts *facts,
                             size_t *next, char *text, size_t size)
{
    while (*next < sizeof effects / sizeof *effects) {
        size_t i = (*next)++;
        const char *fact = facts->words[effects[i].cause];
        if (fact == NULL || has_effect(effects[i].words, fact)) continue;
        if (!heed_train_options_chosen(options, find_field(effects[i].name))) continue;
        char name[64];
        heed_train_option_spell(effects[i].name, name, sizeof name);
        const char *reason = reasons[effects[i].cause];
        if (effects[i].cause <= HEED_BY_FAMILY) /* the reason ends with the fact, which is a name */
            snprintf(text, size, "note: %s has no effect %s %s", name, reason, fact);
        else snprintf(text, size, "note: %s has no effect %s", name, reason);
        return true;
    }
    return false;
}
