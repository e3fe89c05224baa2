/* weights_internal.h: how a model holds its weights. A tensor is what the file stores under one
   name, and it is trained as one parameter. A weight is what a graph binds: a whole tensor, some
   rows of a tensor (if q, k and v share one), or a table that is computed when the model is
   made. */
#ifndef HEED_MODEL_WEIGHTS_INTERNAL_H
#define HEED_MODEL_WEIGHTS_INTERNAL_H

#include "base/memory.h"
#include "io/stored.h"
#include "io/weights.h"
#include "model/head/head.h"
#include "model/keep.h"
#include "model/model.h"

#include <stdatomic.h>

typedef struct heed_tensor {
    const char *name;   /* name on disk */
    const char *listed; /* the name that the family writes */
    const heed_weight_name *entry;
    heed_weight_place place;
    const heed_role_use *use; /* of the first weight in it */
    /* number of the expert that "{j}" in the name stands for; its rows begin at row expert * rows
       of the stacked weight; -1 if the name has no "{j}" */
    int32_t expert;
    int rank;
    int64_t shape[3]; /* shape on disk */
    /* as (O,I), the fused weights one after the other, each with its experts one after the other;
       columns 0: a vector */
    int64_t rows, columns;
    int64_t experts; /* number of experts whose rows this tensor holds; 0: it is not stacked */
    size_t elements;
    heed_dtype stored;        /* type on disk, or the type to write */
    float *values, *gradient; /* training only: f32 (O,I); owned by the model */
    int32_t first_weight, weights;
    /* for HEED_NAME_GROUPED: query heads per key/value head, and rows per head; else 0 */
    int64_t group, head_width;
    /* its values are f32 rows that training may change; else it has the type and layout of
       inference */
    bool trained;
    bool absent;                      /* optional, and the file lacks it */
    bool initialize;                  /* the file lacks it, and it is initialized from the seed */
    const heed_stored_tensor *source; /* only while loading */
} heed_tensor;

typedef struct heed_weight {
    const char *name; /* name in graphs: "decoder.3.attention.query.weight" */
    heed_weight_place place;
    const heed_role_use *use; /* its role; NULL if the weight is computed, not stored */
    /* index of the tensor, or of the first expert's tensor if each expert has its own; -1:
       computed */
    int32_t tensor;
    int64_t first_row; /* row of the tensor with which the weight begins */
    /* rows at the beginning that graphs do not see: the positions before 0 */
    int64_t hidden_rows;
    int64_t rows, columns; /* of a stacked weight: the rows of all experts, one after the other */
    int64_t experts;       /* number of experts; 0: it is not stacked */
    heed_dtype dtype;
    heed_layout layout;
    void *data;
    size_t bytes;
    /* the bf16 working copy that matmuls read; of a stacked weight one copy per expert, one
       after the other. NULL unless training with `bf16`: matmuls read the rows */
    void *copy;
    size_t copy_bytes; /* bytes of the copy of one matrix */
    bool parameter;    /* its tensor is no buffer and not frozen */
} heed_weight;

/* A note to the user. A warning is shown at once, any other note only on request. */
typedef struct heed_model_message {
    char *text;
    bool warning;
} heed_model_message;

struct heed_model {
    atomic_int references;
    heed_config config;
    const heed_backend *backend;
    bool training;
    const char *const *frozen; /* patterns of tensors that are not trained; NULL: there are none */
    /* matrices are converted to narrow_dtype if that is narrower than their stored type */
    bool narrows;
    heed_dtype narrow_dtype; /* meaningful if `narrows` */
    heed_dtype cache;        /* type of keys and values */
    heed_kept *kept[HEED_KEEP_SIDES];
    size_t n_kept[HEED_KEEP_SIDES];
    bool bf16; /* matmuls read bf16 operands */
    heed_arena *arena;
    heed_tensor *tensors;
    size_t n_tensors, tensors_capacity;
    heed_weight *weights;
    size_t n_weights, weights_capacity;
    char *memory; /* memory of all weights except those that are rows of their tensor's values */
    char *copies; /* memory of all bf16 working copies */
    size_t copies_bytes;
    /* index[stack][slot][role][layer] is an index into weights, or -1; NULL if no layer has the
       role */
    int32_t *index[HEED_STACK_IDS][HEED_SLOT_IDS][HEED_ROLE_COUNT];
    /* indices of computed weights, or -1 */
    int32_t rotary[HEED_STACK_IDS], rotary_local[HEED_STACK_IDS], sinusoid[HEED_STACK_IDS],
        slopes[HEED_STACK_IDS];
    size_t *parameters; /* indices of the trained tensors */
    size_t n_parameters;
    json_t *class_names; /* an array of texts; NULL: they have none, or no head has classes */
    json_t *unused_keys; /* of config.json, an array of texts; NULL: it was not read */
    heed_model_message *notes;
    size_t n_notes, notes_capacity;
    const heed_weight_name *names; /* table of tensor names: the family's own, or its GGUF names */
    const char *prefix;
    /* asked while weights are filled; after that nobody, or whoever may end the writing */
    heed_cancel cancel;
};

/* Lists what the layers keep (keep.h). HEED_E_NOMEM. */
heed_status heed_keep_list(heed_model *model, heed_error *error);
/* Sets the model's prefix to the one with which most of its tensors are found. If the names of all
   tensors begin with that of a wrapper, and more tensors are found without it, the files lose
   it. */
heed_status heed_weights_choose_prefix(heed_model *model, heed_weights_file *file,
                                       heed_error *error);
/* Lists the tensors and weights that the configuration wants, with names, shapes and places, and
   fills none. `prefix` comes before the names that are marked HEED_NAME_BASE. */
heed_status heed_weights_list(heed_model *model, const char *prefix, heed_error *error);
/* Does the model use this spelling of a name, if it has the role? */
bool heed_weight_name_is_used(const heed_config *config, const heed_weight_name *entry);
/* Returns whether the tensor of this name is not trained. */
bool heed_weights_is_frozen(const heed_model *model, const char *name);
/* Checks the patterns against the listed tensors. Errors: HEED_E_ARG for a pattern that fits none,
   and if nothing is left to train. */
heed_status heed_weights_check_frozen(const heed_model *model, heed_error *error);
/* Returns whether gradients may pass what is computed with this weight, on their way to a trained
   one. */
bool heed_weights_passes_gradients(const heed_model *model, const heed_weight *weight);
/* Lists the trained tensors. It must be known which tensors the file has. */
heed_status heed_weights_list_parameters(heed_model *model, heed_error *error);
/* Returns the index of a weight, or -1 if the model has none in that role. */
int32_t heed_weights_find(const heed_model *model, const heed_weight_place *place, heed_role role);
/* Returns whether a matmul reads this weight, so that the backend may want it packed. A tied
   embedding counts, although single rows of it are looked up too. */
bool heed_weight_is_multiplied(const heed_config *config, const heed_weight *weight);

/* Chooses the type and layout of every weight and allocates all of them. With `training` they are
   f32 rows. The stored types must be known. */
heed_status heed_weights_allocate(heed_model *model, heed_error *error);
/* Fills the weights of a tensor from window->tensor, whose elements have the order on disk. */
heed_status heed_weights_fill(heed_model *model, heed_tensor *tensor, heed_stored_window *window,
                              heed_error *error);
/* Copies the rows of a weight as they are stored into `bytes`, the memory of a tensor in the order
   on disk, from row `first_row` of the tensor on. Returns false, and copies nothing, if the tensor
   has another type or another order of elements. */
bool heed_weights_copy(const heed_weight *weight, const heed_tensor *tensor, int64_t first_row,
                       heed_dtype dtype, void *bytes);
/* Converts a weight to f32 and writes it into `values`, the elements of a tensor in the order on
   disk, from row `first_row` of the tensor on. Errors: HEED_E_NOMEM. */
heed_status heed_weights_read(const heed_model *model, const heed_weight *weight,
                              const heed_tensor *tensor, int64_t first_row, float *values,
                              heed_error *error);
/* Copies the values, or the gradient, of a tensor of a model opened for training into `values` in
   the order on disk. */
void heed_weights_read_training(const heed_tensor *tensor, bool gradient, float *values);
/* Returns zeroed memory for the values, or the gradients, of a tensor of a model opened for
   training. If each expert has a tensor of its own, the first expert's memory serves all of them.
   Returns NULL if memory is out. */
float *heed_weights_training_memory(const heed_model *model, const heed_tensor *tensor,
                                    bool gradient);
/* Return how many bf16 working copies a tensor of a model opened for training has, and the copy at
   place `at`, in the order of their rows. */
size_t heed_weights_copy_count(const heed_model *model, const heed_tensor *tensor);
heed_parameter_copy heed_weights_bf16(const heed_model *model, const heed_tensor *tensor,
                                      size_t at);
/* Writes all bf16 working copies of a tensor from its values. */
void heed_weights_write_bf16(const heed_model *model, const heed_tensor *tensor);
/* Returns the number of matrices of a weight: one, or one per expert. */
static inline int64_t heed_weight_matrices(const heed_weight *weight)
{
    return weight->experts ? weight->experts : 1;
}
/* Fills the computed weights: rotary frequencies, sinusoidal tables and ALiBi slopes. */
void heed_weights_compute(heed_model *model);
/* Fills a tensor with initial values as its family does it. */
heed_status heed_weights_initialize(heed_model *model, heed_tensor *tensor, uint64_t seed,
                                    heed_error *error);

/* Numbers in the name of a tensor: "{i}" is the layer, "{j}" the expert, "{g}" the group of layers
   and "{k}" the layer in its group. */
typedef struct heed_name_numbers {
    int64_t layer, expert, group, in_group;
} heed_name_numbers;
/* Returns the numbers of the layer at a place. */
heed_name_numbers heed_weights_numbers(const heed_config *config, const heed_weight_place *place,
                                       int64_t expert);
/* Returns "layers.3.experts.1.weight" for "layers.{i}.experts.{j}.weight", with the prefix before
   it, in memory of the arena. Returns NULL if memory is out. */
char *heed_weights_expand(heed_arena *arena, const char *prefix, const char *pattern,
                          heed_name_numbers numbers);
/* Returns whether the name is prefix + pattern with any numbers in place of {i}, {j} and so on. */
bool heed_weights_matches(const char *name, const char *prefix, const char *pattern);

heed_status heed_model_note_add(heed_model *model, heed_error *error, const char *format, ...)
    HEED_PRINTF(3, 4);
/* Adds a warning: a note that is shown as soon as the model is loaded, because the model is another
   than its files seem to say. */
heed_status heed_model_warning_add(heed_model *model, heed_error *error, const char *format, ...)
    HEED_PRINTF(3, 4);
/* Makes a model with this configuration and without weights. */
heed_status heed_model_create(heed_model **model, const heed_config *config,
                              const heed_model_options *options, heed_error *error);

#endif
