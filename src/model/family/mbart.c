/* mBART (Liu et al. 2020): BART with norms before sublayers and after the last layer. The decoder's
   input begins with the last token of the target, the language. */
#include "model/family/bart.h"

static const heed_config preset = {
    HEED_BART_PRESET,
    .vocabulary = 50265,
    .norm_place = HEED_NORM_PRE,
    .embedding_norm = true,
    .final_norm = true,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_LEARNED,
    .position_offset = 2,
    .pooled_row = HEED_POOLED_END,
    .embedding_scale = 1,
    .tied = true,
    .logits_bias = true,
    .pad_id = 1,
    .bos_id = 0,
    .eos_id = 2,
    .decoder_start_id = -1,
    .starts_with_end = true,
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
    HEED_NORM_IN(ENCODER, FINAL_NORM, "encoder.layer_norm"),
    HEED_BART_LAYER(DECODER, "decoder"),
    HEED_BART_CROSS,
    HEED_NORM_IN(DECODER, FINAL_NORM, "decoder.layer_norm"),
    HEED_BART_HEAD,
    HEED_BART_TASKS,
    {0},
};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"model.", "", NULL};
static const heed_architecture architectures[] = {HEED_BART_CLASSES("MBart"), {0}};

const heed_family heed_family_mbart = {
    .name = "mbart",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
