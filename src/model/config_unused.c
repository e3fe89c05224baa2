/* Finds the keys of a config.json that a model does not use. A key is named if its value says
   something: null, false, 0 and empty values switch off what the model does not have anyway. */
#include "model/family.h"

#include <string.h>

/* Keys that say nothing about the numbers a model computes: bookkeeping, and settings that other
   parts of the program read. */
static const char *const silent[] = {
    /* bookkeeping */
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path",
    "attn_implementation", "auto_map", "chunk_size_feed_forward", "finetuning_task",
    "gradient_checkpointing", "init_device", "language", "model_type", "name_or_path",
    "output_attentions", "output_hidden_states", "return_dict", "task_specific_params",
    "tf_legacy_loss", "tokenizer_class", "torchscript", "transformers_version", "use_bfloat16",
    /* read beside the tables */
    "architectures", "dtype", "id2label", "label2id", "num_labels", "problem_type",
    "quantization_config", "torch_dtype",
    /* how transformers computes, without another result */
    "attention_softmax_in_fp32", "pretraining_tp", "reorder_and_upcast_attn",
    "scale_attention_softmax_in_fp32", "slow_but_exact",
    /* of GPT-2's head with two outputs, which is not supported */
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj",
    /* settings of generation */
    "bad_words_ids", "begin_suppress_tokens", "cache_implementation", "cls_token_id",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id",
    "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens", "min_length",
    "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "output_scores",
    "prefix", "remove_invalid_values", "repetition_penalty", "return_dict_in_generate",
    "sep_token_id", "suppress_tokens", "temperature", "top_k", "top_p", "typical_p",
    "unk_token_id"};

static const char *const rotary[] = {"original_max_position_embeddings", "partial_rotary_factor",
                                     "rope_parameters", "rope_scaling", "rope_theta"};

static bool is_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* Does the row read the key, or a key of the object with this name? */
static bool row_reads(const heed_key *key, const char *name)
{
    const size_t length = strlen(name);
    if (strcmp(key->name, name) == 0) return true;
    if (strncmp(key->name, name, length) == 0 && key->name[length] == '.') return true;
    if (key->type == HEED_KEY_ROPE) return is_listed(rotary, sizeof rotary / sizeof *rotary, name);
    if (key->type == HEED_KEY_SWITCHED) return strcmp(key->only, name) == 0;
    if (key->type != HEED_KEY_LAYER_TYPES) return false;
    for (const char *const *number = key->names; number && *number; number++)
        if (strcmp(*number, name) == 0) return true;
    return false;
}

static bool table_reads(const heed_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (heed_key_is_named(keys) && row_reads(keys, name)) return true;
    return false;
}

/* Does the value say nothing: null, false, 0 or empty? */
static bool is_off(const json_t *value)
{
    if (json_is_null(value) || json_is_false(value)) return true;
    if (json_is_number(value)) return json_number_value(value) == 0;
    if (json_is_string(value)) return json_string_length(value) == 0;
    if (json_is_array(value)) return json_array_size(value) == 0;
    return json_is_object(value) && json_object_size(value) == 0;
}

/* Appends the unused members of an object, whose keys are in the tables with `prefix`. */
static bool list_members(const heed_family *family, const json_t *object, const char *prefix,
                         json_t *unused)
{
    const char *key;
    json_t *value;
    bool ok = true;
    json_object_foreach((json_t *)object, key, value)
    {
        char path[160];
        snprintf(path, sizeof path, "%s%s", prefix, key);
        bool used = table_reads(family->keys, path) || table_reads(heed_common_keys, path);
        bool nested = used && !*prefix && json_is_object(value);
        char inner[100];
        snprintf(inner, sizeof inner, "%.90s.", key);
        if (nested && !is_listed(rotary, sizeof rotary / sizeof *rotary, key))
            ok = ok && list_members(family, value, inner, unused);
        if (used || is_off(value) || is_listed(silent, sizeof silent / sizeof *silent, key))
            continue;
        ok = ok && json_array_append_new(unused, json_string(path)) == 0;
    }
    return ok;
}

json_t *heed_config_unused(const heed_config *config, const json_t *json)
{
    json_t *unused = json_array();
    if (unused && list_members(config->family, json, "", unused)) return unused;
    json_decref(unused);
    return NULL;
}
