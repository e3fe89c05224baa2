/* forward_internal.h: declares one forward call: its inputs, the rows made of them and its
   targets. */
#ifndef HEED_FORWARD_FORWARD_INTERNAL_H
#define HEED_FORWARD_FORWARD_INTERNAL_H

#include "model/build.h"
#include "forward/forward.h"
#include "forward/padded.h"

/* What a tensor of a call holds. */
typedef enum heed_given {
    HEED_GIVEN_IDS,     /* (B,T) token ids, (B,choices,T) if sequences are compared */
    HEED_GIVEN_VECTORS, /* (B,T,D) f32 instead of token ids */
    HEED_GIVEN_MASK,    /* (B,T): tokens with 0 are masked */
    HEED_GIVEN_PADDING, /* (B,T): tokens with 1 are masked, as in torch */
    HEED_GIVEN_MEMORY_PADDING,
    HEED_GIVEN_POSITIONS, /* (B,T) or (1,T) */
    HEED_GIVEN_TYPES,     /* (B,T) */
    HEED_GIVEN_COUNT
} heed_given;

/* The inputs of one stack, the encoder or the decoder. A place is an element of the padded batch, b
   * T + t. */
typedef struct heed_forward_stack {
    heed_padded padded;
    heed_rows rows;
    const heed_named_tensor *given[HEED_GIVEN_COUNT]; /* NULL: not given */
    /* by place: how many tokens there are up to it that positions count; NULL if they count none */
    int32_t *counted;
    int32_t first_position; /* that of the first token that is counted */
    int64_t *shifted;       /* by place: decoder input made of the labels; NULL if it is given */
} heed_forward_stack;

enum { HEED_FORWARD_COTANGENTS = 64 };

typedef struct heed_forward_call {
    heed_model *model;
    const heed_config *config;
    const heed_forward_inputs *inputs;
    heed_forward_stack main, source;
    bool both;       /* the model is an encoder-decoder */
    int64_t choices; /* sequences of a question; 1 for other heads */
    /* by sequence of the batch: the place of its pooled token; NULL if the head pools none */
    int64_t *pooled;
    heed_problem problem;  /* how sequence classification is scored */
    heed_loss_terms terms; /* terms of the loss that the heads have */
    /* by term: the labels that it is scored by; NULL if they are not given, or it has none */
    const heed_named_tensor *labels[HEED_MAX_LOSS_TERMS];
    int token_term;    /* the term that is scored by labels of tokens; -1: there is none */
    bool scored;       /* the labels are scored: all of them are given */
    bool fully_masked; /* some row sees no key */
    const char *cotangents[HEED_FORWARD_COTANGENTS + 1]; /* ends in NULL */
    int n_cotangents;
} heed_forward_call;

/* Returns the input "in.<name>"; NULL if there is none. */
const heed_named_tensor *heed_forward_input(const heed_forward_call *call, const char *name);
/* Finds what the stacks are given (inputs.def). */
void heed_forward_find_given(heed_forward_call *call);
/* Returns the name of what a stack of this model may be given; "" if it is not read. */
const char *heed_forward_name(const heed_forward_call *call, heed_input_stack stack,
                              heed_given given);
/* Returns HEED_E_ARG or HEED_E_DTYPE for an input of an unknown name or type. */
heed_status heed_forward_check_names(const heed_forward_call *call, heed_error *error);
/* Tells about inputs that the model does not use. */
void heed_forward_tell_unused(const heed_forward_call *call, const heed_forward_options *options);
/* Is the tensor f32? The functions after it return element `at` as an integer or a number, and the
   number of elements. */
bool heed_tensor_is_float(const heed_named_tensor *tensor);
int64_t heed_tensor_integer(const heed_named_tensor *tensor, int64_t at);
double heed_tensor_number(const heed_named_tensor *tensor, int64_t at);
int64_t heed_tensor_elements(const heed_named_tensor *tensor);

/* The range of values that the model takes. `owner` is named in messages: "the vocabulary". */
typedef struct heed_value_range {
    int64_t least, most;
    const char *owner;
} heed_value_range;
/* Returns HEED_E_ARG, which names value and place, if a value is outside its range. Sequences have
   `length` tokens. */
heed_status heed_forward_check_range(const char *name, int64_t value, heed_value_range range,
                                     int64_t place, int64_t length, heed_error *error);
/* Returns HEED_E_SHAPE if the tensor is not (B,T). With `broadcast` its first axis may be 1, where
   torch allows that. NULL is allowed. */
heed_status heed_forward_check_grid(const heed_named_tensor *tensor, const heed_padded *padded,
                                    bool broadcast, heed_error *error);

/* Reads and checks the inputs and makes rows of them. Close the call in every case. */
heed_status heed_forward_open(heed_forward_call *call, heed_error *error);
void heed_forward_close(heed_forward_call *call);
/* Returns the sizes of a program for this call. */
heed_program_spec heed_forward_spec(const heed_forward_call *call, heed_purpose purpose);
/* A column of integers with one number a token: as the call gives it, or made of other inputs. */
typedef struct heed_forward_column {
    heed_input_id id;
    /* Can the column be made for this stack? */
    bool (*is_there)(const heed_forward_stack *stack);
    /* returns the number of a place */
    int64_t (*value)(const heed_forward_stack *stack, int64_t place);
    /* returns the range of its numbers in a stack of the model */
    heed_value_range (*range)(const heed_forward_call *call, heed_stack_id stack_id);
    heed_given given;
    const char *otherwise; /* names it in messages if it is not given */
} heed_forward_column;
enum { HEED_FORWARD_COLUMNS = 3 };
extern const heed_forward_column heed_forward_columns[HEED_FORWARD_COLUMNS];
/* Returns the token of a place: as given, or made of other inputs. */
int64_t heed_forward_token(const heed_forward_stack *stack, int64_t place);
/* Returns the position of a place: as given, its place in the sequence, or what follows from the
   tokens before it, if the model counts them. */
int64_t heed_forward_position(const heed_forward_stack *stack, int64_t place);
/* Returns HEED_E_ARG if a number of a row of the stack is outside the range of its column. */
heed_status heed_forward_check_columns(const heed_forward_call *call,
                                       const heed_forward_stack *stack, heed_stack_id stack_id,
                                       heed_error *error);

/* Finds the labels, or the cotangents if nothing is scored. */
heed_status heed_forward_read_targets(heed_forward_call *call, heed_error *error);
/* Checks shapes and ranges of the labels. */
heed_status heed_forward_check_labels(const heed_forward_call *call, heed_error *error);
/* Chooses the token that stands for each sequence, if the head pools one, and marks it as
   needed. */
heed_status heed_forward_choose_pooled(heed_forward_call *call, heed_error *error);
/* Marks the tokens that need a row because they are scored. */
void heed_forward_mark_needed(heed_forward_call *call);
/* Writes the labels of term `term` into the column of its program, as heed_label_kind says, unless
   `column` is NULL. Returns how many are scored: by them the term is divided. */
int64_t heed_forward_write_labels(const heed_forward_call *call, int term, void *column);

/* Makes the batch that programs read; it has the columns of all purposes. HEED_E_NOMEM. */
heed_status heed_forward_put(const heed_forward_call *call, heed_batch *batch, heed_error *error);
/* Appends the cotangents of the call to the batch, in the shapes of the plan's inputs. HEED_E_ARG
   for an output that has none, HEED_E_SHAPE. */
heed_status heed_forward_put_cotangents(const heed_forward_call *call, const heed_plan *plan,
                                        heed_batch *batch, heed_error *error);
/* Is something scored, but no label counts? The loss is then the mean of nothing, NaN. */
bool heed_forward_is_empty(const heed_forward_call *call);
/* Adds every output of the plan to `outputs` under "out." + its name, in the padded layout. If the
   plan did not run, they are zeros. */
heed_status heed_forward_restore(const heed_forward_call *call, const heed_plan *plan,
                                 const heed_workspace *workspace, bool ran,
                                 heed_tensor_list *outputs, heed_error *error);
/* Adds an f32 tensor of zeros named prefix + name. *values may be written until the list
   changes. */
heed_status heed_tensor_list_add(heed_tensor_list *list, const char *prefix, const char *name,
                                 heed_shape shape, float **values, heed_error *error);

#endif
