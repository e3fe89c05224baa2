/* sidecar_gguf_read.c: reads what a GGUF file has besides tensors, sizes and tokenizer.

   heed.generation_config holds generation_config.json unchanged, heed.eos_token_ids all ids that
   end a text; only heed reads these two. Settings that llama.cpp has keys for are also written
   under its keys: general.sampling.*, and tokenizer.ggml.eos_token_id, eot_token_id,
   eom_token_id. */
#include "generate/sidecar_internal.h"

#include <stdlib.h>
#include <string.h>

const char heed_sidecar_gguf_key[] = "heed.generation_config";

const heed_sidecar_sampling_key heed_sidecar_sampling_keys[] = {
    {"temperature", "general.sampling.temp", HEED_GGUF_F32},
    {"top_k", "general.sampling.top_k", HEED_GGUF_I32},
    {"top_p", "general.sampling.top_p", HEED_GGUF_F32},
    {"min_p", "general.sampling.min_p", HEED_GGUF_F32},
    {"repetition_penalty", "general.sampling.penalty_repeat", HEED_GGUF_F32},
    {"penalty_last_n", "general.sampling.penalty_last_n", HEED_GGUF_I32},
    {"xtc_probability", "general.sampling.xtc_probability", HEED_GGUF_F32},
    {"xtc_threshold", "general.sampling.xtc_threshold", HEED_GGUF_F32},
    {"mirostat", "general.sampling.mirostat", HEED_GGUF_I32},
    {"mirostat_tau", "general.sampling.mirostat_tau", HEED_GGUF_F32},
    {"mirostat_eta", "general.sampling.mirostat_eta", HEED_GGUF_F32},
};
const size_t heed_sidecar_sampling_key_count = sizeof heed_sidecar_sampling_keys /
                                               sizeof *heed_sidecar_sampling_keys;

/* Returns the shortest decimal that is the same number in 32 bits: 0.95, not 0.949999988. */
static double widen(double value)
{
    char text[40];
    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double decimal = strtod(text, NULL);
        if ((float)decimal == (float)value) return decimal;
    }
    return value;
}

/* Adds the settings of general.sampling.* to `json` under the names of generation_config.json. A
   temperature above 0 means that tokens are drawn. Returns false if memory is out. */
static bool put_sampling(json_t *json, const heed_gguf *file)
{
    bool ok = true;
    for (size_t i = 0; ok && i < heed_sidecar_sampling_key_count; i++) {
        const heed_gguf_entry *entry = heed_gguf_entry_find(file,
                                                            heed_sidecar_sampling_keys[i].key);
        if (!entry || entry->is_array || entry->type == HEED_GGUF_STRING) continue;
        double number = heed_gguf_number_at(entry, 0);
        json_t *value = heed_gguf_type_is_integer(entry->type)
                            ? json_integer(heed_gguf_integer_at(entry, 0))
                            : json_real(widen(number));
        ok = json_object_set_new(json, heed_sidecar_sampling_keys[i].member, value) == 0;
        if (ok && strcmp(heed_sidecar_sampling_keys[i].member, "temperature") == 0) {
            ok = json_object_set_new(json, "do_sample", json_boolean(number > 0)) == 0;
            if (ok && !(number > 0)) json_object_del(json, "temperature");
        }
    }
    return ok;
}

/* Makes a generation_config.json of the settings that another program's file recommends. */
static heed_status read_sampling(heed_sidecar *sidecar, const heed_gguf *file, const char *where,
                                 heed_error *error)
{
    heed_buffer text = {0};
    json_t *json = json_object();
    bool ok = json && put_sampling(json, file);
    if (ok && json_object_size(json) > 0) heed_sidecar_put_json(&text, json);
    json_decref(json);
    if (!ok || text.failed) {
        heed_buffer_free(&text);
        return heed_fail_memory(error, 4096, where);
    }
    if (text.length == 0) return HEED_OK;
    return heed_sidecar_add(sidecar, heed_sidecar_generation_name, where, &text, error);
}

/* Reads heed's own key, or else general.sampling.*. */
static heed_status read_entries(heed_sidecar *sidecar, const heed_gguf *file, heed_error *error)
{
    const char *own = NULL;
    size_t length = 0;
    heed_buffer text = {0}, where = {0};
    HEED_TRY(heed_gguf_text(file, heed_sidecar_gguf_key, &own, &length, error));
    heed_buffer_printf(&where, "%s: %s", heed_gguf_where(file),
                       own ? heed_sidecar_gguf_key : "general.sampling");
    heed_status status = where.failed ? heed_fail_memory(error, 256, heed_sidecar_gguf_key)
                                      : HEED_OK;
    if (status == HEED_OK && own) {
        heed_buffer_append(&text, own, length);
        status = heed_sidecar_add(sidecar, heed_sidecar_generation_name, where.data, &text, error);
    } else if (status == HEED_OK) {
        status = read_sampling(sidecar, file, where.data, error);
    }
    heed_buffer_free(&where);
    return status;
}

heed_status heed_sidecar_read_gguf(heed_sidecar *sidecar, const char *path, heed_error *error)
{
    heed_gguf *file = NULL;
    HEED_TRY(heed_gguf_open(&file, path, error));
    heed_status status = read_entries(sidecar, file, error);
    heed_gguf_close(file);
    return status;
}

bool heed_sidecar_keeps_entry(const char *key)
{
    static const char *const kept[] = {"tokenizer.", "heed.", "general."};
    static const char *const made[] = {"general.architecture", "general.file_type",
                                       "general.quantization_version", "general.alignment"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        if (strcmp(key, made[i]) == 0) return false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strncmp(key, kept[i], strlen(kept[i])) == 0) return true;
    return false;
}
