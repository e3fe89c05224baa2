/* forward_internal.h: one forward call: its inputs, the rows made of them, what is scored. */
#ifndef HEED_FORWARD_FORWARD_INTERNAL_H
#define HEED_FORWARD_FORWARD_INTERNAL_H

#include "model/build.h"
#include "forward/forward.h"
#include "forward/padded.h"

/* What one stack reads, the encoder or the decoder. */
typedef struct heed_forward_stack {
    heed_padded padded;
    heed_rows rows;
    const heed_named_tensor *ids, *vectors, *mask, *positions, *types;
    bool mask_is_padding; /* 1 marks padding, as torch has it */
    /* by place: tokens that the mask shows up to there; NULL where positions do not count them */
    int32_t *seen;
    int64_t *shifted; /* decoder input made of labels, by place; NULL */
} heed_forward_stack;

typedef struct heed_forward_call {
    heed_model *model;
    const heed_config *config;
    const heed_forward_inputs *inputs;
    heed_forward_stack main, source;
    bool both;       /* an encoder-decoder */
    int64_t choices; /* sequences to a question; 1 otherwise */
    int64_t *pooled; /* place of the pooled token of each sequence of the batch; NULL */
    const heed_named_tensor *labels, *next_sentence, *starts, *ends;
    bool scored;       /* by labels */
    bool fully_masked; /* some row sees nothing */
    heed_problem problem;
    const char *cotangents[16];
    int n_cotangents;
} heed_forward_call;

/* "in.<name>" or NULL. */
const heed_named_tensor *heed_forward_input(const heed_forward_call *call, const char *name);
bool heed_tensor_is_float(const heed_named_tensor *tensor);
int64_t heed_tensor_integer(const heed_named_tensor *tensor, int64_t at);
double heed_tensor_number(const heed_named_tensor *tensor, int64_t at);
int64_t heed_tensor_elements(const heed_named_tensor *tensor);

/* Values that the model takes; `owner` of the range is named in messages: "the vocabulary". */
typedef struct heed_value_range {
    int64_t least, most;
    const char *owner;
} heed_value_range;
/* HEED_E_ARG naming the value at a place of a batch of `length` tokens a sequence. */
heed_status heed_forward_check_range(const char *name, int64_t value, heed_value_range range,
                                     int64_t place, int64_t length, heed_error *error);
/* Is the tensor (B,T)? A first axis of 1 that is broadcast is fine where torch takes it. */
heed_status heed_forward_check_grid(const heed_named_tensor *tensor, const heed_padded *padded,
                                    bool broadcast, heed_error *error);

/* Reads and checks the inputs and makes rows of them. */
heed_status heed_forward_open(heed_forward_call *call, heed_error *error);
void heed_forward_close(heed_forward_call *call);
/* Sizes of a run over this batch. */
heed_program_spec heed_forward_spec(const heed_forward_call *call, heed_purpose purpose);
heed_runtime heed_forward_runtime(const heed_forward_call *call);
/* The token of a place: as given, or made of the labels. */
int64_t heed_forward_token(const heed_forward_stack *stack, int64_t place);
/* The position of a place of the batch: as given, or its place, or the number of tokens seen before
   it. */
int64_t heed_forward_position(const heed_forward_stack *stack, int64_t place);
/* Label of a place of the main stack, HEED_IGNORE when it has none: shifted for causal models. */
int64_t heed_forward_label(const heed_forward_call *call, int64_t place);

/* Finds the labels, or the cotangents where nothing is scored. */
heed_status heed_forward_read_targets(heed_forward_call *call, heed_error *error);
heed_status heed_forward_check_labels(const heed_forward_call *call, heed_error *error);
/* Chooses the token that stands for each sequence if the head pools one, and marks it needed. */
heed_status heed_forward_choose_pooled(heed_forward_call *call, heed_error *error);
/* Marks the tokens that need a row because they are scored. */
void heed_forward_mark_needed(heed_forward_call *call);

/* Fills every input of the plan. */
heed_status heed_forward_fill(const heed_forward_call *call, const heed_plan *plan,
                              const heed_workspace *workspace, heed_error *error);
/* True when something is scored and its count is 0: the mean of nothing. */
bool heed_forward_is_empty(const heed_forward_call *call);
/* Adds "out." + every output of the plan, in the padded layout; without `ran` zeros. */
heed_status heed_forward_restore(const heed_forward_call *call, const heed_plan *plan,
                                 const heed_workspace *workspace, bool ran,
                                 heed_tensor_list *outputs, heed_error *error);
/* Adds an f32 tensor of zeros; *values is writable until the list changes. */
heed_status heed_tensor_list_add(heed_tensor_list *list, const char *prefix, const char *name,
                                 heed_shape shape, float **values, heed_error *error);

#endif
