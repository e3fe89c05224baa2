/* convert.c: converts models for the public interface. The model is loaded without a backend, so
   that its weights stay as they are stored, and written in the new format. */
#include "api/transformer.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "generate/sidecar.h"
#include "io/folder.h"
#include "io/gguf.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include <heed/heed.h>
#include <stdlib.h>
#include <string.h>

/* Loads the model, or makes one with random weights. */
static heed_status load(const heed_conversion *how, heed_model **model, heed_error *error)
{
    heed_model_options options = {.seed = how->seed, .cancel = heed_hooks_cancel(how->hooks)};
    if (!how->random) return heed_model_load(model, how->model, &options, error);
    json_t *json = NULL;
    heed_config *config = heed_allocate(1, sizeof *config);
    heed_status status = config ? heed_json_read(&json, how->random, error)
                                : heed_fail_memory(error, sizeof *config, "a configuration");
    if (status == HEED_OK) status = heed_config_read(config, json, how->random, error);
    if (status == HEED_OK) status = heed_model_new_random(model, config, &options, error);
    json_decref(json);
    free(config);
    if (status == HEED_OK) status = heed_model_read_besides(*model, how->random, error);
    return status;
}

/* Adds the entry that llama.cpp requires in a file without a tokenizer. */
static void put_no_tokenizer(heed_gguf_entries *entries)
{
    static const char kind[] = "no_vocab";
    heed_gguf_put_string(entries, "tokenizer.ggml.model", kind, sizeof kind - 1);
}

/* Copies the entries of another GGUF file, except those that describe the weights. */
static heed_status copy_entries(const char *from, heed_gguf_entries *entries, heed_error *error)
{
    heed_gguf *file = NULL;
    HEED_TRY(heed_gguf_open(&file, from, error));
    for (size_t i = 0; i < heed_gguf_entry_count(file); i++) {
        const heed_gguf_entry *entry = heed_gguf_entry_at(file, i);
        if (heed_sidecar_keeps_entry(entry->key)) heed_gguf_put_entry(entries, entry);
    }
    heed_gguf_close(file);
    return HEED_OK;
}

/* Adds the tokenizer's entries for a model of `tokens` ids. If GGUF cannot hold the tokenizer,
   notes it and sets *tokenizer to NULL. */
static heed_status put_tokenizer(const heed_tokenizer **tokenizer, size_t tokens,
                                 heed_gguf_entries *entries, heed_buffer *notes, heed_error *error)
{
    heed_error problem = {0};
    heed_status status = HEED_OK;
    if (*tokenizer) status = heed_tokenizer_put_gguf(*tokenizer, tokens, entries, &problem);
    if (status != HEED_OK && status != HEED_E_UNSUPPORTED)
        return heed_fail(error, status, "%s", problem.message);
    if (status != HEED_OK) {
        heed_buffer_printf(notes, "the file has no tokenizer: %s\n", problem.message);
        *tokenizer = NULL;
    }
    if (*tokenizer && (size_t)heed_tokenizer_id_limit(*tokenizer) > tokens)
        heed_buffer_printf(notes,
                           "tokens with ids from %zu on have no row in the model: the file "
                           "leaves them out\n",
                           tokens);
    if (!*tokenizer) put_no_tokenizer(entries);
    return HEED_OK;
}

/* Adds all entries besides those that describe the weights: copied if `from` is a GGUF file, else
   made from the source. */
static heed_status put_gguf_entries(const char *from, heed_sidecar_gguf_source *source,
                                    heed_gguf_entries *entries, heed_buffer *notes,
                                    heed_error *error)
{
    size_t tokens = (size_t)source->config->vocabulary;
    if (from && heed_gguf_is_file(from)) return copy_entries(from, entries, error);
    HEED_TRY(put_tokenizer(&source->tokenizer, tokens, entries, notes, error));
    return heed_sidecar_put_gguf(source, entries, notes, error);
}

/* Notes how many matrices of the GGUF file `path` have a wider type than `dtype`, because their
   rows are not a whole number of qblocks. */
static heed_status note_narrow(const char *path, heed_dtype dtype, heed_buffer *notes,
                               heed_error *error)
{
    heed_gguf *file = NULL;
    size_t narrow = 0;
    heed_dtype instead = dtype;
    if (dtype == HEED_DTYPE_COUNT || !heed_path_is_regular(path)) return HEED_OK;
    HEED_TRY(heed_gguf_open(&file, path, error));
    for (size_t i = 0; i < heed_gguf_count(file); i++) {
        const heed_stored_tensor *tensor = heed_gguf_at(file, i);
        if (tensor->rank < 2 ||
            (size_t)tensor->shape[tensor->rank - 1] % heed_dtypes[dtype].qblock == 0)
            continue;
        instead = tensor->dtype;
        narrow++;
    }
    heed_gguf_close(file);
    if (narrow)
        heed_buffer_printf(notes,
                           "%zu matrices have rows that are no multiple of %zu, the block of %s: "
                           "they are written wider (%s)\n",
                           narrow, heed_dtypes[dtype].qblock, heed_dtypes[dtype].name,
                           heed_dtypes[instead].name);
    return HEED_OK;
}

/* The state of one call of heed_convert_model. */
typedef struct conversion {
    const heed_conversion *how;
    heed_model *model;
    heed_tokenizer *tokenizer; /* NULL if there is none, or none that heed can read */
    heed_sidecar *sidecar;     /* for random weights, made from their configuration */
    heed_folder folder;        /* unused if a GGUF file is written */
    heed_dtype dtype;          /* type of the matrices; HEED_DTYPE_COUNT: as they are */
    heed_buffer notes;         /* lines for the caller */
} conversion;

static heed_status write_gguf(conversion *c, heed_error *error)
{
    heed_gguf_entries entries = {0};
    heed_sidecar_gguf_source source = {c->sidecar, heed_model_config(c->model), c->tokenizer};
    heed_status status = put_gguf_entries(c->how->model, &source, &entries, &c->notes, error);
    if (status == HEED_OK)
        status = heed_model_save_gguf(c->model, c->how->out, c->dtype, &entries, error);
    heed_buffer_free(&entries.bytes);
    return status == HEED_OK ? note_narrow(c->how->out, c->dtype, &c->notes, error) : status;
}

/* Writes the model to the output folder, whose files appear when all of them are complete. */
static heed_status write_folder(conversion *c, heed_error *error)
{
    const char *out = c->folder.inside;
    HEED_TRY(heed_model_save(c->model, out, c->dtype, error));
    if (c->tokenizer) HEED_TRY(heed_tokenizer_save(c->tokenizer, out, error));
    HEED_TRY(heed_sidecar_save(c->sidecar, out, c->tokenizer != NULL, error));
    return heed_folder_commit(&c->folder, error);
}

/* Notes what the user should know about the tokenizer. */
static void note_tokenizer(conversion *c, bool to_gguf)
{
    const char *line;
    size_t length;
    int32_t first;
    size_t shared = heed_tokenizer_shared(c->tokenizer, &first);
    if (shared && !to_gguf)
        heed_buffer_printf(
            &c->notes,
            "tokenizer.json holds a string once: %zu ids whose string a "
            "greater id has too, the first of them %d (\"%.60s\"), stand in "
            "tokenizer_config.json, where heed finds them; other programs decode them "
            "to nothing\n",
            shared, (int)first, heed_tokenizer_token(c->tokenizer, first, &length));
    for (size_t i = 0; heed_tokenizer_note(c->tokenizer, i, &line, &length); i++)
        heed_buffer_printf(&c->notes, "%.*s\n", (int)length, line);
}

/* Loads the sidecar and the tokenizer. If heed cannot read the tokenizer, that is noted. */
static heed_status load_company(conversion *c, bool to_gguf, heed_error *error)
{
    heed_error problem = {0};
    const char *from = c->how->model;
    if (!from) return heed_sidecar_from_config(&c->sidecar, c->how->random, error);
    HEED_TRY(heed_sidecar_load(&c->sidecar, from, HEED_SIDECAR_ALL, error));
    if (heed_tokenizer_load(&c->tokenizer, from, &problem) == HEED_OK) {
        note_tokenizer(c, to_gguf);
        return HEED_OK;
    }
    c->tokenizer = NULL;
    bool files_go = !to_gguf && heed_sidecar_has_tokenizer(c->sidecar);
    heed_buffer_printf(&c->notes, "%s: %s\n",
                       files_go ? "the tokenizer's files go along as they are"
                                : "no tokenizer goes along",
                       problem.message);
    return HEED_OK;
}

heed_status heed_convert_model(const heed_conversion *how, char **notes, heed_error *error)
{
    conversion c = {.how = how, .dtype = HEED_DTYPE_COUNT};
    *notes = NULL;
    if (!how->out || (!how->model && !how->random))
        return heed_fail(error, HEED_E_ARG, "nothing to convert: name the model and its new place");
    bool gguf = heed_gguf_is_name(how->out);
    if (how->dtype) HEED_TRY(heed_weight_type_read(how->dtype, &c.dtype, error));
    if (gguf) HEED_TRY(heed_path_check_output(how->out, error));
    if (!gguf) HEED_TRY(heed_folder_open(&c.folder, how->out, HEED_FOLDER_MODEL, false, error));
    heed_status status = load(how, &c.model, error);
    for (size_t i = 0; status == HEED_OK && i < heed_model_note_count(c.model); i++)
        if (heed_model_note_is_warning(c.model, i))
            heed_buffer_printf(&c.notes, "%s\n", heed_model_note(c.model, i));
    if (status == HEED_OK) heed_model_set_cancel(c.model, heed_hooks_cancel(how->hooks));
    if (status == HEED_OK) status = load_company(&c, gguf, error);
    if (status == HEED_OK) status = gguf ? write_gguf(&c, error) : write_folder(&c, error);
    heed_tokenizer_free(c.tokenizer);
    heed_sidecar_free(c.sidecar);
    heed_model_release(c.model);
    heed_folder_close(&c.folder);
    *notes = c.notes.data;
    return status;
}
