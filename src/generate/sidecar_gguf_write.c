/* sidecar_gguf_write.c: writes the settings of generation and the ids that end a text into a GGUF
   file, under the keys that sidecar_gguf_read.c lists. */
#include "generate/sidecar_internal.h"

#include "generate/settings.h"
#include <string.h>

/* The number of ids that end a text for which GGUF has keys. */
enum { NAMED_ENDS = 3 };

/* Returns the tokenizer's token of this role, which its entries in the file name; -1 if it has
   none. */
static int32_t special_of(const heed_sidecar_gguf_source *s, heed_special part)
{
    int32_t id = s->tokenizer ? heed_tokenizer_special(s->tokenizer, part) : -1;
    return id < s->config->vocabulary ? id : -1;
}

/* Adds the ids of roles that GGUF has keys for but the tokenizer's entries do not name. */
static void put_missing_ids(const heed_sidecar_gguf_source *s,
                            const heed_generation_settings *settings, heed_gguf_entries *entries)
{
    const struct {
        heed_special part;
        const char *key;
        int64_t id;
    } ids[] = {
        {HEED_BOS, "tokenizer.ggml.bos_token_id", settings->bos},
        {HEED_PAD, "tokenizer.ggml.padding_token_id", settings->pad},
        {HEED_EOS, "tokenizer.ggml.eos_token_id", settings->eos.count ? settings->eos.ids[0] : -1},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        bool is_there = special_of(s, ids[i].part) >= 0;
        if (!is_there && ids[i].id >= 0 && ids[i].id < s->config->vocabulary)
            heed_gguf_put_u32(entries, ids[i].key, (uint32_t)ids[i].id);
    }
}

/* Adds all ids that end a text under heed's key. Besides the tokenizer's eos_token_id, two ids have
   keys of llama.cpp. Further ones are noted. */
static void put_ends(const heed_sidecar_gguf_source *s, const heed_generation_settings *settings,
                     heed_gguf_entries *entries, heed_buffer *notes)
{
    static const char *const keys[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    const heed_id_list *ends = &settings->eos;
    int32_t eos = special_of(s, HEED_EOS);
    size_t put = 0, left_out = 0;
    if (eos < 0 && ends->count) eos = ends->ids[0];
    heed_gguf_put_array(entries, HEED_GGUF_ENDS, HEED_GGUF_I32, ends->count ? ends->count : 1);
    if (ends->count == 0) heed_gguf_put_element(entries, HEED_GGUF_I32, -1);
    for (size_t i = 0; i < ends->count; i++)
        heed_gguf_put_element(entries, HEED_GGUF_I32, ends->ids[i]);
    for (size_t i = 0; i < ends->count; i++) {
        if (ends->ids[i] == eos || ends->ids[i] >= s->config->vocabulary) continue;
        if (put < NAMED_ENDS - 1) heed_gguf_put_u32(entries, keys[put++], (uint32_t)ends->ids[i]);
        else left_out++;
    }
    if (left_out)
        heed_buffer_printf(notes,
                           "%zu of %zu ids that end a text have no key of their own in "
                           "GGUF: heed stops at them, other programs may not\n",
                           left_out, ends->count);
}

static const heed_sidecar_sampling_key *sampling_key_of(const char *member)
{
    for (size_t i = 0; i < heed_sidecar_sampling_key_count; i++)
        if (strcmp(heed_sidecar_sampling_keys[i].member, member) == 0)
            return &heed_sidecar_sampling_keys[i];
    return NULL;
}

static bool is_special_id(const char *member)
{
    static const char *const ids[] = {"bos_token_id", "eos_token_id", "pad_token_id"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (strcmp(member, ids[i]) == 0) return true;
    return false;
}

/* Adds a setting under its key of general.sampling.*. */
static void put_sampling_entry(const heed_sidecar_sampling_key *known, const json_t *value,
                               heed_gguf_entries *entries)
{
    double number = json_number_value(value);
    if (known->type == HEED_GGUF_F32) {
        heed_gguf_put_f32(entries, known->key, (float)number);
        return;
    }
    int32_t integer = number >= INT32_MIN && number <= INT32_MAX ? (int32_t)number : 0;
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)((uint32_t)integer >> 8 * i);
    const heed_gguf_entry entry = {
        .key = known->key, .type = known->type, .count = 1, .data = bytes, .bytes = sizeof bytes};
    heed_gguf_put_entry(entries, &entry);
}

/* Does the member change what is written while other programs have no key for it? */
static bool is_unknown_elsewhere(const char *member, const json_t *value)
{
    if (json_is_null(value) || is_special_id(member) || sampling_key_of(member)) return false;
    return heed_generation_has_effect(member) && strcmp(member, "do_sample") != 0;
}

/* Adds the settings under general.sampling.*, and all of them under heed's own key. `own` is
   generation_config.json, if the model has one. */
static void put_settings(const json_t *json, const heed_sidecar_file *own,
                         heed_gguf_entries *entries, heed_buffer *notes)
{
    heed_buffer text = {0}, unknown = {0};
    bool is_more = own != NULL;
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *member = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        const heed_sidecar_sampling_key *known = sampling_key_of(member);
        is_more |= !is_special_id(member);
        if (known && json_is_number(value)) put_sampling_entry(known, value, entries);
        if (!is_unknown_elsewhere(member, value)) continue;
        heed_buffer_printf(&unknown, "%s%s", unknown.length ? ", " : "", member);
    }
    if (own) heed_buffer_append(&text, own->text.data ? own->text.data : "", own->text.length);
    else if (json) heed_sidecar_put_json(&text, json);
    if (is_more)
        heed_gguf_put_string(entries, heed_sidecar_gguf_key, text.data ? text.data : "",
                             text.length);
    if (unknown.length)
        heed_buffer_printf(notes,
                           "settings of generation that GGUF has no key for: %s: heed reads "
                           "them from the file, other programs do not\n",
                           unknown.data);
    entries->bytes.failed |= text.failed || unknown.failed;
    heed_buffer_free(&text);
    heed_buffer_free(&unknown);
}

/* Notes the files that only a folder could hold. */
static void note_files(const heed_sidecar *sidecar, heed_buffer *notes)
{
    heed_buffer names = {0};
    for (size_t i = 0; sidecar && i < sidecar->count; i++) {
        const char *name = sidecar->files[i].name;
        if (!heed_sidecar_is_for_folders(name)) continue;
        heed_buffer_printf(&names, "%s%s", names.length ? ", " : "", name);
    }
    if (names.length) heed_buffer_printf(notes, "GGUF has no place for %s\n", names.data);
    notes->failed |= names.failed;
    heed_buffer_free(&names);
}

/* Reads the settings. If heed cannot read them, they are written unchanged and a note says so. */
static heed_status read_settings(const heed_sidecar_gguf_source *s,
                                 heed_generation_settings *settings, json_t **json,
                                 heed_buffer *notes, heed_error *error)
{
    heed_error problem = {0};
    const char *where = "";
    heed_status status = heed_generation_settings_from(settings, s->sidecar, s->config, &problem);
    if (status == HEED_OK) status = heed_sidecar_generation(s->sidecar, json, &where, &problem);
    if (status == HEED_OK) return HEED_OK;
    if (status == HEED_E_NOMEM) return heed_fail(error, status, "%s", problem.message);
    heed_buffer_printf(notes, "%s; it is handed on as it is\n", problem.message);
    heed_generation_settings_free(settings);
    return heed_generation_settings_from(settings, NULL, s->config, error);
}

heed_status heed_sidecar_put_gguf(const heed_sidecar_gguf_source *s, heed_gguf_entries *entries,
                                  heed_buffer *notes, heed_error *error)
{
    heed_generation_settings settings;
    json_t *json = NULL;
    heed_status status = read_settings(s, &settings, &json, notes, error);
    if (status == HEED_OK) {
        put_missing_ids(s, &settings, entries);
        put_ends(s, &settings, entries, notes);
        put_settings(json, heed_sidecar_find(s->sidecar, heed_sidecar_generation_name), entries,
                     notes);
        note_files(s->sidecar, notes);
    }
    json_decref(json);
    heed_generation_settings_free(&settings);
    return status;
}
