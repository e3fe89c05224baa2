/* model.h: a model's weights, owned once and shared (invariant 8). A heed_model loaded for
   inference is immutable, reference-counted and may be used by any number of threads. One opened
   for training belongs to its trainer, which rewrites the parameters' rows between runs; sessions
   that read it at that time belong to the same thread. */
#ifndef HEED_MODEL_MODEL_H
#define HEED_MODEL_MODEL_H

#include "base/cancel.h"
#include "graph/backend.h"
#include "model/config.h"

typedef struct heed_model heed_model;
typedef struct heed_gguf_entries heed_gguf_entries;

typedef struct heed_model_options {
    /* decides the resident layout; borrowed until the model is freed */
    const heed_backend *backend;
    /* parameters as f32 rows (and gradients on demand), else packed in their stored type */
    bool training;
    int64_t head; /* 0: as `architectures` says; else a heed_head that replaces it */
    /* a head absent from the file is initialized from `seed` (and listed among the notes), else an
       error */
    bool missing_head;
    uint64_t seed;
    /* inference: matrices that a matmul reads are converted to `narrow_dtype` if that is narrower
       than their stored type */
    bool narrows;
    /* f16, bf16, or a quantized type that has an encoder; tied embeddings keep 8 bits at least */
    heed_dtype narrow_dtype;
    /* matmuls and attention read bf16 operands (the precision pass); with `training` the matrices
       that a matmul reads have bf16 working copies, which whoever writes rows has to update */
    bool bf16;
    /* keys and values of its sessions: f32 (0, exact), bf16, or i8 with a scale per head and
       position */
    heed_dtype cache;
    /* NaN and infinities in weights become notes instead of HEED_E_FORMAT */
    bool allow_nonfinite;
    /* Who may end the loading, with HEED_E_CANCELLED; asked for every tensor and every 2^18
       elements or so. */
    heed_cancel cancel;
} heed_model_options;

/* Loads a folder with config.json and safetensors, or a GGUF file. Every tensor of the file is used
   once or listed as ignored by the family, every weight is filled exactly once. Errors:
   HEED_E_FORMAT naming tensors, shapes, what was expected; those of config and io. */
heed_status heed_model_load(heed_model **model, const char *path, const heed_model_options *options,
                            heed_error *error);
/* A new model with initial weights as its family initializes them, from the seed. Its configuration
   is copied. */
heed_status heed_model_new_random(heed_model **model, const heed_config *config,
                                  const heed_model_options *options, heed_error *error);
/* Who may end the writing of the model from now on, with HEED_E_CANCELLED. */
void heed_model_set_cancel(heed_model *model, heed_cancel cancel);
/* Writes config.json and model.safetensors (or shards) into an existing folder, in the layout that
   transformers loads. dtype HEED_F32, HEED_F16 or HEED_BF16; HEED_DTYPE_COUNT: as stored (training:
   f32). */
heed_status heed_model_save(const heed_model *model, const char *folder, heed_dtype dtype,
                            heed_error *error);

/* Writes a GGUF file: metadata and tensors in the names of its family, `tokenizer` (entries, may be
   NULL) after the model's own. dtype: of matrices, any float or quantized type that has an encoder;
   HEED_DTYPE_COUNT: as stored. Vectors and tables of positions are f32. Rows whose length is not a
   multiple of the type's qblock get the nearest smaller type that fits. Errors: HEED_E_UNSUPPORTED
   for families without GGUF names and for settings that GGUF cannot say. */
heed_status heed_model_save_gguf(const heed_model *model, const char *path, heed_dtype dtype,
                                 const heed_gguf_entries *tokenizer, heed_error *error);

heed_model *heed_model_retain(heed_model *model); /* returns it */
void heed_model_release(heed_model *model);       /* NULL is fine; the last release frees */

const heed_config *heed_model_config(const heed_model *model);
bool heed_model_is_training(const heed_model *model);
size_t heed_model_bytes(const heed_model *model); /* resident weights */
/* bf16 working copies: 4 bytes for every element that has one */
size_t heed_model_copy_bytes(const heed_model *model);
/* Of them those that a step over `rows` tokens reads: all but tables of which single rows are
   gathered, and of the experts no more than the rows choose. */
double heed_model_step_bytes(const heed_model *model, int64_t rows);
/* what the user should know: initialized heads, ignored tensors ... */
size_t heed_model_note_count(const heed_model *model);
const char *heed_model_note(const heed_model *model, size_t index);
/* Is the note to be told as soon as the model is loaded? */
bool heed_model_note_is_aloud(const heed_model *model, size_t index);

/* ---- parameters ----
   One per tensor on disk, tied ones once, buffers none; in the order of the family's table, layer
   by layer. */

/* NONE: biases and norm gains */
typedef enum heed_decay_group { HEED_DECAY_MATRIX, HEED_DECAY_NONE } heed_decay_group;

typedef struct heed_parameter_info {
    const char *name; /* on disk; borrowed */
    int rank;
    const int64_t *shape; /* on disk; borrowed */
    size_t elements;
    heed_decay_group group;
    /* f32, matrices as (O,I), whatever their order on disk; NULL unless opened for training */
    float *rows;
    float *gradient; /* the same shape; NULL before heed_model_allocate_gradients */
} heed_parameter_info;

size_t heed_model_parameter_count(const heed_model *model);
/* index < count. The pointers hold for the model's life (gradient: from
   heed_model_allocate_gradients on). */
heed_parameter_info heed_model_parameter(const heed_model *model, size_t index);
/* A matrix of a parameter that has a bf16 working copy, which write_copy of the backend's packing
   writes (graph/pack.h). */
typedef struct heed_parameter_copy {
    size_t begin; /* element of the parameter with which the matrix begins */
    int64_t rows, columns;
    void *data; /* the copy; borrowed from the model */
} heed_parameter_copy;
/* How many of them a parameter has, and the one at place `at`, in the order of their rows; none
   unless opened for training with `bf16`. */
size_t heed_model_copy_count(const heed_model *model, size_t index);
heed_parameter_copy heed_model_copy(const heed_model *model, size_t index, size_t at);
/* Copies one parameter's rows, or its gradient, into `values` in the order on disk (training
   only). */
void heed_model_parameter_read(const heed_model *model, size_t index, bool gradient, float *values);
size_t heed_model_element_count(const heed_model *model); /* numbers in all parameters */

/* Zeroed gradient memory for every parameter (training only). Runs of HEED_PURPOSE_TRAIN add to
   it. */
heed_status heed_model_allocate_gradients(heed_model *model, heed_error *error);
void heed_model_clear_gradients(heed_model *model);

/* ---- sizes before anything is allocated ---- */
typedef struct heed_model_size {
    size_t parameters;      /* numbers */
    size_t inference_bytes; /* weights resident in `dtype` */
    /* f32 parameters, gradients and two moments of Adam; without activations (ask the plan) */
    size_t training_bytes;
    /* KV cache, one position of one sequence, f32 (heed_model_cache_bytes: of a loaded model) */
    size_t cache_bytes_per_position;
} heed_model_size;
heed_status heed_config_size(const heed_config *config, heed_dtype dtype, heed_model_size *size,
                             heed_error *error);

#endif
