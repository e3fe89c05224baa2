/* weights_internal.h: how a model holds its weights. A tensor is what lies on disk under one name
   and is trained as one parameter; a weight is what a graph binds: a whole tensor, some rows of one
   (q, k, v kept in one tensor), or a table computed when the model is made. */
#ifndef HEED_MODEL_WEIGHTS_INTERNAL_H
#define HEED_MODEL_WEIGHTS_INTERNAL_H

#include "base/memory.h"
#include "io/stored.h"
#include "io/weights.h"
#include "model/family.h"
#include "model/model.h"

#include <stdatomic.h>

enum { HEED_ROLE_COMPUTED = HEED_ROLE_COUNT }; /* of weights that no tensor holds */

typedef struct heed_tensor {
    const char *name; /* on disk */
    const heed_weight_name *entry;
    int32_t layer;
    /* "{j}": one expert's, whose weight begins in row j * rows of the stack; else -1 */
    int32_t expert;
    int rank;
    int64_t shape[3]; /* on disk */
    /* as (O,I): all fused weights together, in each the experts one after the other; columns 0: a
       vector */
    int64_t rows, columns;
    int64_t stack; /* experts in this tensor; 0: no stack */
    size_t elements;
    heed_dtype stored;        /* type on disk, or to be written */
    float *values, *gradient; /* training: (O,I) */
    int32_t first_weight, weights;
    /* GROUPED: query heads to a key/value head, rows of a head; else 0 */
    int64_t group, head_width;
    bool absent;                      /* an optional tensor that the file lacks */
    bool initialize;                  /* the file lacks it: from the seed */
    const heed_stored_tensor *source; /* while loading */
} heed_tensor;

typedef struct heed_weight {
    const char *name;       /* in graphs: "decoder.3.attention.query.weight" */
    uint8_t stack_id, role; /* heed_stack_id, heed_role */
    /* -1: computed; the first one's, where each expert has a tensor */
    int32_t tensor;
    int64_t first_row; /* in the tensor */
    /* at its beginning, which graphs do not see: positions before 0 */
    int64_t hidden_rows;
    int64_t rows, columns; /* of a stack: of all experts, one after the other */
    int64_t stack;         /* experts; 0: no stack */
    heed_dtype dtype;
    heed_layout layout;
    void *data;
    size_t bytes;
    /* the bf16 working copy that matmuls read; for a stack one copy per expert, one after the
       other. NULL unless training with `bf16`: matmuls read the rows */
    void *copy;
    size_t copy_bytes; /* of one matrix */
    bool parameter;
} heed_weight;

/* Something that the user should know; `aloud`: at once, not only when asked. */
typedef struct heed_model_message {
    char *text;
    bool aloud;
} heed_model_message;

struct heed_model {
    atomic_int references;
    heed_config config;
    const heed_backend *backend;
    bool training;
    bool narrows;            /* matrices are converted to narrow_dtype where that is narrower */
    heed_dtype narrow_dtype; /* set with `narrows` */
    heed_dtype cache;        /* of keys and values */
    bool bf16;               /* matmuls read bf16 operands */
    heed_arena *arena;
    heed_tensor *tensors;
    size_t n_tensors, tensors_capacity;
    heed_weight *weights;
    size_t n_weights, weights_capacity;
    char *memory; /* of all weights but those that are their tensor's values */
    char *copies; /* of all bf16 working copies */
    size_t copies_bytes;
    /* weight by layer, -1; NULL when the role is not wanted */
    int32_t *index[HEED_STACK_IDS][HEED_ROLE_COUNT];
    /* computed weights, -1 */
    int32_t rotary[HEED_STACK_IDS], rotary_local[HEED_STACK_IDS], sinusoid[HEED_STACK_IDS],
        slopes[HEED_STACK_IDS];
    size_t *parameters; /* indices of tensors that are trained */
    size_t n_parameters;
    heed_model_message *notes;
    size_t n_notes, notes_capacity;
    const heed_weight_name *names; /* of tensors: the family's, or those of GGUF files */
    const char *prefix;
    /* while the weights are filled; then nobody, or who may end the writing */
    heed_cancel cancel;
};

/* Sets the model's prefix to the one with which most of its tensors are found. If more are found
   after the name of a wrapper that all tensors have in common, the files lose it. */
heed_status heed_weights_choose_prefix(heed_model *model, heed_weights_file *file,
                                       heed_error *error);
/* Names, shapes and places of everything the configuration wants; nothing is filled. prefix stands
   before BASE names. */
heed_status heed_weights_list(heed_model *model, const char *prefix, heed_error *error);
/* Which tensors are trained, once it is known which ones are there. */
heed_status heed_weights_list_parameters(heed_model *model, heed_error *error);
/* The index of a weight, -1 when the model has none in that role. */
int32_t heed_weights_find(const heed_model *model, heed_stack_id stack_id, heed_role role,
                          int64_t layer);
/* Does a matmul read this weight (then the backend may want it packed), and rows of it too (a tied
   embedding)? */
bool heed_weight_is_multiplied(const heed_config *config, heed_stack_id stack_id, heed_role role);

/* Chooses type and layout of every weight and allocates; with `training` f32 rows. Stored types
   must be known. */
heed_status heed_weights_allocate(heed_model *model, heed_error *error);
/* Fills the weights of a tensor from window->tensor, its elements in the order on disk. */
heed_status heed_weights_fill(heed_model *model, heed_tensor *tensor, heed_stored_window *window,
                              heed_error *error);
/* Copies a weight's rows as they are stored into `bytes`, a tensor on disk, from its row
   `first_row` on; false where that has another type or order of elements. */
bool heed_weights_copy(const heed_weight *weight, const heed_tensor *tensor, int64_t first_row,
                       heed_dtype dtype, void *bytes);
/* Copies a weight into `values`, the elements of a tensor in the order on disk, from row
   `first_row` of it on. */
heed_status heed_weights_read(const heed_model *model, const heed_weight *weight,
                              const heed_tensor *tensor, int64_t first_row, float *values,
                              heed_error *error);
/* A tensor of a model opened for training: its values or its gradient in the order on disk. */
void heed_weights_read_training(const heed_tensor *tensor, bool gradient, float *values);
/* Training: zeroed memory for the values, or the gradients, of a tensor; of experts with tensors of
   their own the first brings it for all. NULL when memory is out. */
float *heed_weights_training_memory(const heed_model *model, const heed_tensor *tensor,
                                    bool gradient);
/* The bf16 working copies of a tensor of a model opened for training: how many, and the one at
   place `at`, in the order of their rows. */
size_t heed_weights_copy_count(const heed_model *model, const heed_tensor *tensor);
heed_parameter_copy heed_weights_bf16(const heed_model *model, const heed_tensor *tensor,
                                      size_t at);
/* Writes the bf16 working copies of a tensor from its values. */
void heed_weights_write_bf16(const heed_model *model, const heed_tensor *tensor);
/* The matrices of a weight: one, or one for each expert. */
static inline int64_t heed_weight_matrices(const heed_weight *weight)
{
    return weight->stack ? weight->stack : 1;
}
/* Rotary frequencies and sinusoidal tables. */
void heed_weights_compute(heed_model *model);
/* Initial values of one tensor as its family gives them. */
heed_status heed_weights_initialize(heed_model *model, heed_tensor *tensor, uint64_t seed,
                                    heed_error *error);

/* "layers.3.experts.1.weight" from "layers.{i}.experts.{j}.weight". NULL when memory is out. */
char *heed_weights_expand(heed_arena *arena, const char *prefix, const char *pattern, int64_t layer,
                          int64_t expert);
/* {i} and {j} are any numbers */
bool heed_weights_matches(const char *name, const char *prefix, const char *pattern);

heed_status heed_model_note_add(heed_model *model, heed_error *error, const char *format, ...)
    HEED_PRINTF(3, 4);
/* A note on what makes the model another than its files seem to say. It is told as soon as the
   model is loaded. */
heed_status heed_model_note_aloud(heed_model *model, heed_error *error, const char *format, ...)
    HEED_PRINTF(3, 4);
/* An empty model with this configuration. */
heed_status heed_model_create(heed_model **model, const heed_config *config,
                              const heed_model_options *options, heed_error *error);

#endif
