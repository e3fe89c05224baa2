/* Hostile keys of GGUF files: in models of every architecture each key is replaced by what it must
   not be. Tensors and the bytes of a file have test_gguf_hostile_tensors.c. */
#include "forward/gguf_hostile.h"

static void every_family_has_a_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < heed_family_count(); i++) {
        bool found = heed_family_at(i)->gguf == NULL;
        for (size_t m = 0; !found && m < MODELS; m++) {
            char path[512];
            fixture_path(path, models[m].fixture, "config.json");
            json_t *json = json_load_file(path, 0, NULL);
            found = heed_family_find(json_string_value(json_object_get(json, "model_type"))) ==
                    heed_family_at(i);
            json_decref(json);
        }
        if (!found) fail_msg("%s has GGUF files, and no model here", heed_family_at(i)->name);
    }
}

enum { ABSENT = HEED_GGUF_TYPES, SINGLE = -1, BY_LAYER = -2, ONE_LESS = -3, ONE_MORE = -4 };
/* A value: its type (ABSENT: none), how many elements (SINGLE: no array), the elements: a text, or
   `bits`, the last one more by `differs`. */
typedef struct {
    int type, count;
    uint64_t bits;
    const char *text;
    int differs;
} hostile;

/* clang-format off */
#define INTEGER(type_, value) \
    {.type = HEED_GGUF_##type_, .count = SINGLE, .bits = (uint64_t)(value)}
#define TEXT(value) {.type = HEED_GGUF_STRING, .count = SINGLE, .text = (value)}
#define ARRAY(type_, how_many, value, ...) \
    {.type = HEED_GGUF_##type_, .count = (how_many), .bits = (value), __VA_ARGS__}
/* clang-format on */
static const hostile values[] = {
    {.type = ABSENT, .count = SINGLE},
    INTEGER(U32, 0),
    INTEGER(U32, 1),
    INTEGER(U32, 2),
    INTEGER(U32, 3),
    INTEGER(I32, -1),
    INTEGER(U32, INT32_MAX),
    INTEGER(U32, 1u << 31),
    INTEGER(U32, UINT32_MAX),
    INTEGER(U64, INT64_MAX),
    INTEGER(U64, (uint64_t)1 << 63),
    INTEGER(U64, UINT64_MAX),
    INTEGER(I64, INT64_MIN),
    INTEGER(U8, 255),
    INTEGER(I16, -7),
    INTEGER(F32, 0),
    INTEGER(F32, 0x80000000),
    INTEGER(F32, 0x3F800000) /* 1 */,
    INTEGER(F32, 0xBF800000) /* -1 */,
    INTEGER(F32, 0x7FC00000) /* NaN */,
    INTEGER(F32, 0x7F800000) /* infinity */,
    INTEGER(F32, 0xFF800000),
    INTEGER(F32, 0x7F7FFFFF) /* largest */,
    INTEGER(F32, 1) /* smallest */,
    INTEGER(F64, 0x7FF8000000000000),
    INTEGER(F64, 0xFFF0000000000000),
    INTEGER(F64, 0x7FEFFFFFFFFFFFFF),
    INTEGER(F64, 1),
    INTEGER(F64, 0x4010000000000000) /* 4 */,
    INTEGER(BOOL, 0),
    INTEGER(BOOL, 1),
    INTEGER(BOOL, 2),
    TEXT(""),
    TEXT("4"),
    TEXT("linear"),
    TEXT("yarn"),
    TEXT("longrope"),
    TEXT("none"),
    TEXT("\xFF\xFE"),
    ARRAY(U32, 0, 0),
    ARRAY(U32, 1, 4),
    ARRAY(U32, BY_LAYER, 4),
    ARRAY(U32, ONE_LESS, 4),
    ARRAY(U32, ONE_MORE, 4),
    ARRAY(U32, BY_LAYER, 4, .differs = 1),
    ARRAY(U64, BY_LAYER, UINT64_MAX),
    ARRAY(F32, BY_LAYER, 0x7FC00000),
    ARRAY(F32, BY_LAYER, 0x3F800000),
    ARRAY(BOOL, BY_LAYER, 1),
    ARRAY(BOOL, ONE_MORE, 1),
    ARRAY(STRING, BY_LAYER, 0, .text = "4"),
    ARRAY(I32, BY_LAYER, (uint32_t)-1),
};

#undef ARRAY
#undef TEXT
#undef INTEGER

static int64_t elements_of(const hostile *v, int64_t layers)
{
    switch (v->count) {
    case BY_LAYER: return layers;
    case ONE_LESS: return layers - 1;
    case ONE_MORE: return layers + 1;
    default: return v->count;
    }
}

static void put_hostile(heed_gguf_entries *entries, const char *key, const hostile *v,
                        int64_t layers)
{
    int64_t count = elements_of(v, layers);
    if (v->type == ABSENT) return;
    if (count < 0 && v->type == HEED_GGUF_STRING)
        heed_gguf_put_string(entries, key, v->text, strlen(v->text));
    else if (count < 0)
        heed_gguf_put_entry(
            entries, &(heed_gguf_entry){.key = key,
                                        .type = (heed_gguf_type)v->type,
                                        .data = (const unsigned char *)&v->bits,
                                        .bytes = heed_gguf_type_bytes((heed_gguf_type)v->type)});
    else heed_gguf_put_array(entries, key, (heed_gguf_type)v->type, (uint64_t)count);
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = v->bits + (i == count - 1 ? (uint64_t)v->differs : 0);
        if (v->type == HEED_GGUF_STRING) heed_gguf_put_text(entries, v->text, strlen(v->text));
        else
            heed_buffer_append(&entries->bytes, &bits,
                               heed_gguf_type_bytes((heed_gguf_type)v->type));
    }
}

/* Can a key of this kind not have this value, in any model? */
static bool is_wrong(const heed_key *key, const hostile *v, int64_t layers)
{
    if (v->type == ABSENT) return false;
    if (v->count != SINGLE &&
        (v->type == HEED_GGUF_STRING || v->differs || elements_of(v, layers) != layers))
        return true;
    heed_gguf_entry entry = {.type = (heed_gguf_type)v->type,
                             .data = (const unsigned char *)&v->bits};
    bool numeric = v->type != HEED_GGUF_STRING && v->type != HEED_GGUF_BOOL;
    double number = numeric ? heed_gguf_number_at(&entry, 0) : 0;
    switch ((heed_key_type)key->type) {
    case HEED_KEY_SIZE:
    case HEED_KEY_COUNT:
        return !numeric || !(number >= (key->type == HEED_KEY_SIZE) && number <= INT32_MAX) ||
               number != floor(number);
    case HEED_KEY_NUMBER: return !numeric || !isfinite(number);
    case HEED_KEY_AMOUNT:
    case HEED_KEY_RATE: return !numeric || !isfinite(number) || number < 0;
    case HEED_KEY_FLAG:
    case HEED_KEY_CHOICE: return v->type != HEED_GGUF_BOOL;
    case HEED_KEY_KIND:
    case HEED_KEY_ACTIVATION:
    case HEED_KEY_ID:
        return v->type != HEED_GGUF_STRING || v->text[0] == 0 || (unsigned char)v->text[0] == 0xFF;
    default: return false; /* no table of keys of GGUF files has these */
    }
}

/* `key` of a table, or NULL; `name` is how the file spells it. */
static void try_key(const subject *s, const char *name, const heed_key *key, tally *t)
{
    heed_gguf_entries others = {0};
    heed_error problem;
    put_others(s, name, &others);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        heed_gguf_entries entries = {0};
        heed_gguf_put_entries(&entries, &others);
        put_hostile(&entries, name, &values[i], s->layers);
        write_subject(s, &entries, s->count);
        bool loads = loads_or_tells(s->path, &problem);
        if (key && is_wrong(key, &values[i], s->layers) &&
            (loads || !strstr(problem.message, key->name)))
            fail_msg("%s: value %zu of %s: %s", s->family->name, i, name,
                     loads ? "loads" : problem.message);
        heed_buffer_free(&entries.bytes);
        t->files++;
        t->loaded += loads;
    }
    heed_buffer_free(&others.bytes);
}

static void every_key_with_every_value(void **state)
{
    (void)state;
    static const char *const more[] = {"rope.dimension_count",
                                       "attention.sliding_window_pattern",
                                       "attention.value_length",
                                       "vocab_size",
                                       "expert_count",
                                       "attention.sliding_window",
                                       "expert_feed_forward_length"};
    static const char *const others[] = {
        "general.architecture",        "general.alignment",
        "general.file_type",           "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",       "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.eos_token_id", "tokenizer.ggml.padding_token_id"};
    tally t = {0};
    for (size_t m = 0; m < MODELS; m++) {
        subject s;
        char name[128];
        open_subject(&s, &models[m]);
        for (const heed_key *key = s.family->gguf->keys; key->name; key++) {
            snprintf(name, sizeof name, "%s.%s", s.family->gguf->architecture, key->name);
            try_key(&s, name, key, &t);
        }
        for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
            snprintf(name, sizeof name, "%s.%s", s.family->gguf->architecture, more[i]);
            try_key(&s, name, NULL, &t);
        }
        for (size_t i = 0; m == 0 && i < sizeof others / sizeof *others; i++)
            try_key(&s, others[i], NULL, &t);
        close_subject(&s);
    }
    print_message("%d files, %d of them load\n", t.files, t.loaded);
    assert_true(t.loaded > t.files / 50 && t.loaded < t.files * 2 / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_has_a_model),
                                       cmocka_unit_test(every_key_with_every_value)};
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
