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

/* Divisors of the frequencies, one for each pair: as longrope has them, the same at every length. */
static heed_status read_factors(heed_config *config, const heed_gguf *file, heed_error *error)
{
    const heed_stored_tensor *tensor = heed_gguf_find(file, "rope_freqs.weight");
    heed_rope *rope = &config->rope;
    if (!tensor) return HEED_OK;
    if (tensor->rank != 1 || tensor->dtype != HEED_F32 || tensor->shape[0] > HEED_ROPE_FACTORS)
        return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"rope_freqs.weight\": expected at most %d numbers of F32", heed_gguf_where(file), HEED_ROPE_FACTORS);
    rope->kind = HEED_ROPE_LONGROPE;
    rope->factor = rope->attention_factor = 1;
    rope->original_context = config->context;
    rope->short_factors = rope->long_factors = tensor->shape[0];
    memcpy(rope->short_factor, tensor->data, tensor->bytes);
    memcpy(rope->long_factor, tensor->data, tensor->bytes);
    return HEED_OK;
}

static heed_status read_rotary(heed_config *config, const heed_gguf *file, const json_t *entries, heed_error *error)
{
    int64_t channels = 0;
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    HEED_TRY(heed_json_integer(entries, "rope.dimension_count", &channels, heed_gguf_where(file), error));
    int64_t width = config->decoder.head_width;
    if (width == 0 && config->decoder.heads > 0) width = config->width / config->decoder.heads;
    if (channels < 0 || channels > width)
        return heed_fail(error, HEED_E_FORMAT, "%s: rope.dimension_count is %lld; expected 0 to %lld, the width of a head", heed_gguf_where(file),
                         (long long)channels, (long long)width);
    if (channels > 0) config->rope.fraction = (double)channels / (double)width;
    HEED_TRY(read_factors(config, file, error));
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
    heed_config_window_all(config); /* these architectures have one in every layer, or none */
    HEED_TRY(heed_config_complete(config, heed_gguf_where(file), error));
    read_presence(config, file); /* behind what the family derives */
    return HEED_OK;
}

/* ---- the way back ---- */

static void put_key(const heed_config *config, const char *key, const heed_key *how, heed_gguf_entries *entries)
{
    const void *field = (const char *)config + how->offset;
    switch ((heed_key_type)how->type) {
    case HEED_KEY_NUMBER: case HEED_KEY_RATE: heed_gguf_put_f32(entries, key, (float)*(const double *)field); break;
    case HEED_KEY_FLAG: heed_gguf_put_boolean(entries, key, *(const bool *)field); break;
    case HEED_KEY_KIND: heed_gguf_put_string(entries, key, how->names[*(const int64_t *)field], strlen(how->names[*(const int64_t *)field])); break;
    case HEED_KEY_SIZE: case HEED_KEY_COUNT: case HEED_KEY_ID: heed_gguf_put_u32(entries, key, (uint32_t)*(const int64_t *)field); break;
    default: break;
    }
}

/* What a configuration does not use is left out. */
static bool key_wanted(const heed_config *config, const heed_key *key)
{
    const void *field = (const char *)config + key->offset;
    bool rotary = config->position == HEED_POSITION_ROTARY, scaled = config->rope.kind == HEED_ROPE_LINEAR || config->rope.kind == HEED_ROPE_YARN;
    if (!strncmp(key->name, "rope.scaling.", 13)) return rotary && scaled;
    if (!strncmp(key->name, "rope.", 5)) return rotary;
    if (key->offset == offsetof(heed_config, norm_eps)) return (strstr(key->name, "_rms_") != NULL) == (config->norm == HEED_NORM_RMS);
    if (key->type == HEED_KEY_NUMBER) return *(const double *)field != 0;
    return key->type != HEED_KEY_COUNT || *(const int64_t *)field != 0 || key->offset == offsetof(heed_config, decoder.layers);
}

/* general.file_type: what most matrices are, by the numbers that llama.cpp gives. */
static uint32_t file_type(heed_dtype dtype)
{
    static const struct { heed_dtype dtype; uint8_t number; } types[] = {{HEED_F16, 1}, {HEED_Q4_0, 2}, {HEED_Q4_1, 3}, {HEED_Q8_0, 7}, {HEED_Q5_0, 8},
        {HEED_Q5_1, 9}, {HEED_Q2_K, 10}, {HEED_Q3_K, 12}, {HEED_Q4_K, 15}, {HEED_Q5_K, 17}, {HEED_Q6_K, 18}, {HEED_IQ4_NL, 25}, {HEED_BF16, 32}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].number;
    return 0;
}

/* Divisors of the plain frequencies, where GGUF has no other word for the stretching. */
static heed_status make_factors(const heed_config *config, float factors[HEED_ROPE_FACTORS], int64_t *pairs, heed_error *error)
{
    const heed_rope *rope = &config->rope;
    heed_rope plain = *rope;
    float stretched[HEED_ROPE_FACTORS];
    int64_t width = config->decoder.head_width, count = heed_rope_channels(rope, width) / 2;
    bool constant = rope->kind == HEED_ROPE_LONGROPE && rope->attention_factor == 1 && rope->short_factors == rope->long_factors &&
                    !memcmp(rope->short_factor, rope->long_factor, sizeof rope->short_factor);
    if (rope->kind == HEED_ROPE_DYNAMIC || (rope->kind == HEED_ROPE_LONGROPE && !constant) || (rope->kind == HEED_ROPE_LLAMA3 && count > HEED_ROPE_FACTORS))
        return heed_fail(error, HEED_E_UNSUPPORTED, "rotary positions of kind %s cannot be written into a GGUF file", heed_rope_name(rope->kind));
    if (rope->kind != HEED_ROPE_LLAMA3 && rope->kind != HEED_ROPE_LONGROPE) return HEED_OK;
    *pairs = count;
    plain.kind = HEED_ROPE_DEFAULT;
    heed_rope_frequencies(&plain, width, 1, factors);
    heed_rope_frequencies(rope, width, 1, stretched);
    for (int64_t i = 0; i < count; i++) factors[i] = rope->kind == HEED_ROPE_LONGROPE ? rope->short_factor[i] : factors[i] / stretched[i];
    return HEED_OK;
}

heed_status heed_config_put_gguf(const heed_config *config, heed_dtype dtype, heed_gguf_entries *entries, float factors[HEED_ROPE_FACTORS],
                                 int64_t *pairs, heed_error *error)
{
    const char *architecture = config->family->gguf->architecture;
    char name[160];
    *pairs = 0;
    if (config->head != HEED_HEAD_CAUSAL_LM)
        return heed_fail(error, HEED_E_UNSUPPORTED, "only language models can be written into a GGUF file");
    if (config->position == HEED_POSITION_ROTARY) HEED_TRY(make_factors(config, factors, pairs, error));
    heed_gguf_put_string(entries, "general.architecture", architecture, strlen(architecture));
    heed_gguf_put_u32(entries, "general.file_type", file_type(dtype == HEED_DTYPE_COUNT ? (heed_dtype)config->dtype : dtype));
    heed_gguf_put_u32(entries, "general.quantization_version", 2);
    for (const heed_key *key = config->family->gguf->keys; key->name; key++) {
        snprintf(name, sizeof name, "%s.%s", architecture, key->name);
        if (key_wanted(config, key)) put_key(config, name, key, entries);
    }
    snprintf(name, sizeof name, "%s.attention.value_length", architecture);
    heed_gguf_put_u32(entries, name, (uint32_t)config->decoder.head_width);
    snprintf(name, sizeof name, "%s.vocab_size", architecture);
    heed_gguf_put_u32(entries, name, (uint32_t)config->vocabulary);
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    snprintf(name, sizeof name, "%s.rope.dimension_count", architecture);
    heed_gguf_put_u32(entries, name, (uint32_t)heed_rope_channels(&config->rope, config->decoder.head_width));
    return HEED_OK;
}
