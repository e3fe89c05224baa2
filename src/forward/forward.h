/* forward.h: what `heed forward` does: padded inputs in, outputs, loss and gradients out, as
   transformers computes them. */
#ifndef HEED_FORWARD_FORWARD_H
#define HEED_FORWARD_FORWARD_H

#include "model/engine.h"

/* A dense tensor with a name: "in.input_ids", "out.logits", "loss", "grad.<name on disk>". Integers
   are i64, i32, u8 or bool; the rest f32. */
typedef struct heed_named_tensor {
    char *name;
    heed_dtype dtype;
    int rank;
    int64_t shape[HEED_MAX_RANK];
    const void *data;
} heed_named_tensor;

typedef struct heed_tensor_list {
    heed_named_tensor *items;
    size_t count, capacity;
} heed_tensor_list;
void heed_tensor_list_free(heed_tensor_list *list); /* names and data too */

typedef struct heed_forward_inputs {
    const heed_named_tensor *tensors;
    size_t count;
} heed_forward_inputs;

typedef struct heed_forward_options {
    /* grad.<name on disk> for every parameter; the model must have been opened for training */
    bool gradients;
    bool attentions; /* also out.attentions.* */
    bool no_passes;
} heed_forward_options;

/* Inputs: input_ids (B,T), attention_mask, token_type_ids, position_ids, decoder_input_ids,
   decoder_attention_mask, labels, next_sentence_label, start_positions, end_positions, w,
   cotangent.<output>; for float models src, tgt and their *_key_padding_mask (1 = padding). Every
   name begins with "in."; tensors with other names are not read. Masked tokens are zeros in every
   output. Errors: HEED_E_ARG and HEED_E_SHAPE naming the input: missing, unknown, of another
   shape, an id outside the vocabulary, a position outside the table, a label outside the
   classes. */
heed_status heed_forward(heed_model *model, const heed_backend *backend,
                         const heed_forward_inputs *inputs, const heed_forward_options *options,
                         heed_tensor_list *outputs, heed_error *error);

#endif
