/* Reading, completing, checking and writing configurations by the tables of their families. */
#include "model/family.h"
#include "base/file.h"
#include "base/foreign.h"
#include "io/gguf.h"
#include "io/weights.h"
#include "tensor/dtype.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *field_of(heed_config *config, const heed_key *key)
{
    return (char *)config + key->offset;
}

/* ---- one key ---- */

static heed_status read_integer(const heed_key *key, const json_t *json, int64_t *field,
                                const char *where, heed_error *error)
{
    int64_t least = key->type == HEED_KEY_SIZE;
    HEED_TRY(heed_json_integer(json, key->name, field, where, error));
    if (*field < least || *field > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s is %lld; expected an integer from %lld to %d", where, key->name,
                         (long long)*field, (long long)least, INT32_MAX);
    return HEED_OK;
}

static heed_status read_id(const heed_key *key, const json_t *json, int64_t *field,
                           const char *where, heed_error *error)
{
    const json_t *member = json_object_get(json, key->name);
    if (json_is_array(member)) member = json_array_get(member, 0);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_integer(member) || json_integer_value(member) < -1 ||
        json_integer_value(member) > INT32_MAX) {
        heed_buffer found = {0};
        heed_json_put_found(&found, member);
        heed_fail(error, HEED_E_FORMAT,
                  "%s: %s is %.60s: expected a token id, a list of ids or null", where, key->name,
                  found.data ? found.data : "");
        heed_buffer_free(&found);
        return HEED_E_FORMAT;
    }
    *field = json_integer_value(member);
    return HEED_OK;
}

static heed_status read_number(const heed_key *key, const json_t *json, double *field,
                               const char *where, heed_error *error)
{
    HEED_TRY(heed_json_number(json, key->name, field, where, error));
    bool rate = key->type == HEED_KEY_RATE, amount = key->type == HEED_KEY_AMOUNT;
    if (!isfinite(*field) || ((rate || amount) && *field < 0) || (rate && *field >= 1))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s is %g; expected %s", where, key->name,
                         *field,
                         rate     ? "a rate from 0 to below 1"
                         : amount ? "a number of at least 0, or null"
                                  : "a finite number");
    return HEED_OK;
}

static heed_status read_name(const heed_key *key, const json_t *json, int64_t *field,
                             const char *where, heed_error *error)
{
    const char *name = NULL;
    HEED_TRY(heed_json_string(json, key->name, &name, where, error));
    if (!name) return HEED_OK;
    if (key->type == HEED_KEY_ACTIVATION) {
        if (heed_activation_by_name(name, field)) return HEED_OK;
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: %s is \"%s\"; expected an activation without parameters such as "
                         "gelu, gelu_new, silu, relu",
                         where, key->name, name);
    }
    for (int64_t i = 0; key->names[i]; i++)
        if (*name && strcmp(key->names[i], name) == 0) { /* no spelling: not in this kind of file */
            *field = i;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_UNSUPPORTED, "%s: %s is \"%s\"; expected one of %s, %s%s ...",
                     where, key->name, name, key->names[0], key->names[1],
                     key->names[1] && key->names[2] ? ", " : "");
}

static heed_status read_choice(const heed_key *key, const json_t *json, int64_t *field,
                               const char *where, heed_error *error)
{
    bool yes = *field == key->yes;
    HEED_TRY(heed_json_boolean(json, key->name, &yes, where, error));
    *field = yes ? key->yes : key->no;
    return HEED_OK;
}

static heed_status read_key(heed_config *config, const heed_key *key, const json_t *json,
                            const char *where, heed_error *error)
{
    const json_t *member = json_object_get(json, key->name);
    if (!member) return HEED_OK;
    void *field = field_of(config, key);
    if (json_is_null(member)) { /* null means "none" where there is a none, else the default */
        if (key->type == HEED_KEY_COUNT) *(int64_t *)field = 0;
        if (key->type == HEED_KEY_ID) *(int64_t *)field = -1;
        if (key->type == HEED_KEY_AMOUNT) *(double *)field = 0;
        return HEED_OK;
    }
    switch ((heed_key_type)key->type) {
    case HEED_KEY_SIZE:
    case HEED_KEY_COUNT: return read_integer(key, json, field, where, error);
    case HEED_KEY_ID: return read_id(key, json, field, where, error);
    case HEED_KEY_NUMBER:
    case HEED_KEY_AMOUNT:
    case HEED_KEY_RATE: return read_number(key, json, field, where, error);
    case HEED_KEY_FLAG: return heed_json_boolean(json, key->name, field, where, error);
    case HEED_KEY_ACTIVATION:
    case HEED_KEY_KIND: return read_name(key, json, field, where, error);
    case HEED_KEY_CHOICE: return read_choice(key, json, field, where, error);
    }
    return HEED_OK;
}

heed_status heed_config_read_keys(heed_config *config, const heed_key *keys, const json_t *json,
                                  const char *where, heed_error *error)
{
    for (; keys->name; keys++) HEED_TRY(read_key(config, keys, json, where, error));
    return HEED_OK;
}

/* ---- what all families have: architectures, labels, dtype ---- */

static heed_status read_head(heed_config *config, const json_t *json, const char *where,
                             heed_error *error)
{
    const heed_architecture *known = config->family->architectures;
    const json_t *list = json_object_get(json, "architectures");
    const char *name = json_string_value(json_array_get(list, 0));
    config->head = known->head;
    if (!list || json_is_null(list) || (json_is_array(list) && json_array_size(list) == 0))
        return HEED_OK;
    if (!name)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: architectures: expected a list with one class name", where);
    for (; known->name; known++)
        if (strcmp(known->name, name) == 0) {
            config->head = known->head;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: architectures is \"%s\"; of family %s, \"%s\" and its like are supported",
                     where, name, config->family->name, config->family->architectures->name);
}

static heed_status read_labels(heed_config *config, const json_t *json, const char *where,
                               heed_error *error)
{
    static const char *const problems[] = {"", "regression", "single_label_classification",
                                           "multi_label_classification"};
    const char *problem = NULL;
    const json_t *names = json_object_get(json, "id2label");
    HEED_TRY(heed_json_integer(json, "num_labels", &config->labels, where, error));
    if (json_is_object(names) && json_object_size(names) > 0)
        config->labels = (int64_t)json_object_size(names);
    if (config->labels < 1 || config->labels > 1 << 20)
        return heed_fail(error, HEED_E_FORMAT, "%s: num_labels is %lld; expected 1 to %d", where,
                         (long long)config->labels, 1 << 20);
    HEED_TRY(heed_json_string(json, "problem_type", &problem, where, error));
    for (int64_t i = HEED_PROBLEM_REGRESSION; problem && i <= HEED_PROBLEM_MULTI; i++)
        if (strcmp(problem, problems[i]) == 0) config->problem = i;
    if (problem && config->problem == HEED_PROBLEM_UNKNOWN)
        return heed_fail(error, HEED_E_FORMAT, "%s: problem_type is \"%s\"; expected %s, %s or %s",
                         where, problem, problems[1], problems[2], problems[3]);
    return HEED_OK;
}

static heed_status read_common(heed_config *config, const json_t *json, const char *where,
                               heed_error *error)
{
    const char *dtype = NULL, *method = "no quant_method";
    const json_t *quantized = json_object_get(json, "quantization_config");
    heed_dtype kind = HEED_F32;
    config->labels = 2;
    if (json_is_object(quantized))
        HEED_TRY(heed_json_string(quantized, "quant_method", &method, where, error));
    if (quantized && !json_is_null(quantized))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: quantization_config (%s): quantized safetensors are not read; "
                         "expected f32, f16 or bf16 weights, or a GGUF file",
                         where, method);
    HEED_TRY(heed_config_read_keys(config, heed_common_keys, json, where, error));
    heed_config_read_ends(config, json);
    HEED_TRY(read_head(config, json, where, error));
    HEED_TRY(read_labels(config, json, where, error));
    HEED_TRY(heed_json_string(json, "torch_dtype", &dtype, where, error));
    HEED_TRY(heed_json_string(json, "dtype", &dtype, where, error));
    if (dtype && heed_dtype_by_name(dtype, &kind) && (kind == HEED_F16 || kind == HEED_BF16))
        config->dtype = kind;
    return HEED_OK;
}

heed_status heed_config_read(heed_config *config, const json_t *json, const char *where,
                             heed_error *error)
{
    const char *type = NULL;
    char known[400];
    *config = (heed_config){0};
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", where);
    HEED_TRY(heed_json_string(json, "model_type", &type, where, error));
    if (!type)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: model_type is missing; it names the family, for example \"llama\"",
                         where);
    const heed_family *family = heed_family_find(type);
    if (!family)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: model_type is \"%s\"; known are %s", where,
                         type, heed_family_list(known, sizeof known));
    *config = *family->preset;
    config->family = family;
    HEED_TRY(heed_config_read_keys(config, family->keys, json, where, error));
    HEED_TRY(read_common(config, json, where, error));
    if (family->fix) HEED_TRY(family->fix(config, json, where, error));
    return heed_config_complete(config, where, error);
}

static heed_status load_gguf(heed_config *config, const char *path, heed_error *error)
{
    heed_gguf *file = NULL;
    HEED_TRY(heed_gguf_open(&file, path, error));
    heed_status status = heed_config_read_gguf(config, file, error);
    heed_gguf_close(file);
    return status;
}

/* A folder without config.json that holds a GGUF file; HEED_OK if it holds none. */
static heed_status check_gguf_inside(const char *folder, heed_error *error)
{
    DIR *stream = opendir(folder);
    heed_status status = HEED_OK;
    for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));)
        if (heed_gguf_is_name(entry->d_name))
            status = heed_fail(
                error, HEED_E_IO,
                "%s: no config.json here; the model may be the file %s/%s: give its path", folder,
                folder, entry->d_name);
    if (stream) closedir(stream);
    return status;
}

/* Why a path is no model: what the file is instead, or what the folder lacks. */
static heed_status fail_without_config(const char *path, const char *folder, heed_error *error)
{
    static const char files[] = "config.json (and tokenizer.json, to read and write text)";
    if (heed_path_is_directory(path)) return check_gguf_inside(path, error);
    if (heed_weights_is_name(path) && heed_path_exists(path))
        return heed_fail(error, HEED_E_IO,
                         "%s: weights alone are no model: put %s into %s, beside them", path, files,
                         folder);
    if (heed_gguf_is_name(path)) return heed_foreign_fail(path, "a GGUF file", error);
    return heed_foreign_fail(path, "a model folder, a GGUF file or a .safetensors file", error);
}

/* Something that exists, or is named as a file with weights is. */
static bool is_model_name(const char *path)
{
    return heed_path_exists(path) || heed_gguf_is_name(path) || heed_weights_is_name(path);
}

heed_status heed_config_load(heed_config *config, const char *model, heed_error *error)
{
    *config = (heed_config){0};
    if (heed_gguf_is_file(model)) return load_gguf(config, model, error);
    char *folder = heed_weights_folder(model);
    char *path = folder ? heed_path_join(folder, "config.json") : NULL;
    json_t *json = NULL;
    heed_status status = HEED_OK;
    if (!path) status = heed_fail_memory(error, strlen(model) + 16, "a path");
    else if (is_model_name(model) && !heed_path_exists(path))
        status = fail_without_config(model, folder, error);
    if (status == HEED_OK) status = heed_json_read(&json, path, error);
    if (status == HEED_OK) status = heed_config_read(config, json, path, error);
    json_decref(json);
    free(path);
    free(folder);
    return status;
}

heed_status heed_config_preset(heed_config *config, const char *name, heed_error *error)
{
    const heed_family *family = heed_family_find(name);
    char known[400];
    *config = (heed_config){0};
    if (!family)
        return heed_fail(error, HEED_E_ARG, "no family is called \"%s\"; known are %s", name,
                         heed_family_list(known, sizeof known));
    *config = *family->preset;
    config->family = family;
    config->head = family->architectures->head;
    config->labels = 2;
    config->vocabulary = config->d_model = config->context = 0;
    config->encoder = config->decoder = (heed_stack){0};
    return HEED_OK;
}

/* ---- completing and checking ---- */

static void complete_stack(const heed_config *config, heed_stack *stack)
{
    if (stack->heads == 0) return;
    if (stack->kv_heads == 0) stack->kv_heads = stack->heads;
    if (stack->head_width == 0) stack->head_width = config->d_model / stack->heads;
    if (stack->d_ff == 0) {
        int64_t multiple = config->family->inner_multiple,
                inner = (int64_t)ceil(config->family->inner_factor * (double)config->d_model -
                                      1e-9);
        stack->d_ff = (inner + multiple - 1) / multiple * multiple;
    }
}

static heed_status check_range(const char *where, const char *what, int64_t value, int64_t least,
                               int64_t most, heed_error *error)
{
    if (value >= least && value <= most) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: %s is %lld; expected %lld to %lld", where, what,
                     (long long)value, (long long)least, (long long)most);
}

/* Does what is asked for turn channels that a head has, as the family turns them? */
static heed_status check_turned(const heed_config *config, const heed_rope *rope, int64_t width,
                                const char *where, heed_error *error)
{
    int64_t asked = heed_rope_asked(rope, width), turned = heed_rope_channels(rope, width);
    heed_rotary_part part = config->family->rotary_part;
    if (asked < 1)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: heads are %lld wide and partial_rotary_factor is %g: no channel "
                         "would be turned; expected one or more",
                         where, (long long)width, rope->fraction);
    if (turned > width)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: heads are %lld wide; rotary positions turn pairs of channels and "
                         "need an even width",
                         where, (long long)width);
    if (part == HEED_ROTARY_WHOLE && turned != width)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: rotary positions on %lld of %lld channels; family %s turns all of them", where,
            (long long)asked, (long long)width, config->family->name);
    if (asked % 2 && (part == HEED_ROTARY_PAIRS || rope->kind == HEED_ROPE_YARN))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: rotary positions on %lld of %lld channels; %s%s turns pairs and "
                         "expects an even number",
                         where, (long long)asked, (long long)width,
                         part == HEED_ROTARY_PAIRS ? "family " : "",
                         part == HEED_ROTARY_PAIRS ? config->family->name : "yarn");
    return HEED_OK;
}

static heed_status check_stack(const heed_config *config, const heed_stack *stack,
                               const char *where, heed_error *error)
{
    HEED_TRY(check_range(where, "the number of layers", stack->layers, 0, HEED_MAX_LAYERS, error));
    HEED_TRY(check_range(where, "the number of heads", stack->heads, 1, 1 << 14, error));
    HEED_TRY(
        check_range(where, "the number of key/value heads", stack->kv_heads, 1, 1 << 14, error));
    HEED_TRY(check_range(where, "the width of a head", stack->head_width, 1, 1 << 14, error));
    HEED_TRY(
        check_range(where, "the inner width of the feed-forward", stack->d_ff, 1, 1 << 24, error));
    if (stack->heads % stack->kv_heads)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %lld heads and %lld key/value heads; expected heads to be a multiple",
                         where, (long long)stack->heads, (long long)stack->kv_heads);
    HEED_TRY(check_range(where, "heads times head width", stack->heads * stack->head_width, 1,
                         1 << 24, error));
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    HEED_TRY(check_turned(config, &config->rope, stack->head_width, where, error));
    return config->rope_local.base > 0
               ? check_turned(config, &config->rope_local, stack->head_width, where, error)
               : HEED_OK;
}

/* Families whose heads share out the width have no key that says how wide a head is. */
static heed_status check_division(const heed_config *config, const heed_stack *stack,
                                  const char *where, heed_error *error)
{
    if (stack->heads > 0 && stack->head_width * stack->heads != config->d_model &&
        stack->head_width == config->d_model / stack->heads)
        return heed_fail(error, HEED_E_FORMAT, "%s: the width %lld does not divide by %lld heads",
                         where, (long long)config->d_model, (long long)stack->heads);
    return HEED_OK;
}

static heed_status check_rope(const heed_rope *rope, const char *where, heed_error *error)
{
    bool stretched = rope->kind != HEED_ROPE_DEFAULT;
    if (!(isfinite(rope->base) && rope->base > 1))
        return heed_fail(error, HEED_E_FORMAT, "%s: rope_theta is %g; expected a number above 1",
                         where, rope->base);
    if (!(rope->fraction > 0 && rope->fraction <= 1))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: partial_rotary_factor is %g; expected above 0, at most 1", where,
                         rope->fraction);
    if (stretched && !(isfinite(rope->factor) && rope->factor > 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the factor of %s rotary positions is %g; expected a positive number",
                         where, heed_rope_name(rope->kind), rope->factor);
    if (!isfinite(rope->attention_factor))
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: the attention factor of rotary positions is %g; expected a finite number", where,
            rope->attention_factor);
    if (rope->kind != HEED_ROPE_DEFAULT && rope->kind != HEED_ROPE_LINEAR &&
        rope->original_context < 1)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: original_max_position_embeddings is %lld; expected a positive number",
                         where, (long long)rope->original_context);
    if (rope->kind == HEED_ROPE_LLAMA3 &&
        !(rope->low_frequency_factor > 0 &&
          rope->high_frequency_factor > rope->low_frequency_factor))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: llama3 rotary positions: low_freq_factor %g and high_freq_factor %g; "
                         "expected 0 < low < high",
                         where, rope->low_frequency_factor, rope->high_frequency_factor);
    return HEED_OK;
}

/* Every stack has a short and a long factor for each of its pairs. */
static heed_status check_longrope(const heed_config *config, const char *where, heed_error *error)
{
    const heed_rope *rope = &config->rope;
    const heed_stack *const stacks[] = {&config->encoder, &config->decoder};
    if (rope->original_context < 2)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: original_max_position_embeddings is %lld; longrope expects at least 2", where,
            (long long)rope->original_context);
    for (int i = 0; i < 2; i++) {
        int64_t pairs = heed_rope_channels(rope, stacks[i]->head_width) / 2;
        if (stacks[i]->heads > 0 && (rope->short_factors != pairs || rope->long_factors != pairs))
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: short_factor and long_factor have %lld and %lld numbers; "
                             "expected %lld, one for each pair of channels",
                             where, (long long)rope->short_factors, (long long)rope->long_factors,
                             (long long)pairs);
    }
    return HEED_OK;
}

static heed_status check_sizes(const heed_config *config, const char *where, heed_error *error)
{
    HEED_TRY(check_range(where, "the width", config->d_model, 1, 1 << 20, error));
    HEED_TRY(check_range(where, "the width of the embedding", config->embedding_width, 0, 1 << 20,
                         error));
    HEED_TRY(check_range(where, "the number of positions", config->context, 1, INT32_MAX, error));
    if (!config->float_inputs)
        HEED_TRY(check_range(where, "the vocabulary", config->vocabulary, 1, 1 << 26, error));
    HEED_TRY(
        check_range(where, "the source vocabulary", config->source_vocabulary, 0, 1 << 26, error));
    HEED_TRY(
        check_range(where, "the number of token types", config->token_types, 0, 1 << 20, error));
    HEED_TRY(check_range(where, "the window", config->window, 0, INT32_MAX, error));
    /* Tables of positions are built or read whole. */
    bool table = config->position == HEED_POSITION_LEARNED ||
                 config->position == HEED_POSITION_SINUSOIDAL;
    int64_t most = config->position == HEED_POSITION_SINUSOIDAL ? (int64_t)1 << 28
                                                                : (int64_t)1 << 34;
    if (table)
        HEED_TRY(check_range(where, "positions times width", config->context * config->d_model, 1,
                             most, error));
    return HEED_OK;
}

/* Before memory is taken for one name for each expert of each layer. */
static heed_status check_experts(const heed_config *config, const char *where, heed_error *error)
{
    if (config->experts == 0) return HEED_OK;
    HEED_TRY(
        check_range(where, "the number of experts", config->experts, 1, HEED_MAX_EXPERTS, error));
    HEED_TRY(check_range(where, "layers times experts", config->decoder.layers * config->experts, 0,
                         1 << 17, error));
    HEED_TRY(check_range(where, "the number of experts that a token chooses",
                         config->experts_per_token, 1, config->experts, error));
    HEED_TRY(
        check_range(where, "the inner width of an expert", config->expert_d_ff, 1, 1 << 24, error));
    HEED_TRY(check_range(where, "the inner width of the shared expert", config->shared_d_ff, 0,
                         1 << 24, error));
    HEED_TRY(check_range(where, "the step from one layer with experts to the next",
                         config->expert_step, 1, HEED_MAX_LAYERS, error));
    if (!isfinite(config->balance_weight) || !isfinite(config->swiglu_alpha) ||
        !(config->swiglu_limit >= 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: router_aux_loss_coef %g, swiglu_alpha %g, swiglu_limit %g; expected "
                         "finite numbers and a limit of at least 0",
                         where, config->balance_weight, config->swiglu_alpha, config->swiglu_limit);
    return HEED_OK;
}

heed_status heed_config_complete(heed_config *config, const char *where, heed_error *error)
{
    memcpy(config->model_type, config->family->name, strlen(config->family->name) + 1);
    HEED_TRY(check_sizes(config, where, error));
    if (config->family->derive) config->family->derive(config);
    if (config->arrangement == HEED_DECODER_ONLY) config->encoder = (heed_stack){0};
    if (config->arrangement == HEED_ENCODER_ONLY) config->decoder = (heed_stack){0};
    complete_stack(config, &config->encoder);
    complete_stack(config, &config->decoder);
    if (config->experts > 0 && config->expert_d_ff == 0) config->expert_d_ff = config->decoder.d_ff;
    if (config->embedding_width == 0) config->embedding_width = config->d_model;
    if (config->rope.original_context == 0) config->rope.original_context = config->context;
    if (config->rope_local.original_context == 0)
        config->rope_local.original_context = config->context;
    if (config->position == HEED_POSITION_ROTARY) HEED_TRY(check_rope(&config->rope, where, error));
    if (config->family->preset->rope_local.base > 0 && !(config->rope_local.base > 0))
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: the rotary base of layers with a window is %g; expected a number above 1", where,
            config->rope_local.base);
    if (config->position == HEED_POSITION_ROTARY && config->rope_local.base > 0) {
        HEED_TRY(check_rope(&config->rope_local, where, error));
        if (heed_rope_varies(&config->rope_local))
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "%s: rotary positions of kind \"%s\" for layers with a window; "
                             "expected default, linear, llama3 or yarn",
                             where, heed_rope_name(config->rope_local.kind));
    }
    if (config->position == HEED_POSITION_ROTARY && config->rope.kind == HEED_ROPE_LONGROPE)
        HEED_TRY(check_longrope(config, where, error));
    if (!(config->norm_eps > 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the norms' epsilon is %g; expected a positive number", where,
                         config->norm_eps);
    if (config->arrangement != HEED_DECODER_ONLY) {
        HEED_TRY(check_division(config, &config->encoder, where, error));
        HEED_TRY(check_stack(config, &config->encoder, where, error));
    }
    if (config->arrangement != HEED_ENCODER_ONLY) {
        HEED_TRY(check_division(config, &config->decoder, where, error));
        HEED_TRY(check_stack(config, &config->decoder, where, error));
    }
    HEED_TRY(check_experts(config, where, error));
    if (config->residual != HEED_RESIDUAL_SERIAL &&
        (config->norm_place != HEED_NORM_PRE || config->arrangement == HEED_ENCODER_DECODER))
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: parallel attention and feed-forward go with norms before them, in a single stack",
            where);
    if (config->arrangement == HEED_ENCODER_DECODER && config->head != HEED_HEAD_NONE &&
        config->head != HEED_HEAD_CAUSAL_LM)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: of an encoder-decoder only the language model and the bare model are supported",
            where);
    return HEED_OK;
}

bool heed_config_has_experts(const heed_config *config, int64_t layer)
{
    return config->experts > 0 && (layer + 1) % config->expert_step == 0 &&
           !(config->dense[layer / 8] >> (layer % 8) & 1);
}

bool heed_config_windowed(const heed_config *config, int64_t layer)
{
    return config->window > 0 && (config->windowed[layer / 8] >> (layer % 8) & 1);
}

int64_t heed_config_reach(const heed_config *config)
{
    bool grows = config->position == HEED_POSITION_ROTARY &&
                 config->rope.kind == HEED_ROPE_DYNAMIC && config->rope.factor > 1;
    double reach = grows ? (double)config->context * config->rope.factor : (double)config->context;
    return reach < INT32_MAX / 2 ? (int64_t)reach : config->context;
}

const heed_stack *heed_config_main(const heed_config *config)
{
    return config->arrangement == HEED_ENCODER_ONLY ? &config->encoder : &config->decoder;
}
