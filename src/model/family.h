/* family.h: a model family as data: the keys of its config.json, the names of its tensors, and the
   kinds it is made of. */
#ifndef HEED_MODEL_FAMILY_H
#define HEED_MODEL_FAMILY_H

#include "model/config.h"
#include <stddef.h>

/* ---- roles: what a weight is for ---- */
typedef enum heed_role {
#define HEED_ROLE(symbol, name, layered, rows, columns, initial) HEED_ROLE_##symbol,
#include "model/roles.def"
#undef HEED_ROLE
    HEED_ROLE_COUNT
} heed_role;

typedef enum heed_dimension {
    HEED_DIMENSION_NONE,
    HEED_DIMENSION_D_MODEL,
    HEED_DIMENSION_QUERIES /* H*E */,
    HEED_DIMENSION_KEYS /* K*E */,
    HEED_DIMENSION_QUERY_NORM,
    HEED_DIMENSION_KEY_NORM,
    HEED_DIMENSION_D_FF,
    HEED_DIMENSION_VOCABULARY,
    HEED_DIMENSION_CONTEXT,
    HEED_DIMENSION_TOKEN_TYPES,
    HEED_DIMENSION_LABELS,
    HEED_DIMENSION_TWO,
    HEED_DIMENSION_EMBEDDING,
    HEED_DIMENSION_ONE,
    HEED_DIMENSION_HEADS,
    HEED_DIMENSION_EXPERTS,
    HEED_DIMENSION_EXPERT_D_FF,
    HEED_DIMENSION_SHARED_D_FF
} heed_dimension;

typedef enum heed_initial {
    HEED_INITIAL_ZERO,
    HEED_INITIAL_ONE,    /* 1, or 0 where gains are stored as g - 1 */
    HEED_INITIAL_NORMAL, /* normal, initializer_range */
    /* the same, over sqrt(2 L) in families that scale what is added to the stream */
    HEED_INITIAL_RESIDUAL,
    HEED_INITIAL_EMBEDDING /* normal, the padding row zero */
} heed_initial;

/* Which stack a weight belongs to. A model with one stack keeps its weights under that one. */
typedef enum heed_stack_id {
    HEED_STACK_ENCODER,
    HEED_STACK_DECODER,
    HEED_STACK_MODEL,
    HEED_STACK_IDS
} heed_stack_id;

/* How many weights play a role: false one, true one in each layer, HEED_BY_EXPERT a stack of one
   for each expert in each layer. */
enum { HEED_BY_EXPERT = 2 };
typedef struct heed_role_info {
    const char *name;
    uint8_t layered, rows, columns, initial;
} heed_role_info;
extern const heed_role_info heed_roles[HEED_ROLE_COUNT];

/* Does this model have a weight in this role? */
bool heed_role_wanted(const heed_config *config, heed_stack_id stack_id, heed_role role);
/* And has layer `layer` one, where layers differ? */
bool heed_role_in_layer(const heed_config *config, heed_role role, int64_t layer);
/* Rows and columns (0 for vectors) of a wanted weight; of one expert's, in a stack. */
void heed_role_shape(const heed_config *config, heed_stack_id stack_id, heed_role role,
                     int64_t *rows, int64_t *columns);
/* Layers of a stack; 1 for HEED_STACK_MODEL. */
int64_t heed_stack_layers(const heed_config *config, heed_stack_id stack_id);
const heed_stack *heed_stack_by_id(const heed_config *config, heed_stack_id stack_id);

/* ---- names of tensors ---- */
enum {
    HEED_NAME_BASE = 1,        /* stands after the family's prefix ("model.", "transformer.") */
    HEED_NAME_INPUT_FIRST = 2, /* stored (I,O), as GPT-2's Conv1D is */
    /* an older or redundant spelling: read when nothing else fills the role, else ignored; never
       written */
    HEED_NAME_ALIAS = 4,
    HEED_NAME_BUFFER = 8,    /* no parameter: not trained */
    HEED_NAME_OPTIONAL = 16, /* may be absent: the role stays empty (BUFFER: zeros) */
    HEED_NAME_ROW = 32,      /* a vector stored as (1,n) */
    HEED_NAME_HEAD = 64,     /* belongs to a head although it stands after the prefix */
    HEED_NAME_TIED = 128,    /* the spelling of models whose output matrix is the embedding ... */
    HEED_NAME_UNTIED = 256,  /* ... and of those that have one of their own */
    /* q, k and v of a tensor lie together by key/value head: the queries of its group, its key, its
       value */
    HEED_NAME_GROUPED = 512,
    HEED_NAME_BY_HEAD = 1024,   /* a vector stored as (heads,E) */
    HEED_NAME_TWO_NORMS = 2048, /* the spelling of parallel layers with two norms ... */
    HEED_NAME_ONE_NORM = 4096,  /* ... and of all others */
    /* rows of a head stand in rotary pairs: row i of its first half, row i of its second */
    HEED_NAME_PAIRS = 8192,
    HEED_NAME_INTERLEAVED = 16384, /* the rows of fused weights alternate */
    HEED_NAME_VECTOR = 32768       /* a matrix of one row stored as (n) */
};

typedef struct heed_weight_name {
    /* heed_role; if `fused` weights share a tensor, the rows of one after those of the other, the
       role of the first */
    uint8_t role;
    uint8_t stack_id; /* heed_stack_id */
    uint8_t fused;    /* 0 counts as 1 */
    uint16_t flags;
    uint16_t heads; /* bit per heed_head that spells it so; 0: all */
    /* "{i}" is the layer, "{j}" the expert: one tensor for each, else (X,...) for all; NULL ends a
       table */
    const char *name;
} heed_weight_name;

/* ---- keys of config.json ---- */
typedef enum heed_key_type {
    HEED_KEY_SIZE,   /* integer >= 1 */
    HEED_KEY_COUNT,  /* integer >= 0; null: 0 */
    HEED_KEY_ID,     /* token id; null: -1; of a list the first */
    HEED_KEY_NUMBER, /* finite */
    HEED_KEY_AMOUNT, /* number >= 0; null: 0, which is written as null */
    HEED_KEY_RATE,   /* 0 <= x < 1 */
    HEED_KEY_FLAG,
    HEED_KEY_ACTIVATION, /* a name of Hugging Face's ACT2FN */
    HEED_KEY_KIND,       /* one of `names` */
    HEED_KEY_CHOICE      /* a flag that chooses one of two values of a kind: `no` or `yes` */
} heed_key_type;

typedef struct heed_key {
    const char *name;         /* NULL ends a table */
    uint8_t type;             /* heed_key_type */
    bool rate_of_training;    /* a setting of training, no property of the model */
    bool older;               /* another spelling of a key: read before it, never written */
    uint16_t offset;          /* of the field in heed_config: int64_t, double or bool by type */
    const char *const *names; /* HEED_KEY_KIND: spellings by value, ending in NULL */
    uint8_t no, yes;          /* HEED_KEY_CHOICE */
} heed_key;
/* clang-format off */
#define HEED_KEY(key, key_type, field) \
    {.name = (key), .type = HEED_KEY_##key_type, .offset = offsetof(heed_config, field)}
#define HEED_KEY_OLDER(key, key_type, field) \
    {.name = (key), .type = HEED_KEY_##key_type, .older = true, \
     .offset = offsetof(heed_config, field)}
#define HEED_KEY_NAMES(key, spellings, field) \
    {.name = (key), .type = HEED_KEY_KIND, .offset = offsetof(heed_config, field), \
     .names = (spellings)}
#define HEED_KEY_EITHER(key, false_value, true_value, field) \
    {.name = (key), .type = HEED_KEY_CHOICE, .offset = offsetof(heed_config, field), \
     .no = (false_value), .yes = (true_value)}
#define HEED_KEY_DROPOUT(key, field) \
    {.name = (key), .type = HEED_KEY_RATE, .rate_of_training = true, \
     .offset = offsetof(heed_config, field)}
/* clang-format on */

/* class name in `architectures`; NULL ends */
typedef struct heed_architecture {
    const char *name;
    int32_t head;
} heed_architecture;

/* How GGUF files name a family. Their gains are stored as they are (norm_offset 0), their
   matrices as (O,I). */
typedef struct heed_gguf_names {
    const char *architecture;        /* general.architecture, which stands before the keys too */
    const heed_key *keys;            /* what follows "architecture." in the entries */
    const heed_weight_name *weights; /* names of tensors, without a prefix */
    /* layers i with (i + 1) % step == 0 have no window, unless the file has another step; 0: all
       have it */
    int64_t window_step;
    /* heed_qk_norm of files that have norms of q and k, where files may lack them; else NONE */
    int64_t qk_norm;
    /* what such files mean without saying it, after the keys; may be NULL */
    void (*derive)(heed_config *config);
} heed_gguf_names;

/* Divisors of the rotary frequencies as tensors: one set under one name, or one for short and one
   for long texts. */
typedef struct heed_gguf_factors {
    int sets; /* 0: none */
    int64_t pairs;
    const char *names[2];
    float values[2][HEED_ROPE_FACTORS];
} heed_gguf_factors;

/* How the family gives initial weights. */
typedef enum heed_initial_rule {
    HEED_INITIAL_PLAIN,
    HEED_INITIAL_SCALED_RESIDUAL,
    HEED_INITIAL_XAVIER
} heed_initial_rule;

/* Which channels of a head rotary positions may rotate. */
typedef enum heed_rotary_coverage {
    HEED_ROTARY_ALL,
    HEED_ROTARY_PAIRS,     /* some of them, an even number */
    HEED_ROTARY_ROUNDED_UP /* some of them; an odd number is rounded up */
} heed_rotary_coverage;

struct heed_family {
    const char *name;          /* model_type */
    const heed_config *preset; /* what absent keys mean */
    const heed_key *keys;
    const heed_weight_name *weights;
    /* tensors that are no weights: patterns with {i}, tried after every prefix; ends in NULL */
    const char *const *ignored;
    /* of BASE names, the one to write first; ends in NULL; "" is a prefix */
    const char *const *prefixes;
    const heed_architecture *architectures; /* the first of each head is written */
    const heed_gguf_names *gguf;            /* NULL: there are no GGUF files of this family */
    /* F = d_ff_factor * D where no size is given, rounded up to a multiple of d_ff_multiple */
    double d_ff_factor;
    int64_t d_ff_multiple;
    heed_initial_rule initial;
    heed_rotary_coverage rotary_coverage;
    /* the padding token's row of the embedding gets gradients too */
    bool trains_padding;
    /* position ids that jump start a new segment when no mask is given */
    bool packs_positions;
    /* models whose kinds coincide with it are written as this family */
    bool is_published;
    /* Fields that follow from others, for reading and for new models; may be NULL. */
    void (*derive)(heed_config *config);
    /* What tables cannot say, after keys and derive; may be NULL. */
    heed_status (*fix)(heed_config *config, const json_t *json, const char *where,
                       heed_error *error);
    /* Adds to config.json what tables cannot say; may be NULL. false: out of memory. */
    bool (*write)(const heed_config *config, json_t *json);
};

#define HEED_FAMILY(symbol) extern const heed_family heed_family_##symbol;
#include "model/families.def"
#undef HEED_FAMILY

/* Fills the fields that a table of keys names from the members of an object that are there; `where`
   begins the messages. */
heed_status heed_config_read_keys(heed_config *config, const heed_key *keys, const json_t *json,
                                  const char *where, heed_error *error);

/* What a GGUF file of this family means before its keys are read. */
void heed_config_begin_gguf(heed_config *config, const heed_family *family);
/* The layers that look through the window, if there is one: all but every step-th, or all with step
   0. */
void heed_config_window_step(heed_config *config, int64_t step);
/* The entries of a GGUF file that say this configuration, whose family has GGUF names; dtype
   HEED_DTYPE_COUNT: the configuration's own. Rotary frequencies that are stretched one by one go
   into `factors`. Errors: HEED_E_UNSUPPORTED names what such files cannot say. */
heed_status heed_config_put_gguf(const heed_config *config, heed_dtype dtype,
                                 heed_gguf_entries *entries, heed_gguf_factors *factors,
                                 heed_error *error);
/* Have these names a spelling for parallel layers with two norms? */
bool heed_gguf_has_two_norms(const heed_gguf_names *names);
size_t heed_key_bytes(const heed_key *key); /* of its field */
/* The first property, of those that not every kind of file has words for, in which two models
   differ; NULL: none. */
const char *heed_config_difference(const heed_config *a, const heed_config *b);

size_t heed_family_count(void);
const heed_family *heed_family_at(size_t index);
const heed_family *heed_family_find(const char *name); /* NULL when unknown */
/* "gpt2, llama ... and heed", for messages; cut where `room` bytes end. */
const char *heed_family_list(char *text, size_t room);
/* What new models write before BASE names: the first prefix, or, without a head, the last. */
const char *heed_family_prefix(const heed_family *family, int64_t head);

/* The family that config.json is written as, and the configuration in its terms;
   heed_config_written_as is its name. */
const heed_family *heed_config_written_family(const heed_config *config, heed_config *as);

/* Tables of GGUF files that many families share (family/gguf.c). */
/* with scale and caps of scores, and without */
extern const heed_key heed_gguf_keys[], heed_gguf_plain_keys[];
/* tensors that say what the configuration says */
extern const char *const heed_gguf_ignored[];
extern const heed_weight_name heed_gguf_weights[]; /* q, k, v apart */
/* the same, rows of q and k in rotary pairs */
extern const heed_weight_name heed_gguf_paired_weights[];
extern const heed_weight_name heed_gguf_fused_weights[]; /* q, k, v in one tensor */

/* Pieces that many families share (family/common.c). */
extern const char *const heed_norm_names[],
    *const heed_norm_place_names[], *const heed_position_names[], *const heed_residual_names[];
extern const heed_key heed_common_keys[]; /* ids, tie_word_embeddings, use_cache */
/* Ids that end a text, from config.json's list (eos_token_id, or that of the nested decoder) or
   from a GGUF file; written as a list if there are several. config_ends.c */
void heed_config_read_ends(heed_config *config, const json_t *json);
heed_status heed_config_read_gguf_ends(heed_config *config, const heed_gguf *file,
                                       heed_error *error);
bool heed_config_write_ends(const heed_config *config, json_t *json);
/* Reads rope_parameters, or rope_theta and rope_scaling; partial_rotary_factor. */
heed_status heed_rope_read(heed_config *config, const json_t *json, const char *where,
                           heed_error *error);
bool heed_rope_write(const heed_config *config, json_t *json);
/* every layer looks through the window, if there is one */
void heed_config_window_all(heed_config *config);
void heed_config_window_layer(heed_config *config, int64_t layer);
/* The list layer_types, if there is one: "sliding_attention" or "full_attention" for each layer.
   *found, if not NULL: it is there. */
heed_status heed_layer_types_read(heed_config *config, const json_t *json, bool *found,
                                  const char *where, heed_error *error);
bool heed_layer_types_write(const heed_config *config, json_t *json);

#endif
