/* forward.h: what `heed forward` does: it takes padded inputs and returns outputs, loss and
   gradients as transformers computes them. */
#ifndef HEED_FORWARD_FORWARD_H
#define HEED_FORWARD_FORWARD_H

#include "model/engine.h"

/* A dense tensor with a name: "in.input_ids", "out.logits", "loss", "grad.<name on disk>". Integers
   are i64, i32, u8 or bool; all others are f32. */
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
void heed_tensor_list_free(heed_tensor_list *list); /* frees names and data too */

typedef struct heed_forward_inputs {
    const heed_named_tensor *tensors;
    size_t count;
} heed_forward_inputs;

typedef struct heed_forward_options {
    /* returns grad.<name on disk> of every parameter; the model must have been opened for
       training */
    bool gradients;
    bool attentions; /* returns out.attentions.* too */
    /* runs the graph without passes */
    bool no_passes;
    /* called with a sentence about each input that the model does not use; may be NULL */
    void (*note)(void *argument, const char *text);
    void *note_argument; /* first argument of `note` */
} heed_forward_options;

/* Runs a model over a padded batch and returns its outputs, and, if the inputs have labels or
   cotangents, the loss and gradients. *outputs is emptied first and stays empty on failure; free it
   with heed_tensor_list_free.

   Inputs: input_ids (B,T) and what else inputs.def lists; the labels that the model's heads name
   (labels, next_sentence_label, start_positions, end_positions); w, cotangent.<output>. Every name
   begins with "in."; tensors with other names are not read.

   Outputs are padded too; masked tokens are zeros in all of them.

   Errors: HEED_E_ARG and HEED_E_SHAPE name the input: missing, unknown, of another shape, an id
   outside the vocabulary, a position outside the table, a label outside the classes. */
heed_status heed_forward(heed_model *model, const heed_backend *backend,
                         const heed_forward_inputs *inputs, const heed_forward_options *options,
                         heed_tensor_list *outputs, heed_error *error);

#endif
