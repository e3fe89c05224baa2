/* Converting models for the public interface: load without a backend (weights stay as they are stored), write. */
#include "api/api.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/folder.h"
#include "io/gguf.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include <heed/heed.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_weight_type_read(const char *name, heed_dtype *dtype, heed_error *error)
{
    bool known = heed_dtype_by_name(name, dtype);
    if (known && (*dtype == HEED_F32 || *dtype == HEED_F16 || *dtype == HEED_BF16 || heed_dtypes[*dtype].encode)) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "weights cannot be rounded to \"%.40s\"; expected f32, f16, bf16, q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, "
                     "q5_k, q6_k or iq4_nl", name);
}

static heed_status load(const heed_conversion *how, heed_model **model, heed_error *error)
{
    heed_model_options options = {.seed = how->seed};
    if (!how->random) return heed_model_load(model, how->model, &options, error);
    json_t *json = NULL;
    heed_config *config = heed_allocate(1, sizeof *config);
    heed_status status = config ? heed_json_read(&json, how->random, error) : heed_fail_memory(error, sizeof *config, "a configuration");
    if (status == HEED_OK) status = heed_config_read(config, json, how->random, error);
    if (status == HEED_OK) status = heed_model_new_random(model, config, &options, error);
    json_decref(json);
    free(config);
    return status;
}

/* What llama.cpp wants to read in a file without tokenizer. */
static void put_no_tokenizer(heed_gguf_entries *entries)
{
    static const char kind[] = "no_vocab";
    heed_gguf_put_string(entries, "tokenizer.ggml.model", kind, sizeof kind - 1);
}

/* The entries of the tokenizer: as the other GGUF file has them, else made from it. A tokenizer that GGUF cannot hold is a note. */
static heed_status put_tokenizer(const char *from, const heed_tokenizer *tokenizer, size_t tokens, heed_gguf_entries *entries, heed_buffer *notes,
                                 heed_error *error)
{
    heed_gguf *file = NULL;
    if (from && heed_gguf_is_file(from)) {
        HEED_TRY(heed_gguf_open(&file, from, error));
        for (size_t i = 0; i < heed_gguf_entry_count(file); i++)
            if (strncmp(heed_gguf_entry_at(file, i)->key, "tokenizer.", 10) == 0) heed_gguf_put_entry(entries, heed_gguf_entry_at(file, i));
        heed_gguf_close(file);
        return HEED_OK;
    }
    heed_error problem = {0};
    if (!tokenizer) {
        put_no_tokenizer(entries);
        return HEED_OK;
    }
    heed_status status = heed_tokenizer_put_gguf(tokenizer, tokens, entries, &problem);
    if (status != HEED_E_UNSUPPORTED) return status == HEED_OK ? HEED_OK : heed_fail(error, status, "%s", problem.message);
    heed_buffer_printf(notes, "the file has no tokenizer: %s\n", problem.message);
    put_no_tokenizer(entries);
    return HEED_OK;
}

/* Matrices whose rows are no whole number of blocks are in another type: said. */
static heed_status tell_narrow(const char *path, heed_dtype dtype, heed_buffer *notes, heed_error *error)
{
    heed_gguf *file = NULL;
    size_t narrow = 0;
    heed_dtype instead = dtype;
    if (dtype == HEED_DTYPE_COUNT) return HEED_OK;
    HEED_TRY(heed_gguf_open(&file, path, error));
    for (size_t i = 0; i < heed_gguf_count(file); i++) {
        const heed_stored_tensor *tensor = heed_gguf_at(file, i);
        if (tensor->rank < 2 || (size_t)tensor->shape[tensor->rank - 1] % heed_dtypes[dtype].block == 0) continue;
        instead = tensor->dtype;
        narrow++;
    }
    heed_gguf_close(file);
    if (narrow)
        heed_buffer_printf(notes, "%zu matrices have rows that are no multiple of %zu, the block of %s: they are written wider (%s)\n", narrow, heed_dtypes[dtype].block,
                           heed_dtypes[dtype].name, heed_dtypes[instead].name);
    return HEED_OK;
}

static heed_status write_gguf(const heed_conversion *how, const heed_model *model, const heed_tokenizer *tokenizer, heed_dtype dtype, heed_buffer *notes,
                              heed_error *error)
{
    heed_gguf_entries entries = {0};
    heed_status status = put_tokenizer(how->model, tokenizer, (size_t)heed_model_config(model)->vocabulary, &entries, notes, error);
    if (status == HEED_OK) status = heed_model_save_gguf(model, how->out, dtype, &entries, error);
    heed_buffer_free(&entries.bytes);
    return status == HEED_OK ? tell_narrow(how->out, dtype, notes, error) : status;
}

/* Writes into the folder taken, which shows nothing of it before all is there. */
static heed_status write_folder(heed_folder *folder, const heed_model *model,
                                const heed_tokenizer *tokenizer, heed_dtype dtype,
                                heed_error *error)
{
    HEED_TRY(heed_model_save(model, folder->inside, dtype, error));
    if (tokenizer) HEED_TRY(heed_tokenizer_save(tokenizer, folder->inside, error));
    return heed_folder_commit(folder, error);
}

heed_status heed_convert_model(const heed_conversion *how, char **notes, heed_error *error)
{
    heed_dtype dtype = HEED_DTYPE_COUNT;
    heed_model *model = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_folder folder = {0};
    heed_buffer said = {0};
    heed_error problem = {0};
    bool gguf = heed_gguf_is_name(how->out);
    *notes = NULL;
    if (how->dtype) HEED_TRY(heed_weight_type_read(how->dtype, &dtype, error));
    if (!gguf) HEED_TRY(heed_folder_open(&folder, how->out, HEED_FOLDER_MODEL, false, error));
    heed_status status = load(how, &model, error);
    for (size_t i = 0; status == HEED_OK && i < heed_model_note_count(model); i++)
        if (heed_model_note_is_aloud(model, i))
            heed_buffer_printf(&said, "%s\n", heed_model_note(model, i));
    if (status == HEED_OK && how->model && heed_tokenizer_load(&tokenizer, how->model, &problem) != HEED_OK) {
        tokenizer = NULL;
        heed_buffer_printf(&said, "no tokenizer goes along: %s\n", problem.message);
    }
    if (status == HEED_OK && gguf) status = write_gguf(how, model, tokenizer, dtype, &said, error);
    if (status == HEED_OK && !gguf) status = write_folder(&folder, model, tokenizer, dtype, error);
    heed_tokenizer_free(tokenizer);
    heed_model_release(model);
    heed_folder_close(&folder);
    *notes = said.data;
    return status;
}
