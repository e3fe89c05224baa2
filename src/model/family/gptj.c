/* GPT-J (Wang & Komatsuzaki 2021): attention and feed-forward both read one layer norm; interleaved
   rotary pairs on the first channels of each head. */
#include "model/family/gpt2.h"

static const heed_config preset = {
    HEED_DECODER,
    .position = HEED_POSITION_ROTARY,
    .rope = {.base = 10000, .fraction = 0.25, .interleaved = true, .truncate = true},
    .vocabulary = 50400,
    .d_model = 4096,
    .context = 2048,
    .decoder = {.layers = 28, .heads = 16},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .norm_bias = true,
    .residual = HEED_RESIDUAL_PARALLEL,
    .activation = HEED_UNARY_GELU_TANH,
    .scaled = true,
    .ffn_bias = true,
    .lm_bias = true,
    .embedding_scale = 1,
    .initializer_range = 0.02,
    .pad_id = -1,
    .bos_id = 50256,
    .eos_id = 50256};

static const heed_key keys[] = {
    HEED_GPT2_KEYS,
    HEED_KEY_ROTARY_CHANNELS("rotary_dim", 64),
    HEED_MULTI_HEAD,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "wte.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "h.{i}.ln_1"),
    HEED_LINEAR(QUERY, "h.{i}.attn.q_proj"),
    HEED_LINEAR(KEY, "h.{i}.attn.k_proj"),
    HEED_LINEAR(VALUE, "h.{i}.attn.v_proj"),
    HEED_LINEAR(OUTPUT, "h.{i}.attn.out_proj"),
    HEED_LINEAR(UP, "h.{i}.mlp.fc_in"),
    HEED_LINEAR(DOWN, "h.{i}.mlp.fc_out"),
    HEED_NORM(FINAL_NORM, "ln_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_TENSOR_HEAD(LM_BIAS, 0, "lm_head.bias"),
    HEED_HEADS_CLASSIFIER,
    {0},
};

static const char *const ignored[] = {"h.{i}.attn.bias", "h.{i}.attn.masked_bias",
                                      "h.{i}.attn.embed_positions", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("GPTJForCausalLM", CAUSAL_LM),
    HEED_CLASS("GPTJModel", BARE),
    HEED_CLASS("GPTJForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("GPTJForQuestionAnswering", QUESTION),
    {0}};

const heed_family heed_family_gptj = {
    .name = "gptj",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .rotary_coverage = HEED_ROTARY_PAIRS,
    .trains_padding = true,
    .packs_positions = true,
};
