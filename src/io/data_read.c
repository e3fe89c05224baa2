#include "base/json.h"
#include "base/utf8.h"
#include "io/data_parts.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Maps a file and keeps the map until the data is closed. */
static heed_status keep_map(heed_data *data, const char *path, heed_text *text, heed_error *error)
{
    if (!heed_grow(&data->maps, &data->map_capacity, data->map_count + 1, sizeof *data->maps))
        return heed_fail_memory(error, (data->map_count + 1) * sizeof *data->maps, path);
    heed_file_map *map = &data->maps[data->map_count];
    HEED_TRY(heed_file_map_open(map, path, error));
    data->map_count++;
    *text = (heed_text){(const char *)map->data, map->size};
    if (map->size == 0) return heed_fail(error, HEED_E_FORMAT, "%s: the file is empty, expected text or tokens", path);
    return HEED_OK;
}

/* As keep_map, for text: checked, without a byte order mark. */
static heed_status keep_text(heed_data *data, const char *path, heed_text *text, heed_error *error)
{
    HEED_TRY(keep_map(data, path, text, error));
    return heed_text_begin(path, text, error);
}

static heed_status expect_kind(heed_data *data, heed_data_kind kind, const char *path, heed_error *error)
{
    static const char *const names[] = {[HEED_DATA_DOCUMENTS] = "documents", [HEED_DATA_PAIRS] = "pairs",
                                        [HEED_DATA_CONVERSATIONS] = "conversations", [HEED_DATA_TOKENS] = "token shards"};
    if (!data->kind_from) {
        data->kind = kind;
        data->kind_from = path;
    }
    if (data->kind == kind) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "%s holds %s, but %s holds %s: give files of one kind", path, names[kind],
                     data->kind_from, names[data->kind]);
}

static heed_status add_document(heed_data *data, heed_text text, const char *path, heed_error *error)
{
    HEED_TRY(expect_kind(data, HEED_DATA_DOCUMENTS, path, error));
    if (!heed_grow(&data->documents, &data->capacity, data->count + 1, sizeof *data->documents))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->documents, path);
    data->documents[data->count++] = text;
    data->bytes += text.length;
    return HEED_OK;
}

static heed_status add_pair(heed_data *data, heed_text source, heed_text target, const char *path, heed_error *error)
{
    HEED_TRY(expect_kind(data, HEED_DATA_PAIRS, path, error));
    if (!heed_grow(&data->pairs, &data->capacity, data->count + 1, sizeof *data->pairs))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->pairs, path);
    data->pairs[data->count++] = (heed_text_pair){source, target};
    data->bytes += source.length + target.length;
    return HEED_OK;
}

static heed_status read_whole(heed_data *data, const char *path, heed_error *error)
{
    heed_text text = {0};
    HEED_TRY(keep_text(data, path, &text, error));
    const char *at = text.bytes, *end = text.bytes + text.length, *carriage = at;
    while (carriage && !(end - carriage > 1 && carriage[0] == '\r' && carriage[1] == '\n'))
        carriage = carriage + 1 < end ? memchr(carriage + 1, '\r', (size_t)(end - carriage - 1)) : NULL;
    if (!carriage) return add_document(data, text, path, error);
    char *copy = heed_arena_take(data->arena, text.length, 1);
    size_t length = 0;
    if (!copy) return heed_fail_memory(error, text.length, path);
    for (; at < end; at++)
        if (!(at[0] == '\r' && end - at > 1 && at[1] == '\n')) copy[length++] = *at;
    return add_document(data, (heed_text){copy, length}, path, error);
}

/* Where an object stands, for messages. */
typedef struct place { const char *path; size_t line; } place;

/* Copies the text of a member. HEED_E_FORMAT when it is no text after all. */
static heed_status copy_text(heed_data *data, const json_t *object, const char *key, heed_text *text, place at,
                             heed_error *error)
{
    const json_t *string = json_object_get(object, key);
    size_t length = json_string_length(string);
    if (heed_utf8_valid(json_string_value(string), length) != length)
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: \"%s\" holds half a surrogate pair (\"\\ud83d\" without "
                         "the other half, say), which is not text: mend or remove it", at.path, at.line, key);
    char *copy = heed_arena_take(data->arena, length, 1);
    if (!copy) return heed_fail_memory(error, length, at.path);
    memcpy(copy, json_string_value(string), length);
    *text = (heed_text){copy, length};
    return HEED_OK;
}

/* A list of one or more objects with a string "role". */
static bool are_messages(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_object_get(json_array_get(list, i), "role"))) return false;
    return json_array_size(list) > 0;
}

/* Keeps the line itself: templates read whatever else its objects hold. */
static heed_status add_conversation(heed_data *data, const json_t *object, heed_text line, const char *path, size_t number, heed_error *error)
{
    const json_t *messages = json_object_get(object, "messages"), *prompt = json_object_get(object, "prompt"), *completion = json_object_get(object, "completion");
    bool texts = json_is_string(prompt) && json_is_string(completion);
    if (messages ? !are_messages(messages) : !texts && !(are_messages(prompt) && are_messages(completion)))
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: expected %s", path, number, messages ? "\"messages\" to be a list of objects, each with a string "
                         "\"role\"" : "\"prompt\" and \"completion\" to be two strings, or two lists of messages with a string \"role\" each");
    HEED_TRY(expect_kind(data, HEED_DATA_CONVERSATIONS, path, error));
    if (!heed_grow(&data->documents, &data->capacity, data->count + 1, sizeof *data->documents) ||
        !heed_grow(&data->places, &data->place_capacity, data->count + 1, sizeof *data->places))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->documents, path);
    data->places[data->count].path = path;
    data->places[data->count].line = number;
    data->documents[data->count++] = line;
    data->bytes += line.length;
    return HEED_OK;
}

static bool has(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

static bool has_string(const json_t *object, const char *key)
{
    return json_is_string(json_object_get(object, key));
}

/* An object that can be read in two ways is refused. One member of a pair alone is none: "source"
   beside "text" may say where the text is from. */
static heed_status check_one_kind(const json_t *object, place at, heed_error *error)
{
    const struct {
        bool there;
        const char *name;
    } kinds[] = {
        {has_string(object, "text"), "\"text\""},
        {has_string(object, "source") && has_string(object, "target"), "\"source\" and \"target\""},
        {has(object, "messages"), "\"messages\""},
        {has(object, "prompt") && has(object, "completion"), "\"prompt\" and \"completion\""}};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].there) continue;
        if (first)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s, line %zu: the object has %s, but %s too: only one of them can be "
                             "learned; take the other out of the file",
                             at.path, at.line, first, kinds[i].name);
        first = kinds[i].name;
    }
    return HEED_OK;
}

static heed_status add_object(heed_data *data, const json_t *object, heed_text whole, place at, heed_error *error)
{
    HEED_TRY(check_one_kind(object, at, error));
    const json_t *text = json_object_get(object, "text");
    const json_t *source = json_object_get(object, "source"), *target = json_object_get(object, "target");
    heed_text first = {0}, second = {0};
    if (json_is_string(text)) {
        HEED_TRY(copy_text(data, object, "text", &first, at, error));
        return add_document(data, first, at.path, error);
    }
    if (heed_json_foreign(text))
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: \"text\" is %s, expected a string", at.path, at.line,
                         heed_json_foreign(text));
    if (json_object_get(object, "messages") || json_object_get(object, "completion"))
        return add_conversation(data, object, whole, at.path, at.line, error);
    if (!json_is_string(source) || !json_is_string(target))
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: expected an object with the string \"text\", or \"source\" "
                         "and \"target\", or \"messages\", or \"prompt\" and \"completion\"", at.path, at.line);
    HEED_TRY(copy_text(data, object, "source", &first, at, error));
    HEED_TRY(copy_text(data, object, "target", &second, at, error));
    return add_pair(data, first, second, at.path, error);
}

/* Blank lines are no objects: they are passed over. */
static heed_status read_jsonl(heed_data *data, const char *path, heed_error *error)
{
    heed_lines lines = {0};
    heed_text line;
    HEED_TRY(keep_text(data, path, &lines.rest, error));
    while (heed_lines_next(&lines, &line)) {
        char where[300];
        json_t *object = NULL;
        if (heed_line_is_blank(line)) continue;
        snprintf(where, sizeof where, "%.250s, line %zu", path, lines.number);
        HEED_TRY(heed_json_parse(&object, line.bytes, line.length, where, error));
        heed_status status = add_object(data, object, line, (place){path, lines.number}, error);
        json_decref(object);
        if (status != HEED_OK) return status;
    }
    /* all of it was copied; conversations are read once more, later */
    heed_file_map_release(&data->maps[data->map_count - 1], 0, data->maps[data->map_count - 1].size);
    return HEED_OK;
}

/* Every line is a pair; a blank one is an error as any other line without a tab. */
static heed_status read_tsv(heed_data *data, const char *path, heed_error *error)
{
    heed_lines lines = {0};
    heed_text line;
    HEED_TRY(keep_text(data, path, &lines.rest, error));
    while (heed_lines_next(&lines, &line)) {
        const char *tab = memchr(line.bytes, '\t', line.length), *end = line.bytes + line.length;
        HEED_TRY(heed_line_check(path, line, lines.number, error));
        if (!tab || memchr(tab + 1, '\t', (size_t)(end - tab - 1)))
            return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: %s, expected source, one tab, target", path, lines.number,
                             tab ? "more than one tab" : "no tab");
        heed_text source = {line.bytes, (size_t)(tab - line.bytes)}, target = {tab + 1, (size_t)(end - tab - 1)};
        HEED_TRY(add_pair(data, source, target, path, error));
    }
    return HEED_OK;
}

heed_status heed_data_read_pairs(heed_data *data, const char *source_path, const char *target_path, heed_error *error)
{
    heed_lines sources = {0}, targets = {0};
    heed_text source, target;
    if (!heed_data_reader_for(source_path, error) || !heed_data_reader_for(target_path, error)) return HEED_E_UNSUPPORTED;
    HEED_TRY(keep_text(data, source_path, &sources.rest, error));
    HEED_TRY(keep_text(data, target_path, &targets.rest, error));
    for (;;) {
        bool more_sources = heed_lines_next(&sources, &source), more_targets = heed_lines_next(&targets, &target);
        if (!more_sources && !more_targets) return HEED_OK;
        if (more_sources != more_targets) break;
        HEED_TRY(heed_line_check(source_path, source, sources.number, error));
        HEED_TRY(heed_line_check(target_path, target, targets.number, error));
        HEED_TRY(add_pair(data, source, target, source_path, error));
    }
    while (heed_lines_next(&sources, &source)) continue;
    while (heed_lines_next(&targets, &target)) continue;
    return heed_fail(error, HEED_E_FORMAT, "%s has %zu lines and %s has %zu, expected one translation a line in both", source_path,
                     sources.number, target_path, targets.number);
}

static int64_t header_word(const unsigned char *bytes, int index)
{
    const heed_token_shard words = {.bytes = bytes, .width = 4};
    return (int32_t)heed_token_at(&words, (size_t)index);
}

/* llm.c: 256 int32 (magic, version, count, zeros), then the tokens. nanoGPT: uint16 tokens from the first byte on.
   Source: github.com/karpathy/llm.c, dev/data/data_common.py; github.com/karpathy/nanoGPT, data/openwebtext/prepare.py. */
static heed_status read_tokens(heed_data *data, const char *path, heed_error *error)
{
    enum { HEADER = 1024 };
    static const struct { int32_t magic, version; int width; } formats[] = {{20240520, 1, 2}, {20240801, 7, 4}};
    heed_text text = {0};
    HEED_TRY(keep_map(data, path, &text, error));
    heed_token_shard shard = {.bytes = (const unsigned char *)text.bytes, .count = text.length / 2, .width = 2, .file = path};
    int64_t magic = text.length >= 4 ? header_word(shard.bytes, 0) : 0;
    if (magic == 20240522)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: an llm.c evaluation file (magic 20240522), expected a token shard", path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (magic != formats[i].magic) continue;
        if (text.length < HEADER)
            return heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected a header of %d bytes", path, text.length, HEADER);
        int64_t version = header_word(shard.bytes, 1), count = header_word(shard.bytes, 2);
        if (version != formats[i].version)
            return heed_fail(error, HEED_E_FORMAT, "%s: byte 4: version %lld of a token shard, expected %d", path,
                             (long long)version, formats[i].version);
        if (count < 0 || (uint64_t)count * (uint64_t)formats[i].width != text.length - HEADER)
            return heed_fail(error, HEED_E_FORMAT, "%s: byte 8: the header counts %lld tokens of %d bytes, but %zu bytes "
                             "follow it: cut short or damaged",
                             path, (long long)count, formats[i].width, text.length - HEADER);
        if (count == 0) return heed_fail(error, HEED_E_FORMAT, "%s: no tokens in it", path);
        shard = (heed_token_shard){shard.bytes + HEADER, (size_t)count, formats[i].width, path};
        text.length = HEADER; /* the rest was checked above */
    }
    if (text.length % 2)
        return heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected an even number (uint16 tokens) or an llm.c header", path,
                         text.length);
    HEED_TRY(expect_kind(data, HEED_DATA_TOKENS, path, error));
    if (!heed_grow(&data->shards, &data->capacity, data->count + 1, sizeof *data->shards))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->shards, path);
    data->shards[data->count++] = shard;
    data->bytes += shard.count * (size_t)shard.width;
    return HEED_OK;
}

static const struct { const char *ending; heed_data_reader *read; const char *remedy; } formats[] = {
    {".txt", read_whole, NULL}, {".md", read_whole, NULL}, {".jsonl", read_jsonl, NULL}, {".tsv", read_tsv, NULL},
    {".bin", read_tokens, NULL},
    {".parquet", NULL, "convert it to .jsonl"}, {".arrow", NULL, "convert it to .jsonl"},
    {".json", NULL, "write one object a line into a .jsonl"},
    {".csv", NULL, "convert it to .jsonl, or to .tsv without a header"}, {".gz", NULL, "unpack it with gunzip"},
    {".zst", NULL, "unpack it with unzstd"},
    {".xz", NULL, "unpack it with unxz"}, {".bz2", NULL, "unpack it with bunzip2"}, {".zip", NULL, "unpack it with unzip"},
    {".tar", NULL, "unpack it with tar"}, {".pdf", NULL, "extract its text with pdftotext"},
    {".npy", NULL, "write raw uint16 tokens into a .bin"}};

static int format_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (int i = 0; dot && i < (int)(sizeof formats / sizeof *formats); i++)
        if (!strcasecmp(dot, formats[i].ending)) return i;
    return -1;
}

heed_data_reader *heed_data_reader_for(const char *path, heed_error *error)
{
    int format = format_of(path);
    if (format < 0) return read_whole;
    if (!formats[format].read)
        heed_fail(error, HEED_E_UNSUPPORTED, "%s: heed reads .txt, .jsonl, .tsv and .bin, no %s files; %s", path,
                  formats[format].ending, formats[format].remedy);
    return formats[format].read;
}

bool heed_data_in_folder(const char *name)
{
    int format = format_of(name);
    return *name != '.' && format >= 0 && formats[format].read;
}
