/* GPT-NeoX (Black et al. 2022) and Pythia: attention and feed-forward in parallel, each with its
   layer norm; rotary positions on some channels of each head; q, k and v of a head follow each
   other in one tensor. */
#include "model/family/decoder_internal.h"
#include "model/family/gguf.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_ROTARY,
                                   .rope = {.base = 10000, .fraction = 0.25, .truncate = true},
                                   .vocabulary = 50432,
                                   .d_model = 6144,
                                   .context = 2048,
                                   .decoder = {.layers = 44, .heads = 64, .d_ff = 24576},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .residual = HEED_RESIDUAL_PARALLEL_TWO_NORMS,
                                   .activation = HEED_UNARY_GELU,
                                   .scaled = true,
                                   .query_bias = true,
                                   .ffn_bias = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 0,
                                   .eos_id = 2};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("num_hidden_layers", COUNT, decoder.layers),
    HEED_KEY("num_attention_heads", SIZE, decoder.heads),
    HEED_KEY("intermediate_size", SIZE, decoder.d_ff),
    HEED_KEY("hidden_act", ACTIVATION, activation),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_DROPOUT("hidden_dropout", residual_dropout),
    HEED_KEY_DROPOUT("classifier_dropout", classifier_dropout),
    HEED_KEY_READ("rotary_pct", NUMBER, rope.fraction),
    HEED_KEY_READ("rotary_emb_base", NUMBER, rope.base),
    HEED_KEY_EITHER("use_parallel_residual", HEED_RESIDUAL_SERIAL, HEED_RESIDUAL_PARALLEL_TWO_NORMS,
                    residual),
    HEED_EQUALS(output_bias, query_bias),
    HEED_EQUALS(embedding_dropout, residual_dropout),
    HEED_MULTI_HEAD,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_in.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, HEED_NAME_GROUPED,
                      "layers.{i}.attention.query_key_value.weight"),
    HEED_TENSOR_FUSED(QUERY_BIAS, 3, HEED_NAME_GROUPED,
                      "layers.{i}.attention.query_key_value.bias"),
    HEED_LINEAR(OUTPUT, "layers.{i}.attention.dense"),
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_LINEAR(UP, "layers.{i}.mlp.dense_h_to_4h"),
    HEED_LINEAR(DOWN, "layers.{i}.mlp.dense_4h_to_h"),
    HEED_NORM(FINAL_NORM, "final_layer_norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "embed_out.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {"layers.{i}.attention.bias",
                                      "layers.{i}.attention.masked_bias",
                                      "layers.{i}.attention.rotary_emb.inv_freq", NULL};
static const char *const prefixes[] = {"gpt_neox.", "", NULL};
static const heed_architecture architectures[] = {HEED_CLASSES("GPTNeoX"), {0}};

static const heed_key gguf_keys[] = {HEED_GGUF_KEYS,
                                     HEED_KEY_EITHER("use_parallel_residual", HEED_RESIDUAL_SERIAL,
                                                     HEED_RESIDUAL_PARALLEL_TWO_NORMS, residual),
                                     {0}};

static const heed_gguf_names gguf = {
    .architecture = "gptneox", .keys = gguf_keys, .weights = heed_gguf_fused_weights};

const heed_family heed_family_gpt_neox = {
    .name = "gpt_neox",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .rotary_coverage = HEED_ROTARY_ROUNDED_UP,
    .trains_padding = true,
    .packs_positions = true,
};
