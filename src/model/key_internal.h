/* key_internal.h: rows of the tables that say what the keys of config.json and of GGUF files mean.
   A table is walked when a file is read, when a configuration is completed, and when a file is
   written. */
#ifndef HEED_MODEL_KEY_INTERNAL_H
#define HEED_MODEL_KEY_INTERNAL_H

#include "model/config.h"
#include <stddef.h>

typedef enum heed_key_type {
    /* values of a field */
    HEED_KEY_SIZE,    /* integer >= 1 */
    HEED_KEY_COUNT,   /* integer >= 0; null means 0 */
    HEED_KEY_SPAN,    /* integer >= 0; null means 0, and 0 is written as null */
    HEED_KEY_ID,      /* token id; null means -1; the first id of a list */
    HEED_KEY_NUMBER,  /* finite */
    HEED_KEY_AMOUNT,  /* number >= 0; null means 0, and 0 is written as null */
    HEED_KEY_RATE,    /* 0 <= x < 1 */
    HEED_KEY_FACTOR,  /* number > 0 */
    HEED_KEY_DIVISOR, /* number > 0; the field is 1 / it */
    HEED_KEY_FLAG,
    HEED_KEY_ACTIVATION, /* a name of Hugging Face's ACT2FN */
    HEED_KEY_KIND,       /* one of `names` */
    HEED_KEY_CHOICE,     /* a flag that chooses one of two values: `no` or `yes` */
    HEED_KEY_SWITCHED,   /* a size or null, which counts if the flag `only` is true; else 0 */
    HEED_KEY_ABOUT,      /* how far a window reaches to both sides together, n: n / 2 + 1 */
    HEED_KEY_ROOT,       /* a flag; true means sqrt(d_model), false means 1 */
    /* rows of a table of positions whose first pad_id + 1 rows are no token's; the field is the
       number of tokens. A row for pad_token_id stands before it. */
    HEED_KEY_TABLE_ROWS,
    /* number of channels that rotate, as a share of the width of a head; null means all of them */
    HEED_KEY_CHANNELS,
    /* several fields */
    HEED_KEY_ROPE,        /* all keys of rotary positions */
    HEED_KEY_LAYER_TYPES, /* a type for each layer; without the list `rule` says which have the
                             window */
    HEED_KEY_LAYER_LIST,  /* the layers whose bits are set in the field */
    /* no field */
    HEED_KEY_ONLY,  /* the key may be absent or have the value `only` */
    HEED_KEY_KNOWN, /* a function of the family reads it, or it has no effect on the model */
    /* rules without a key, applied when a configuration is completed */
    HEED_KEY_EQUALS,        /* the field becomes `other` */
    HEED_KEY_EQUALS_UNTIED, /* it becomes `other` in untied models, and 0 in tied ones */
    HEED_KEY_COMPUTED,      /* the field becomes 0, so that the rule for all families computes it */
    HEED_KEY_EQUALS_ROOT,   /* the field becomes the square root of d_model in single precision */
    HEED_KEY_MEANS,         /* the value `no` becomes `yes` */
    HEED_KEY_EVERY_WINDOW,  /* every layer has the window, if there is one */
    /* a rule without a key, applied when a file is read */
    HEED_KEY_SETS /* the field becomes `yes` */
} heed_key_type;

enum {
    HEED_KEY_READ_ONLY = 1, /* an older spelling, or one of several keys that say the same */
    HEED_KEY_WRITE_ONLY = 2,
    HEED_KEY_SPARSE = 4,     /* the preset's value and the value `only` are not written */
    HEED_KEY_INTEGRAL = 8,   /* a whole number is written as an integer */
    HEED_KEY_HAS_ABSENT = 16 /* if the key is absent, the value is `absent`, not the preset's */
};

/* Which layers have the window if no list says so; i counts from 0, and n is a number that the
   keys `names` give, else `absent`. */
typedef enum heed_layer_rule {
    HEED_LAYERS_EVEN,          /* i % 2 == 0 */
    HEED_LAYERS_EVEN_BELOW,    /* i % 2 == 0 and i < n */
    HEED_LAYERS_FROM,          /* i >= n */
    HEED_LAYERS_BUT_LAST_OF_N, /* (i + 1) % n != 0 */
    HEED_LAYERS_BUT_FIRST_OF_N /* i % n != 0 */
} heed_layer_rule;

/* A place in heed_config. */
typedef struct heed_config_place {
    uint16_t offset, bytes;
    bool real; /* a double; else an integer, an enumeration or a bool */
} heed_config_place;
#define HEED_PLACE(field)                                                                   \
    {                                                                                       \
        .offset = offsetof(heed_config, field), .bytes = sizeof(((heed_config *)0)->field), \
        .real = _Generic(((heed_config *)0)->field, double                                  \
                         : true, default                                                    \
                         : false)                                                           \
    }

/* What a field means for the question whether two models are the same; see config.def. */
typedef enum heed_field_use {
    HEED_FIELD_FREE = 1,
    HEED_FIELD_MODEL = 2,
    HEED_FIELD_PROPERTY = 4,
    HEED_FIELD_RARE = 8,
    HEED_FIELD_RARE_FREE = HEED_FIELD_RARE | HEED_FIELD_FREE,
    HEED_FIELD_RARE_MODEL = HEED_FIELD_RARE | HEED_FIELD_MODEL,
    HEED_FIELD_RARE_PROPERTY = HEED_FIELD_RARE | HEED_FIELD_PROPERTY
} heed_field_use;

typedef struct heed_key {
    /* "attn_config.alibi" is the member alibi of the object attn_config; "" for rules; NULL ends a
       table */
    const char *name;
    uint8_t type;  /* heed_key_type */
    uint8_t flags; /* HEED_KEY_READ_ONLY ..., or-ed */
    heed_config_place field, other;
    /* HEED_KEY_KIND: the spelling of each value, in order; HEED_KEY_LAYER_TYPES: keys that give n;
       NULL ends the list */
    const char *const *names;
    /* HEED_KEY_ONLY: "true", "false", a number or a text; HEED_KEY_SWITCHED: the key of the flag */
    const char *only;
    int32_t no, yes, absent;
    /* one bit per heed_head: models without any of these heads pass the key over; 0: none do */
    uint32_t heads;
    uint8_t rule;     /* heed_layer_rule */
    uint8_t use;      /* heed_field_use; in heed_field_keys only, as what */
    const char *what; /* the name of the field in messages */
} heed_key;

/* clang-format off */
#define HEED_KEY_AS(key, key_type, how, at) \
    {.name = (key), .type = HEED_KEY_##key_type, .flags = (how), .field = HEED_PLACE(at)}
#define HEED_KEY(key, key_type, field) HEED_KEY_AS(key, key_type, 0, field)
/* A key that is read before the current spelling, or one that says what others say too. */
#define HEED_KEY_READ(key, key_type, field) HEED_KEY_AS(key, key_type, HEED_KEY_READ_ONLY, field)
#define HEED_KEY_WRITTEN(key, key_type, field) \
    HEED_KEY_AS(key, key_type, HEED_KEY_WRITE_ONLY, field)
#define HEED_KEY_DROPOUT(key, field) HEED_KEY_AS(key, RATE, 0, field)
/* The dropout before one kind of head, where each kind has a key of its own. */
#define HEED_KEY_DROPOUT_OF(kinds, key, how, at) \
    {.name = (key), .type = HEED_KEY_RATE, .flags = (how), .field = HEED_PLACE(at), \
     .heads = (kinds)}
#define HEED_KEY_NAMES(key, spellings, at) \
    {.name = (key), .type = HEED_KEY_KIND, .field = HEED_PLACE(at), .names = (spellings)}
#define HEED_KEY_EITHER(key, false_value, true_value, at) \
    {.name = (key), .type = HEED_KEY_CHOICE, .field = HEED_PLACE(at), \
     .no = (int32_t)(false_value), .yes = (int32_t)(true_value)}
/* The same; an absent key means `default_value`, whatever the preset of new models says. */
#define HEED_KEY_EITHER_ABSENT(key, false_value, true_value, default_value, at) \
    {.name = (key), .type = HEED_KEY_CHOICE, .flags = HEED_KEY_HAS_ABSENT, \
     .field = HEED_PLACE(at), .no = (int32_t)(false_value), .yes = (int32_t)(true_value), \
     .absent = (int32_t)(default_value)}
/* The extent of a window that lies about its token: n / 2 tokens to either side. */
#define HEED_KEY_WINDOW_ABOUT(key) HEED_KEY_AS(key, ABOUT, 0, window)
/* A window that counts only if the key `flag` is true. */
#define HEED_KEY_SWITCHED_WINDOW(key, default_value, flag) \
    {.name = (key), .type = HEED_KEY_SWITCHED, .flags = HEED_KEY_HAS_ABSENT, \
     .field = HEED_PLACE(window), .only = (flag), .absent = (default_value)}
#define HEED_KEY_TABLE(key, default_value, at) \
    {.name = (key), .type = HEED_KEY_TABLE_ROWS, .field = HEED_PLACE(at), \
     .absent = (default_value)}
#define HEED_KEY_ROTARY_CHANNELS(key, default_value) \
    {.name = (key), .type = HEED_KEY_CHANNELS, .flags = HEED_KEY_HAS_ABSENT, \
     .field = HEED_PLACE(rope.fraction), .absent = (default_value)}
#define HEED_KEY_ROTARY {.name = "rope_parameters", .type = HEED_KEY_ROPE}
#define HEED_KEY_LAYERS(layer_rule, number_keys, default_value) \
    {.name = "layer_types", .type = HEED_KEY_LAYER_TYPES, .names = (number_keys), \
     .absent = (default_value), .rule = HEED_LAYERS_##layer_rule}
/* The only supported value; HEED_KEY_FIXED is written too. HEED_KEY_WRITTEN_ALWAYS is written and
   may have any value, since it has no effect. */
#define HEED_KEY_SUPPORTS(key, value) \
    {.name = (key), .type = HEED_KEY_ONLY, .flags = HEED_KEY_SPARSE, .only = (value)}
#define HEED_KEY_FIXED(key, value) {.name = (key), .type = HEED_KEY_ONLY, .only = (value)}
#define HEED_KEY_WRITTEN_ALWAYS(key, value) \
    {.name = (key), .type = HEED_KEY_ONLY, .flags = HEED_KEY_WRITE_ONLY, .only = (value)}
#define HEED_KEY_OTHERS(key) {.name = (key), .type = HEED_KEY_KNOWN}

#define HEED_EQUALS(at, source) \
    {.name = "", .type = HEED_KEY_EQUALS, .field = HEED_PLACE(at), .other = HEED_PLACE(source)}
#define HEED_EQUALS_UNTIED(at, source) \
    {.name = "", .type = HEED_KEY_EQUALS_UNTIED, .field = HEED_PLACE(at), \
     .other = HEED_PLACE(source)}
#define HEED_EQUALS_ROOT(at) \
    {.name = "", .type = HEED_KEY_EQUALS_ROOT, .field = HEED_PLACE(at)}
#define HEED_MEANS(at, said, meant) \
    {.name = "", .type = HEED_KEY_MEANS, .field = HEED_PLACE(at), .no = (int32_t)(said), \
     .yes = (int32_t)(meant)}
#define HEED_COMPUTED(at) {.name = "", .type = HEED_KEY_COMPUTED, .field = HEED_PLACE(at)}
#define HEED_EVERY_WINDOW {.name = "", .type = HEED_KEY_EVERY_WINDOW}
#define HEED_SETS(at, value) \
    {.name = "", .type = HEED_KEY_SETS, .field = HEED_PLACE(at), .yes = (int32_t)(value)}
/* clang-format on */

/* Get and set the field of a configuration; integers of any width. */
int64_t heed_config_integer(const heed_config *config, heed_config_place place);
void heed_config_set_integer(heed_config *config, heed_config_place place, int64_t value);
double heed_config_real(const heed_config *config, heed_config_place place);
void heed_config_set_real(heed_config *config, heed_config_place place, double value);
void heed_config_copy_field(heed_config *to, const heed_config *from, heed_config_place place);
bool heed_config_fields_equal(const heed_config *a, const heed_config *b, heed_config_place place);

/* ---- the fields of heed_config ---- */

/* Spellings of the enumerations of config.def; NULL ends each list. */
extern const char *const heed_arrangement_names[],
    *const heed_embedding_order_names[],
        *const heed_norm_names[], *const heed_norm_place_names[],
                                      *const heed_residual_names[],
                                          *const heed_qk_norm_names[],
                                              *const heed_router_names[],
                                                  *const heed_position_names[],
                                                      *const heed_sinusoid_order_names[],
                                                          *const heed_pooled_row_names[],
                                                              *const heed_problem_names[];

/* The keys of the family heed: a row for each field of config.def, also for those without a key. */
extern const heed_key heed_field_keys[];

/* Is the field a setting of what the model does not have: rotary positions, a transform? */
bool heed_config_is_idle(const heed_config *config, const heed_key *key);
/* Returns the name of the first field with one of these uses (heed_field_use, or-ed) in which two
   configurations differ; NULL if there is none. Idle settings do not differ. */
const char *heed_config_difference(const heed_config *a, const heed_config *b, uint32_t uses);

/* ---- rows ---- */

/* Does the model read and write the key? */
bool heed_key_applies(const heed_config *config, const heed_key *key);
/* Does the row name a key? Else it is a rule. */
bool heed_key_is_named(const heed_key *key);
/* Does the key have one field, which may be copied from another configuration? */
bool heed_key_has_field(const heed_key *key);

/* Fills the fields of a table of keys from the members of a JSON object, in the order of the table.
   `where` begins the messages. Errors: HEED_E_FORMAT, HEED_E_UNSUPPORTED. */
heed_status heed_config_read_keys(heed_config *config, const heed_key *keys, const json_t *json,
                                  const char *where, heed_error *error);
/* Applies the rules of a table to a configuration that is being completed. */
void heed_config_follow(heed_config *config, const heed_key *keys);
/* Adds the keys of a table to a JSON object; returns false if memory is out. */
bool heed_config_write_keys(const heed_config *config, const heed_key *keys, json_t *json);

/* Gives the window, if there is one, to every layer, or to one. */
void heed_config_window_all(heed_config *config);
void heed_config_window_layer(heed_config *config, int64_t layer);

/* Reading and writing of rows that fill several fields. */
heed_status heed_rope_read(heed_config *config, const json_t *json, const char *where,
                           heed_error *error);
bool heed_rope_write(const heed_config *config, json_t *json);
/* Returns the share of a head's channels with which exactly `channels` of them rotate. */
double heed_rope_share(int64_t channels, int64_t head_width);
heed_status heed_rope_channels_read(heed_config *config, const heed_key *key, const json_t *json,
                                    const char *where, heed_error *error);
heed_status heed_layer_types_read(heed_config *config, const heed_key *key, const json_t *json,
                                  const char *where, heed_error *error);
/* Gives a new model the windows that the rule says, however many layers it will have. */
void heed_layer_types_preset(heed_config *config, const heed_key *key);
bool heed_layer_types_write(const heed_config *config, const heed_key *key, json_t *json);
heed_status heed_layer_list_read(heed_config *config, const heed_key *key, const json_t *json,
                                 const char *where, heed_error *error);
bool heed_layer_list_write(const heed_config *config, const heed_key *key, json_t *json);

#endif
