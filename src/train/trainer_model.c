/* Opens what is trained: tokenizer, configuration and model, new or from a checkpoint. */
#include "base/file.h"
#include "model/family.h"
#include "train/setup.h"
#include "train/trainer_internal.h"

#include <stdlib.h>
#include <string.h>

static heed_model_options model_options(const heed_trainer *t)
{
    return (heed_model_options){
        .backend = t->backend,
        .training = true,
        .bf16 = t->options.bf16,
        .cancel = heed_trainer_cancel(t),
    };
}

/* Opens everything except the data from the checkpoint's folder. */
static heed_status open_checkpoint(heed_trainer *t, const char *checkpoint, heed_error *error)
{
    HEED_TRY(heed_objective_by_name(&t->objective, t->options.objective, error));
    char *tokenizer = heed_path_join(checkpoint, "tokenizer.json");
    if (tokenizer == NULL) return heed_fail_memory(error, strlen(checkpoint) + 16, "a path");
    heed_status status = HEED_OK;
    if (heed_path_exists(tokenizer)) status = heed_tokenizer_load(&t->tokenizer, checkpoint, error);
    free(tokenizer);
    /* Tokenizer files that heed cannot read are copied along with a model that is trained on
       ids. */
    if (status == HEED_E_UNSUPPORTED) status = HEED_OK;
    HEED_TRY(status);
    HEED_TRY(heed_sidecar_load(&t->sidecar, checkpoint, HEED_SIDECAR_ALL, error));
    const heed_model_options options = model_options(t);
    HEED_TRY(heed_model_load(&t->model, checkpoint, &options, error));
    t->config = *heed_model_config(t->model);
    return HEED_OK;
}

/* A model that a published family can express is written as that family, with its names. Therefore
   it is trained as what it will be read back as, by writing it to a folder and loading it once.
   Then a resumed training sees the same tensors in the same order. */
static heed_status become_published(heed_trainer *t, heed_error *error)
{
    const heed_config before = *heed_model_config(t->model);
    if (strcmp(heed_config_written_as(&before), before.family->name) == 0) return HEED_OK;
    char *folder = NULL;
    HEED_TRY(heed_temporary_directory(t->options.out, &folder, error));
    heed_status status = heed_model_save(t->model, folder, HEED_F32, error);
    heed_model_release(t->model);
    t->model = NULL;
    const heed_model_options options = model_options(t);
    if (status == HEED_OK) status = heed_model_load(&t->model, folder, &options, error);
    heed_status removed = heed_directory_remove(folder, status == HEED_OK ? error : NULL);
    free(folder);
    HEED_TRY(status != HEED_OK ? status : removed);
    /* dropout rates that the published family cannot express are kept among the options */
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
    const size_t copies = options->bf16 ? sizeof(float) * size.parameters : 0;
    const size_t bytes = size.training_bytes + copies;
    if (bytes > free_bytes)
        return heed_fail(error, HEED_E_NOMEM,
                         "a model of %zu parameters: weights, gradients and optimizer state take "
                         "%.2f GB, %.2f GB are free; fewer layers or a smaller d_model fit",
                         size.parameters, (double)bytes / 1e9, (double)free_bytes / 1e9);
    HEED_TRY(heed_model_new_random(&t->model, &t->config, options, error));
    if (t->options.config) HEED_TRY(heed_model_read_besides(t->model, t->options.config, error));
    return become_published(t, error);
}

/* Loads the files that come with the model of --init. The files of its tokenizer are left out if
   the training has another one. */
static heed_status load_company(heed_trainer *t, heed_error *error)
{
    const heed_run_options *o = &t->options;
    heed_sidecar_scope scope = o->tokenizer ? HEED_SIDECAR_SETTINGS : HEED_SIDECAR_ALL;
    if (o->init) return heed_sidecar_load(&t->sidecar, o->init, scope, error);
    return o->config ? heed_sidecar_from_config(&t->sidecar, o->config, error) : HEED_OK;
}

static heed_status open_new(heed_trainer *t, const heed_data *data, heed_error *error)
{
    const heed_run_options *o = &t->options;
    if (o->init != NULL) HEED_TRY(heed_config_load(&t->config, o->init, error));
    HEED_TRY(
        heed_setup_objective(&t->objective, o, o->init != NULL ? &t->config : NULL, data, error));
    HEED_TRY(
        heed_setup_tokenizer(&t->tokenizer, o, data, t->objective, heed_trainer_cancel(t), error));
    HEED_TRY(load_company(t, error));
    heed_model_options options = model_options(t);
    options.head = t->objective->head;
    options.missing_head = true;
    options.seed = (uint64_t)o->seed;
    if (o->init != NULL) HEED_TRY(heed_model_load(&t->model, o->init, &options, error));
    else HEED_TRY(open_random(t, data, &options, error));
    t->config = *heed_model_config(t->model);
    return HEED_OK;
}

heed_status heed_trainer_open_model(heed_trainer *t, const heed_data *data, const char *checkpoint,
                                    heed_error *error)
{
    if (checkpoint != NULL) return open_checkpoint(t, checkpoint, error);
    return open_new(t, data, error);
}
