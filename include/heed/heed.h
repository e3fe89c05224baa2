/* heed/heed.h: Transformers as tasks: load, inspect, tokenise, run, generate, score, translate, train.

   Every fallible call returns a heed_status and fills a heed_error (NULL is allowed): what went wrong, where, what was expected,
   what to do. Nothing here aborts, exits or prints. Handles are opaque; what a call returns as `char **` or arrays belongs to the
   caller and is freed with heed_free. A heed_context owns threads and kernels and must outlive what was made with it.

       heed_error error = {0};
       heed_context *context;
       heed_transformer *model;
       if (heed_context_new(&context, NULL, &error) || heed_transformer_load(&model, context, "my-model", NULL, &error))
           fprintf(stderr, "%s\n", error.message);

   Threads: a heed_context and a loaded heed_transformer may be shared; calls on one transformer from several threads take turns. */
#ifndef HEED_H
#define HEED_H

#include <heed/dtype.h>
#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0". */
const char *heed_version(void);
/* Frees what heed handed out; NULL is fine. */
void heed_free(void *memory);

/* ---- context: threads and kernels ---- */
typedef struct heed_context heed_context;
typedef struct heed_context_options {
    int threads;            /* 0: OMP_NUM_THREADS, else all processors */
    const char *isa;        /* "generic", "avx2", "avx512"; NULL: HEED_ISA, else the best */
    bool reference;         /* the plain reference kernels: slow, the oracle of all others */
} heed_context_options;
heed_status heed_context_new(heed_context **context, const heed_context_options *options, heed_error *error);
void heed_context_free(heed_context *context); /* NULL is fine */

/* What this build and machine have, or, with a model folder, what the model is: one JSON object as text. */
heed_status heed_describe(heed_context *context, const char *model, char **json, heed_error *error);

/* ---- tokenizers ---- */
typedef struct heed_tokenizer heed_tokenizer;
/* A folder with tokenizer.json (or vocab.json and merges.txt, or vocab.txt), or the path of a tokenizer.json. */
heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error);
void heed_tokenizer_free(heed_tokenizer *tokenizer);

typedef struct heed_tokens {
    size_t count;
    int32_t *ids;
    uint32_t *offsets; /* begin and end of each token in code points, 2 * count; NULL unless asked for */
} heed_tokens;
/* Ids of a text, or of a pair when `pair` is not NULL. special: let the model's special tokens be added. */
heed_status heed_tokenize(const heed_tokenizer *tokenizer, const char *text, size_t length, const char *pair, size_t pair_length,
                          bool special, bool offsets, heed_tokens *tokens, heed_error *error);
void heed_tokens_free(heed_tokens *tokens);
/* Text of ids, NUL-terminated behind *length bytes; heed_free. */
heed_status heed_detokenize(const heed_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special, char **text,
                            size_t *length, heed_error *error);
/* Trains "bpe" or "char" on files (.txt, .jsonl with "text") and writes tokenizer.json into `folder`. vocab_size 0: for char, all
   characters. added: every text begins with <s> and ends with </s>, as translation models want it. */
typedef struct heed_tokenizer_plan {
    const char *kind;
    const char *const *files;
    size_t file_count;
    int64_t vocab_size, min_frequency;
    bool sentence_ends;     /* special tokens <pad>, </s>, <unk>, and </s> behind every text: for sequence to sequence */
} heed_tokenizer_plan;
heed_status heed_train_tokenizer(const heed_tokenizer_plan *plan, const char *folder, size_t *vocab_size, heed_error *error);

/* ---- running a model once ---- */
/* Reads tensors named in.<name> from a safetensors file and writes out.<name>, loss and grad.<name on disk> to another; the inputs
   and outputs are those of transformers' classes (DESIGN: `heed forward`). */
typedef struct heed_forward_task {
    const char *model, *input, *output;
    bool gradients, no_passes, attentions;
} heed_forward_task;
heed_status heed_forward_files(heed_context *context, const heed_forward_task *task, heed_error *error);

#ifdef __cplusplus
}
#endif
#endif
