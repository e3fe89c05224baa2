/* decoder_internal.h: macros for names, keys and settings that the tables of most decoders
   share. */
#ifndef HEED_MODEL_FAMILY_DECODER_INTERNAL_H
#define HEED_MODEL_FAMILY_DECODER_INTERNAL_H

#include "model/family.h"

/* Rows of a table of tensor names. LINEAR and NORM make two rows, for ".weight" and ".bias". */
/* clang-format off */
#define HEED_WEIGHT(symbol, in, how, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .flags = (how), .name = text}
#define HEED_WEIGHT_LINEAR(symbol, in, how, stem) \
    HEED_WEIGHT(symbol##_WEIGHT, in, how, stem ".weight"), \
    HEED_WEIGHT(symbol##_BIAS, in, how, stem ".bias")
#define HEED_WEIGHT_NORM(symbol, in, how, stem) \
    HEED_WEIGHT(symbol##_GAIN, in, how, stem ".weight"), \
    HEED_WEIGHT(symbol##_BIAS, in, how, stem ".bias")
/* The same in a slot that is not the usual one of the role (model/roles.def). */
#define HEED_WEIGHT_AT(place, symbol, in, how, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .slot = HEED_SLOT_##place, \
     .flags = (how), .name = text}
#define HEED_WEIGHT_LINEAR_AT(place, symbol, in, how, stem) \
    HEED_WEIGHT_AT(place, symbol##_WEIGHT, in, how, stem ".weight"), \
    HEED_WEIGHT_AT(place, symbol##_BIAS, in, how, stem ".bias")
#define HEED_WEIGHT_NORM_AT(place, symbol, in, how, stem) \
    HEED_WEIGHT_AT(place, symbol##_GAIN, in, how, stem ".weight"), \
    HEED_WEIGHT_AT(place, symbol##_BIAS, in, how, stem ".bias")

/* Rows of names that have the family's prefix; rows of tensors that hold `count` weights of the
   decoder; rows of heads. */
#define HEED_TENSOR(symbol, in, text) HEED_WEIGHT(symbol, in, HEED_NAME_BASE, text)
#define HEED_TENSOR_AS(symbol, in, how, text) HEED_WEIGHT(symbol, in, HEED_NAME_BASE | (how), text)
#define HEED_TENSOR_FUSED(symbol, count, how, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_DECODER, .fused = (count), \
     .flags = HEED_NAME_BASE | (how), .name = text}
#define HEED_TENSOR_HEAD(symbol, kinds, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_MODEL, .heads = (kinds), .name = text}
#define HEED_LINEAR_OF(symbol, kinds, how, stem) \
    {.role = HEED_ROLE_##symbol##_WEIGHT, .stack_id = HEED_STACK_MODEL, .flags = (how), \
     .heads = (kinds), .name = stem ".weight"}, \
    {.role = HEED_ROLE_##symbol##_BIAS, .stack_id = HEED_STACK_MODEL, .flags = (how), \
     .heads = (kinds), .name = stem ".bias"}
#define HEED_LINEAR_IN(in, symbol, stem) HEED_WEIGHT_LINEAR(symbol, in, HEED_NAME_BASE, stem)
#define HEED_NORM_IN(in, symbol, stem) HEED_WEIGHT_NORM(symbol, in, HEED_NAME_BASE, stem)
#define HEED_LINEAR(symbol, stem) HEED_LINEAR_IN(DECODER, symbol, stem)
#define HEED_NORM(symbol, stem) HEED_NORM_IN(DECODER, symbol, stem)
#define HEED_TENSOR_AT(place, symbol, how, text) \
    HEED_WEIGHT_AT(place, symbol, DECODER, HEED_NAME_BASE | (how), text)
#define HEED_LINEAR_AT(place, symbol, stem) \
    HEED_WEIGHT_LINEAR_AT(place, symbol, DECODER, HEED_NAME_BASE, stem)
#define HEED_NORM_AT(place, symbol, stem) \
    HEED_WEIGHT_NORM_AT(place, symbol, DECODER, HEED_NAME_BASE, stem)
/* clang-format on */

/* Heads under the names of GPT-2's descendants, and under those of Llama's. */
/* clang-format off */
#define HEED_HEADS_CLASSIFIER \
    HEED_TENSOR_HEAD(CLASS_WEIGHT, 1 << HEED_HEAD_SEQUENCE_CLASS, "score.weight"), \
    HEED_TENSOR_HEAD(CLASS_WEIGHT, 1 << HEED_HEAD_TOKEN_CLASS, "classifier.weight"), \
    HEED_TENSOR_HEAD(CLASS_BIAS, 1 << HEED_HEAD_TOKEN_CLASS, "classifier.bias"), \
    HEED_TENSOR_HEAD(SPAN_WEIGHT, 0, "qa_outputs.weight"), \
    HEED_TENSOR_HEAD(SPAN_BIAS, 0, "qa_outputs.bias")
#define HEED_HEADS_SCORE \
    HEED_TENSOR_HEAD(CLASS_WEIGHT, 0, "score.weight"), \
    HEED_TENSOR_HEAD(CLASS_BIAS, 0, "score.bias"), \
    HEED_TENSOR_HEAD(SPAN_WEIGHT, 0, "qa_outputs.weight"), \
    HEED_TENSOR_HEAD(SPAN_BIAS, 0, "qa_outputs.bias")
/* clang-format on */

/* Class names by their stem: HEED_CLASSES("Gemma") has GemmaForCausalLM, GemmaModel and so on. */
/* clang-format off */
#define HEED_CLASSES(stem) \
    HEED_CLASSES_BUT_QUESTION(stem), HEED_CLASS(stem "ForQuestionAnswering", QUESTION)
#define HEED_CLASSES_BUT_QUESTION(stem) \
    HEED_CLASS(stem "ForCausalLM", CAUSAL_LM), HEED_CLASS(stem "Model", BARE), \
    HEED_CLASS(stem "ForSequenceClassification", SEQUENCE_CLASS), \
    HEED_CLASS(stem "ForTokenClassification", TOKEN_CLASS)
/* clang-format on */

/* Settings of the preset of every decoder. */
/* clang-format off */
#define HEED_DECODER \
    .arrangement = HEED_DECODER_ONLY, .causal = true, .final_norm = true, .decoder_start_id = -1, \
    .use_cache = true
#define HEED_ROPE(theta) \
    .position = HEED_POSITION_ROTARY, .rope = {.base = (theta), .fraction = 1, .truncate = true}
/* clang-format on */

/* Plain multi-head attention: there are as many key/value heads as heads, and their width follows
   from d_model. */
/* clang-format off */
#define HEED_MULTI_HEAD \
    HEED_EQUALS(decoder.kv_heads, decoder.heads), HEED_COMPUTED(decoder.head_width)
/* The dropout before a token classifier: classifier_dropout, else hidden_dropout, else 0.1. */
#define HEED_CLASSIFIER_DROPOUT \
    HEED_KEY_READ("hidden_dropout", RATE, classifier_dropout), \
    HEED_KEY_READ("classifier_dropout", RATE, classifier_dropout)
/* clang-format on */

#endif
