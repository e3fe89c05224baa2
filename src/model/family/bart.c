/* BART (Lewis et al. 2019): an encoder-decoder, post-norm, with learned positions from row 2 on and
   a norm of the embedding. The row of the last end of the text classifies it. */
#include "model/family/bart.h"

static const heed_config preset = {
    .arrangement = HEED_ENCODER_DECODER,
    .vocabulary = 50265,
    .d_model = 1024,
    .context = 1024,
    .encoder = {.layers = 12, .heads = 16, .d_ff = 4096},
    .decoder = {.layers = 12, .heads = 16, .d_ff = 4096},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_POST,
    .norm_eps = 1e-5,
    .norm_bias = true,
    .embedding_norm = true,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_LEARNED,
    .position_offset = 2,
    .causal = true,
    .scaled = true,
    .query_bias = true,
    .output_bias = true,
    .ffn_bias = true,
    .pooled_row = HEED_POOLED_END,
    .embedding_scale = 1,
    .tied = true,
    .logits_bias = true,
    .embedding_dropout = 0.1,
    .residual_dropout = 0.1,
    .initializer_range = 0.02,
    .labels = 3,
    .pad_id = 1,
    .bos_id = 0,
    .eos_id = 2,
    .decoder_start_id = 2,
    .use_cache = true,
};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_BART_KEYS,
    HEED_KEY_DROPOUT("classifier_dropout", classifier_dropout),
    HEED_EQUALS_UNTIED(source_vocabulary, vocabulary),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_BART_EMBEDDINGS,
    HEED_BART_FRONT(ENCODER, "encoder"),
    HEED_BART_FRONT(DECODER, "decoder"),
    HEED_BART_LAYER(ENCODER, "encoder"),
    HEED_BART_LAYER(DECODER, "decoder"),
    HEED_BART_CROSS,
    HEED_BART_HEAD,
    HEED_BART_TASKS,
    {0},
};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"model.", "", NULL};
static const heed_transform no_pooler = {0};
static const heed_transform class_layer = {
    .dense = true,
    .bias = true,
    .dropout = true,
    .own_activation = true,
    .activation = HEED_UNARY_TANH,
};
static const heed_architecture architectures[] = {
    HEED_CLASS("BartForConditionalGeneration", CAUSAL_LM),
    HEED_CLASS_POOLED("BartForSequenceClassification", SEQUENCE_CLASS, &class_layer),
    HEED_CLASS("BartForQuestionAnswering", QUESTION),
    HEED_CLASS_POOLED("BartModel", BARE, &no_pooler),
    HEED_CLASS_ALONE("BartForCausalLM", CAUSAL_LM),
    {0},
};

const heed_family heed_family_bart = {
    .name = "bart",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
