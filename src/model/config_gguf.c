/* A configuration out of the metadata of a GGUF file, and into it. What other files say by keys follows here from which tensors are there:
   biases, an output matrix of its own. */
#include "model/family.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/gguf.h"
#include "tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

/* ---- entries as JSON, for the tables of keys ---- */

static json_t *element_value(const heed_gguf_entry *entry, size_t index)
{
    if (entry->type == HEED_GGUF_STRING) {
        size_t length;
        const char *text = heed_gguf_string_at(entry, index, &length);
        json_t *string = json_stringn(text, length);
        return string ? string : json_null(); /* no UTF-8 */
    }
    if (entry->type == HEED_GGUF_BOOL) return json_boolean(heed_gguf_integer_at(entry, index));
    if (heed_gguf_type_is_integer(entry->type)) return json_integer(heed_gguf_integer_at(entry, index));
    json_t *number = json_real(heed_gguf_number_at(entry, index));
    return number ? number : json_null(); /* NaN and infinities */
}

static bool is_utf8(const char *text)
{
    uint32_t point;
    bool valid = true;
    for (size_t left = strlen(text); left && valid;) {
        size_t used = heed_utf8_next(text, left, &point, &valid);
        text += used, left -= used;
    }
    return valid;
}

static bool all_alike(const heed_gguf_entry *entry)
{
    if (entry->type == HEED_GGUF_STRING || entry->count == 0) return false;
    for (size_t i = 1; i < entry->count; i++)
        if (heed_gguf_number_at(entry, i) != heed_gguf_number_at(entry, 0)) return false;
    return true;
}

/* The entries under "architecture.", without that. Of an array by layers whose elements are all the same, that element; other arrays are
   left out, and what they mean is missed where it is needed. */
static json_t *entries_of(const heed_gguf *file, const char *architecture)
{
    size_t length = strlen(architecture);
    json_t *object = json_object();
    for (size_t i = 0; object && i < heed_gguf_entry_count(file); i++) {
        const heed_gguf_entry *entry = heed_gguf_entry_at(file, i);
        if (strncmp(entry->key, architecture, length) != 0 || entry->key[length] != '.' || (entry->is_array && !all_alike(entry))) continue;
        const char *key = entry->key + length + 1;
        if (!is_utf8(key)) continue; /* has no meaning here */
        if (json_object_set_new(object, key, element_value(entry, 0)) != 0) json_decref(object), object = NULL;
    }
    return object;
}

/* ---- what follows from tensors ---- */

static void read_presence(heed_config *config, const heed_gguf *file)
{
    config->tied = !heed_gguf_find(file, "output.weight");
    config->query_bias = heed_gguf_find(file, "blk.0.attn_q.bias") || heed_gguf_find(file, "blk.0.attn_qkv.bias");
    config->output_bias = heed_gguf_find(file, "blk.0.attn_output.bias") != NULL;
    config->ffn_bias = heed_gguf_find(file, "blk.0.ffn_up.bias") != NULL;
    config->lm_bias = heed_gguf_find(file, "output.bias") != NULL;
}

/* The type that most of the numbers have. */
static heed_dtype common_dtype(const heed_gguf *file)
{
    double bytes[HEED_DTYPE_COUNT] = {0};
    heed_dtype most = HEED_F32;
    for (size_t i = 0; i < heed_gguf_count(file); i++) bytes[heed_gguf_at(file, i)->dtype] += (double)heed_gguf_at(file, i)->bytes;
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        if (bytes[i] / heed_dtype_width((heed_dtype)i) > bytes[most] / heed_dtype_width(most)) most = (heed_dtype)i;
    return most;
}

static heed_status read_vocabulary(heed_config *config, const heed_gguf *file, heed_error *error)
{
    const heed_stored_tensor *embedding = heed_gguf_find(file, "token_embd.weight");
    if (!embedding || embedding->rank != 2)
        return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"token_embd.weight\" is missing or no matrix; expected a model", heed_gguf_where(file));
    config->vocabulary = embedding->shape[0];
    struct { const char *key; int64_t *id; } ids[] = {{"tokenizer.ggml.bos_token_id", &config->bos_id}, {"tokenizer.ggml.eos_token_id", &config->eos_id},
                                                      {"tokenizer.ggml.padding_token_id", &config->pad_id}};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        *ids[i].id = -1;
        HEED_TRY(heed_gguf_integer(file, ids[i].key, ids[i].id, error));
        if (*ids[i].id < 0 || *ids[i].id >= config->vocabulary) *ids[i].id = -1; /* files say "none" by numbers beyond the vocabulary */
    }
    return HEED_OK;
}

static heed_status read_rotary(heed_config *config, const heed_gguf *file, const json_t *entries, heed_error *error)
{
    int64_t channels = 0;
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    if (heed_gguf_find(file, "rope_freqs.weight"))
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: tensor \"rope_freqs.weight\": rotary frequencies stretched one by one are not supported",
                         heed_gguf_where(file));
    HEED_TRY(heed_json_integer(entries, "rope.dimension_count", &channels, heed_gguf_where(file), error));
    int64_t width = config->decoder.head_width;
    if (width == 0 && config->decoder.heads > 0) width = config->width / config->decoder.heads;
    if (channels < 0 || channels > width)
        return heed_fail(error, HEED_E_FORMAT, "%s: rope.dimension_count is %lld; expected 0 to %lld, the width of a head", heed_gguf_where(file),
                         (long long)channels, (long long)width);
    if (channels > 0) config->rope.fraction = (double)channels / (double)width;
    if (channels > 0 && channels < width && config->family->gguf->weights == heed_gguf_paired_weights)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: rope.dimension_count is %lld of %lld channels; architecture %s turns all of them",
                         heed_gguf_where(file), (long long)channels, (long long)width, config->family->gguf->architecture);
    return HEED_OK;
}

/* ---- the whole ---- */

static heed_status find_family(const heed_gguf *file, const heed_family **family, heed_error *error)
{
    const char *name = NULL;
    size_t length = 0;
    HEED_TRY(heed_gguf_text(file, "general.architecture", &name, &length, error));
    if (!name) return heed_fail(error, HEED_E_FORMAT, "%s: general.architecture is missing; it names the family, for example \"llama\"", heed_gguf_where(file));
    for (size_t i = 0; i < heed_family_count(); i++) {
        const heed_gguf_names *names = heed_family_at(i)->gguf;
        if (names && strlen(names->architecture) == length && memcmp(names->architecture, name, length) == 0) {
            *family = heed_family_at(i);
            return HEED_OK;
        }
    }
    heed_buffer known = {0};
    for (size_t i = 0; i < heed_family_count(); i++)
        if (heed_family_at(i)->gguf) heed_buffer_printf(&known, "%s%s", known.length ? ", " : "", heed_family_at(i)->gguf->architecture);
    heed_status status = heed_fail(error, HEED_E_UNSUPPORTED, "%s: general.architecture is \"%.*s\"; known are %s", heed_gguf_where(file),
                                   (int)(length < 80 ? length : 80), name, known.data ? known.data : "others");
    heed_buffer_free(&known);
    return status;
}

heed_status heed_config_read_gguf(heed_config *config, const heed_gguf *file, heed_error *error)
{
    const heed_family *family = NULL;
    *config = (heed_config){0};
    HEED_TRY(find_family(file, &family, error));
    *config = *family->preset;
    config->family = family;
    config->head = family->architectures->head;
    config->labels = 2;
    config->norm_offset = 0;
    config->window = 0;
    json_t *entries = entries_of(file, family->gguf->architecture);
    heed_status status = entries ? HEED_OK : heed_fail_memory(error, 4096, "the metadata");
    if (status == HEED_OK) status = heed_config_read_keys(config, family->gguf->keys, entries, heed_gguf_where(file), error);
    if (status == HEED_OK) status = read_vocabulary(config, file, error);
    if (status == HEED_OK) status = read_rotary(config, file, entries, error);
    json_decref(entries);
    if (status != HEED_OK) return status;
    config->dtype = common_dtype(file);
    HEED_TRY(heed_config_complete(config, heed_gguf_where(file), error));
    read_presence(config, file); /* behind what the family derives */
    return HEED_OK;
}
