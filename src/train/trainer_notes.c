/* What the trainer asks its watcher, and what it tells the user. */
#include "train/options_internal.h"
#include "train/trainer_internal.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

bool heed_trainer_stopped(const heed_trainer *t)
{
    return t->watcher.should_stop != NULL && t->watcher.should_stop(t->watcher.context);
}

static bool asked(void *trainer)
{
    return heed_trainer_stopped(trainer);
}

heed_cancel heed_trainer_cancel(const heed_trainer *t)
{
    return (heed_cancel){asked, (void *)t};
}

heed_status heed_trainer_tell(const heed_trainer *t, bool *told, const heed_error *problem,
                              heed_error *error)
{
    bool tells = problem->status != HEED_OK && !*told && t->watcher.trouble != NULL;
    *told = problem->status != HEED_OK;
    if (problem->status == HEED_E_NOMEM)
        return heed_fail(error, HEED_E_NOMEM, "%s", problem->message);
    if (!tells) return HEED_OK;
    char text[sizeof problem->message + 64];
    snprintf(text, sizeof text, "%s; the training goes on and tries again", problem->message);
    t->watcher.trouble(t->watcher.context, text);
    return HEED_OK;
}

/* ---- notes ---- */

heed_status heed_trainer_note(heed_trainer *t, const char *text, heed_error *error)
{
    const char *kept = heed_arena_string(t->arena, text);
    if (kept == NULL) return heed_fail_memory(error, strlen(text), "a note");
    if (t->note_count < sizeof t->notes / sizeof *t->notes) t->notes[t->note_count++] = kept;
    return HEED_OK;
}

/* Is adam_epsilon, as an f32, below the smallest normal number? */
static bool epsilon_is_tiny(const heed_trainer *t)
{
    return strcmp(t->options.optimizer, "sgd") != 0 && (float)t->options.adam_epsilon < FLT_MIN;
}

static heed_status note_epsilon(heed_trainer *t, heed_error *error)
{
    char text[256];
    snprintf(text, sizeof text,
             "note: --adam-epsilon %g is less than %.2g: a weight without gradient (a token that "
             "the data does not hold, say) is divided by zero",
             t->options.adam_epsilon, (double)FLT_MIN);
    return heed_trainer_note(t, text, error);
}

heed_status heed_trainer_note_idle(heed_trainer *t, const heed_train_options *chosen,
                                   heed_error *error)
{
    const heed_run_options *o = &t->options;
    const char *decay = o->weight_decay > 0 ? "decay" : "none";
    const char *data = t->data->packing.whole_texts ? "conversations" : "none";
    const char *valid = t->valid != NULL ? "valid" : "none";
    heed_train_facts facts = {
        .words = {[HEED_BY_OPTIMIZER] = o->optimizer,
                  [HEED_BY_SCHEDULE] = o->lr_scheduler_type,
                  [HEED_BY_FAMILY] = o->family != NULL ? o->family : "heed",
                  [HEED_BY_DECAY] = decay,
                  [HEED_BY_DATA] = data,
                  [HEED_BY_VALID] = valid},
    };
    char text[256];
    for (size_t next = 0; heed_train_options_idle(chosen, &facts, &next, text, sizeof text);)
        HEED_TRY(heed_trainer_note(t, text, error));
    if (o->average_last == 1)
        HEED_TRY(heed_trainer_note(t, "note: --average-last 1 has no effect: expected 2 or more",
                                   error));
    if (epsilon_is_tiny(t)) HEED_TRY(note_epsilon(t, error));
    if (o->stop_at <= t->steps) return HEED_OK;
    snprintf(text, sizeof text,
             "note: --stop-at has no effect: the training ends before, after %lld updates",
             (long long)t->steps);
    return heed_trainer_note(t, text, error);
}

void heed_trainer_finite_remedy(const heed_trainer *t, const char *also, char *text, size_t size)
{
    if (epsilon_is_tiny(t))
        snprintf(text, size,
                 "adam_epsilon %g is too small to divide by where a weight has no gradient: use "
                 "1e-8",
                 t->options.adam_epsilon);
    else snprintf(text, size, "lower the learning rate (%g now)%s", t->rate, also);
}
