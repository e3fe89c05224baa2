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
    HEED_POOLED_USUAL, /* the first of an encoder, the last of a decoder */
    HEED_POOLED_FIRST,
    HEED_POOLED_LAST, /* the last one that is not padding */
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
    bool every_row;      /* heads that pool no row have it too */
    int64_t activation;  /* heed_unary_kind */
} heed_transform;

typedef struct heed_config {
    const heed_family *family;
    char model_type[32];
    int64_t arrangement; /* heed_arrangement */
    /* list of heed_head, in the order of their loss terms; HEED_HEAD_NONE follows the last one, if
       there is room */
    uint8_t heads[HEED_MAX_HEADS];
    int64_t vocabulary; /* V; of the decoder if there are two vocabularies */
    /* V of the encoder if it has a table of its own; 0: one table serves both */
    int64_t source_vocabulary;
    int64_t d_model;         /* D */
    int64_t embedding_width; /* width of the token embedding and the output matrix; 0: D */
    int64_t embedding_order; /* heed_embedding_order */
    /* token rows are projected even if they are as wide as the model; the projection has a bias */
    bool embedding_projected, projection_bias;
    /* Token rows are scaled by the share of masks in their sequence, and those of masks are zeros
       (ESM). */
    bool mask_scaling;
    int64_t mask_id; /* the id of masks; 0: it is not known */
    /* rows of a learned or computed table of positions, else the length the model was trained on */
    int64_t context;
    int64_t token_types;         /* rows of the token type table; 0: none */
    heed_stack encoder, decoder; /* unused ones are zero */
    /* normalization */
    int64_t norm;       /* heed_norm_kind */
    int64_t norm_place; /* heed_norm_place */
    int64_t residual;   /* heed_residual_kind */
    int64_t qk_norm;    /* heed_qk_norm */
    bool qk_norm_bias;
    double norm_eps;
    double norm_offset;    /* 1: gains are stored as g - 1 */
    double residual_scale; /* factor of what a sublayer adds to the residual stream; 0: 1 */
    bool norm_bias, embedding_norm, final_norm;
    bool first_norm_absent; /* layer 0 has no norm before attention */
    /* feed-forward */
    int64_t activation; /* heed_unary_kind */
    bool gated;
    /* experts instead of the feed-forward */
    int64_t experts;           /* X; 0: none */
    int64_t experts_per_token; /* J, chosen by every row */
    int64_t expert_d_ff;       /* F of an expert; 0: decoder.d_ff */
    /* F of the shared expert, which every row uses besides and which has its own gate; 0: there is
       none */
    int64_t shared_d_ff;
    int64_t router;           /* heed_router_kind */
    bool router_renormalized; /* the weights of the chosen experts are divided by their sum */
    bool router_bias, expert_bias;
    /* if the limit is > 0, experts are gated by clamped_swiglu, whatever the activation */
    double swiglu_alpha, swiglu_limit;
    /* router_logits are outputs, and training balances the experts' load */
    bool router_outputs;
    double balance_weight;              /* factor of that loss term */
    int64_t expert_step;                /* layer i has experts if (i + 1) % step == 0 */
    uint8_t dense[HEED_MAX_LAYERS / 8]; /* bit i: layer i has no experts, whatever the step */
    /* positions */
    int64_t position;        /* heed_position_kind */
    int64_t position_offset; /* row of position 0 in the table */
    int64_t sinusoid_order;  /* heed_sinusoid_order */
    heed_rope rope;
    heed_rope rope_local; /* if its base is > 0: positions of the layers that have the window */
    double alibi_most;    /* largest exponent of the slopes of ALiBi; 0: 8 */
    bool alibi_scaled, alibi_bf16; /* biases are scaled as scores are; biases are rounded to bf16 */
    /* position ids count the tokens that the mask shows, not the columns of the batch */
    bool counts_seen;
    /* position ids are rows of the table, and count the tokens that are not padding, whatever the
       mask shows: row pad_id is for padding, and the first token has the row after it, which is
       position_offset */
    bool counts_tokens;
    /* attention */
    bool causal;                           /* in the only stack, or in the decoder */
    bool scaled;                           /* scores are divided by sqrt(E) */
    double attention_scale;                /* > 0: scores are multiplied by this instead */
    int64_t scale_width;                   /* > 0: scores are divided by its square root instead */
    bool scale_by_layer;                   /* scores of layer i are divided by i + 1 */
    int64_t window;                        /* 0: none */
    uint8_t windowed[HEED_MAX_LAYERS / 8]; /* bit i: layer i has the window */
    bool sinks;      /* every head has a sink: a score in the softmax that belongs to no key */
    double qkv_clip; /*  */
    double attention_soft_cap, logit_soft_cap;
    double logit_scale; /* factor of the language model's logits; 0: 1 */
    /* biases, embedding, output */
    /* biases of q, k and v; of the projection after attention; of the feed-forward */
    bool query_bias, output_bias, ffn_bias;
    bool lm_bias;                /* of the output matrix */
    heed_transform lm_transform; /* before the output matrix; its result has embedding_width */
    int64_t pooled_row;          /* heed_pooled_row */
    heed_transform pooler;       /* of the row that stands for a sequence */
    double embedding_scale;
    bool tied;         /* the output matrix is the token embedding */
    bool logits_bias;  /* final_logits_bias */
    bool float_inputs; /* the input rows are vectors, and there is no vocabulary */
    /* dropout */
    double embedding_dropout, attention_dropout, residual_dropout, activation_dropout,
        classifier_dropout;
    /* initial weights, tasks, and ids (-1: there is none) */
    double initializer_range;
    int64_t labels;  /* classes of a classification head */
    int64_t problem; /* heed_problem */
    int64_t pad_id, bos_id, eos_id, decoder_start_id;
    /* the decoder's input starts with the last target that is not padding, the language (mBART) */
    bool starts_with_end;
    /* further ids if config.json lists several or a GGUF file names several */
    heed_more_ends more_eos;
    bool use_cache;
    int64_t dtype; /* heed_dtype that config.json names; it is written back on saving */
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
