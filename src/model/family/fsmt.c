/* FSMT (Ng et al. 2019): the translators of WMT 2019, post-norm, with a vocabulary for each
   language and an output matrix of its own. Positions count the tokens that are not padding; their
   tables begin as sinusoids, and files may leave them out. */
#include "model/family/bart.h"

static const heed_config preset = {
    HEED_BART_PRESET,
    .vocabulary = 42024,
    .source_vocabulary = 42024,
    .norm_place = HEED_NORM_POST,
    .activation = HEED_UNARY_RELU,
    .position = HEED_POSITION_LEARNED,
    .counts_tokens = true,
    .embedding_scale = 32,
    .pad_id = 1,
    .bos_id = 0,
    .eos_id = 2,
    .decoder_start_id = 2,
};

static const heed_key keys[] = {
    HEED_KEY("src_vocab_size", SIZE, source_vocabulary),
    HEED_KEY("tgt_vocab_size", SIZE, vocabulary),
    HEED_BART_KEYS,
    HEED_KEY_SUPPORTS("tie_word_embeddings", "false"),
    HEED_KEY_OTHERS("langs"),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, ENCODER, "encoder.embed_tokens.weight"),
    HEED_TENSOR(TOKEN_EMBEDDING, DECODER, "decoder.embed_tokens.weight"),
    HEED_TENSOR_AS(POSITION_EMBEDDING, ENCODER, HEED_NAME_SINUSOIDS,
                   "encoder.embed_positions.weight"),
    HEED_TENSOR_AS(POSITION_EMBEDDING, DECODER, HEED_NAME_SINUSOIDS,
                   "decoder.embed_positions.weight"),
    HEED_BART_LAYER(ENCODER, "encoder"),
    HEED_BART_LAYER(DECODER, "decoder"),
    HEED_BART_CROSS,
    HEED_TENSOR_AS(LM_WEIGHT, MODEL, HEED_NAME_HEAD, "decoder.output_projection.weight"),
    {0},
};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"model.", "", NULL};
/* The bare model of transformers has the output matrix too: its last_hidden_state are logits. */
static const heed_architecture architectures[] = {
    HEED_CLASS("FSMTForConditionalGeneration", CAUSAL_LM),
    HEED_CLASS("FSMTModel", CAUSAL_LM),
    {0},
};

const heed_family heed_family_fsmt = {
    .name = "fsmt",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .hides_padding = true,
};
