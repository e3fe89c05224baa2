/* config.h: what a config.json means, whatever its family: kinds and sizes. Read by the family's
   table of keys, checked as a whole before anything is allocated by it. */
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

/* What stands on top. The head follows `architectures` in config.json. */
typedef enum heed_head {
    /* the bare model; encoders with pooler: pooler_output and sentence_embedding too */
    HEED_HEAD_NONE,
    HEED_HEAD_CAUSAL_LM, /* next token; of an encoder-decoder: the next target token */
    HEED_HEAD_MASKED_LM,
    HEED_HEAD_NEXT_SENTENCE,
    HEED_HEAD_PRETRAINING, /* BERT: masked words and next sentence */
    HEED_HEAD_SEQUENCE_CLASS,
    HEED_HEAD_TOKEN_CLASS,
    HEED_HEAD_QUESTION, /* start and end of an answer */
    HEED_HEAD_CHOICE,   /* one of several sequences */
    HEED_HEAD_COUNT
} heed_head;

/* How sequence classification is scored. */
typedef enum heed_problem {
    HEED_PROBLEM_UNKNOWN,
    HEED_PROBLEM_REGRESSION,
    HEED_PROBLEM_SINGLE,
    HEED_PROBLEM_MULTI
} heed_problem;

enum { HEED_MAX_LAYERS = 4096, HEED_MAX_EXPERTS = 4096, HEED_MAX_ENDS = 64 };

/* Ids that end a text besides eos_id, in the order of the file, each once. */
typedef struct heed_more_ends {
    int64_t count;
    int32_t ids[HEED_MAX_ENDS];
} heed_more_ends;

/* Sizes of one stack. */
typedef struct heed_stack {
    int64_t layers;     /* L */
    int64_t heads;      /* H */
    int64_t kv_heads;   /* K */
    int64_t head_width; /* E */
    int64_t d_ff;       /* F */
} heed_stack;

typedef struct heed_config {
    const heed_family *family;
    char model_type[32];
    int64_t arrangement; /* heed_arrangement */
    int64_t head;        /* heed_head */
    int64_t vocabulary;  /* V; of the decoder, where there are two */
    /* of the encoder, where it has a table of its own; 0: one table for both */
    int64_t source_vocabulary;
    int64_t d_model;         /* D */
    int64_t embedding_width; /* of the token embedding and the output matrix; 0: D */
    /* positions that a learned or computed table has, or the length trained on */
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
    double residual_scale; /* of what a sublayer adds to the stream; 0: 1 */
    bool norm_bias, embedding_norm, final_norm;
    /* feed-forward */
    int64_t activation; /* heed_unary_kind */
    bool gated;
    /* experts in the place of the feed-forward */
    int64_t experts;           /* X; 0: none */
    int64_t experts_per_token; /* J, by every row */
    int64_t expert_d_ff;       /* F of an expert; 0: that of the decoder */
    /* F of the expert that every row takes besides, after a gate of its own; 0: none */
    int64_t shared_d_ff;
    int64_t router;           /* heed_router_kind */
    bool router_renormalized; /* the weights of the chosen experts are divided by their sum */
    bool router_bias, expert_bias;
    /* limit > 0: experts are gated by clamped_swiglu, whatever the activation */
    double swiglu_alpha, swiglu_limit;
    /* router_logits are outputs, and training balances the experts' load */
    bool router_outputs;
    double balance_weight;              /* of that term of the loss */
    int64_t expert_step;                /* layers i with (i + 1) % step == 0 have experts */
    uint8_t dense[HEED_MAX_LAYERS / 8]; /* bit i: layer i has none, whatever the step */
    /* positions */
    int64_t position;        /* heed_position_kind */
    int64_t position_offset; /* row of position 0 in the table */
    int64_t sinusoid_order;  /* heed_sinusoid_order */
    heed_rope rope;
    heed_rope rope_local; /* base above 0: that of the layers that look through the window */
    double alibi_most;    /* exponent of the last slope of ALiBi; 0: 8 */
    bool alibi_scaled, alibi_bf16; /* biases are scaled as scores are; rounded to bf16 */
    /* positions count the tokens that the mask shows, not the places of the batch */
    bool counts_seen;
    /* attention */
    bool causal;                           /* of the only stack, or of the decoder */
    bool scaled;                           /* scores are divided by sqrt(E) */
    double attention_scale;                /* > 0: scores are multiplied by this instead */
    int64_t scale_width;                   /* > 0: scores are divided by its square root instead */
    bool scale_by_layer;                   /* scores of layer i are divided by i + 1 */
    int64_t window;                        /* 0: none */
    uint8_t windowed[HEED_MAX_LAYERS / 8]; /* bit i: layer i looks through the window */
    bool sinks;                            /* every head has a sink, a score that no key gets */
    double qkv_clip;                       /* > 0: q, k and v are kept within it */
    double attention_soft_cap, logit_soft_cap;
    double logit_scale; /* of the language model's logits; 0: 1 */
    /* biases, embedding, output */
    /* q, k, v; the projection after attention; feed-forward */
    bool query_bias, output_bias, ffn_bias;
    /* bias of the output matrix; dense, activation and norm before it */
    bool lm_bias, lm_transform;
    bool pooler; /* of encoders: tanh of a dense layer over the first row */
    double embedding_scale;
    bool tied;         /* output matrix = token embedding */
    bool logits_bias;  /* final_logits_bias */
    bool float_inputs; /* rows come as vectors, there is no vocabulary */
    /* dropout */
    double embedding_dropout, attention_dropout, residual_dropout, activation_dropout,
        classifier_dropout;
    /* initial weights, tasks, ids (-1: none) */
    double initializer_range;
    int64_t labels;  /* classes of a classification head */
    int64_t problem; /* heed_problem */
    int64_t pad_id, bos_id, eos_id, decoder_start_id;
    heed_more_ends more_eos; /* where config.json lists ids, or a GGUF file names several */
    bool use_cache;
    int64_t dtype; /* heed_dtype that config.json names; written back on saving */
} heed_config;

/* Reads and checks folder/config.json, or the metadata of a GGUF file. Errors: HEED_E_FORMAT or
   HEED_E_UNSUPPORTED naming file, field, value and what is expected. */
heed_status heed_config_load(heed_config *config, const char *folder, heed_error *error);
/* The same from a parsed object; `where` begins the messages. */
heed_status heed_config_read(heed_config *config, const json_t *json, const char *where,
                             heed_error *error);
/* The same from the metadata and the names of the tensors of an open GGUF file. */
heed_status heed_config_read_gguf(heed_config *config, const heed_gguf *file, heed_error *error);
/* A family's kinds without sizes, for building new models: set vocabulary, width, context, layers,
   heads (of both stacks, if there are two), then call heed_config_complete. HEED_E_ARG for an
   unknown name. */
heed_status heed_config_preset(heed_config *config, const char *family, heed_error *error);
/* Fills what follows from the rest where it is 0 (K = H, E = D/H, F by the family's rule), then
   checks ranges, divisibility and combinations; `where` begins the messages. */
heed_status heed_config_complete(heed_config *config, const char *where, heed_error *error);
/* The published family whose kinds these are ("llama", "marian" ...), else "heed": what
   heed_model_save writes. */
const char *heed_config_written_as(const heed_config *config);
/* config.json of this model; caller frees with json_decref. HEED_E_UNSUPPORTED names what the
   family's config.json cannot say. */
heed_status heed_config_write(const heed_config *config, json_t **json, heed_error *error);

/* The element-wise function that Hugging Face calls `name` ("gelu_new", "swish" ...); false when
   unknown. */
bool heed_activation_by_name(const char *name, int64_t *kind);
const char *heed_activation_name(int64_t kind);
/* Has layer `layer` experts in the place of its feed-forward? */
bool heed_config_has_experts(const heed_config *config, int64_t layer);
/* Does layer `layer` (of the only stack, or of the decoder) look through the window? */
bool heed_config_windowed(const heed_config *config, int64_t layer);
/* Tokens that a text may have: the context, times the factor where rotary positions stretch as the
   text grows. */
int64_t heed_config_reach(const heed_config *config);
/* The stack that generates, or the only one. */
const heed_stack *heed_config_main(const heed_config *config);
/* The member of a config.json that holds the decoder's settings ("decoder", "generator" or
   "text_config"), borrowed; NULL if there is none. */
const json_t *heed_config_nested(const json_t *json);
/* The entry of a GGUF file in which heed lists all ids that end a text. */
#define HEED_GGUF_ENDS "heed.eos_token_ids"

#endif
