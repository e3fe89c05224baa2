/* bert.h: what BERT and its descendants have in common: sizes, layers, names. */
#ifndef HEED_MODEL_FAMILY_BERT_H
#define HEED_MODEL_FAMILY_BERT_H

#include "model/family/decoder_internal.h"

/* Settings of the presets: a post-norm encoder with biases everywhere. */
/* clang-format off */
#define HEED_BERT_PRESET \
    HEED_BERT_KINDS, .activation = HEED_UNARY_GELU, .embedding_dropout = 0.1, \
    .attention_dropout = 0.1, .residual_dropout = 0.1
#define HEED_BERT_KINDS \
    .arrangement = HEED_ENCODER_ONLY, .norm = HEED_NORM_LAYER, .norm_place = HEED_NORM_POST, \
    .norm_eps = 1e-12, .norm_bias = true, .embedding_norm = true, \
    .position = HEED_POSITION_LEARNED, .scaled = true, .query_bias = true, .output_bias = true, \
    .ffn_bias = true, .lm_bias = true, .embedding_scale = 1, .tied = true, \
    .classifier_dropout = 0.1, .initializer_range = 0.02, .decoder_start_id = -1, \
    .use_cache = true
#define HEED_BERT_POOLER \
    {.dense = true, .bias = true, .own_activation = true, .activation = HEED_UNARY_TANH}

/* The keys of config.json, but for the length of the table of positions. */
#define HEED_BERT_KEYS \
    HEED_BERT_SIZES, HEED_BERT_FEATURES, \
    HEED_KEY_READ("hidden_dropout_prob", RATE, classifier_dropout), \
    HEED_KEY_READ("classifier_dropout", RATE, classifier_dropout), \
    HEED_KEY("is_decoder", FLAG, causal), HEED_KEY_SUPPORTS("add_cross_attention", "false")
#define HEED_BERT_SIZES \
    HEED_KEY("vocab_size", SIZE, vocabulary), HEED_KEY("hidden_size", SIZE, d_model), \
    HEED_KEY("num_hidden_layers", COUNT, encoder.layers), \
    HEED_KEY("num_attention_heads", SIZE, encoder.heads), \
    HEED_KEY("intermediate_size", COUNT, encoder.d_ff), \
    HEED_KEY("type_vocab_size", COUNT, token_types)
#define HEED_BERT_FEATURES \
    HEED_KEY("hidden_act", ACTIVATION, activation), \
    HEED_KEY_DROPOUT("hidden_dropout_prob", residual_dropout), \
    HEED_KEY_DROPOUT("attention_probs_dropout_prob", attention_dropout), \
    HEED_KEY("initializer_range", NUMBER, initializer_range), \
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps), \
    HEED_KEY_SUPPORTS("position_embedding_type", "absolute"), \
    HEED_EQUALS(encoder.kv_heads, encoder.heads), HEED_COMPUTED(encoder.head_width), \
    HEED_EQUALS(embedding_dropout, residual_dropout)

/* A norm under its current names, and under those of files that were converted from TensorFlow. */
#define HEED_BERT_NORM(place, symbol, in, how, stem) \
    HEED_WEIGHT_NORM_AT(place, symbol, in, how, stem), \
    HEED_WEIGHT_AT(place, symbol##_GAIN, in, (how) | HEED_NAME_ALIAS, stem ".gamma"), \
    HEED_WEIGHT_AT(place, symbol##_BIAS, in, (how) | HEED_NAME_ALIAS, stem ".beta")
#define HEED_BERT_EMBEDDINGS \
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embeddings.word_embeddings.weight"), \
    HEED_TENSOR(POSITION_EMBEDDING, ENCODER, "embeddings.position_embeddings.weight"), \
    HEED_TENSOR(TYPE_EMBEDDING, ENCODER, "embeddings.token_type_embeddings.weight"), \
    HEED_BERT_NORM(NONE, EMBEDDING_NORM, ENCODER, HEED_NAME_BASE, "embeddings.LayerNorm")
#define HEED_BERT_LAYERS \
    HEED_LINEAR_IN(ENCODER, QUERY, "encoder.layer.{i}.attention.self.query"), \
    HEED_LINEAR_IN(ENCODER, KEY, "encoder.layer.{i}.attention.self.key"), \
    HEED_LINEAR_IN(ENCODER, VALUE, "encoder.layer.{i}.attention.self.value"), \
    HEED_LINEAR_IN(ENCODER, OUTPUT, "encoder.layer.{i}.attention.output.dense"), \
    HEED_BERT_NORM(ATTENTION, NORM, ENCODER, HEED_NAME_BASE, \
                   "encoder.layer.{i}.attention.output.LayerNorm"), \
    HEED_LINEAR_IN(ENCODER, UP, "encoder.layer.{i}.intermediate.dense"), \
    HEED_LINEAR_IN(ENCODER, DOWN, "encoder.layer.{i}.output.dense"), \
    HEED_BERT_NORM(FFN, NORM, ENCODER, HEED_NAME_BASE, "encoder.layer.{i}.output.LayerNorm")
/* The bias of the output matrix: its own name in tied models, that of the matrix in others, whose
   files may have a spare one of the first name. */
#define HEED_BERT_LM_BIAS(stem) \
    HEED_WEIGHT(LM_BIAS, MODEL, HEED_NAME_TIED, stem ".bias"), \
    HEED_WEIGHT(LM_BIAS, MODEL, HEED_NAME_UNTIED, stem ".decoder.bias"), \
    HEED_WEIGHT(LM_BIAS, MODEL, HEED_NAME_ALIAS, stem ".decoder.bias"), \
    HEED_WEIGHT(SPARE_BIAS, MODEL, HEED_NAME_OPTIONAL, stem ".bias")
/* clang-format on */

/* buffers of older files (family/bert.c) */
extern const char *const heed_bert_ignored[];

#endif
