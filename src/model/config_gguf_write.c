/* Writes a configuration as the metadata of a GGUF file, and finds what such a file cannot
   express. */
#include "model/head/head.h"
#include "io/gguf.h"
#include "tensor/dtype.h"

#include <string.h>

static void put_key(const heed_config *config, const char *key, const heed_key *how,
                    heed_gguf_entries *entries)
{
    const int64_t integer = how->field.real ? 0 : heed_config_integer(config, how->field);
    switch ((heed_key_type)how->type) {
    case HEED_KEY_NUMBER:
    case HEED_KEY_AMOUNT:
    case HEED_KEY_RATE:
        heed_gguf_put_f32(entries, key, (float)heed_config_real(config, how->field));
        break;
    case HEED_KEY_FLAG: heed_gguf_put_boolean(entries, key, integer != 0); break;
    case HEED_KEY_KIND:
        heed_gguf_put_string(entries, key, how->names[integer], strlen(how->names[integer]));
        break;
    case HEED_KEY_SIZE:
    case HEED_KEY_COUNT:
    case HEED_KEY_ID: heed_gguf_put_u32(entries, key, (uint32_t)integer); break;
    case HEED_KEY_CHOICE: heed_gguf_put_boolean(entries, key, integer == how->yes); break;
    default: break;
    }
}

/* Is this longrope with different divisors for short and for long texts? */
static bool has_two_sets(const heed_rope *rope)
{
    bool constant = rope->attention_factor == 1 && rope->short_factors == rope->long_factors &&
                    !memcmp(rope->short_factor, rope->long_factor, sizeof rope->short_factor);
    return rope->kind == HEED_ROPE_LONGROPE && !constant;
}

/* Is the key written? Keys that a configuration does not use are left out. */
static bool key_wanted(const heed_config *config, const heed_key *key)
{
    const uint16_t offset = key->field.offset;
    bool rotary = config->position == HEED_POSITION_ROTARY;
    bool scaled = config->rope.kind == HEED_ROPE_LINEAR || config->rope.kind == HEED_ROPE_YARN;
    bool two_sets = has_two_sets(&config->rope);
    if (!heed_key_is_named(key)) return false;
    if (!strcmp(key->name, "rope.scaling.factor")) return rotary && scaled;
    if (!strcmp(key->name, "rope.scaling.attn_factor")) return rotary && two_sets;
    if (!strncmp(key->name, "rope.scaling.", 13)) return rotary && (scaled || two_sets);
    if (!strncmp(key->name, "rope.", 5)) return rotary;
    if (offset == offsetof(heed_config, norm_eps))
        return (strstr(key->name, "_rms_") != NULL) == (config->norm == HEED_NORM_RMS);
    if (key->type == HEED_KEY_NUMBER || key->type == HEED_KEY_AMOUNT)
        return heed_config_real(config, key->field) != 0;
    return key->type != HEED_KEY_COUNT || heed_config_integer(config, key->field) != 0 ||
           offset == offsetof(heed_config, decoder.layers);
}

/* Returns general.file_type, llama.cpp's number for the type of most matrices. */
static uint32_t file_type(heed_dtype dtype)
{
    static const struct {
        heed_dtype dtype;
        uint8_t number;
    } types[] = {
        {HEED_F16, 1},   {HEED_Q4_0, 2},    {HEED_Q4_1, 3},  {HEED_Q8_0, 7},  {HEED_Q5_0, 8},
        {HEED_Q5_1, 9},  {HEED_Q2_K, 10},   {HEED_Q3_K, 12}, {HEED_Q4_K, 15}, {HEED_Q5_K, 17},
        {HEED_Q6_K, 18}, {HEED_IQ4_NL, 25}, {HEED_BF16, 32},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype) return types[i].number;
    return 0;
}

/* Computes divisors of the plain frequencies if GGUF has no key for the kind of stretching. */
static heed_status make_factors(const heed_config *config, heed_gguf_factors *factors,
                                heed_error *error)
{
    const heed_rope *rope = &config->rope;
    heed_rope plain = *rope;
    float stretched[HEED_ROPE_FACTORS];
    int64_t width = config->decoder.head_width, count = heed_rope_channels(rope, width) / 2;
    if (rope->kind == HEED_ROPE_DYNAMIC ||
        (rope->kind == HEED_ROPE_LLAMA3 && count > HEED_ROPE_FACTORS))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "rotary positions of kind %s cannot be written into a GGUF file",
                         heed_rope_name(rope->kind));
    if (rope->kind != HEED_ROPE_LLAMA3 && rope->kind != HEED_ROPE_LONGROPE) return HEED_OK;
    factors->pairs = count;
    factors->sets = has_two_sets(rope) ? 2 : 1;
    factors->names[0] = factors->sets == 2 ? "rope_factors_short.weight" : "rope_freqs.weight";
    factors->names[1] = "rope_factors_long.weight";
    memcpy(factors->values[0], rope->short_factor, sizeof rope->short_factor);
    memcpy(factors->values[1], rope->long_factor, sizeof rope->long_factor);
    if (rope->kind == HEED_ROPE_LONGROPE) return HEED_OK;
    plain.kind = HEED_ROPE_DEFAULT;
    heed_rope_frequencies(&plain, width, 1, factors->values[0]);
    heed_rope_frequencies(rope, width, 1, stretched);
    for (int64_t i = 0; i < count; i++) factors->values[0][i] /= stretched[i];
    return HEED_OK;
}

/* ---- what files cannot say ---- */

/* Returns the step that gives exactly these layers the window, or -1 if none does. */
static int64_t window_step(const heed_config *config)
{
    heed_config stepped = *config;
    for (int64_t step = 0; step <= config->decoder.layers; step++) {
        int64_t layer = 0;
        heed_config_window_step(&stepped, step);
        while (layer < config->decoder.layers &&
               heed_config_windowed(&stepped, layer) == heed_config_windowed(config, layer))
            layer++;
        if (layer == config->decoder.layers) return step;
    }
    return -1;
}

/* Computes the configuration that a reader of the file will get: from the architecture, the keys
   and the tensors. */
static heed_status read_back(const heed_config *config, heed_config *as, heed_error *error)
{
    const heed_gguf_names *names = config->family->gguf;
    heed_config_begin_gguf(as, config->family);
    for (const heed_key *key = names->keys; key->name; key++) {
        if (key->type == HEED_KEY_SETS) heed_config_set_integer(as, key->field, key->yes);
        if (key_wanted(config, key)) heed_config_copy_field(as, config, key->field);
    }
    as->vocabulary = config->vocabulary;
    as->rope.fraction = config->rope.fraction;
    if (config->rope.kind == HEED_ROPE_LONGROPE) { /* stored in tensors */
        bool interleaved = as->rope.interleaved;
        as->rope = config->rope;
        as->rope.interleaved = interleaved;
    }
    if (names->derive) names->derive(as);
    HEED_TRY(heed_config_complete(as, "GGUF", error));
    if (names->qk_norm && config->qk_norm == HEED_QK_NORM_NONE) as->qk_norm = HEED_QK_NORM_NONE;
    if (heed_gguf_has_two_norms(names) && config->residual == HEED_RESIDUAL_PARALLEL_TWO_NORMS)
        as->residual = config->residual;
    return HEED_OK;
}

/* Compares settings of rotary positions that the keys express only in part. */
static bool rotates_alike(const heed_config *a, const heed_config *b)
{
    float one[HEED_ROPE_FACTORS], other[HEED_ROPE_FACTORS];
    int64_t width = a->decoder.head_width, pairs = heed_rope_channels(&a->rope, width) / 2;
    if (a->position != HEED_POSITION_ROTARY || a->rope.kind != HEED_ROPE_YARN) return true;
    if (pairs > HEED_ROPE_FACTORS ||
        heed_rope_table_factor(&a->rope) != heed_rope_table_factor(&b->rope))
        return false;
    heed_rope_frequencies(&a->rope, width, 1, one);
    heed_rope_frequencies(&b->rope, width, 1, other);
    return !memcmp(one, other, (size_t)pairs * sizeof *one);
}

/* Refuses to write a file that would be read as another model. */
static heed_status check_said(const heed_config *config, int64_t step, heed_error *error)
{
    heed_config as;
    bool dense = false;
    HEED_TRY(read_back(config, &as, error));
    const char *other = heed_config_difference(config, &as, HEED_FIELD_PROPERTY);
    for (int64_t i = 0; i < config->decoder.layers; i++)
        dense = dense || (config->experts > 0 && config->dense[i / 8] >> (i % 8) & 1);
    if (!other && config->position == HEED_POSITION_ROTARY &&
        heed_rope_asked(&config->rope, config->decoder.head_width) % 2)
        other = "odd number of rotary channels";
    if (!other && !rotates_alike(config, &as)) other = "settings of YaRN";
    if (!other && dense) other = "layers without experts";
    if (!other && config->window > 0 &&
        (step < 0 || (step > 0 && config->family->gguf->window_step == 0)))
        other = "layers without a window";
    if (!other) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "GGUF files of architecture %s cannot say this model's %s",
                     config->family->gguf->architecture, other);
}

heed_status heed_config_put_gguf(const heed_config *config, heed_dtype dtype,
                                 heed_gguf_entries *entries, heed_gguf_factors *factors,
                                 heed_error *error)
{
    const heed_gguf_names *names = config->family->gguf;
    const char *architecture = names->architecture;
    char name[160];
    int64_t step = window_step(config);
    heed_config said = *config;
    factors->sets = 0;
    /* no reader computes this factor */
    said.rope.attention_factor = heed_rope_table_factor(&config->rope);
    if (!heed_head_any(config, HEED_TRAIT_GENERATES))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "only language models can be written into a GGUF file");
    HEED_TRY(check_said(config, step, error));
    if (config->position == HEED_POSITION_ROTARY) HEED_TRY(make_factors(config, factors, error));
    heed_gguf_put_string(entries, "general.architecture", architecture, strlen(architecture));
    heed_gguf_put_u32(entries, "general.file_type",
                      file_type(dtype == HEED_DTYPE_COUNT ? (heed_dtype)config->dtype : dtype));
    heed_gguf_put_u32(entries, "general.quantization_version", 2);
    for (const heed_key *key = names->keys; key->name; key++) {
        snprintf(name, sizeof name, "%s.%s", architecture, key->name);
        if (key_wanted(config, key)) put_key(&said, name, key, entries);
    }
    snprintf(name, sizeof name, "%s.attention.value_length", architecture);
    heed_gguf_put_u32(entries, name, (uint32_t)config->decoder.head_width);
    snprintf(name, sizeof name, "%s.vocab_size", architecture);
    heed_gguf_put_u32(entries, name, (uint32_t)config->vocabulary);
    snprintf(name, sizeof name, "%s.attention.sliding_window_pattern", architecture);
    if (config->window > 0 && names->window_step > 0)
        heed_gguf_put_u32(entries, name, (uint32_t)step);
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    snprintf(name, sizeof name, "%s.rope.dimension_count", architecture);
    heed_gguf_put_u32(entries, name,
                      (uint32_t)heed_rope_channels(&config->rope, config->decoder.head_width));
    return HEED_OK;
}
