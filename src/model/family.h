/* family.h: a model family as data: the keys of its config.json, the names of its tensors, and the
   kinds it is made of. */
#ifndef HEED_MODEL_FAMILY_H
#define HEED_MODEL_FAMILY_H

#include "model/key_internal.h"
#include "model/role_internal.h"

/* ---- names of tensors ---- */
enum {
    HEED_NAME_BASE = 1,        /* has the family's prefix before it ("model.", "transformer.") */
    HEED_NAME_INPUT_FIRST = 2, /* stored (I,O), as GPT-2's Conv1D is */
    /* an older or redundant spelling: it is read if nothing else fills the role, else ignored, and
       never written */
    HEED_NAME_ALIAS = 4,
    HEED_NAME_BUFFER = 8, /* a buffer in the sense of PyTorch: not trained */
    /* may be absent; then the role stays empty (a BUFFER is filled with zeros) */
    HEED_NAME_OPTIONAL = 16,
    HEED_NAME_ROW = 32,     /* a vector stored as (1,n) */
    HEED_NAME_HEAD = 64,    /* belongs to a head although the prefix is before it */
    HEED_NAME_TIED = 128,   /* the spelling of models whose output matrix is the embedding ... */
    HEED_NAME_UNTIED = 256, /* ... and of those that have one of their own */
    /* the rows of q, k and v are ordered by key/value head: the query heads of its group, its key
       head, its value head */
    HEED_NAME_GROUPED = 512,
    HEED_NAME_BY_HEAD = 1024,   /* a vector stored as (heads,E) */
    HEED_NAME_TWO_NORMS = 2048, /* the spelling of parallel layers with two norms ... */
    HEED_NAME_ONE_NORM = 4096,  /* ... and of all others */
    /* the rows of a head are ordered in rotary pairs: row i of its first half, then row i of its
       second half */
    HEED_NAME_PAIRS = 8192,
    HEED_NAME_INTERLEAVED = 16384, /* the rows of fused weights alternate */
    HEED_NAME_VECTOR = 32768,      /* a matrix of one row stored as (n) */
    HEED_NAME_TWO_STACKS = 65536,  /* the spelling of models with an encoder and a decoder ... */
    HEED_NAME_ONE_STACK = 131072,  /* ... and of all others */
    /* a table of positions that begins as sinusoids; a file may leave it out */
    HEED_NAME_SINUSOIDS = 262144
};

typedef struct heed_weight_name {
    /* heed_role; if several weights share the tensor, the role of the first, and the others have
       the roles after it */
    uint8_t role;
    uint8_t stack_id; /* heed_stack_id */
    uint8_t slot;     /* heed_slot_id; NONE: the usual slot of the role */
    /* number of weights that share the tensor, their rows one after the other; 0 counts as 1 */
    uint8_t fused;
    uint32_t flags;
    uint32_t heads; /* one bit per heed_head that uses this name; 0: all of them */
    /* "{i}" is the number of the layer and "{j}" that of the expert; "{g}" is that of the group of
       layers, and "{k}" that of the layer in its group, for models whose layers share weights.
       With "{j}" each expert has a tensor, without it one tensor (X,...) holds all. NULL ends a
       table. */
    const char *name;
} heed_weight_name;
/* Returns where the weight of an entry is; of several weights in one tensor, the first. */
static inline heed_weight_place heed_weight_name_place(const heed_weight_name *entry, int64_t layer)
{
    heed_slot_id usual = heed_role_slot((heed_role)entry->role);
    return (heed_weight_place){
        .stack_id = entry->stack_id,
        .slot = entry->slot ? entry->slot : (uint8_t)usual,
        .layer = layer,
        .run = layer,
    };
}

/* A class name in `architectures` and the heads it means, as in heed_config; a NULL name ends a
   table. */
typedef struct heed_architecture {
    const char *name;
    uint8_t heads[HEED_MAX_HEADS];
    /* the pooler of this class; NULL: that of the preset. A family in which some class has one of
       its own gives one to every class that pools. */
    const heed_transform *pooler;
    /* the class is the decoder of an encoder-decoder family without its encoder */
    bool is_decoder_alone;
} heed_architecture;
/* A class with one head, with several, with one head and a pooler of its own, and with one head
   over the decoder alone. */
/* clang-format off */
#define HEED_CLASS(text, symbol) {.name = text, .heads = {HEED_HEAD_##symbol}}
#define HEED_CLASS_OF(text, ...) {.name = text, .heads = {__VA_ARGS__}}
#define HEED_CLASS_POOLED(text, symbol, own) \
    {.name = text, .heads = {HEED_HEAD_##symbol}, .pooler = (own)}
#define HEED_CLASS_ALONE(text, symbol) \
    {.name = text, .heads = {HEED_HEAD_##symbol}, .is_decoder_alone = true}
/* clang-format on */

/* How GGUF files name the keys and tensors of a family. Such files store the gains of norms as they
   are (norm_offset 0) and matrices as (O,I). */
typedef struct heed_gguf_names {
    const char *architecture;        /* general.architecture, with which the keys begin too */
    const heed_key *keys;            /* names of the entries after "architecture." */
    const heed_weight_name *weights; /* names of tensors, without a prefix */
    /* Layers i with (i + 1) % step == 0 have no window, unless the file gives another step; 0:
       every layer has the window. */
    int64_t window_step;
    /* heed_qk_norm of models whose files have norms of q and k, if files of this family may lack
       them; else NONE */
    heed_qk_norm qk_norm;
    /* sets, after the keys are read, what such files mean without saying it; may be NULL */
    void (*derive)(heed_config *config);
} heed_gguf_names;

/* Divisors of the rotary frequencies, stored as tensors: one set under one name, or two sets, for
   short and for long texts. */
typedef struct heed_gguf_factors {
    int sets; /* 0: none */
    int64_t pairs;
    const char *names[2];
    float values[2][HEED_ROPE_FACTORS];
} heed_gguf_factors;

/* How the family initializes weights. */
typedef enum heed_initial_rule {
    HEED_INITIAL_PLAIN,
    HEED_INITIAL_SCALED_RESIDUAL,
    HEED_INITIAL_XAVIER
} heed_initial_rule;

/* Which channels of a head may rotate. */
typedef enum heed_rotary_coverage {
    HEED_ROTARY_ALL,
    HEED_ROTARY_PAIRS,     /* some of them, an even number */
    HEED_ROTARY_ROUNDED_UP /* some of them; an odd number is rounded up */
} heed_rotary_coverage;

struct heed_family {
    const char *name;          /* model_type */
    const heed_config *preset; /* values of absent keys */
    const heed_key *keys;
    const heed_weight_name *weights;
    /* names of tensors that are not weights: patterns with {i}, tried after every prefix; NULL ends
       the list */
    const char *const *ignored;
    /* prefixes of HEED_NAME_BASE names; the first one is written; "" is a prefix; NULL ends the
       list */
    const char *const *prefixes;
    const heed_architecture *architectures; /* of each head the first class name is written */
    const heed_gguf_names *gguf;            /* NULL: the family has no GGUF files */
    /* if config.json gives no size: F = d_ff_factor * D, rounded up to a multiple of
       d_ff_multiple */
    double d_ff_factor;
    int64_t d_ff_multiple;
    heed_initial_rule initial;
    heed_rotary_coverage rotary_coverage;
    /* the embedding of the padding token gets gradients too */
    bool trains_padding;
    /* if there is no mask, a jump in the position ids begins a new segment */
    bool packs_positions;
    /* if there is no mask, padding tokens of the decoder's input are not seen */
    bool hides_padding;
    /* a model of a general family that this family can express is written as this family */
    bool is_published;
    bool is_general; /* its config.json may combine all kinds */
    /* Reads what no row of `keys` expresses, after the keys; `where` begins messages; may be
       NULL. */
    heed_status (*fix)(heed_config *config, const json_t *json, const char *where,
                       heed_error *error);
    /* Adds to config.json what no row of `keys` expresses; returns false if memory is out; may be
       NULL. */
    bool (*write)(const heed_config *config, json_t *json);
};

#define HEED_FAMILY(symbol) extern const heed_family heed_family_##symbol;
#include "model/families.def"
#undef HEED_FAMILY

/* Sets what a GGUF file of this family means before its keys are read. */
void heed_config_begin_gguf(heed_config *config, const heed_family *family);
/* Gives the model the heads, the pooler and the stacks of a class of its family. */
void heed_config_set_class(heed_config *config, const heed_architecture *known);
/* Returns the first class of a family with these heads over the stacks of the configuration; NULL
   if there is none. */
const heed_architecture *heed_config_class_of(const heed_config *config, const heed_family *family,
                                              const uint8_t *heads);
/* Is the model the decoder of an encoder-decoder family without its encoder? */
bool heed_config_is_decoder_alone(const heed_config *config);
/* Gives the window to all layers but every step-th, or to all of them if step is 0. */
void heed_config_window_step(heed_config *config, int64_t step);
/* Adds the entries of a GGUF file that express this configuration, whose family must have GGUF
   names. dtype HEED_DTYPE_COUNT stands for the configuration's own. Divisors of single rotary
   frequencies go into `factors`. Errors: HEED_E_UNSUPPORTED names what such files cannot
   express. */
heed_status heed_config_put_gguf(const heed_config *config, heed_dtype dtype,
                                 heed_gguf_entries *entries, heed_gguf_factors *factors,
                                 heed_error *error);
/* Returns whether the table names the tensors of parallel layers with two norms. */
bool heed_gguf_has_two_norms(const heed_gguf_names *names);
size_t heed_family_count(void);
const heed_family *heed_family_at(size_t index);
const heed_family *heed_family_find(const char *name); /* returns NULL for an unknown name */
/* Writes "gpt2, llama ... and heed" for messages and returns text; it is cut to `room` bytes. */
const char *heed_family_list(char *text, size_t room);
/* Returns the prefix that new models write before HEED_NAME_BASE names: the first one, or the last
   one if the model of `config` has no head. Borrowed. */
const char *heed_family_prefix(const heed_family *family, const heed_config *config);

/* Returns the keys of a config.json that the model does not use, as an array of texts, which the
   caller frees; NULL if memory is out. Keys that say nothing about the model, and values that
   switch something off, are left out. */
json_t *heed_config_unused(const heed_config *config, const json_t *json);
/* Reads the names of classes from id2label as an array of texts, which the caller frees; NULL if
   the file has none for the model's head. HEED_E_FORMAT: a class has no name. */
heed_status heed_class_names_read(json_t **names, const heed_config *config, const json_t *json,
                                  const char *where, heed_error *error);
/* Adds id2label and label2id if the model's head names its classes; they are LABEL_0 and so on
   unless `names` has one for each. Returns false if memory is out. */
bool heed_class_names_write(const heed_config *config, const json_t *names, json_t *json);

/* Returns the family that config.json is written as, and writes the configuration in its terms to
   *as. heed_config_written_as returns its name. */
const heed_family *heed_config_written_family(const heed_config *config, heed_config *as);

/* Tables of GGUF files that many families share (family/gguf.c). */
/* keys with scale and soft caps of the scores, and keys without them */
extern const heed_key heed_gguf_keys[], heed_gguf_plain_keys[];
/* tensors that repeat what the configuration says */
extern const char *const heed_gguf_ignored[];
extern const heed_weight_name heed_gguf_weights[]; /* q, k and v in tensors of their own */
/* the same, with the rows of q and k in rotary pairs */
extern const heed_weight_name heed_gguf_paired_weights[];
extern const heed_weight_name heed_gguf_fused_weights[]; /* q, k, v in one tensor */

/* Pieces that many families share (family/common.c). */
extern const heed_key heed_common_keys[]; /* ids, tie_word_embeddings, use_cache */
/* The ids that end a text: the list eos_token_id of config.json (or of the nested decoder), or what
   a GGUF file says. They are written as a list if there are several. config_ends.c */
void heed_config_read_ends(heed_config *config, const json_t *json);
heed_status heed_config_read_gguf_ends(heed_config *config, const heed_gguf *file,
                                       heed_error *error);
bool heed_config_write_ends(const heed_config *config, json_t *json);
#endif
