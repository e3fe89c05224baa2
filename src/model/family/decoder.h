/* decoder.h: what the tables of most decoders share: shorthand for names, keys and settings. */
#ifndef HEED_MODEL_FAMILY_DECODER_H
#define HEED_MODEL_FAMILY_DECODER_H

#include "model/family.h"

/* Names of tensors: of a layer, after the prefix, of a head. LINEAR and NORM stand for ".weight"
   and ".bias". */
/* clang-format off */
#define HEED_TENSOR(symbol, in, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .flags = HEED_NAME_BASE, .name = text}
#define HEED_TENSOR_AS(symbol, in, how, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .flags = HEED_NAME_BASE | (how), \
     .name = text}
#define HEED_TENSOR_FUSED(symbol, count, how, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_DECODER, .fused = (count), \
     .flags = HEED_NAME_BASE | (how), .name = text}
#define HEED_TENSOR_HEAD(symbol, kinds, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_MODEL, .heads = (kinds), .name = text}
/* clang-format on */
#define HEED_LINEAR(symbol, stem)                          \
    HEED_TENSOR(symbol##_WEIGHT, DECODER, stem ".weight"), \
        HEED_TENSOR(symbol##_BIAS, DECODER, stem ".bias")
#define HEED_NORM(symbol, stem)                          \
    HEED_TENSOR(symbol##_GAIN, DECODER, stem ".weight"), \
        HEED_TENSOR(symbol##_BIAS, DECODER, stem ".bias")

/* Heads as GPT-2's descendants have them, and as Llama's have. */
#define HEED_HEADS_CLASSIFIER                                                            \
    HEED_TENSOR_HEAD(CLASS_WEIGHT, 1 << HEED_HEAD_SEQUENCE_CLASS, "score.weight"),       \
        HEED_TENSOR_HEAD(CLASS_WEIGHT, 1 << HEED_HEAD_TOKEN_CLASS, "classifier.weight"), \
        HEED_TENSOR_HEAD(CLASS_BIAS, 1 << HEED_HEAD_TOKEN_CLASS, "classifier.bias"),     \
        HEED_TENSOR_HEAD(SPAN_WEIGHT, 0, "qa_outputs.weight"),                           \
        HEED_TENSOR_HEAD(SPAN_BIAS, 0, "qa_outputs.bias")
#define HEED_HEADS_SCORE                                       \
    HEED_TENSOR_HEAD(CLASS_WEIGHT, 0, "score.weight"),         \
        HEED_TENSOR_HEAD(CLASS_BIAS, 0, "score.bias"),         \
        HEED_TENSOR_HEAD(SPAN_WEIGHT, 0, "qa_outputs.weight"), \
        HEED_TENSOR_HEAD(SPAN_BIAS, 0, "qa_outputs.bias")

/* Classes by their stem: HEED_CLASSES("Gemma") is GemmaForCausalLM, GemmaModel and so on. */
/* clang-format off */
#define HEED_CLASSES(stem) \
    {stem "ForCausalLM", HEED_HEAD_CAUSAL_LM}, {stem "Model", \
     HEED_HEAD_NONE}, {stem "ForSequenceClassification", \
     HEED_HEAD_SEQUENCE_CLASS}, {stem "ForTokenClassification", \
     HEED_HEAD_TOKEN_CLASS}, {stem "ForQuestionAnswering", HEED_HEAD_QUESTION}
/* clang-format on */

/* Settings of every preset here. */
#define HEED_DECODER                                                                              \
    .arrangement = HEED_DECODER_ONLY, .causal = true, .final_norm = true, .decoder_start_id = -1, \
    .use_cache = true
#define HEED_ROPE(theta) \
    .position = HEED_POSITION_ROTARY, .rope = {.base = (theta), .fraction = 1, .truncate = true}

/* The dropout before a classifier of tokens: classifier_dropout, else hidden_dropout, else 0.1. */
heed_status heed_classifier_dropout_read(heed_config *config, const json_t *json, const char *where,
                                         heed_error *error);
/* A share of a head's channels that makes exactly `channels` of them turn. */
double heed_rope_share(int64_t channels, int64_t head_width);

#endif
