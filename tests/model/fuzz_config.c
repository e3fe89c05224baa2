/* libFuzzer target: any config.json is either refused with a message or is a configuration whose
   sizes can be computed, and which, when written, reads back as the same one. Built by the preset
   fuzz. */
#include "model/fuzz_check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t most);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    heed_error error = {0};
    json_t *json = NULL;
    heed_config config;
    heed_status status = heed_json_parse(&json, (const char *)bytes, count, "fuzz", &error);
    if (status == HEED_OK) {
        status = heed_config_read(&config, json, "fuzz", &error);
        if (status != error.status || (status != HEED_OK && !error.message[0])) abort();
        if (status == HEED_OK) fuzz_check_config(&config, false);
    }
    json_decref(json);
    return 0;
}

/* ---- mutations that stay JSON: a member of some family gets a value of any kind ---- */

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static json_t *any_value(unsigned *seed)
{
    static const char *const words[] = {"gelu",
                                        "relu",
                                        "llama3",
                                        "yarn",
                                        "linear",
                                        "dynamic",
                                        "default",
                                        "rms",
                                        "layer",
                                        "post",
                                        "sandwich",
                                        "rotary",
                                        "learned",
                                        "sinusoidal",
                                        "parallel",
                                        "encoder",
                                        "encoder-decoder",
                                        "regression",
                                        "",
                                        "absolute",
                                        "bfloat16",
                                        "sliding_attention"};
    static const double numbers[] = {0,          -1,           1,      1e-12,  1e300, -1e300, 0.5,
                                     2147483647, 2147483648.0, 9.3e18, 1e-320, 3.5};
    switch (draw(seed, 9)) {
    case 0: return json_null();
    case 1: return json_boolean(draw(seed, 2));
    case 2: return json_integer((json_int_t)draw(seed, 10));
    case 3: return json_integer((json_int_t)1 << draw(seed, 63));
    case 4: return json_real(numbers[draw(seed, sizeof numbers / sizeof *numbers)]);
    case 5: return json_string(words[draw(seed, sizeof words / sizeof *words)]);
    case 6: return json_pack("[s]", words[draw(seed, sizeof words / sizeof *words)]);
    case 7:
        return json_pack("{s:s, s:f, s:i}", "rope_type", words[draw(seed, 6)], "factor",
                         numbers[draw(seed, 12)], "original_max_position_embeddings",
                         (int)draw(seed, 99));
    default: return json_integer((json_int_t)(draw(seed, 6) * 8));
    }
}

static const char *any_key(unsigned *seed)
{
    static const char *const others[] = {"architectures",
                                         "num_labels",
                                         "id2label",
                                         "problem_type",
                                         "rope_scaling",
                                         "rope_parameters",
                                         "rope_theta",
                                         "layer_types",
                                         "use_sliding_window",
                                         "max_window_layers",
                                         "torch_dtype",
                                         "scale_embedding",
                                         "decoder_vocab_size",
                                         "share_encoder_decoder_embeddings",
                                         "norm_first",
                                         "partial_rotary_factor",
                                         "classifier_dropout",
                                         "position_embedding_type",
                                         "add_cross_attention",
                                         "tie_word_embeddings",
                                         "eos_token_id"};
    const heed_key *keys = heed_family_at(draw(seed, (unsigned)heed_family_count()))->keys;
    unsigned count = 0;
    while (keys[count].name) count++;
    return draw(seed, 3) ? keys[draw(seed, count)].name
                         : others[draw(seed, sizeof others / sizeof *others)];
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t most, unsigned seed)
{
    heed_error error = {0};
    json_t *json = NULL;
    heed_buffer text = {0};
    bool parsed = draw(&seed, 8) &&
                  heed_json_parse(&json, (const char *)bytes, count, "fuzz", &error) == HEED_OK &&
                  json_is_object(json);
    if (parsed) {
        if (!draw(&seed, 4))
            json_object_set_new(
                json, "model_type",
                json_string(heed_family_at(draw(&seed, (unsigned)heed_family_count()))->name));
        for (unsigned i = 1 + draw(&seed, 3); i > 0; i--) {
            if (draw(&seed, 6)) json_object_set_new(json, any_key(&seed), any_value(&seed));
            else json_object_del(json, any_key(&seed));
        }
        heed_json_put(&text, json, 0);
        parsed = text.length <= most;
        if (parsed) memcpy(bytes, text.data, text.length);
    }
    size_t length = text.length;
    heed_buffer_free(&text);
    json_decref(json);
    return parsed ? length : LLVMFuzzerMutate(bytes, count, most);
}
