/* heed/heed.h: Transformers as tasks: load, inspect, tokenize, run, generate, score, translate,
   train.

   Every fallible call returns a heed_status and fills a heed_error (NULL is allowed): what went
   wrong, where, what was expected, what to do. Nothing here aborts, exits or prints. Handles are
   opaque; what a call returns as `char **` or arrays belongs to the caller and is freed with
   heed_free. A heed_context owns threads and kernels and must outlive what was made with it.

   Options are structs whose {0} means all defaults; where a call takes a pointer to such a struct,
   NULL means the same. A number for which 0 is a choice too is a heed_optional_int or
   heed_optional_real (optional.h): options.temperature = heed_real(0.7). In results they say that a
   number is absent. Files and folders have to be named, in structs too: HEED_E_ARG without them.

       heed_error error = {0};
       heed_context *context;
       heed_transformer *model;
       if (heed_context_new(&context, NULL, &error) ||
           heed_transformer_load(&model, context, "my-model", &error))
           fprintf(stderr, "%s\n", error.message);

   Threads: a heed_context and a loaded heed_transformer may be shared; calls on one transformer
   from several threads take turns. */
#ifndef HEED_H
#define HEED_H

#include <heed/dtype.h>
#include <heed/generation.h>
#include <heed/optional.h>
#include <heed/peak.h>
#include <heed/status.h>
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

/* "0.2.0". */
const char *heed_version(void);
/* Frees what heed handed out; NULL is fine. */
void heed_free(void *memory);
/* Whether a file could be written at `path`, as far as that shows without writing: ask before work
   that takes long. The tasks below ask for their own outputs. HEED_E_ARG for an empty path,
   HEED_E_IO with the reason. */
heed_status heed_output_check(const char *path, heed_error *error);

/* ---- lines of files ---- */
/* Reads a file, a pipe or a device by lines, as every command and every kind of data does. A line
   ends with LF or CRLF, neither of which belongs to it. A byte order mark at the beginning of the
   file belongs to no line. */
typedef struct heed_line_file heed_line_file;
/* "-" is standard input. HEED_E_IO: it cannot be opened, or it is a folder. Close it with
   heed_lines_close. */
heed_status heed_lines_open(heed_line_file **file, const char *path, heed_error *error);
/* The next line, borrowed until the next call, NUL-terminated after *length bytes; NULL at the end.
   HEED_E_FORMAT for a line that is not valid UTF-8 or holds a NUL byte, with file and line;
   HEED_E_IO when reading fails; HEED_E_CANCELLED when a signal came while there was nothing to
   read. */
heed_status heed_lines_read(heed_line_file *file, const char **line, size_t *length,
                            heed_error *error);
/* "FILE, line N": of the line read last, for messages; cut to `size` bytes. */
void heed_lines_place(const heed_line_file *file, char *place, size_t size);
void heed_lines_close(heed_line_file *file); /* NULL is fine */
/* Parses JSON as the library reads the files of the hub and lines of data: as Python's json module
   does (a byte order mark, NaN and Infinity, keys given twice). *json is a json_t of jansson: free
   it with json_decref. `where` begins messages. */
struct json_t;
heed_status heed_json_from_text(struct json_t **json, const char *text, size_t length,
                                const char *where, heed_error *error);

/* ---- context: threads and kernels ---- */
typedef struct heed_context heed_context;
/* Observes everything that a context computes: generation, evaluation, forward, training. Results
   keep their bits. The callbacks take whole lines, borrowed for the call, on the thread that made
   the call which computes. */
typedef struct heed_observer_options {
    bool profile; /* sum up time, operations and bytes: heed_context_profile */
    /* end with HEED_E_ARG at the first value that is NaN or infinite, naming op, place, element and
       inputs */
    bool nan_guard;
    /* run graphs as they were built, without fusion and without reuse of memory: the oracle of the
       passes */
    bool no_passes;
    /* each step that has run: op, shape, place, mean, least, largest, first values */
    void (*trace)(void *argument, const char *text);
    /* each graph that is compiled, after its passes, and why matmuls were not fused */
    void (*dump)(void *argument, const char *text);
    bool dot; /* dump for Graphviz instead of for reading */
    void *argument;
} heed_observer_options;
typedef struct heed_context_options {
    /* 0: OMP_NUM_THREADS, else all processors within the container's quota; never do more work than
       those */
    int threads;
    const char *isa; /* "generic", "avx2", "avx512"; NULL: HEED_ISA, else the best */
    bool reference;  /* the plain reference kernels: slow, the oracle of all others */
    const heed_observer_options *observer; /* copied; NULL: nobody observes */
} heed_context_options;
heed_status heed_context_new(heed_context **context, const heed_context_options *options,
                             heed_error *error);
void heed_context_free(heed_context *context); /* NULL is fine */
/* A sentence about a setting of the environment that could not be followed, borrowed;
   NULL: none. */
const char *heed_context_note(const heed_context *context);
/* With observer.profile: a table for people of what has been computed so far: time, operations,
   bytes, and their share of what this machine can do (measured now, about a second). Caller frees
   the text with heed_free. */
heed_status heed_context_profile(heed_context *context, char **text, heed_error *error);
/* What this machine reaches with the context's threads and instruction set (peak.h), measured now:
   the best of ten rounds, about a second in all. HEED_E_NOMEM when there is no memory to read
   from. */
heed_status heed_context_peak(heed_context *context, heed_peak *peak, heed_error *error);

/* What this build and machine have, or, with a model folder, what the model is: one JSON object as
   text. */
heed_status heed_describe(heed_context *context, const char *model, char **json, heed_error *error);

/* ---- tokenizers ---- */
typedef struct heed_tokenizer heed_tokenizer;
/* A folder with tokenizer.json (or vocab.json and merges.txt, or vocab.txt), or the path of a
   tokenizer.json. */
heed_status heed_tokenizer_load(heed_tokenizer **tokenizer, const char *path, heed_error *error);
void heed_tokenizer_free(heed_tokenizer *tokenizer);
/* What the user should know of the files that it came from: line `index`, borrowed, not
   NUL-terminated; false after the last. */
bool heed_tokenizer_note(const heed_tokenizer *tokenizer, size_t index, const char **line,
                         size_t *length);

typedef struct heed_tokens {
    size_t count;
    int32_t *ids;
    /* begin and end of each token in code points, 2 * count; NULL unless asked for */
    uint32_t *offsets;
} heed_tokens;
typedef struct heed_tokenize_options {
    const char *pair; /* a second text, encoded together with the first; NULL: none */
    size_t pair_length;
    /* Leave out the special tokens that the model adds. The vocabulary of a GGUF file then takes
       special tokens spelled in the text as text, as llama.cpp does; others find them, as the
       tokenizers library does. */
    bool no_special;
    bool offsets; /* fill heed_tokens.offsets */
} heed_tokenize_options;
/* Ids of a text. */
heed_status heed_tokenize(const heed_tokenizer *tokenizer, const char *text, size_t length,
                          const heed_tokenize_options *options, heed_tokens *tokens,
                          heed_error *error);
void heed_tokens_free(heed_tokens *tokens);
/* Text of ids (offsets are not read), NUL-terminated after *length bytes; heed_free. */
heed_status heed_detokenize(const heed_tokenizer *tokenizer, const heed_tokens *tokens,
                            bool skip_special, char **text, size_t *length, heed_error *error);
/* Trains "bpe" or "char" on files (.txt, .jsonl with "text") and writes tokenizer.json into
   `folder`, but not over one that heed did not write there. */
typedef struct heed_tokenizer_plan {
    const char *kind; /* NULL: char */
    const char *const *files;
    size_t file_count;
    int64_t vocab_size;    /* tokens in all; 0: all characters, for bpe it has to be given */
    int64_t min_frequency; /* leave out what is rarer; 0: nothing */
    /* special tokens <pad>, </s>, <unk>, and </s> after every text: for sequence to sequence */
    bool sentence_ends;
    /* special tokens [PAD], [UNK], [CLS], [SEP], [MASK], and [CLS] text [SEP]: for masked language
       models */
    bool masking;
    bool alone; /* refuse a folder that holds files which heed did not write there */
} heed_tokenizer_plan;
heed_status heed_train_tokenizer(const heed_tokenizer_plan *plan, const char *folder,
                                 size_t *vocab_size, heed_error *error);

/* ---- how a model is loaded ---- */
/* Choices when a model is loaded; {0}: as the files are, exact. */
typedef struct heed_load_options {
    /* matrices are rounded to this type where they are wider: "f16", "bf16", "q8_0", "q4_k" ...
       (tied embeddings keep 8 bits); quantized matmuls round activations to 8 bits too. NULL: as
       stored */
    const char *weights;
    /* type in which keys and values of earlier positions are kept: "f32" (NULL, exact), "f16" (as
       llama.cpp does; up to 65,504) or "bf16": half of the memory, or "i8" with a scale for each
       head and position: about a quarter; less accurate */
    const char *cache;
    /* type of the operands of matmuls and of attention: "f32" (NULL, exact) or "bf16", with sums in
       f32, which is faster where the processor multiplies bf16. Quantized matmuls stay as they
       are */
    const char *compute;
    /* Called for each thing that makes the model another than its files seem to say, one sentence
       each; NULL: nobody is told. */
    void (*note)(void *argument, const char *text);
    void *note_argument;
    /* Borrowed for the call; cancelled is asked while the model is loaded; NULL: none. */
    const heed_hooks *hooks;
} heed_load_options;

/* ---- running a model once ---- */
/* Reads tensors named in.<name> from a safetensors file and writes out.<name>, loss and grad.<name
   on disk> to another; the inputs and outputs are those of transformers' classes. */
typedef struct heed_forward_task {
    const char *model, *input, *output;
    bool gradients;
    heed_load_options load; /* no other weights with gradients; a cache has no part here */
} heed_forward_task;
heed_status heed_forward_files(heed_context *context, const heed_forward_task *task,
                               heed_error *error);

/* ---- converting ---- */
typedef struct heed_conversion {
    const char *model;  /* a model folder or a GGUF file; NULL with random */
    const char *random; /* path of a config.json: weights are drawn from the seed */
    uint64_t seed;      /* of those weights; the default is 0 */
    const char *out;    /* FILE.gguf, else a folder: new, empty, or of an earlier conversion */
    /* of the matrices: "f16", "q8_0" ...; NULL: as they are (quantized ones become f32 in a
       folder) */
    const char *dtype;
    /* borrowed for the call; a conversion that is cancelled leaves `out` as it was; NULL: none */
    const heed_hooks *hooks;
} heed_conversion;
/* Quantized matrices are copied bit by bit if their type stays; else numbers are rounded to the
   nearest. *notes: lines worth telling, or NULL; free with heed_free. */
heed_status heed_convert_model(const heed_conversion *how, char **notes, heed_error *error);

/* ---- a loaded model ---- */
typedef struct heed_transformer heed_transformer;
/* A folder with config.json, safetensors and, if it is to read and write text, a tokenizer. A
   tokenizer that cannot be read is no error here: only what needs text fails, saying why. */
heed_status heed_transformer_load(heed_transformer **transformer, heed_context *context,
                                  const char *folder, heed_error *error);
/* The same with choices. */
heed_status heed_transformer_load_with(heed_transformer **transformer, heed_context *context,
                                       const char *folder, const heed_load_options *options,
                                       heed_error *error);
void heed_transformer_free(heed_transformer *transformer);
/* Its tokenizer, borrowed; NULL and an error saying why when there is none. */
const heed_tokenizer *heed_transformer_tokenizer(const heed_transformer *transformer,
                                                 heed_error *error);
/* an encoder-decoder: the prompt is the source */
bool heed_transformer_has_source(const heed_transformer *transformer);

/* ---- generation: options, prompts and results stand in heed/generation.h ---- */
/* *notes: lines about options that were chosen and have no effect with the others and the model's
   generation_config.json, such as top_k where nothing is drawn, and about what that file says
   without effect; NULL: none. Free with heed_free. */
heed_status heed_transformer_idle_options(heed_transformer *transformer,
                                          const heed_generation_options *options, char **notes,
                                          heed_error *error);

void heed_results_free(heed_results *results);

/* On failure, and when it was cancelled, *results holds the first results that were complete
   before; all of them when only the prompt cache could not be written. Free it in every case. */
heed_status heed_transformer_generate(heed_transformer *transformer, const heed_prompts *prompts,
                                      const heed_generation_options *options,
                                      const heed_hooks *hooks, heed_results *results,
                                      heed_error *error);

/* ---- conversations ---- */
/* A conversation with a model by its own chat template. What was read and written stays in the
   cache: a turn reads only what is new. */
typedef struct heed_chat heed_chat;
typedef struct heed_chat_options {
    /* a Jinja file, or the name of one of the model's templates; NULL: the model's default */
    const char *template_file;
    const char *system; /* NULL: none */
    int64_t context;    /* positions; 0: the model's */
    /* a conversation that no longer fits is an error; else the oldest messages are left out, and
       counted */
    bool keep_all;
} heed_chat_options;
typedef struct heed_turn {
    char *text;         /* heed_free */
    const char *finish; /* "eos", "stop", "length", "context", "cancelled" */
    size_t dropped;     /* messages left out because they no longer fit */
    /* of the conversation; of them not read again; written */
    size_t prompt_tokens, kept_tokens, new_tokens;
    size_t context;                 /* positions there are */
    double prompt_seconds, seconds; /* until the first token; in all */
} heed_turn;
/* The transformer is borrowed; options may be NULL. HEED_E_UNSUPPORTED for a model without template
   or tokenizer, or one that is no decoder. */
heed_status heed_chat_new(heed_chat **chat, heed_transformer *transformer,
                          const heed_chat_options *options, heed_error *error);
void heed_chat_free(heed_chat *chat);
/* Adds the user's message and writes the answer. hooks->text gets it as it comes; hooks->cancelled
   ends it early: what was written until then is the answer, and HEED_OK. On failure the
   conversation is as before. */
heed_status heed_chat_say(heed_chat *chat, const char *message,
                          const heed_generation_options *options, const heed_hooks *hooks,
                          heed_turn *turn, heed_error *error);
/* How the next answer would be chosen: the options and, in place of what is not set, what the
   model's files say (max_new_tokens and seed stay as they are). Fails as heed_chat_say would. */
heed_status heed_chat_settings(const heed_chat *chat, const heed_generation_options *options,
                               heed_generation_options *in_force, heed_error *error);
/* NULL or "": none */
heed_status heed_chat_set_system(heed_chat *chat, const char *system, heed_error *error);
/* forgets all but the system prompt */
heed_status heed_chat_reset(heed_chat *chat, heed_error *error);
/* {"messages": [{"role", "content"} ...]}. */
heed_status heed_chat_save(const heed_chat *chat, const char *path, heed_error *error);
heed_status heed_chat_load(heed_chat *chat, const char *path, heed_error *error);
size_t heed_chat_count(const heed_chat *chat); /* messages, the system prompt included */
/* The conversation as its template writes it, with what makes the model answer; heed_free. */
heed_status heed_chat_text(const heed_chat *chat, char **text, heed_error *error);

/* ---- scoring and translation ---- */
typedef struct heed_evaluation {
    int64_t tokens; /* scored */
    /* mean nats a token, and exp of it; not set when there was nothing to score */
    heed_optional_real nll, perplexity;
    heed_optional_real bleu; /* of heed_transformer_bleu */
    double seconds;
} heed_evaluation;
typedef struct heed_score_task {
    const char *const *files; /* one after another as one text */
    size_t file_count;
    int64_t max_tokens; /* only the first so many; 0: all */
    int64_t context;    /* ids in a window; 0: the model's context */
} heed_score_task;
/* How well the model predicts text. */
heed_status heed_transformer_score(heed_transformer *transformer, const heed_score_task *task,
                                   const heed_hooks *hooks, heed_evaluation *evaluation,
                                   heed_error *error);
/* Multiple choice: each line of a .jsonl file has "context", "choices" (strings) and "answer" (an
   index, or one of them). Each choice is scored by the log-likelihood of its tokens after context
   and delimiter, as lm-evaluation-harness does. HEED_E_ARG with file and line: a choice without
   tokens of its own, or longer than the model's context. Decoders. */
typedef struct heed_choice_task {
    const char *file;
    const char *delimiter; /* NULL: one blank */
    bool special;          /* let the tokenizer add its special tokens in front */
    /* Called for each question, in order; may be NULL. Sums of nats for each choice. */
    void (*question)(void *argument, size_t number, const double *log_likelihoods, size_t count,
                     size_t answer);
    void *argument;
} heed_choice_task;
typedef struct heed_choice_score {
    int64_t questions;
    /* shares: best by the sum, by sum / characters (acc_norm), by sum / bytes */
    double accuracy, accuracy_characters, accuracy_bytes;
    int64_t cut;    /* choices whose context lost its beginning: they do not fit together */
    int64_t joined; /* choices that share a token with their context: that part is not scored */
    double seconds;
} heed_choice_score;
heed_status heed_transformer_choose(heed_transformer *transformer, const heed_choice_task *task,
                                    const heed_hooks *hooks, heed_choice_score *score,
                                    heed_error *error);
/* Line by line from file to file. */
heed_status heed_transformer_translate(heed_transformer *transformer, const char *in_path,
                                       const char *out_path, const heed_generation_options *options,
                                       const heed_hooks *hooks, heed_error *error);
typedef struct heed_bleu_task {
    const char *source, *reference;            /* two files, aligned line by line */
    const heed_generation_options *generation; /* how translations are written */
} heed_bleu_task;
/* Translates `source` and compares with `reference`: BLEU as sacrebleu (13a, cased), and of an
   encoder-decoder the references' own nll. */
heed_status heed_transformer_bleu(heed_transformer *transformer, const heed_bleu_task *task,
                                  const heed_hooks *hooks, heed_evaluation *evaluation,
                                  heed_error *error);

/* ---- speed ---- */
/* What was measured in one round. */
typedef struct heed_speed_round {
    heed_optional_int number; /* 0, 1 ...; not set: the model has been warmed up, rates are 0 */
    double prefill_tokens_per_second, decode_tokens_per_second;
} heed_speed_round;
typedef struct heed_speed_task {
    /* tokens to read, of every sequence; 0: 512, or what a shorter context holds */
    int64_t prompt;
    /* tokens to write after them; not set: 128, or what the context holds; encoders write none */
    heed_optional_int count;
    int64_t sequences; /* read and written together; 0: 1 */
    /* lengths to read are spread evenly from here to `prompt`; 0: all alike */
    int64_t shortest;
    int64_t depth;  /* decoders: tokens in the cache of each sequence before; 0: none */
    int64_t rounds; /* 0: 5 */
    bool endless;   /* rounds go on until `round` ends them, in place of `rounds` */
    bool peaks;     /* measure the machine as well, and fill in the shares */
    /* Called when all is warm and after every round: false ends the measurement. May be NULL. */
    bool (*round)(void *argument, const heed_speed_round *round);
    void *argument;
} heed_speed_task;
/* Of reading (prefill) or of writing (decode). Shares are of what all threads reach together:
   operations at the peaks of the numbers they are made in, bytes of weights and cache at the
   bandwidth of memory; not set if these were not measured. */
typedef struct heed_speed_of {
    bool measured; /* else nothing was read or written */
    /* median of the rounds, all sequences together; (largest - smallest) / median */
    double tokens_per_second, spread;
    double operations_per_token, bytes_per_token;
    heed_optional_real compute_share, bandwidth_share;
} heed_speed_of;
typedef struct heed_speed {
    heed_speed_of prefill, decode;
    size_t weight_bytes, cache_bytes, cache_bytes_per_token, resident_bytes;
    bool has_peak; /* with `peaks` */
    heed_peak peak;
} heed_speed;
heed_status heed_transformer_bench(heed_transformer *transformer, const heed_speed_task *task,
                                   heed_speed *speed, heed_error *error);

/* ---- training: options, watcher and report stand in heed/train.h ---- */
/* Trains a new model, or options->init further, into options->out. HEED_E_CANCELLED after the
   watcher asked to stop: a checkpoint was written, heed_resume_training goes on from it to the same
   bits. So it is after other errors that leave weights and optimizer whole (data that another
   program changed); the message says so. report may be NULL. */
heed_status heed_train(heed_context *context, const heed_train_options *options,
                       const heed_train_watcher *watcher, heed_train_report *report,
                       heed_error *error);
/* Goes on with an interrupted run as its own files say, and with what is chosen in `changes`:
   max_steps (the schedule becomes that of a training begun with it), valid, eval_steps, save_steps,
   logging_steps, save_total_limit, average_last and stop_at may change; data may have moved, but
   holds the same. HEED_E_ARG naming another member that is chosen and differs from what the run
   has. */
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
