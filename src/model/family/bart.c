/* BART (Lewis et al. 2019): an encoder-decoder, post-norm, with learned positions from row 2 on and
   a norm of the embedding. The row of the last end of the text classifies it. */
#include "model/family/bart.h"

static const heed_config preset = {
    HEED_BART_PRESET,
    .vocabulary = 50265,
    .norm_place = HEED_NORM_POST,
    .embedding_norm = true,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_LEARNED,
    .position_offset = 2,
    .pooled_row = HEED_POOLED_END,
    .embedding_scale = 1,
    .tied = true,
    .logits_bias = true,
    .labels = 3,
    .pad_id = 1,
    .bos_id = 0,
    .eos_id = 2,
    .decoder_start_id = 2,
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
const heed_transform heed_bart_no_pooler = {0};
const heed_transform heed_bart_class_layer = {
    .dense = true,
    .bias = true,
    .dropout = true,
    .own_activation = true,
    .activation = HEED_UNARY_TANH,
};
static const heed_architecture architectures[] = {HEED_BART_CLASSES("Bart"), {0}};

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
