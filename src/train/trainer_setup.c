#include "base/file.h"
#include "model/family.h"
#include "train/options_internal.h"
#include "train/setup.h"
#include "train/trainer_internal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- tokenizer, configuration, model ---- */

/* Of a checkpoint, everything but the data comes from its folder. */
static heed_status open_checkpoint(heed_trainer *t, const char *checkpoint, heed_error *error)
{
    HEED_TRY(heed_objective_by_name(&t->objective, t->options.objective, error));
    char *tokenizer = heed_path_join(checkpoint, "tokenizer.json");
    if (tokenizer == NULL) return heed_fail_memory(error, strlen(checkpoint) + 16, "a path");
    heed_status status = heed_path_exists(tokenizer)
                             ? heed_tokenizer_load(&t->tokenizer, checkpoint, error)
                             : HEED_OK;
    free(tokenizer);
    /* Files of a tokenizer that heed cannot read go along with a model trained on ids. */
    if (status == HEED_E_UNSUPPORTED) status = HEED_OK;
    HEED_TRY(status);
    HEED_TRY(heed_sidecar_load(&t->sidecar, checkpoint, HEED_SIDECAR_ALL, error));
    heed_model_options options = {
        .backend = t->backend,
        .training = true,
        .bf16 = t->options.bf16,
        .cancel = heed_trainer_cancel(t),
    };
    HEED_TRY(heed_model_load(&t->model, checkpoint, &options, error));
    t->config = *heed_model_config(t->model);
    return HEED_OK;
}

/* A model whose kinds are those of a published family is written as that family, with its names. It
   is trained as what it will be read back as, so that a training resumed sees the same tensors in
   the same order: through a folder, once. */
static heed_status become_published(heed_trainer *t, heed_error *error)
{
    const heed_config before = *heed_model_config(t->model);
    if (strcmp(heed_config_written_as(&before), before.family->name) == 0) return HEED_OK;
    char *folder = NULL;
    HEED_TRY(heed_temporary_directory(t->options.out, &folder, error));
    heed_status status = heed_model_save(t->model, folder, HEED_F32, error);
    heed_model_release(t->model);
    t->model = NULL;
    heed_model_options options = {
        .backend = t->backend,
        .training = true,
        .bf16 = t->options.bf16,
        .cancel = heed_trainer_cancel(t),
    };
    if (status == HEED_OK) status = heed_model_load(&t->model, folder, &options, error);
    heed_status removed = heed_directory_remove(folder, status == HEED_OK ? error : NULL);
    free(folder);
    HEED_TRY(status != HEED_OK ? status : removed);
    /* rates that the published family has no words for are kept among the options */
    const heed_config *after = heed_model_config(t->model);
    bool told = after->embedding_dropout == before.embedding_dropout &&
                after->attention_dropout == before.attention_dropout &&
                after->residual_dropout == before.residual_dropout &&
                after->activation_dropout == before.activation_dropout;
    if (!told && t->options.dropout < 0) t->options.dropout = before.residual_dropout;
    return HEED_OK;
}

static heed_status open_random(heed_trainer *t, const heed_data *data,
                               const heed_model_options *options, heed_error *error)
{
    heed_model_size size = {0};
    size_t free_bytes = heed_memory_available();
    HEED_TRY(heed_setup_config(&t->config, &t->options, t->objective, t->tokenizer, data, error));
    HEED_TRY(heed_config_size(&t->config, HEED_F32, &size, error));
    /* rounded copies */
    const size_t bytes = size.training_bytes +
                         (options->bf16 ? sizeof(float) * size.parameters : 0);
    if (bytes > free_bytes)
        return heed_fail(error, HEED_E_NOMEM,
                         "a model of %zu parameters: weights, gradients and optimizer state take "
                         "%.2f GB, %.2f GB are free; fewer layers or a "
                         "smaller d_model fit",
                         size.parameters, (double)bytes / 1e9, (double)free_bytes / 1e9);
    HEED_TRY(heed_model_new_random(&t->model, &t->config, options, error));
    return become_published(t, error);
}

/* What comes with the model that the training begins with; the files of its tokenizer stay where
   they are if the training has another one. */
static heed_status load_company(heed_trainer *t, heed_error *error)
{
    const heed_train_options *o = &t->options;
    heed_sidecar_scope scope = o->tokenizer ? HEED_SIDECAR_SETTINGS : HEED_SIDECAR_ALL;
    if (o->init) return heed_sidecar_load(&t->sidecar, o->init, scope, error);
    return o->config ? heed_sidecar_from_config(&t->sidecar, o->config, error) : HEED_OK;
}

static heed_status open_new(heed_trainer *t, const heed_data *data, heed_error *error)
{
    const heed_train_options *o = &t->options;
    if (o->init != NULL) HEED_TRY(heed_config_load(&t->config, o->init, error));
    HEED_TRY(
        heed_setup_objective(&t->objective, o, o->init != NULL ? &t->config : NULL, data, error));
    HEED_TRY(
        heed_setup_tokenizer(&t->tokenizer, o, data, t->objective, heed_trainer_cancel(t), error));
    HEED_TRY(load_company(t, error));
    heed_model_options options = {
        .backend = t->backend,
        .training = true,
        .bf16 = o->bf16,
        .head = (int64_t)t->objective->head,
        .missing_head = true,
        .seed = (uint64_t)o->seed,
        .cancel = heed_trainer_cancel(t),
    };
    if (o->init != NULL) HEED_TRY(heed_model_load(&t->model, o->init, &options, error));
    else HEED_TRY(open_random(t, data, &options, error));
    t->config = *heed_model_config(t->model);
    return HEED_OK;
}

/* ---- choices ---- */

static void choose_integer(int64_t *value, int64_t chosen)
{
    if (*value < 0) *value = chosen;
}

static void choose_number(double *value, double chosen)
{
    if (*value < 0) *value = chosen;
}

/* What does not depend on how long the training is. */
static heed_status choose(heed_trainer *t, const heed_data *data, heed_error *error)
{
    /* models of long contexts are tuned on conversations much shorter */
    enum { CONVERSATION = 1024 };
    heed_train_options *o = &t->options;
    bool conversations = heed_data_kind_of(data) == HEED_DATA_CONVERSATIONS;
    bool sgd = strcmp(o->optimizer, "sgd") == 0, adamw = strcmp(o->optimizer, "adamw") == 0;
    o->objective = t->objective->name;
    choose_integer(&o->context, conversations && t->config.context > CONVERSATION
                                    ? CONVERSATION
                                    : t->config.context);
    choose_integer(&o->template_time, (int64_t)time(NULL));
    if (o->context > t->config.context)
        return heed_fail(error, HEED_E_ARG, "context %lld: the model has %lld positions",
                         (long long)o->context, (long long)t->config.context);
    choose_integer(&o->batch_size, t->objective->pairs ? 32 : 16);
    choose_number(&o->learning_rate, sgd ? 0.1 : o->init != NULL ? 5e-5 : 1e-3);
    choose_number(&o->weight_decay, adamw ? 0.1 : 0);
    choose_number(&o->adam_beta2, t->objective == &heed_objective_clm ? 0.95 : 0.999);
    bool usual = o->lr_scheduler_type == NULL && o->warmup_steps < 0;
    choose_number(&o->warmup_ratio, usual ? 0.05 : 0);
    if (o->lr_scheduler_type == NULL) o->lr_scheduler_type = "cosine";
    if (o->dropout < 0) o->dropout = -1;
    return HEED_OK;
}

/* Updates of the whole training. Epochs are rounded up to whole updates, tokens down: so many are
   read at most. */
static heed_status count_steps(const heed_trainer *t, const char *max_steps, int64_t *count,
                               heed_error *error)
{
    heed_length length;
    HEED_TRY(heed_length_parse(&length, max_steps, error));
    if (length.unit == HEED_LENGTH_STEPS) {
        *count = (int64_t)length.value;
        return HEED_OK;
    }
    double units = (double)heed_dataset_units(t->data),
           update = (double)(t->options.batch_size * t->options.gradient_accumulation_steps);
    double epochs = length.unit == HEED_LENGTH_EPOCHS
                        ? length.value
                        : length.value / (double)heed_dataset_tokens(t->data);
    double whole = floor(epochs), rest = (epochs - whole) * units / update;
    double steps = whole * ceil(units / update) +
                   (length.unit == HEED_LENGTH_EPOCHS ? ceil(rest) : floor(rest));
    if (steps > 1e15)
        return heed_fail(error, HEED_E_ARG, "max_steps %s: more updates than can be counted",
                         max_steps);
    *count = steps < 1 ? 1 : (int64_t)steps;
    return HEED_OK;
}

static heed_status make_schedule(const heed_train_options *o, int64_t total,
                                 heed_schedule *schedule, heed_error *error)
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

static int64_t warmup_of(const heed_train_options *o, int64_t steps)
{
    return (int64_t)ceil(o->warmup_ratio * (double)steps);
}

static int64_t decay_of(int64_t steps)
{
    return steps / 5;
}

/* A training that goes on with another length gets the schedule of one that was begun with it: what
   followed from the old length is chosen again, what somebody chose stays. */
static heed_status renew_lengths(heed_trainer *t, heed_error *error)
{
    heed_train_options *o = &t->options;
    int64_t begun = 0;
    if (!t->extension.length) return HEED_OK;
    HEED_TRY(count_steps(t, t->extension.max_steps, &begun, error));
    HEED_TRY(make_schedule(o, begun, &t->begun_schedule, error));
    if (o->warmup_ratio > 0 && o->warmup_steps == warmup_of(o, begun)) o->warmup_steps = -1;
    if (o->decay_steps == decay_of(begun)) o->decay_steps = -1;
    return HEED_OK;
}

static heed_status choose_by_steps(heed_trainer *t, heed_error *error)
{
    heed_train_options *o = &t->options;
    heed_schedule_kind kind = HEED_SCHEDULE_CONSTANT;
    HEED_TRY(count_steps(t, o->max_steps, &t->steps, error));
    HEED_TRY(heed_schedule_by_name(&kind, o->lr_scheduler_type, error));
    HEED_TRY(renew_lengths(t, error));
    choose_integer(&o->warmup_steps, warmup_of(o, t->steps));
    choose_integer(&o->decay_steps, decay_of(t->steps));
    choose_number(&o->min_lr_rate, kind == HEED_SCHEDULE_COSINE_WITH_MIN_LR ? 0.1 : 0);
    HEED_TRY(make_schedule(o, t->steps, &t->schedule, error));
    int64_t tenth = t->steps / 10 > 1 ? t->steps / 10 : 1;
    bool saves_chosen = o->save_steps < 0;
    choose_integer(&o->eval_steps, tenth);
    choose_integer(&o->save_steps, t->valid != NULL && o->eval_steps > 0 ? o->eval_steps : tenth);
    choose_integer(&o->save_total_limit, !saves_chosen         ? 0
                                         : o->average_last > 2 ? o->average_last
                                                               : 2);
    return heed_schedule_check(&t->schedule, error);
}

/* ---- data ---- */

static bool tokenizing(void *context, size_t done, size_t total)
{
    const heed_trainer *t = context;
    if (t->watcher.tokenizing != NULL) t->watcher.tokenizing(t->watcher.context, done, total);
    return heed_trainer_stopped(t);
}

heed_status heed_trainer_note(heed_trainer *t, const char *text, heed_error *error)
{
    const char *kept = heed_arena_string(t->arena, text);
    if (kept == NULL) return heed_fail_memory(error, strlen(text), "a note");
    if (t->note_count < sizeof t->notes / sizeof *t->notes) t->notes[t->note_count++] = kept;
    return HEED_OK;
}

bool heed_trainer_epsilon_is_tiny(const heed_trainer *t)
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
    const heed_train_options *o = &t->options;
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
    if (heed_trainer_epsilon_is_tiny(t)) HEED_TRY(note_epsilon(t, error));
    if (o->stop_at <= t->steps) return HEED_OK;
    snprintf(text, sizeof text,
             "note: --stop-at has no effect: the training ends before, after %lld updates",
             (long long)t->steps);
    return heed_trainer_note(t, text, error);
}

static heed_status note(heed_trainer *t, const char *format, size_t count, heed_error *error)
{
    char text[256];
    snprintf(text, sizeof text, format, count, (size_t)t->options.context);
    return heed_trainer_note(t, text, error);
}

static heed_status note_split(heed_trainer *t, const heed_dataset *data, heed_error *error)
{
    char text[640];
    snprintf(
        text, sizeof text,
        "%zu of the records, the first of them %s, have an answer that begins inside a token of "
        "the whole text (a prompt that ends in a blank, say): such an answer is learned in the "
        "tokens that generation "
        "would write after those of the prompt alone",
        data->split, data->split_place);
    return heed_trainer_note(t, text, error);
}

/* What the tokenizer's files say. */
static heed_status note_tokenizer(heed_trainer *t, heed_error *error)
{
    const char *line;
    size_t length;
    for (size_t i = 0; t->tokenizer && heed_tokenizer_note(t->tokenizer, i, &line, &length); i++) {
        char text[512];
        snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1),
                 line);
        HEED_TRY(heed_trainer_note(t, text, error));
    }
    return HEED_OK;
}

/* What of the data is not learned, or in another way, is said. */
static heed_status note_losses(heed_trainer *t, const heed_dataset *data, heed_error *error)
{
    if (heed_dataset_cut(data) > 0)
        HEED_TRY(note(t, "%zu texts are longer than %zu tokens: what is beyond is left out",
                      heed_dataset_cut(data), error));
    if (data->split > 0) HEED_TRY(note_split(t, data, error));
    if (data->silent > 0)
        HEED_TRY(note(t, "%zu conversations have no answer to learn within %zu tokens: left out",
                      data->silent, error));
    return HEED_OK;
}

static heed_status open_dataset(heed_trainer *t, heed_dataset **dataset, heed_data *data,
                                bool shuffled, heed_error *error)
{
    heed_chat_template *chat = NULL;
    heed_status status = heed_setup_chat(&chat, &t->options, data, t->tokenizer, error);
    if (status != HEED_OK) {
        heed_data_close(data);
        return status;
    }
    heed_dataset_options options = {
        .objective = t->objective,
        .config = &t->config,
        .tokenizer = t->tokenizer,
        .length = (size_t)t->options.context,
        .chat = chat,
        .now = t->options.template_time,
        .seed = (uint64_t)t->options.seed,
        .shuffled = shuffled,
        .progress = tokenizing,
        .context = t,
        .cancel = heed_trainer_cancel(t),
    };
    status = heed_dataset_new(dataset, data, &options, error);
    heed_chat_template_free(chat);
    HEED_TRY(status);
    (*dataset)->options.chat = NULL;
    return note_losses(t, *dataset, error);
}

static heed_status open_datasets(heed_trainer *t, heed_data *data, heed_error *error)
{
    heed_data *valid = NULL;
    HEED_TRY(open_dataset(t, &t->data, data, true, error));
    HEED_TRY(note_tokenizer(t, error));
    HEED_TRY(heed_dataset_fingerprint(t->data, &t->fingerprint, error));
    if (t->options.valid_count > 0) {
        HEED_TRY(heed_setup_data(&valid, &t->options, true, heed_trainer_cancel(t), error));
        HEED_TRY(open_dataset(t, &t->valid, valid, false, error));
    }
    /* the tokenizer has it now */
    if (t->options.template_file != NULL && strcmp(t->options.template_file, "none") != 0)
        t->options.template_file = NULL;
    return HEED_OK;
}

/* ---- update rule ---- */

/* All rounded copies, parameter by parameter, in the arena. */
static heed_status list_copies(heed_trainer *t, heed_parameter_copy **copies, heed_error *error)
{
    size_t total = 0, at = 0, count = heed_model_parameter_count(t->model);
    for (size_t i = 0; i < count; i++) total += heed_model_copy_count(t->model, i);
    *copies = heed_arena_take(t->arena, total + 1, sizeof **copies);
    if (*copies == NULL)
        return heed_fail_memory(error, total * sizeof **copies, "the list of rounded copies");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < heed_model_copy_count(t->model, i); k++)
            (*copies)[at++] = heed_model_copy(t->model, i, k);
    return HEED_OK;
}

static heed_status open_optimizer(heed_trainer *t, heed_error *error)
{
    const heed_train_options *o = &t->options;
    heed_optimizer_options rule = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    HEED_TRY(heed_optimizer_by_name(&rule.kind, o->optimizer, error));
    rule.beta1 = o->adam_beta1, rule.beta2 = o->adam_beta2, rule.eps = o->adam_epsilon,
    rule.weight_decay = o->weight_decay;
    rule.momentum = o->momentum, rule.nesterov = o->nesterov, rule.amsgrad = o->amsgrad;
    HEED_TRY(heed_model_allocate_gradients(t->model, error));
    size_t count = heed_model_parameter_count(t->model);
    heed_parameter_copy *copies = NULL;
    HEED_TRY(list_copies(t, &copies, error));
    heed_optimizer_tensor *tensors = heed_allocate(count, sizeof *tensors);
    /* state is flat: rows of the model may lie otherwise than on disk */
    int64_t *sizes = heed_arena_take(t->arena, count, sizeof *sizes);
    if (tensors == NULL || sizes == NULL) {
        free(tensors);
        return heed_fail_memory(error, count * sizeof *tensors, "the list of parameters");
    }
    for (size_t i = 0; i < count; i++) {
        heed_parameter_info p = heed_model_parameter(t->model, i);
        sizes[i] = (int64_t)p.elements;
        tensors[i] = (heed_optimizer_tensor){
            p.name,     1,
            &sizes[i],  p.rows,
            p.gradient, o->decay_all || p.group == HEED_DECAY_MATRIX,
            copies,     heed_model_copy_count(t->model, i)};
        copies += tensors[i].copy_count;
    }
    heed_status status = heed_optimizer_new(&t->optimizer, &rule, tensors, count, t->backend,
                                            error);
    free(tensors);
    return status;
}

static heed_status open_engine(heed_trainer *t, heed_error *error)
{
    const heed_train_options *o = &t->options;
    heed_loss_term terms[4];
    HEED_TRY(heed_engine_new(&t->engine, t->model, t->backend, error));
    heed_engine_set_cancel(t->engine, heed_trainer_cancel(t));
    int count = heed_engine_loss_terms(t->model, terms);
    bool balances = count == 2 && strcmp(terms[1].name, "balance") == 0;
    t->balance_weight = balances ? terms[1].weight : 0;
    if (count != 1 && !balances)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "the head of this model has more than one loss: it cannot be trained with objective %s",
            o->objective);
    t->spec = (heed_program_spec){
        .purpose = HEED_PURPOSE_TRAIN,
        .losses_only = true,
        .checkpointing = o->gradient_checkpointing,
        .bf16 = o->bf16,
        .dropout = (float)o->dropout,
        .label_smoothing = (float)o->label_smoothing,
    };
    t->eval_spec = (heed_program_spec){
        .purpose = HEED_PURPOSE_LOSS, .losses_only = true, .bf16 = o->bf16};
    t->batches = heed_allocate((size_t)o->gradient_accumulation_steps, sizeof *t->batches);
    if (t->batches == NULL)
        return heed_fail_memory(error, (size_t)o->gradient_accumulation_steps * sizeof *t->batches,
                                "the batches of an update");
    return HEED_OK;
}

static heed_status may_go_on(const heed_trainer *t, heed_error *error)
{
    return heed_cancel_check(heed_trainer_cancel(t), "setting up the training", error);
}

heed_status heed_trainer_prepare(heed_trainer *t, const char *checkpoint, heed_error *error)
{
    heed_data *data = NULL;
    HEED_TRY(heed_train_options_check(&t->options, error));
    HEED_TRY(heed_setup_data(&data, &t->options, false, heed_trainer_cancel(t), error));
    heed_status status = may_go_on(t, error);
    if (status == HEED_OK)
        status = checkpoint != NULL ? open_checkpoint(t, checkpoint, error)
                                    : open_new(t, data, error);
    if (status == HEED_OK) status = choose(t, data, error);
    if (status != HEED_OK) {
        heed_data_close(data);
        return status;
    }
    HEED_TRY(open_datasets(t, data, error));
    HEED_TRY(choose_by_steps(t, error));
    HEED_TRY(open_engine(t, error));
    HEED_TRY(heed_trainer_measure(t, error));
    HEED_TRY(may_go_on(t, error));
    HEED_TRY(open_optimizer(t, error));
    HEED_TRY(may_go_on(t, error));
    t->place.best_loss = NAN;
    return checkpoint != NULL ? heed_trainer_load_state(t, checkpoint, error) : HEED_OK;
}
