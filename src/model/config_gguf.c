/* Reads a configuration from the metadata of a GGUF file. What config.json says by keys follows
   here from which tensors exist: biases, and whether the output matrix is tied. */
#include "model/family/decoder_internal.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/gguf.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- entries as JSON, for the tables of keys ---- */

/* Converts an element. A value that JSON cannot express becomes one that the key cannot have; if it
   were left out, the key would get its default. */
static json_t *element_value(const heed_gguf_entry *entry, size_t index)
{
    if (entry->type == HEED_GGUF_STRING) {
        size_t length;
        const char *text = heed_gguf_string_at(entry, index, &length);
        if (!heed_utf8_valid(text, length)) return json_string("bytes that are not valid UTF-8");
        return json_stringn(text, length);
    }
    double number = heed_gguf_number_at(entry, index);
    if (entry->type == HEED_GGUF_BOOL) return json_boolean(number != 0);
    if (heed_gguf_type_is_integer(entry->type) && number < 0x1p63)
        return json_integer(heed_gguf_integer_at(entry, index));
    if (isnan(number)) return json_string("NaN");
    return isfinite(number) ? json_real(number) : json_string("infinity");
}

static bool all_alike(const heed_gguf_entry *entry)
{
    if (entry->type == HEED_GGUF_STRING || entry->count == 0) return false;
    for (size_t i = 1; i < entry->count; i++)
        if (heed_gguf_number_at(entry, i) != heed_gguf_number_at(entry, 0)) return false;
    return true;
}

/* Returns the entries under "architecture." as an object, without that beginning. An array with
   equal elements, one per layer, becomes that element. */
static json_t *entries_of(const heed_gguf *file, const char *architecture)
{
    size_t length = strlen(architecture);
    json_t *object = json_object();
    for (size_t i = 0; object && i < heed_gguf_entry_count(file); i++) {
        const heed_gguf_entry *entry = heed_gguf_entry_at(file, i);
        if (strncmp(entry->key, architecture, length) != 0 || entry->key[length] != '.' ||
            (entry->is_array && !all_alike(entry)))
            continue;
        const char *key = entry->key + length + 1;
        if (!heed_utf8_valid(key, strlen(key))) continue; /* no key of ours */
        if (json_object_set_new(object, key, element_value(entry, 0)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static const heed_gguf_entry *entry_of(const heed_gguf *file, const heed_config *config,
                                       const char *key)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", config->family->gguf->architecture, key);
    return heed_gguf_entry_find(file, name);
}

/* Checks that the entries which every file needs exist, and that entries which may differ by layer
   do not. */
static heed_status check_entries(const heed_config *config, const heed_gguf *file,
                                 heed_error *error)
{
    static const char *const needed[] = {"context_length", "embedding_length", "block_count",
                                         "attention.head_count"};
    const char *architecture = config->family->gguf->architecture;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!entry_of(file, config, needed[i]))
            return heed_fail(error, HEED_E_FORMAT, "%s: %s.%s is missing", heed_gguf_where(file),
                             architecture, needed[i]);
    if (!entry_of(file, config, "attention.layer_norm_epsilon") &&
        !entry_of(file, config, "attention.layer_norm_rms_epsilon"))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s.attention.layer_norm_epsilon and layer_norm_rms_epsilon are "
                         "missing; expected one of them",
                         heed_gguf_where(file), architecture);
    for (const heed_key *key = config->family->gguf->keys; key->name; key++) {
        const heed_gguf_entry *entry = entry_of(file, config, key->name);
        if (!entry || !entry->is_array) continue;
        if (!all_alike(entry) || key->field.offset == offsetof(heed_config, decoder.layers))
            return heed_fail(
                error, HEED_E_UNSUPPORTED,
                "%s: %s: expected one value, or an array with the same number for each layer",
                heed_gguf_where(file), entry->key);
        if ((int64_t)entry->count != config->decoder.layers)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: %s has %zu elements; expected one for each of %lld layers",
                             heed_gguf_where(file), entry->key, entry->count,
                             (long long)config->decoder.layers);
    }
    return HEED_OK;
}

/* ---- what follows from tensors ---- */

bool heed_gguf_has_two_norms(const heed_gguf_names *names)
{
    const heed_weight_name *entry = names->weights;
    while (entry->name && !(entry->flags & HEED_NAME_TWO_NORMS)) entry++;
    return entry->name != NULL;
}

static void read_presence(heed_config *config, const heed_gguf *file)
{
    const heed_gguf_names *names = config->family->gguf;
    if (names->qk_norm && !heed_gguf_find(file, "blk.0.attn_q_norm.weight"))
        config->qk_norm = HEED_QK_NORM_NONE;
    if (heed_gguf_has_two_norms(names) && heed_gguf_find(file, "blk.0.attn_norm_2.weight"))
        config->residual = HEED_RESIDUAL_PARALLEL_TWO_NORMS;
    config->tied = !heed_gguf_find(file, "output.weight");
    config->query_bias = heed_gguf_find(file, "blk.0.attn_q.bias") ||
                         heed_gguf_find(file, "blk.0.attn_qkv.bias");
    config->output_bias = heed_gguf_find(file, "blk.0.attn_output.bias") != NULL;
    config->ffn_bias = heed_gguf_find(file, "blk.0.ffn_up.bias") != NULL;
    config->lm_bias = heed_gguf_find(file, "output.bias") != NULL;
}

/* Returns the type of most elements of the file. */
static heed_dtype common_dtype(const heed_gguf *file)
{
    double bytes[HEED_DTYPE_COUNT] = {0};
    heed_dtype most = HEED_F32;
    for (size_t i = 0; i < heed_gguf_count(file); i++)
        bytes[heed_gguf_at(file, i)->dtype] += (double)heed_gguf_at(file, i)->bytes;
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        if (bytes[i] / heed_dtype_width((heed_dtype)i) > bytes[most] / heed_dtype_width(most))
            most = (heed_dtype)i;
    return most;
}

static heed_status read_vocabulary(heed_config *config, const heed_gguf *file, heed_error *error)
{
    const heed_stored_tensor *embedding = heed_gguf_find(file, "token_embd.weight");
    if (!embedding || embedding->rank != 2)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: tensor \"token_embd.weight\" is missing or no matrix; expected a model",
            heed_gguf_where(file));
    config->vocabulary = embedding->shape[0];
    struct {
        const char *key;
        int64_t *id;
    } ids[] = {
        {"tokenizer.ggml.bos_token_id", &config->bos_id},
        {"tokenizer.ggml.eos_token_id", &config->eos_id},
        {"tokenizer.ggml.padding_token_id", &config->pad_id},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        *ids[i].id = -1;
        HEED_TRY(heed_gguf_integer(file, ids[i].key, ids[i].id, error));
        /* a number beyond the vocabulary means that there is none */
        if (*ids[i].id < 0 || *ids[i].id >= config->vocabulary) *ids[i].id = -1;
    }
    return heed_config_read_gguf_ends(config, file, error);
}

/* Reads the divisors of the rotary frequencies, one per pair of channels, from a tensor that may be
   absent. */
static heed_status read_divisors(const heed_gguf *file, const char *name, float *factors,
                                 int64_t *count, heed_error *error)
{
    const heed_stored_tensor *tensor = heed_gguf_find(file, name);
    if (!tensor) return HEED_OK;
    if (tensor->rank != 1 || tensor->dtype != HEED_F32 || tensor->shape[0] < 1 ||
        tensor->shape[0] > HEED_ROPE_FACTORS)
        return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%s\": expected 1 to %d numbers of F32",
                         heed_gguf_where(file), name, HEED_ROPE_FACTORS);
    *count = tensor->shape[0];
    HEED_TRY(heed_stored_read(tensor, 0, factors, tensor->bytes, error));
    for (int64_t i = 0; i < *count; i++)
        if (!(isfinite(factors[i]) && factors[i] > 0))
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: tensor \"%s\" holds %g at element %lld; expected positive numbers",
                heed_gguf_where(file), name, (double)factors[i], (long long)i);
    return HEED_OK;
}

/* A single set of divisors is read as longrope with the same factors at every length. */
static heed_status read_factors(heed_config *config, const heed_gguf *file, heed_error *error)
{
    heed_rope *rope = &config->rope;
    int64_t constant = 0;
    HEED_TRY(read_divisors(file, "rope_factors_short.weight", rope->short_factor,
                           &rope->short_factors, error));
    HEED_TRY(read_divisors(file, "rope_factors_long.weight", rope->long_factor, &rope->long_factors,
                           error));
    HEED_TRY(read_divisors(file, "rope_freqs.weight", rope->short_factor, &constant, error));
    if (constant) {
        rope->short_factors = rope->long_factors = constant;
        memcpy(rope->long_factor, rope->short_factor, sizeof rope->long_factor);
        rope->original_context = config->context;
    }
    if (rope->short_factors == 0 && rope->long_factors == 0) return HEED_OK;
    rope->kind = HEED_ROPE_LONGROPE;
    if (rope->original_context < 1) rope->original_context = config->context;
    rope->factor = 1;
    if (rope->original_context > 0)
        rope->factor = (double)config->context / (double)rope->original_context;
    if (rope->attention_factor == 0) rope->attention_factor = 1;
    return HEED_OK;
}

static heed_status read_rotary(heed_config *config, const heed_gguf *file, const json_t *entries,
                               heed_error *error)
{
    int64_t channels = 0;
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    HEED_TRY(heed_json_integer(entries, "rope.dimension_count", &channels, heed_gguf_where(file),
                               error));
    int64_t width = config->decoder.head_width;
    if (width == 0 && config->decoder.heads > 0) width = config->d_model / config->decoder.heads;
    if (channels < 0 || channels > width || channels % 2)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: rope.dimension_count is %lld; expected an even number from 0 to "
                         "%lld, the width of a head",
                         heed_gguf_where(file), (long long)channels, (long long)width);
    if (channels > 0)
        config->rope.fraction = config->rope_local.fraction = heed_rope_share(channels, width);
    /* The file gives a factor on top of the one that YaRN computes. */
    if (config->rope.kind == HEED_ROPE_YARN && config->rope.attention_factor > 0 &&
        config->rope.factor > 0)
        config->rope.attention_factor *= 0.1 * log(config->rope.factor) + 1;
    return read_factors(config, file, error);
}

/* ---- families and windows ---- */

/* Is this the first family with its architecture? */
static bool is_first(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (heed_family_at(i)->gguf && !strcmp(heed_family_at(i)->gguf->architecture,
                                               heed_family_at(index)->gguf->architecture))
            return false;
    return true;
}

static heed_status read_count(const heed_gguf *file, const char *architecture, const char *what,
                              int64_t *count, heed_error *error)
{
    char key[96];
    *count = 0;
    snprintf(key, sizeof key, "%s.%s", architecture, what);
    HEED_TRY(heed_gguf_integer(file, key, count, error));
    if (*count >= 0) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: %s is %lld; expected 0 or more",
                     heed_gguf_where(file), key, (long long)*count);
}

/* Rates how well a family suits a file of its architecture: both have experts or neither has, and
   the family can express a window if the file has one. */
static heed_status suitability(const heed_gguf *file, const heed_family *family, int *suits,
                               heed_error *error)
{
    int64_t experts, window;
    const heed_key *key = family->keys;
    HEED_TRY(read_count(file, family->gguf->architecture, "expert_count", &experts, error));
    HEED_TRY(
        read_count(file, family->gguf->architecture, "attention.sliding_window", &window, error));
    while (key->name && key->field.offset != offsetof(heed_config, window)) key++;
    *suits = 1 + 2 * ((family->preset->experts > 0) == (experts > 0)) + (window == 0 || key->name);
    return HEED_OK;
}

static heed_status fail_unknown(const char *where, const char *architecture, size_t length,
                                heed_error *error)
{
    int shown = (int)(length < 80 ? length : 80);
    heed_buffer known = {0};
    for (size_t i = 0; i < heed_family_count(); i++)
        if (heed_family_at(i)->gguf && is_first(i))
            heed_buffer_printf(&known, "%s%s", known.length ? ", " : "",
                               heed_family_at(i)->gguf->architecture);
    heed_status status = heed_fail(error, HEED_E_UNSUPPORTED,
                                   "%s: general.architecture is \"%.*s\"; known are %s", where,
                                   shown, architecture, known.data ? known.data : "others");
    heed_buffer_free(&known);
    return status;
}

/* Finds the family that suits the file best among those with the same architecture. */
static heed_status find_family(const heed_gguf *file, const heed_family **family, heed_error *error)
{
    const char *name = NULL;
    int best = 0, suits = 0;
    size_t length = 0;
    *family = NULL;
    HEED_TRY(heed_gguf_text(file, "general.architecture", &name, &length, error));
    if (!name)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: general.architecture is missing; it names the family, for example \"llama\"",
            heed_gguf_where(file));
    for (size_t i = 0; i < heed_family_count(); i++) {
        const heed_gguf_names *names = heed_family_at(i)->gguf;
        if (!names || strlen(names->architecture) != length ||
            memcmp(names->architecture, name, length) != 0)
            continue;
        HEED_TRY(suitability(file, heed_family_at(i), &suits, error));
        if (suits <= best) continue;
        *family = heed_family_at(i);
        best = suits;
    }
    return *family ? HEED_OK : fail_unknown(heed_gguf_where(file), name, length, error);
}

void heed_config_begin_gguf(heed_config *config, const heed_family *family)
{
    *config = *family->preset;
    config->family = family;
    heed_config_set_class(config, family->architectures);
    config->labels = 2;
    config->norm_offset = 0;
    /* If one of these is absent from the file, it follows from others or does not exist. */
    config->window = config->decoder.kv_heads = config->decoder.head_width = 0;
    if (family->gguf->qk_norm) config->qk_norm = family->gguf->qk_norm;
    config->rope.kind = HEED_ROPE_DEFAULT;
    config->rope.base = 10000;
}

/* Reads which layers have the window: by a step, or from a list of flags. */
static heed_status read_windows(heed_config *config, const heed_gguf *file, heed_error *error)
{
    int64_t step = config->family->gguf->window_step;
    const heed_gguf_entry *entry = entry_of(file, config, "attention.sliding_window_pattern");
    bool listed = entry && entry->is_array;
    bool flags = listed &&
                 (entry->type == HEED_GGUF_BOOL || heed_gguf_type_is_integer(entry->type));
    if (listed && (!flags || (int64_t)entry->count != config->decoder.layers))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s has %zu elements; expected a flag for each of %lld layers",
                         heed_gguf_where(file), entry->key, entry->count,
                         (long long)config->decoder.layers);
    if (entry && !listed) HEED_TRY(heed_gguf_integer(file, entry->key, &step, error));
    if (step < 0)
        return heed_fail(error, HEED_E_FORMAT, "%s: %s is %lld; expected a number of layers",
                         heed_gguf_where(file), entry->key, (long long)step);
    heed_config_window_step(config, step);
    if (listed) memset(config->windowed, 0, sizeof config->windowed);
    for (size_t i = 0; listed && i < entry->count && i < HEED_MAX_LAYERS; i++)
        if (config->window > 0 && heed_gguf_number_at(entry, i) != 0)
            heed_config_window_layer(config, (int64_t)i);
    return HEED_OK;
}

heed_status heed_config_read_gguf(heed_config *config, const heed_gguf *file, heed_error *error)
{
    const heed_family *family = NULL;
    *config = (heed_config){0};
    HEED_TRY(find_family(file, &family, error));
    heed_config_begin_gguf(config, family);
    json_t *entries = entries_of(file, family->gguf->architecture);
    heed_status status = entries ? HEED_OK : heed_fail_memory(error, 4096, "the metadata");
    if (status == HEED_OK)
        status = heed_config_read_keys(config, family->gguf->keys, entries, heed_gguf_where(file),
                                       error);
    if (status == HEED_OK) status = check_entries(config, file, error);
    if (status == HEED_OK) status = read_vocabulary(config, file, error);
    if (status == HEED_OK) status = read_rotary(config, file, entries, error);
    json_decref(entries);
    if (status != HEED_OK) return status;
    config->dtype = common_dtype(file);
    if (family->gguf->derive) family->gguf->derive(config);
    HEED_TRY(heed_config_complete(config, heed_gguf_where(file), error));
    read_presence(config, file); /* after the family's derive, like the windows */
    return read_windows(config, file, error);
}
