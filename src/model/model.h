/* model.h: the weights of a model, owned once and shared (docs/architecture.md, invariant 8). A
   heed_model that is loaded for inference is immutable and reference-counted; any number of threads
   may use it. A model that is opened for training belongs to its trainer, which rewrites the rows
   of the parameters between runs. Sessions that read it at that time must run on the trainer's
   thread. */
#ifndef HEED_MODEL_MODEL_H
#define HEED_MODEL_MODEL_H

#include "base/cancel.h"
#include "graph/backend.h"
#include "model/config.h"

typedef struct heed_model heed_model;
typedef struct heed_gguf_entries heed_gguf_entries;

typedef struct heed_model_options {
    /* decides how weights are laid out in memory; borrowed until the model is freed; NULL: rows */
    const heed_backend *backend;
    /* true: parameters are f32 rows, and gradients can be allocated; false: weights keep their
       stored type and are packed if the backend has a kernel for that */
    bool training;
    /* With `training`: tensors that are not trained, as patterns of their names on disk, in which
       "*" is any run of characters. They have no gradients and keep the type and layout that they
       have for inference; those that are quantized become f32 if a gradient has to pass them. A
       NULL ends the list; NULL: all are trained. Borrowed while the model is made. */
    const char *const *frozen;
    heed_head head; /* the only head instead of those that `architectures` names; 0: those */
    /* true: a head that the file lacks is initialized from `seed` and listed among the notes;
       false: it is an error */
    bool missing_head;
    uint64_t seed;
    /* inference only: matrices that a matmul reads are converted to `narrow_dtype` if that is
       narrower than their stored type */
    bool narrows;
    /* f16, bf16, or a quantized type that has an encoder; a tied embedding keeps at least 8 bits */
    heed_dtype narrow_dtype;
    /* matmuls and attention read bf16 operands (the precision pass). With `training` each matrix
       that a matmul reads also has a bf16 working copy; whoever writes the rows must update the
       copy. */
    bool bf16;
    /* type of the keys and values of its sessions: f32 (0, exact), f16, bf16, or i8 with a scale
       per head and position */
    heed_dtype cache;
    /* NaN and infinities in weights become notes instead of HEED_E_FORMAT */
    bool allow_nonfinite;
    /* Ends the loading with HEED_E_CANCELLED if it says so. It is asked for every tensor and after
       about 2^18 elements. */
    heed_cancel cancel;
} heed_model_options;

/* Loads a folder with config.json and safetensors, or a GGUF file. Every tensor of the file is used
   once or listed as ignored by the family, and every weight is filled exactly once. The caller
   releases the model. Errors: HEED_E_FORMAT names the tensor, its shape and what was expected; also
   the errors of config and io. */
heed_status heed_model_load(heed_model **model, const char *path, const heed_model_options *options,
                            heed_error *error);
/* Makes a new model. Its weights are initialized as its family does it, from the seed. The
   configuration is copied. The caller releases the model. */
heed_status heed_model_new_random(heed_model **model, const heed_config *config,
                                  const heed_model_options *options, heed_error *error);
/* Sets what may end the writing of the model from now on, with HEED_E_CANCELLED. */
void heed_model_set_cancel(heed_model *model, heed_cancel cancel);
/* Writes config.json and model.safetensors (or shards) into an existing folder, in the layout that
   transformers loads. dtype is HEED_F32, HEED_F16 or HEED_BF16, or HEED_DTYPE_COUNT for the stored
   types (f32 for a model opened for training). */
heed_status heed_model_save(const heed_model *model, const char *folder, heed_dtype dtype,
                            heed_error *error);

/* Writes a GGUF file: metadata, and tensors under the GGUF names of the family. `tokenizer` holds
   further entries, which come after the model's own; it may be NULL. `dtype` is the type of the
   matrices: any float type, any quantized type that has an encoder, or HEED_DTYPE_COUNT for the
   stored types. Vectors and tables of positions are written as f32. If the length of a row is not a
   multiple of the type's qblock, the nearest smaller type that fits is used. Errors:
   HEED_E_UNSUPPORTED for a family without GGUF names and for settings that GGUF cannot express. */
heed_status heed_model_save_gguf(const heed_model *model, const char *path, heed_dtype dtype,
                                 const heed_gguf_entries *tokenizer, heed_error *error);

heed_model *heed_model_retain(heed_model *model); /* adds a reference and returns the model */
void heed_model_release(heed_model *model);       /* NULL is fine; the last release frees */

const heed_config *heed_model_config(const heed_model *model);
bool heed_model_is_training(const heed_model *model);
size_t heed_model_bytes(const heed_model *model); /* of the resident weights */
/* Returns the bytes of all bf16 working copies: 4 for every element that has one. */
size_t heed_model_copy_bytes(const heed_model *model);
/* Returns the bytes of the weights that a step over `rows` tokens reads. A table of which a step
   gathers single rows does not count, and no more experts count than the rows can choose. */
double heed_model_step_bytes(const heed_model *model, int64_t rows);
/* Notes: what the user should know, such as initialized heads and ignored tensors. index < count;
   the text is borrowed from the model. */
/* Reads from a config.json what heed_config does not hold: names of classes, which saving writes
   again, and keys that the model does not use, of which a note warns. heed_model_load does that
   itself; a model with random weights needs it. */
heed_status heed_model_read_besides(heed_model *model, const char *path, heed_error *error);
/* Returns the name of a class; NULL if it has none. Borrowed. */
const char *heed_model_class_name(const heed_model *model, int64_t label);
/* Returns a key of config.json that the model does not use; NULL after the last one. Borrowed. */
const char *heed_model_unused_key(const heed_model *model, size_t index);
size_t heed_model_note_count(const heed_model *model);
const char *heed_model_note(const heed_model *model, size_t index);
/* Returns whether the note is a warning, which should be shown as soon as the model is loaded. */
bool heed_model_note_is_warning(const heed_model *model, size_t index);

/* ---- parameters ----
   One parameter per trained tensor on disk: a tied tensor counts once, buffers do not count. The
   order is that of the family's table, layer by layer. */

/* Weight decay applies to MATRIX. Biases and norm gains are in NONE. */
typedef enum heed_decay_group { HEED_DECAY_MATRIX, HEED_DECAY_NONE } heed_decay_group;

typedef struct heed_parameter_info {
    const char *name; /* on disk; borrowed */
    int rank;
    const int64_t *shape; /* on disk; borrowed */
    size_t elements;
    heed_decay_group group;
    /* f32; a matrix is (O,I), whatever its order on disk; NULL unless opened for training */
    float *rows;
    float *gradient; /* the same shape; NULL before heed_model_allocate_gradients */
} heed_parameter_info;

size_t heed_model_parameter_count(const heed_model *model);
/* index < count. The pointers are valid as long as the model lives; `gradient` is valid after
   heed_model_allocate_gradients. */
heed_parameter_info heed_model_parameter(const heed_model *model, size_t index);
/* A matrix of a parameter that has a bf16 working copy, which write_copy of the backend's packing
   writes (graph/pack.h). */
typedef struct heed_parameter_copy {
    size_t begin;              /* element of the parameter with which the matrix begins */
    heed_packed_weight packed; /* the copy, of HEED_BF16; its memory is the model's */
} heed_parameter_copy;
/* Return how many bf16 working copies a parameter has, and the copy at place `at`, in the order of
   their rows. There are none unless the model is opened for training with `bf16`. */
size_t heed_model_copy_count(const heed_model *model, size_t index);
heed_parameter_copy heed_model_copy(const heed_model *model, size_t index, size_t at);
/* Copies the rows of one parameter, or its gradient, into `values` in the order on disk. Training
   only. */
void heed_model_parameter_read(const heed_model *model, size_t index, bool gradient, float *values);
size_t heed_model_element_count(const heed_model *model); /* elements of all parameters */

/* Allocates zeroed gradient memory for every parameter. Training only. Runs of HEED_PURPOSE_TRAIN
   add to it. Errors: HEED_E_NOMEM. */
heed_status heed_model_allocate_gradients(heed_model *model, heed_error *error);
void heed_model_clear_gradients(heed_model *model);

/* ---- sizes before anything is allocated ---- */
typedef struct heed_model_size {
    size_t parameters;      /* elements of all parameters */
    size_t inference_bytes; /* with matrices in `dtype` */
    /* f32 parameters, gradients and the two moments of Adam, without activations, for which the
       plan knows the bytes */
    size_t training_bytes;
    /* KV cache of one position of one sequence in f32; heed_model_cache_bytes tells it for a loaded
       model */
    size_t cache_bytes_per_position;
} heed_model_size;
heed_status heed_config_size(const heed_config *config, heed_dtype dtype, heed_model_size *size,
                             heed_error *error);

#endif
