/* libFuzzer target: a GGUF file made by a recipe - an architecture, any values under any of its
   keys, any of its tensors - is refused with a message or gives a configuration that can be written
   as config.json and whose sizes can be computed. Built by the preset fuzz. */
#include "io/gguf.h"
#include "model/fuzz_check.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* The recipe: which architecture; which tensors of its first layer (a bit each); the number that
   all tensors hold; then records: a key, the type of its value and whether it is an array of how
   many, eight bytes of it, and whether the last element differs. */
enum {
    TENSOR_BYTES = 12,
    RECORD = 11,
    MOST_RECORDS = 24,
    MOST_KEYS = 64,
    MOST_TENSORS = 8 * TENSOR_BYTES
};

static const char *const other_keys[] = {
    "rope.dimension_count",   "attention.sliding_window_pattern",
    "attention.value_length", "vocab_size",
    "expert_count",           "attention.sliding_window",
    "rope.scaling.type"};

static const heed_family *choose_family(unsigned number)
{
    size_t count = 0, at = 0;
    for (size_t i = 0; i < heed_family_count(); i++) count += heed_family_at(i)->gguf != NULL;
    for (number %= (unsigned)count; number > 0 || !heed_family_at(at)->gguf; at++)
        number -= heed_family_at(at)->gguf != NULL;
    return heed_family_at(at);
}

static const char *choose_key(const heed_family *family, unsigned number)
{
    unsigned count = 0, others = sizeof other_keys / sizeof *other_keys;
    while (family->gguf->keys[count].name) count++;
    number %= count + others;
    return number < count ? family->gguf->keys[number].name : other_keys[number - count];
}

/* What a small model says, unless a record says it. */
static void put_usual(heed_gguf_entries *entries, const char *key, const char *name)
{
    static const struct {
        const char *name;
        uint32_t value;
    } usual[] = {
        {"context_length", 64},      {"embedding_length", 32},           {"block_count", 2},
        {"feed_forward_length", 48}, {"attention.head_count", 4},        {"expert_count", 4},
        {"expert_used_count", 2},    {"expert_feed_forward_length", 16},
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (!strcmp(name, usual[i].name)) heed_gguf_put_u32(entries, key, usual[i].value);
    if (strstr(name, "epsilon")) heed_gguf_put_f32(entries, key, 1e-5f);
}

static void put_record(heed_gguf_entries *entries, const char *key, const uint8_t *record)
{
    static const char *const texts[] = {"none", "linear", "yarn", "longrope",
                                        "",     "llama3", "\xFF", "4"};
    heed_gguf_type type = (heed_gguf_type)(record[0] % 16 % HEED_GGUF_TYPES);
    unsigned elements = record[0] >> 4;  /* 0 to 3: no array */
    if (type == HEED_GGUF_ARRAY) return; /* the key is absent */
    if (elements > 3) heed_gguf_put_array(entries, key, type, elements - 4);
    else if (type == HEED_GGUF_STRING)
        heed_gguf_put_string(entries, key, texts[record[1] % 8], strlen(texts[record[1] % 8]));
    /* others are no file */
    else if (type == HEED_GGUF_BOOL) heed_gguf_put_boolean(entries, key, record[1] & 1);
    else
        heed_gguf_put_entry(entries, &(heed_gguf_entry){.key = key,
                                                        .type = type,
                                                        .data = record + 1,
                                                        .bytes = heed_gguf_type_bytes(type)});
    for (unsigned i = 4; i < elements; i++) {
        bool other = (record[9] & 1) && i == elements - 1; /* the last one differs */
        if (type == HEED_GGUF_STRING)
            heed_gguf_put_text(entries, texts[record[1] % 8], strlen(texts[record[1] % 8]));
        else if (type == HEED_GGUF_BOOL)
            heed_buffer_byte(&entries->bytes, record[other ? 2 : 1] & 1);
        else
            heed_buffer_append(&entries->bytes, record + (other ? 2 : 1),
                               heed_gguf_type_bytes(type));
    }
}

static void put_entries(heed_gguf_entries *entries, const heed_family *family,
                        const uint8_t *records, size_t count)
{
    char name[128];
    const char *said[MOST_RECORDS + MOST_KEYS];
    size_t n = 0;
    heed_gguf_put_string(entries, "general.architecture", family->gguf->architecture,
                         strlen(family->gguf->architecture));
    for (size_t i = 0; i < count + MOST_KEYS; i++) { /* records, then what is left of the table */
        const uint8_t *record = i < count ? records + RECORD * i : NULL;
        if (!record && !family->gguf->keys[i - count].name) break;
        const char *key = record ? choose_key(family, record[0])
                                 : family->gguf->keys[i - count].name;
        bool repeated = false;
        for (size_t k = 0; k < n; k++) repeated = repeated || !strcmp(said[k], key);
        if (repeated) continue;
        said[n++] = key;
        snprintf(name, sizeof name, "%s.%s", family->gguf->architecture, key);
        if (record) put_record(entries, name, record + 1);
        else put_usual(entries, name, key);
    }
}

/* ---- the file ---- */

static void put_bits(heed_buffer *out, uint64_t value, int width)
{
    for (int i = 0; i < width; i++) heed_buffer_byte(out, (int)(value >> 8 * i & 255));
}

/* rows 0: a vector. *place is where the data of this one begin, then of the next. */
static void put_tensor(heed_buffer *out, const char *name, uint64_t columns, uint64_t rows,
                       uint64_t *place)
{
    put_bits(out, strlen(name), 8);
    heed_buffer_append(out, name, strlen(name));
    put_bits(out, rows ? 2 : 1, 4);
    put_bits(out, columns, 8);
    if (rows) put_bits(out, rows, 8);
    put_bits(out, 0, 4); /* F32 */
    put_bits(out, *place, 8);
    *place += (columns * (rows ? rows : 1) * 4 + 31) / 32 * 32;
}

static uint64_t put_tensors(heed_buffer *out, const heed_family *family, const uint8_t *wanted,
                            uint64_t *place)
{
    static const char *const factors[] = {"rope_freqs.weight", "rope_factors_short.weight",
                                          "rope_factors_long.weight"};
    uint64_t tensors = 1;
    put_tensor(out, "token_embd.weight", 32, 16, place);
    for (unsigned i = 0; i < 3; i++)
        if (wanted[0] >> i & 1) {
            put_tensor(out, factors[i], 1 + (wanted[0] >> 4), 0, place);
            tensors++;
        }
    const heed_weight_name *first = family->gguf->weights;
    for (unsigned i = 8; first[i - 8].name && i < MOST_TENSORS; i++) {
        char name[64];
        const heed_weight_name *entry = first + i - 8, *earlier = first;
        const char *layer = strstr(entry->name, "{i}");
        /* some names have two roles */
        while (earlier < entry && strcmp(earlier->name, entry->name) != 0) earlier++;
        if (!(wanted[i / 8] >> i % 8 & 1) || earlier < entry ||
            !strcmp(entry->name, "token_embd.weight") || strstr(entry->name, "{j}"))
            continue;
        if (layer)
            snprintf(name, sizeof name, "%.*s0%s", (int)(layer - entry->name), entry->name,
                     layer + 3);
        else snprintf(name, sizeof name, "%s", entry->name);
        put_tensor(out, name, 4, 0, place);
        tensors++;
    }
    return tensors;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    heed_error error = {0};
    heed_gguf_entries entries = {0};
    heed_buffer file = {0}, tensors = {0};
    heed_gguf *gguf = NULL;
    heed_config config;
    uint64_t place = 0;
    if (count < 1 + TENSOR_BYTES + 4) return -1;
    const heed_family *family = choose_family(bytes[0]);
    const uint8_t *factor = bytes + 1 + TENSOR_BYTES, *records = factor + 4;
    size_t n = (count - 1 - TENSOR_BYTES - 4) / RECORD;
    put_entries(&entries, family, records, n < MOST_RECORDS ? n : MOST_RECORDS);
    uint64_t tensor_count = put_tensors(&tensors, family, bytes + 1, &place);
    heed_buffer_append(&file, "GGUF", 4);
    put_bits(&file, 3, 4);
    put_bits(&file, tensor_count, 8);
    put_bits(&file, entries.count, 8);
    heed_buffer_append(&file, entries.bytes.data, entries.bytes.length);
    heed_buffer_append(&file, tensors.data, tensors.length);
    while (file.length % 32) heed_buffer_byte(&file, 0);
    /* every number of every tensor */
    for (uint64_t i = 0; i < place; i += 4) heed_buffer_append(&file, factor, 4);
    heed_status status = heed_gguf_open_memory(&gguf, file.data, file.length, "fuzz", &error);
    if (status == HEED_OK) status = heed_config_read_gguf(&config, gguf, &error);
    if (status != error.status || (status != HEED_OK && !error.message[0])) abort();
    if (status == HEED_OK) fuzz_check_config(&config, true);
    heed_gguf_close(gguf);
    heed_buffer_free(&entries.bytes);
    heed_buffer_free(&file);
    heed_buffer_free(&tensors);
    return 0;
}
