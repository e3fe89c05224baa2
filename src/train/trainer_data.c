/* Opens the data sets, and notes which parts of them are not learned. */
#include "train/setup.h"
#include "train/trainer_internal.h"

#include <stdio.h>
#include <string.h>

static bool tokenizing(void *context, size_t done, size_t total)
{
    const heed_trainer *t = context;
    if (t->watcher.tokenizing != NULL) t->watcher.tokenizing(t->watcher.context, done, total);
    return heed_trainer_stopped(t);
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
        "tokens that generation would write after those of the prompt alone",
        data->split, data->split_place);
    return heed_trainer_note(t, text, error);
}

/* Adds the notes of the tokenizer. */
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

/* Adds notes on data that is not learned, or is learned in another way. */
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

heed_status heed_trainer_open_data(heed_trainer *t, heed_data *data, heed_error *error)
{
    heed_data *valid = NULL;
    HEED_TRY(open_dataset(t, &t->data, data, true, error));
    HEED_TRY(note_tokenizer(t, error));
    HEED_TRY(heed_dataset_fingerprint(t->data, &t->fingerprint, error));
    if (t->options.valid_count > 0) {
        HEED_TRY(heed_setup_data(&valid, &t->options, true, heed_trainer_cancel(t), error));
        HEED_TRY(open_dataset(t, &t->valid, valid, false, error));
    }
    /* the tokenizer has the template now */
    if (t->options.template_file != NULL && strcmp(t->options.template_file, "none") != 0)
        t->options.template_file = NULL;
    return HEED_OK;
}
