/* Hostile GGUF files: in models of every architecture each key, then each tensor, is replaced by
   what it must not be, and in a file of llama.cpp each integer by every limit. Always an error that
   names what is wrong, or a model that runs. */
#include "cpu/backend.h"
#include "io/gguf.h"
#include "support/changed.h"
#include "model/family.h"

#include <fcntl.h>

static heed_backend *cpu;

static int make_backend(void **state)
{
    (void)state;
    heed_error error = {0};
    return heed_cpu_backend_new(&cpu, 1, heed_isa_detect(), &error);
}

static int free_backend(void **state)
{
    (void)state;
    heed_cpu_backend_free(cpu);
    return 0;
}

/* A clear error, or a correct load, which must then run. */
static bool loads_or_tells(const char *path, heed_error *problem)
{
    static int64_t ids[] = {1, 5, 3};
    const heed_named_tensor inputs[] = {
        {.name = (char *)"in.input_ids",
         .dtype = HEED_I64,
         .rank = 2,
         .shape = {1, 3},
         .data = ids},
    };
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    heed_error other = {0};
    *problem = (heed_error){0};
    heed_status status = heed_model_load(&model, path, &(heed_model_options){.backend = cpu},
                                         problem);
    assert_true(status == problem->status && (status == HEED_OK) == (model != NULL) &&
                (status == HEED_OK || problem->message[0]));
    if (model && heed_forward(model, cpu, inputs, 1, &(heed_forward_options){0}, &outputs,
                              &other) != HEED_OK)
        assert_true(other.message[0]);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    return status == HEED_OK;
}

/* ---- a model of every architecture ---- */

typedef struct {
    const char *fixture, *changes;
} model_case;
static const model_case models[] = {
    {"llama", "{}"},         {"llama-rope-yarn", "{}"}, {"llama-rope-llama3", "{}"},
    {"mistral", "{}"},       {"mixtral", "{}"},         {"gpt2", "{}"},
    {"qwen2", "{}"},         {"qwen3", "{}"},           {"qwen2_moe", "{\"mlp_only_layers\": []}"},
    {"qwen3_moe", "{}"},     {"olmo2", "{}"},           {"gemma", "{}"},
    {"gemma2", "{}"},        {"gemma3", "{}"},          {"phi", "{\"qk_layernorm\": false}"},
    {"phi3-longrope", "{}"}, {"cohere-qk-norm", "{}"},  {"starcoder2", "{}"},
    {"gpt_neox", "{}"},      {"gpt_bigcode", "{}"},     {"bloom", "{}"},
    {"mpt-clip", "{}"},      {"falcon", "{}"},          {"falcon-groups", "{}"},
    {"gpt_oss", "{}"}};
enum { MODELS = sizeof models / sizeof *models };

/* A file of that model, and what is in it. */
typedef struct {
    scratch work;
    heed_gguf *file;
    const heed_family *family;
    heed_tensor_source *tensors; /* one place more than there are */
    size_t count;
    int64_t layers;
    char path[512]; /* for the files made from it */
} subject;

static void open_subject(subject *s, const model_case *of)
{
    heed_model *model = changed_model(of->fixture, of->changes);
    scratch_make(&s->work);
    assert_ok(
        heed_model_save_gguf(model, scratch_path(&s->work, "whole.gguf"), HEED_F32, NULL, &error));
    assert_ok(heed_gguf_open_whole(&s->file, scratch_path(&s->work, "whole.gguf"), &error));
    s->family = heed_model_config(model)->family;
    s->layers = heed_model_config(model)->decoder.layers;
    s->count = heed_gguf_count(s->file);
    s->tensors = calloc(s->count + 1, sizeof *s->tensors);
    assert_true(s->tensors != NULL && s->layers >= 2);
    for (size_t i = 0; i < s->count; i++) {
        const heed_stored_tensor *from = heed_gguf_at(s->file, i);
        s->tensors[i] = (heed_tensor_source){
            .name = from->name,
            .dtype = from->dtype,
            .rank = from->rank,
            .shape = from->shape,
            .data = from->data,
        };
    }
    snprintf(s->path, sizeof s->path, "%s", scratch_path(&s->work, "hostile.gguf"));
    heed_model_release(model);
}

static void close_subject(subject *s)
{
    heed_gguf_close(s->file);
    free(s->tensors);
    scratch_remove(&s->work);
}

static void write_subject(const subject *s, const heed_gguf_entries *entries, size_t tensors)
{
    heed_tensor_set set = {.tensors = s->tensors, .count = tensors};
    assert_ok(heed_gguf_write(s->path, entries, &set, &error));
}

/* All entries but one; `without` may be NULL. */
static void put_others(const subject *s, const char *without, heed_gguf_entries *entries)
{
    for (size_t i = 0; i < heed_gguf_entry_count(s->file); i++)
        if (!without || strcmp(heed_gguf_entry_at(s->file, i)->key, without) != 0)
            heed_gguf_put_entry(entries, heed_gguf_entry_at(s->file, i));
}

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

/* ---- keys ---- */

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
    return v->count == BY_LAYER   ? layers
           : v->count == ONE_LESS ? layers - 1
           : v->count == ONE_MORE ? layers + 1
                                  : v->count;
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
    }
    return false;
}

typedef struct {
    int files, loaded;
} tally;

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
        t->files++, t->loaded += loads;
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

/* ---- tensors ---- */

typedef enum {
    MISSING,
    RENAMED,
    DEEPER,
    FLAT,
    SHORTER,
    LONGER,
    NARROWER,
    SWAPPED,
    EMPTY,
    INTEGERS,
    HALVES,
    NOT_A_NUMBER,
    DAMAGES
} damage;

/* Changes a tensor, whose extents and data may be replaced by those given; false where it cannot be
   changed so. */
static bool damage_tensor(heed_tensor_source *tensor, damage how, int64_t shape[5], float *data)
{
    int last = tensor->rank - 1;
    int64_t elements = 1;
    for (int i = 0; i <= last; i++) elements *= shape[i] = tensor->shape[i];
    memcpy(data, tensor->data, (size_t)elements * sizeof *data);
    tensor->shape = shape;
    tensor->data = data;
    switch (how) {
    case MISSING: return true;
    case RENAMED: tensor->name = "blk.0.no_such_tensor.weight"; return true;
    case DEEPER:
        memmove(shape + 1, shape, (size_t)tensor->rank * sizeof *shape), shape[0] = 1;
        return ++tensor->rank <= 4;
    case FLAT: shape[0] = elements, tensor->rank = 1; return last > 0;
    case SHORTER: return --shape[0] > 0;
    case LONGER: shape[0]++; return true;
    case NARROWER: return last > 0 && --shape[last] > 0;
    case SWAPPED:
        shape[0] = tensor->rank > 1 ? shape[1] : 0, shape[1] = elements / (shape[0] ? shape[0] : 1);
        return tensor->rank == 2 && shape[0] != shape[1];
    case EMPTY: shape[last] = 0; return true;
    case INTEGERS: tensor->dtype = HEED_I32; return true;
    case HALVES: tensor->dtype = HEED_F16; return true;
    case NOT_A_NUMBER: data[elements - 1] = NAN; return true;
    default: return false;
    }
}

/* A file without this tensor, or with more rows in it, may be another model: no output matrix or
   bias of its own, no stretched positions, more words. */
static bool may_differ(const char *name, damage how)
{
    if (how == HALVES || how == INTEGERS) return how == HALVES;
    if (!strcmp(name, "token_embd.weight")) return how == SHORTER || how == LONGER;
    return (how == MISSING || how == RENAMED) &&
           (!strcmp(name, "output.weight") || !strcmp(name, "output.bias") ||
            !strncmp(name, "rope_", 5));
}

static void every_tensor_with_every_damage(void **state)
{
    (void)state;
    enum { MOST = 1 << 18 };
    static float data[MOST + 4096];
    tally t = {0};
    for (size_t m = 0; m < MODELS; m++) {
        subject s;
        heed_gguf_entries entries = {0};
        heed_error problem;
        open_subject(&s, &models[m]);
        put_others(&s, NULL, &entries);
        for (size_t i = 0; i < s.count; i++) {
            heed_tensor_source whole = s.tensors[i];
            for (damage how = 0; how < DAMAGES; how++) {
                int64_t shape[5];
                s.tensors[i] = whole;
                assert_true(heed_gguf_find(s.file, whole.name)->bytes <= sizeof(float) * MOST);
                if (damage_tensor(&s.tensors[i], how, shape, data)) {
                    if (how == MISSING) s.tensors[i] = s.tensors[s.count - 1];
                    write_subject(&s, &entries, s.count - (how == MISSING));
                    bool loads = loads_or_tells(s.path, &problem);
                    /* Where a tensor is missing, what is told may be that others of its kind are
                       there. */
                    bool named = strstr(problem.message, whole.name) ||
                                 ((how == MISSING || how == RENAMED) &&
                                  strstr(problem.message, "tensor \"")) ||
                                 how == SHORTER || how == LONGER || how == NARROWER;
                    if (!may_differ(whole.name, how) && (loads || !named))
                        fail_msg("%s: damage %d of %s: %s", s.family->name, (int)how, whole.name,
                                 loads ? "loads" : problem.message);
                    t.files++, t.loaded += loads;
                }
                s.tensors[i] = whole;
            }
        }
        s.tensors[s.count] = s.tensors[0];
        s.tensors[s.count].name = "blk.0.no_such_tensor.weight";
        write_subject(&s, &entries, s.count + 1);
        assert_true(!loads_or_tells(s.path, &problem) && strstr(problem.message, "no_such_tensor"));
        heed_buffer_free(&entries.bytes);
        close_subject(&s);
    }
    print_message("%d files, %d of them load\n", t.files, t.loaded);
}

/* ---- every integer of a file of llama.cpp ---- */

typedef struct walker {
    const unsigned char *bytes;
    size_t at, length;
    struct {
        size_t at;
        int width;
    } fields[2048];
    int count;
} walker;

/* Notes an integer field and steps after it. */
static uint64_t take(walker *w, int width, bool noted)
{
    uint64_t value = 0;
    assert_true(w->at + (size_t)width <= w->length);
    for (int i = 0; i < width; i++) value |= (uint64_t)w->bytes[w->at + (size_t)i] << 8 * i;
    if (noted) {
        assert_true(w->count < (int)(sizeof w->fields / sizeof *w->fields));
        w->fields[w->count].at = w->at;
        w->fields[w->count++].width = width;
    }
    w->at += (size_t)width;
    return value;
}

static void take_value(walker *w, uint64_t type, bool noted)
{
    if (type == HEED_GGUF_STRING) w->at += take(w, 8, noted);
    else take(w, (int)heed_gguf_type_bytes((heed_gguf_type)type), noted);
}

/* Header, entries (of long arrays the first three elements), tensor records. */
static void walk(walker *w)
{
    w->at = 4;
    take(w, 4, true);
    uint64_t tensors = take(w, 8, true), entries = take(w, 8, true);
    for (uint64_t i = 0; i < entries; i++) {
        w->at += take(w, 8, true);
        uint64_t type = take(w, 4, true);
        if (type != HEED_GGUF_ARRAY) {
            take_value(w, type, true);
            continue;
        }
        type = take(w, 4, true);
        uint64_t count = take(w, 8, true);
        for (uint64_t k = 0; k < count; k++) take_value(w, type, k < 3);
    }
    for (uint64_t i = 0; i < tensors; i++) {
        w->at += take(w, 8, true);
        for (uint64_t rank = take(w, 4, true); rank > 0; rank--) take(w, 8, true);
        take(w, 4, true);
        take(w, 8, true);
    }
}

static void every_integer_with_every_limit(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0,          1,          UINT64_MAX, 0x7FFFFFFF,
                                      0x80000000, 0xFFFFFFFF, INT64_MAX,  (uint64_t)1 << 63};
    scratch s;
    heed_buffer file = {0};
    heed_error problem;
    scratch_make(&s);
    assert_ok(heed_file_read(HEED_FIXTURES "/gguf-llama-f32/model.gguf", 1 << 20, &file, &error));
    const char *path = scratch_file(&s, "hostile.gguf", file.data, file.length);
    walker w = {.bytes = (const unsigned char *)file.data, .length = file.length};
    walk(&w);
    assert_true(loads_or_tells(path, &problem));
    int loaded = 0, tried = 0, descriptor = open(path, O_WRONLY);
    assert_true(descriptor >= 0 && w.count > 150);
    for (int f = 0; f < w.count; f++) {
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++, tried++) {
            unsigned char field[8];
            for (int i = 0; i < w.fields[f].width; i++)
                field[i] = (unsigned char)(limits[l] >> 8 * i);
            assert_int_equal(
                pwrite(descriptor, field, (size_t)w.fields[f].width, (off_t)w.fields[f].at),
                w.fields[f].width);
            loaded += loads_or_tells(path, &problem);
        }
        assert_int_equal(pwrite(descriptor, file.data + w.fields[f].at, (size_t)w.fields[f].width,
                                (off_t)w.fields[f].at),
                         w.fields[f].width);
    }
    print_message("%d fields, %d files, %d of them load\n", w.count, tried, loaded);
    assert_true(loads_or_tells(path, &problem) && loaded < tried / 2);
    close(descriptor);
    heed_buffer_free(&file);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_has_a_model),
                                       cmocka_unit_test(every_key_with_every_value),
                                       cmocka_unit_test(every_tensor_with_every_damage),
                                       cmocka_unit_test(every_integer_with_every_limit)};
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
