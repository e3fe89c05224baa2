/* bart.h: tables that BART's relatives share: settings, keys of config.json, names of tensors, and
   classes. */
#ifndef HEED_MODEL_FAMILY_BART_H
#define HEED_MODEL_FAMILY_BART_H

#include "model/family/decoder_internal.h"

/* Settings of the presets: an encoder-decoder with layer norms and biases everywhere. */
/* clang-format off */
#define HEED_BART_PRESET \
    .arrangement = HEED_ENCODER_DECODER, .d_model = 1024, .context = 1024, \
    .encoder = {.layers = 12, .heads = 16, .d_ff = 4096}, \
    .decoder = {.layers = 12, .heads = 16, .d_ff = 4096}, .norm = HEED_NORM_LAYER, \
    .norm_eps = 1e-5, .norm_bias = true, .causal = true, .scaled = true, .query_bias = true, \
    .output_bias = true, .ffn_bias = true, .embedding_dropout = 0.1, .residual_dropout = 0.1, \
    .initializer_range = 0.02, .use_cache = true

/* All keys but those of the vocabularies and of positions. The classes of decoders alone write
   is_encoder_decoder false. */
#define HEED_BART_KEYS \
    HEED_KEY("d_model", SIZE, d_model), \
    HEED_KEY("max_position_embeddings", SIZE, context), \
    HEED_KEY("encoder_layers", COUNT, encoder.layers), \
    HEED_KEY("encoder_attention_heads", SIZE, encoder.heads), \
    HEED_KEY("encoder_ffn_dim", COUNT, encoder.d_ff), \
    HEED_KEY("decoder_layers", COUNT, decoder.layers), \
    HEED_KEY("decoder_attention_heads", SIZE, decoder.heads), \
    HEED_KEY("decoder_ffn_dim", COUNT, decoder.d_ff), \
    HEED_KEY("activation_function", ACTIVATION, activation), \
    HEED_KEY_DROPOUT("dropout", residual_dropout), \
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout), \
    HEED_KEY_DROPOUT("activation_dropout", activation_dropout), \
    HEED_KEY("init_std", NUMBER, initializer_range), \
    HEED_KEY("decoder_start_token_id", ID, decoder_start_id), \
    HEED_KEY("scale_embedding", ROOT, embedding_scale), \
    HEED_KEY_EITHER("is_encoder_decoder", HEED_DECODER_ONLY, HEED_ENCODER_DECODER, arrangement), \
    HEED_KEY_OTHERS("is_decoder"), \
    HEED_KEY_WRITTEN("forced_eos_token_id", ID, eos_id), \
    HEED_MULTI_HEAD, \
    HEED_EQUALS(encoder.kv_heads, encoder.heads), \
    HEED_COMPUTED(encoder.head_width), \
    HEED_EQUALS(embedding_dropout, residual_dropout)

/* One table serves both stacks, or each has its own; a decoder alone names the only one its own. */
#define HEED_BART_EMBEDDINGS \
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_TWO_STACKS, "shared.weight"), \
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_ONE_STACK, "decoder.embed_tokens.weight"), \
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_ALIAS, "decoder.embed_tokens.weight"), \
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_ALIAS, "encoder.embed_tokens.weight"), \
    HEED_TENSOR_AS(TOKEN_EMBEDDING, MODEL, HEED_NAME_ALIAS, "shared.weight"), \
    HEED_TENSOR(TOKEN_EMBEDDING, ENCODER, "encoder.embed_tokens.weight"), \
    HEED_TENSOR(TOKEN_EMBEDDING, DECODER, "decoder.embed_tokens.weight"), \
    HEED_TENSOR_AS(SPARE_EMBEDDING, MODEL, HEED_NAME_OPTIONAL | HEED_NAME_TWO_STACKS, \
                   "shared.weight")

#define HEED_BART_LAYER(in, stem) \
    HEED_LINEAR_IN(in, QUERY, stem ".layers.{i}.self_attn.q_proj"), \
    HEED_LINEAR_IN(in, KEY, stem ".layers.{i}.self_attn.k_proj"), \
    HEED_LINEAR_IN(in, VALUE, stem ".layers.{i}.self_attn.v_proj"), \
    HEED_LINEAR_IN(in, OUTPUT, stem ".layers.{i}.self_attn.out_proj"), \
    HEED_WEIGHT_NORM_AT(ATTENTION, NORM, in, HEED_NAME_BASE, \
                        stem ".layers.{i}.self_attn_layer_norm"), \
    HEED_LINEAR_IN(in, UP, stem ".layers.{i}.fc1"), \
    HEED_LINEAR_IN(in, DOWN, stem ".layers.{i}.fc2"), \
    HEED_WEIGHT_NORM_AT(FFN, NORM, in, HEED_NAME_BASE, stem ".layers.{i}.final_layer_norm")
#define HEED_BART_CROSS \
    HEED_LINEAR_AT(CROSS, QUERY, "decoder.layers.{i}.encoder_attn.q_proj"), \
    HEED_LINEAR_AT(CROSS, KEY, "decoder.layers.{i}.encoder_attn.k_proj"), \
    HEED_LINEAR_AT(CROSS, VALUE, "decoder.layers.{i}.encoder_attn.v_proj"), \
    HEED_LINEAR_AT(CROSS, OUTPUT, "decoder.layers.{i}.encoder_attn.out_proj"), \
    HEED_NORM_AT(CROSS, NORM, "decoder.layers.{i}.encoder_attn_layer_norm")
/* The rows before the first layer of a stack: learned positions and a norm. */
#define HEED_BART_FRONT(in, stem) \
    HEED_TENSOR(POSITION_EMBEDDING, in, stem ".embed_positions.weight"), \
    HEED_NORM_IN(in, EMBEDDING_NORM, stem ".layernorm_embedding")
#define HEED_BART_HEAD \
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"), \
    HEED_WEIGHT(LOGITS_BIAS, MODEL, HEED_NAME_BUFFER | HEED_NAME_OPTIONAL | HEED_NAME_ROW, \
                "final_logits_bias")
#define HEED_BART_TASKS \
    HEED_WEIGHT_LINEAR(POOLER, MODEL, 0, "classification_head.dense"), \
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classification_head.out_proj"), \
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs")
#define HEED_BART_CLASSES(stem) \
    HEED_CLASS(stem "ForConditionalGeneration", CAUSAL_LM), \
    HEED_CLASS_POOLED(stem "ForSequenceClassification", SEQUENCE_CLASS, &heed_bart_class_layer), \
    HEED_CLASS(stem "ForQuestionAnswering", QUESTION), \
    HEED_CLASS_POOLED(stem "Model", BARE, &heed_bart_no_pooler), \
    HEED_CLASS_ALONE(stem "ForCausalLM", CAUSAL_LM)
/* clang-format on */

/* what the classes have before the output matrix (family/bart.c) */
extern const heed_transform heed_bart_no_pooler, heed_bart_class_layer;

#endif
