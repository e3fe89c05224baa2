/* heed/heed.h: the tasks of the library: it loads, inspects, tokenizes, runs, generates, scores,
   translates and trains Transformers. It includes all other headers of heed but graph.h, which
   builds models by hand: context.h (threads and kernels), tokenizer.h, lines.h (files of text),
   generation.h and train.h (options and results), peak.h, optional.h, dtype.h, status.h.

   Errors. A call that can fail returns a heed_status and takes a heed_error as its last parameter.
   It fills the error with one line: what went wrong, where, what was expected and what to do. The
   error may be NULL. The library never aborts, exits or prints.

   Ownership. Handles are opaque. The caller frees each with its own function, which accepts NULL. A
   text that a call returns as `char **` belongs to the caller, who frees it with heed_free. What is
   called borrowed belongs to the library or, for parameters, stays the caller's. A heed_context
   owns threads and kernels; it must outlive everything that was made with it.

   Options. {0} in a struct of options means all defaults. Where a call takes a pointer to such a
   struct, NULL means the same. If 0 is a choice of its own, the number is a heed_optional_int or
   heed_optional_real (optional.h): options.temperature = heed_real(0.7). In results such a number
   may be absent. Files and folders have no default: a call fails with HEED_E_ARG if one is missing.

       heed_error error = {0};
       heed_context *context;
       heed_transformer *model;
       if (heed_context_new(&context, NULL, &error) ||
           heed_transformer_load(&model, context, "my-model", NULL, &error))
           fprintf(stderr, "%s\n", error.message);

   Threads. Several threads may share a heed_context and a loaded heed_transformer. Their calls on
   one transformer run one after another. */
#ifndef HEED_H
#define HEED_H

#include <heed/context.h>
#include <heed/dtype.h>
#include <heed/generation.h>
#include <heed/lines.h>
#include <heed/optional.h>
#include <heed/peak.h>
#include <heed/status.h>
#include <heed/tokenizer.h>
#include <heed/train.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

/* Returns the version of the library, for example "0.2.0", in static storage. */
const char *heed_version(void);
/* Frees memory that a heed call returned to the caller. NULL is allowed. */
void heed_free(void *memory);
/* Checks, without leaving a file there, that one can be written at `path`. Call it before
   long work; the tasks below check their own outputs. A full disk is not detected. HEED_E_ARG if
   the path is empty; HEED_E_IO with the reason. */
heed_status heed_output_check(const char *path, heed_error *error);

/* Describes a model in one JSON object. `model` is a model folder or a GGUF file; with NULL, the
   object describes this build and this machine instead. Free *json with heed_free. Errors: those of
   loading a model. */
heed_status heed_describe(heed_context *context, const char *model, char **json, heed_error *error);

/* ---- how a model is loaded ---- */
/* Choices when a model is loaded. {0} takes the files as they are and computes in f32. */
typedef struct heed_load_options {
    /* Type to which wider matrices are rounded: "f16", "bf16", "q8_0", "q4_k" ...; NULL: as stored.
       Embeddings that are also the output matrix keep at least 8 bits. Matmuls with quantized
       weights round activations to 8 bits too. */
    const char *weights;
    /* Type in which the keys and values of earlier positions are kept. NULL or "f32": exact. "f16"
       (values up to 65,504, as in llama.cpp) or "bf16": half of the memory. "i8", with a scale for
       each head and position: about a quarter of the memory, less accurate. */
    const char *cache;
    /* Type of the operands of matmuls and of attention. NULL or "f32": exact. "bf16": faster on
       processors that multiply bf16; sums stay f32. Quantized matmuls do not change. */
    const char *compute;
    /* Called once for each way in which the model differs from what its files seem to say, with one
       sentence. May be NULL. */
    void (*note)(void *argument, const char *text);
    void *note_argument; /* first argument of `note` */
    /* Borrowed for the call; may be NULL. hooks->cancelled is asked while the model is loaded. */
    const heed_hooks *hooks;
} heed_load_options;

/* ---- running a model once ---- */
typedef struct heed_forward_task {
    /* a model folder or a GGUF file; safetensors files to read and to write */
    const char *model, *input, *output;
    bool gradients;         /* compute the gradient of the loss for every weight */
    heed_load_options load; /* load.weights must be NULL with gradients; load.cache is not used */
} heed_forward_task;
/* Runs a model once. Reads the tensors in.<name> of the input file and writes out.<name>, and with
   labels or cotangents the loss, and with `gradients` grad.<name on disk> to the output file. Names
   and shapes of inputs and outputs are those of the classes of Hugging Face transformers.
   HEED_E_ARG or HEED_E_SHAPE names an input that is missing, unknown or out of range; errors of
   loading, reading and writing. */
heed_status heed_forward_files(heed_context *context, const heed_forward_task *task,
                               heed_error *error);

/* ---- converting ---- */
/* Give either `model` or `random`; the other is NULL. */
typedef struct heed_conversion {
    const char *model;  /* a model folder or a GGUF file */
    const char *random; /* path of a config.json: draw the weights at random instead of loading */
    uint64_t seed;      /* decides those weights; the default is 0 */
    /* FILE.gguf; any other name is a folder, which must be absent, empty or left by an earlier
       conversion */
    const char *out;
    /* type of the matrices: "f16", "q8_0" ...; NULL: as they are, but quantized matrices become f32
       in a folder */
    const char *dtype;
    /* Borrowed for the call; may be NULL. A conversion that is cancelled leaves `out` as it was. */
    const heed_hooks *hooks;
} heed_conversion;
/* Writes a model in another format or type. Quantized matrices that keep their type are copied bit
   by bit; other numbers are rounded to the nearest. *notes receives lines about what the user
   should know, or NULL; free it with heed_free. HEED_E_ARG, HEED_E_CANCELLED, errors of loading and
   writing. */
heed_status heed_convert_model(const heed_conversion *how, char **notes, heed_error *error);

/* ---- a loaded model ---- */
typedef struct heed_transformer heed_transformer;
/* Loads a model. `folder` is a folder with config.json, safetensors and a tokenizer, or a GGUF
   file. options may be NULL: the model is then what its files are. If the tokenizer is missing or
   cannot be read, loading succeeds, and calls that need text fail with the reason. Free the model
   with heed_transformer_free. HEED_E_ARG for an unknown type; HEED_E_IO, HEED_E_FORMAT and
   HEED_E_UNSUPPORTED name file and field; HEED_E_CANCELLED; HEED_E_NOMEM. */
heed_status heed_transformer_load(heed_transformer **transformer, heed_context *context,
                                  const char *folder, const heed_load_options *options,
                                  heed_error *error);
void heed_transformer_free(heed_transformer *transformer); /* NULL is allowed */
/* Returns the model's tokenizer, borrowed from it. If there is none, returns NULL and says why in
   *error. */
const heed_tokenizer *heed_transformer_tokenizer(const heed_transformer *transformer,
                                                 heed_error *error);
/* Returns whether the model is an encoder-decoder. Its prompts are sources. */
bool heed_transformer_has_source(const heed_transformer *transformer);

/* ---- generation: heed/generation.h has options, prompts and results ---- */
/* Names the options that have no effect beside the others and the model's generation_config.json,
   for example top_k if no token is drawn, and the members of that file that have no effect. *notes
   receives one line for each, or NULL if there are none; free it with heed_free. options may be
   NULL. Errors: those of heed_transformer_generate for the options. */
heed_status heed_transformer_idle_options(heed_transformer *transformer,
                                          const heed_generation_options *options, char **notes,
                                          heed_error *error);

/* Frees what the results hold and zeroes the struct. */
void heed_results_free(heed_results *results);

/* Continues prompts, or translates them if the model is an encoder-decoder. options and hooks may
   be NULL. Free *results with heed_results_free in every case. After a failure or a cancellation it
   holds the results, from the first on, that were complete; if only the prompt cache could not be
   written, it holds all.
   HEED_E_ARG for an empty or over-long prompt, or for options that are out of range or contradict
   each other; HEED_E_UNSUPPORTED for combinations that the library does not have;
   HEED_E_CANCELLED; HEED_E_NOMEM. */
heed_status heed_transformer_generate(heed_transformer *transformer, const heed_prompts *prompts,
                                      const heed_generation_options *options,
                                      const heed_hooks *hooks, heed_results *results,
                                      heed_error *error);

/* ---- conversations ---- */
/* A conversation that the model's own chat template lays out. What was read and written stays in
   the cache, so that a turn reads only what is new. */
typedef struct heed_chat heed_chat;
typedef struct heed_chat_options {
    /* a Jinja file, or the name of one of the model's templates; NULL: the model's default */
    const char *template_file;
    const char *system; /* the system prompt; NULL or "": none */
    int64_t context;    /* the most tokens of the conversation; 0: the model's context */
    /* true: a conversation that no longer fits is an error; false: its oldest messages are left out
       and counted in heed_turn.dropped */
    bool keep_all;
} heed_chat_options;
typedef struct heed_turn {
    char *text;           /* the answer; the caller frees it with heed_free */
    const char *finish;   /* "eos", "stop", "length", "context" or "cancelled"; static storage */
    size_t dropped;       /* messages left out because they no longer fit */
    size_t prompt_tokens, /* tokens of the conversation with the new message */
        kept_tokens,      /* of these, tokens that were in the cache and not read again */
        new_tokens;       /* tokens of the answer */
    size_t context;       /* the most tokens that fit */
    /* seconds until the first token of the answer; seconds of the whole turn */
    double prompt_seconds, seconds;
} heed_turn;
/* Begins a conversation; free it with heed_chat_free. The transformer is borrowed and must outlive
   it. options may be NULL. HEED_E_UNSUPPORTED if the model has no chat template or tokenizer or is
   not a decoder. */
heed_status heed_chat_new(heed_chat **chat, heed_transformer *transformer,
                          const heed_chat_options *options, heed_error *error);
void heed_chat_free(heed_chat *chat); /* NULL is allowed */
/* Adds the user's message and writes the answer. hooks->text receives the answer as it is written.
   If hooks->cancelled ends it early, the call returns HEED_OK and the text written so far is the
   answer. options and hooks may be NULL. After a failure the conversation is as it was before. */
heed_status heed_chat_say(heed_chat *chat, const char *message,
                          const heed_generation_options *options, const heed_hooks *hooks,
                          heed_turn *turn, heed_error *error);
/* Fills *in_force with the options by which the next answer would be chosen: `options` (may be
   NULL), and for numbers that are not set what the model's files say. max_new_tokens and seed stay
   as they are in `options`. Errors: those of heed_chat_say for the options. */
heed_status heed_chat_settings(const heed_chat *chat, const heed_generation_options *options,
                               heed_generation_options *in_force, heed_error *error);
/* Replaces the system prompt; NULL or "" removes it. */
heed_status heed_chat_set_system(heed_chat *chat, const char *system, heed_error *error);
/* Removes all messages but the system prompt. */
heed_status heed_chat_reset(heed_chat *chat, heed_error *error);
/* Write the messages to a file and replace them by those of one. The file holds
   {"messages": [{"role", "content"} ...]}. HEED_E_FORMAT if it does not. */
heed_status heed_chat_save(const heed_chat *chat, const char *path, heed_error *error);
heed_status heed_chat_load(heed_chat *chat, const char *path, heed_error *error);
/* Returns the number of messages, with the system prompt. */
size_t heed_chat_count(const heed_chat *chat);
/* Returns the conversation as the template lays it out, up to the place where the model's next
   answer begins. Free *text with heed_free. */
heed_status heed_chat_text(const heed_chat *chat, char **text, heed_error *error);

/* ---- scoring and translation ---- */
typedef struct heed_evaluation {
    int64_t tokens; /* tokens that were scored */
    /* mean negative log-likelihood in nats per token, and its exponential; not set if no token was
       scored */
    heed_optional_real nll, perplexity;
    heed_optional_real bleu; /* set by heed_transformer_bleu */
    double seconds;
} heed_evaluation;
typedef struct heed_score_task {
    const char *const *files; /* scored one after another as one text; at least one */
    size_t file_count;
    int64_t max_tokens; /* score only the first so many tokens; 0: all */
    int64_t context;    /* tokens in a window; 0: the model's context */
} heed_score_task;
/* Measures how well the model predicts text. hooks may be NULL; progress counts tokens. HEED_E_ARG,
   HEED_E_UNSUPPORTED for an encoder-decoder, HEED_E_CANCELLED; errors of reading. */
heed_status heed_transformer_score(heed_transformer *transformer, const heed_score_task *task,
                                   const heed_hooks *hooks, heed_evaluation *evaluation,
                                   heed_error *error);
typedef struct heed_choice_task {
    /* .jsonl; each line has "context", "choices" (strings) and "answer" (an index, or one of the
       choices) */
    const char *file;
    const char *delimiter; /* text between context and choice; NULL: one blank */
    bool special;          /* let the tokenizer add its special tokens before the context */
    /* Called for each question in order, with the number of the question from 0, the sum of
       log-likelihoods (nats) for each of `count` choices, and the index of the answer. The array is
       borrowed. May be NULL. */
    void (*question)(void *argument, size_t number, const double *log_likelihoods, size_t count,
                     size_t answer);
    void *argument; /* first argument of `question` */
} heed_choice_task;
typedef struct heed_choice_score {
    int64_t questions;
    /* share of questions whose answer has the highest sum, the highest sum / characters (acc_norm)
       and the highest sum / bytes */
    double accuracy, accuracy_characters, accuracy_bytes;
    int64_t cut;    /* choices that exceed the context, so that their context lost its beginning */
    int64_t joined; /* choices that share a token with their context: that part is not scored */
    double seconds;
} heed_choice_score;
/* Answers multiple-choice questions as lm-evaluation-harness does: each choice is scored by the
   log-likelihood of its tokens after context and delimiter. The model must be a decoder. hooks may
   be NULL; progress counts bytes of the file. HEED_E_ARG, with file and line, for a choice without
   tokens of its own or longer than the model's context; HEED_E_FORMAT for a broken line. */
heed_status heed_transformer_choose(heed_transformer *transformer, const heed_choice_task *task,
                                    const heed_hooks *hooks, heed_choice_score *score,
                                    heed_error *error);
/* Translates each line of in_path into a line of out_path, which is written whole or not at all. A
   model that is not an encoder-decoder continues the lines. options and hooks may be NULL; progress
   counts lines. Errors: those of heed_transformer_generate; HEED_E_IO. */
heed_status heed_transformer_translate(heed_transformer *transformer, const char *in_path,
                                       const char *out_path, const heed_generation_options *options,
                                       const heed_hooks *hooks, heed_error *error);
typedef struct heed_bleu_task {
    const char *source, *reference; /* two files, aligned line by line */
    /* how translations are written; may be NULL */
    const heed_generation_options *generation;
} heed_bleu_task;
/* Translates `source` and compares the result with `reference` by BLEU as sacrebleu computes it
   (13a, cased). If the model is an encoder-decoder, it also measures how well the model predicts
   the references (nll). hooks may be NULL; progress counts lines. */
heed_status heed_transformer_bleu(heed_transformer *transformer, const heed_bleu_task *task,
                                  const heed_hooks *hooks, heed_evaluation *evaluation,
                                  heed_error *error);

/* ---- speed ---- */
/* What was measured in one round. */
typedef struct heed_speed_round {
    heed_optional_int number; /* from 0; not set after the warm-up, whose rates are 0 */
    double prefill_tokens_per_second, decode_tokens_per_second;
} heed_speed_round;
typedef struct heed_speed_task {
    /* tokens that the longest sequence reads; 0: 512, or what a shorter context holds */
    int64_t prompt;
    /* tokens that each sequence writes; not set: 128, or what the context holds. Encoders write
       none. */
    heed_optional_int count;
    int64_t sequences; /* sequences read and written together; 0: 1 */
    /* tokens that the shortest sequence reads, with the others evenly spread up to `prompt`; 0: all
       read `prompt` */
    int64_t shortest;
    int64_t depth;  /* decoders only: tokens in each sequence's cache before; 0: none */
    int64_t rounds; /* 0: 5 */
    bool endless;   /* rounds go on until `round` ends them; `rounds` has no effect */
    bool peaks;     /* measure the machine too and fill in the shares */
    /* Called after the warm-up and after every round; false ends the measurement. May be NULL. */
    bool (*round)(void *argument, const heed_speed_round *round);
    void *argument; /* first argument of `round` */
} heed_speed_task;
/* The speed of reading (prefill) or of writing (decode), for all threads together. */
typedef struct heed_speed_of {
    bool measured; /* false if nothing was read or written; the numbers are then 0 */
    /* median of the rounds, for all sequences together; (largest - smallest) / median */
    double tokens_per_second, spread;
    double operations_per_token, bytes_per_token;
    /* Operations as a share of the machine's peak for their type of number, and bytes of weights
       and cache as a share of the memory's bandwidth; not set if the peaks were not measured. */
    heed_optional_real compute_share, bandwidth_share;
} heed_speed_of;
typedef struct heed_speed {
    heed_speed_of prefill, decode;
    /* resident_bytes: the most memory that the process had at any time */
    size_t weight_bytes, cache_bytes, cache_bytes_per_token, resident_bytes;
    bool has_peak; /* whether the task asked for peaks */
    heed_peak peak;
} heed_speed;
/* Measures how fast the model reads and writes made-up tokens. task may be NULL. HEED_E_ARG if the
   tokens do not fit the context or the model cannot do what is asked. */
heed_status heed_transformer_bench(heed_transformer *transformer, const heed_speed_task *task,
                                   heed_speed *speed, heed_error *error);

/* ---- training: heed/train.h has options, watcher and report ---- */
/* Trains a new model, or trains options->init further, and writes it to options->out. watcher and
   report may be NULL.
   HEED_E_CANCELLED after the watcher asked to stop: a checkpoint has been written, and
   heed_resume_training goes on from it to the same bits. Most other errors during the training, for
   example data that another program changed, leave such a checkpoint too; the message then says so.
   HEED_E_ARG for options that do not fit each other; HEED_E_NOMEM; errors of reading and
   writing. */
heed_status heed_train(heed_context *context, const heed_train_options *options,
                       const heed_train_watcher *watcher, heed_train_report *report,
                       heed_error *error);
/* Continues the interrupted training of a run folder from its newest checkpoint, with the options
   of the run and those that are chosen in `changes` (may be NULL). These may change: max_steps (the
   schedule becomes that of a training that began with the new length), valid, eval_steps,
   save_steps, logging_steps, save_total_limit, average_last and stop_at. `data` may name new places
   of the same data. HEED_E_ARG names any other option that is chosen and differs from the run's. */
heed_status heed_resume_training(heed_context *context, const char *run,
                                 const heed_train_options *changes,
                                 const heed_train_watcher *watcher, heed_train_report *report,
                                 heed_error *error);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
