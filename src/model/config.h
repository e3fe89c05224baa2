/* config.h: what a config.json means, whatever its family: kinds and sizes. The family's table of
   keys reads it, and it is checked as a whole before anything is allocated for it. */
#ifndef HEED_MODEL_CONFIG_H
#define HEED_MODEL_CONFIG_H

#include "base/error.h"
#include "base/json.h"
#include "nn/kinds.h"
#include "nn/position.h"
#include <heed/graph.h>

typedef struct heed_family heed_family;
typedef struct heed_gguf heed_gguf;
typedef struct heed_gguf_entries heed_gguf_entries;

/* Which stacks a model has. */
typedef enum heed_arrangement {
    HEED_DECODER_ONLY,
    HEED_ENCODER_ONLY,
    HEED_ENCODER_DECODER,
    HEED_ARRANGEMENTS
} heed_arrangement;

/* The heads: what is computed from the last hidden states. `architectures` in config.json names
   them. */
typedef enum heed_head {
    HEED_HEAD_NONE, /* ends a list of heads */
#define HEED_HEAD(symbol, record) HEED_HEAD_##symbol,
#include "model/heads.def"
#undef HEED_HEAD
    HEED_HEAD_COUNT
} heed_head;
enum { HEED_MAX_HEADS = 4 };

/* The order of a layer's sublayers. */
typedef enum heed_residual_kind {
#define HEED_LAYER_ORDER(symbol, name, list) HEED_RESIDUAL_##symbol,
#include "model/layer_orders.def"
#undef HEED_LAYER_ORDER
    HEED_RESIDUAL_KINDS
} heed_residual_kind;

/* How sequence classification is scored. */
typedef enum heed_problem {
    HEED_PROBLEM_UNKNOWN,
    HEED_PROBLEM_REGRESSION,
    HEED_PROBLEM_SINGLE,
    HEED_PROBLEM_MULTI
} heed_problem;

enum { HEED_MAX_LAYERS = 4096, HEED_MAX_EXPERTS = 4096, HEED_MAX_ENDS = 64 };

/* The ids, besides eos_id, that end a text, in the order of the file, without repetition. */
typedef struct heed_more_ends {
    int64_t count;
    int32_t ids[HEED_MAX_ENDS];
} heed_more_ends;

/* Sizes of one stack. */
typedef struct heed_stack {
    int64_t layers; /* L */
    /* Layers may share weights: the L layers run through `own_layers` groups in order, L /
       own_layers times each in a row; 0: every layer has weights of its own. Each layer consists
       of `group_layers` that run one after the other; 0: 1 (ALBERT). */
    int64_t own_layers, group_layers;
    int64_t width;      /* of its rows; 0: d_model. Of the stack that heads read it is d_model */
    int64_t heads;      /* H */
    int64_t kv_heads;   /* K */
    int64_t head_width; /* E */
    int64_t d_ff;       /* F */
} heed_stack;

/* Which row stands for a sequence. */
typedef enum heed_pooled_row {
    HEED_POOLED_USUAL, /* the first of an encoder, seen or not; the last of a decoder */
    HEED_POOLED_FIRST, /* the first; of sequences that are compared, the first that is seen */
    HEED_POOLED_LAST,  /* the last one that is not padding */
    /* the last one whose token is eos_id; in an encoder-decoder, that of the same place of the
       source */
    HEED_POOLED_END,
    HEED_POOLED_MEAN, /* the mean of all rows that are seen */
    HEED_POOLED_ROWS
} heed_pooled_row;

/* What is between the hidden states and the output matrix of a head: [dropout,] dense layer,
   activation [, norm]. */
typedef struct heed_transform {
    bool dense; /* false: nothing at all */
    bool bias, norm, dropout;
    bool own_activation; /* false: the activation is the model's */
    bool every_row;      /* heads that pool no row have it too, and the bare model has none */
    heed_unary_kind activation;
} heed_transform;

/* The fields are those of config.def, in its order. */
typedef struct heed_config {
    const heed_family *family;
    char model_type[32];
#define HEED_FIELD(type, field, key_type, key, use, what) type field;
#define HEED_KIND(type, field, spellings, key, use, what) type field;
#define HEED_INNER(field, key_type, key, use, what)
#define HEED_INNER_KIND(field, spellings, key, use, what)
#define HEED_MEMBER(declaration) declaration;
#include "model/config.def"
#undef HEED_FIELD
#undef HEED_KIND
#undef HEED_INNER
#undef HEED_INNER_KIND
#undef HEED_MEMBER
} heed_config;

/* Reads and checks folder/config.json, or the metadata if the path is a GGUF file. Errors:
   HEED_E_FORMAT or HEED_E_UNSUPPORTED names file, field, value and what is expected. */
heed_status heed_config_load(heed_config *config, const char *folder, heed_error *error);
/* Reads and checks a parsed config.json; `where` begins the messages. */
heed_status heed_config_read(heed_config *config, const json_t *json, const char *where,
                             heed_error *error);
/* Reads and checks the metadata of an open GGUF file and the names of its tensors. */
heed_status heed_config_read_gguf(heed_config *config, const heed_gguf *file, heed_error *error);
/* Sets a family's kinds for a new model. The caller then sets the sizes (vocabulary, width,
   context, layers, heads, for both stacks if there are two) and calls heed_config_complete. Errors:
   HEED_E_ARG for an unknown name. */
heed_status heed_config_preset(heed_config *config, const char *family, heed_error *error);
/* Fills fields that are 0 and follow from others (K = H, E = D/H, F by the family's rule), then
   checks ranges, divisibility and combinations. `where` begins the messages. Errors: HEED_E_FORMAT,
   HEED_E_UNSUPPORTED. */
heed_status heed_config_complete(heed_config *config, const char *where, heed_error *error);
/* Gives the model one head in place of those it has. Errors: HEED_E_UNSUPPORTED if its family has
   no class with this head alone. */
heed_status heed_config_set_head(heed_config *config, heed_head head, const char *where,
                                 heed_error *error);
/* Returns the name of the published family that can express this model ("llama", "marian" ...),
   else "heed": what heed_model_save writes. */
const char *heed_config_written_as(const heed_config *config);
/* Makes an object with all settings that are not off (0, false, none), under the keys of the family
   heed; the caller frees it with json_decref. NULL if memory is out. */
json_t *heed_config_describe(const heed_config *config);
/* Makes the config.json of this model; the caller frees it with json_decref. Errors:
   HEED_E_UNSUPPORTED names what the family's config.json cannot express. */
heed_status heed_config_write(const heed_config *config, json_t **json, heed_error *error);

/* Writes the activation (heed_unary_kind) that Hugging Face calls `name` ("gelu_new", "swish" ...)
   to *kind; returns false if the name is unknown. */
bool heed_activation_by_name(const char *name, heed_unary_kind *kind);
const char *heed_activation_name(heed_unary_kind kind);
/* Returns whether layer `layer` has experts instead of its feed-forward. */
bool heed_config_has_experts(const heed_config *config, int64_t layer);
/* Returns whether layer `layer` of the only stack, or of the decoder, has the window. */
bool heed_config_windowed(const heed_config *config, int64_t layer);
/* Returns the most tokens that a text may have: the context, or a multiple of it if the rotary
   frequencies are stretched with the length of the text. */
int64_t heed_config_reach(const heed_config *config);
/* Returns the number of tokens that the encoder of an encoder-decoder knows. */
int64_t heed_config_source_vocabulary(const heed_config *config);
/* Returns the decoder, or the only stack. */
const heed_stack *heed_config_main(const heed_config *config);
/* Returns the width of a stack's rows. */
int64_t heed_stack_width(const heed_config *config, const heed_stack *stack);
/* Returns how many times a layer runs, with all that run more than once. */
int64_t heed_stack_runs(const heed_stack *stack);
/* Returns the number of layers that have weights of their own. */
int64_t heed_stack_own_layers(const heed_stack *stack);
/* Returns which of them run `run` uses. */
int64_t heed_stack_layer_of(const heed_stack *stack, int64_t run);
/* Returns the member of a config.json that holds the decoder's settings ("decoder", "generator" or
   "text_config"), borrowed; NULL if there is none. */
const json_t *heed_config_nested(const json_t *json);
/* Name of the GGUF entry in which heed lists all ids that end a text. */
#define HEED_GGUF_ENDS "heed.eos_token_ids"

#endif
