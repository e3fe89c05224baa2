#include "base/json.h"
#include "base/utf8.h"
#include "io/data_internal.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static heed_status fail_empty(const char *path, heed_error *error)
{
    return heed_fail(error, HEED_E_FORMAT, "%s: the file is empty, expected text or tokens", path);
}

/* Reads a file and keeps it until the data is closed. */
static heed_status keep_file(heed_data *data, const char *path, heed_text *text, heed_error *error)
{
    size_t size = 0;
    if (!heed_grow(&data->files, &data->file_capacity, data->file_count + 1, sizeof *data->files))
        return heed_fail_memory(error, (data->file_count + 1) * sizeof *data->files, path);
    HEED_TRY(heed_file_read_whole(path, &data->files[data->file_count], &size, error));
    *text = (heed_text){data->files[data->file_count++], size};
    return size > 0 ? heed_text_begin(path, text, error) : fail_empty(path, error);
}

/* The text, in memory that lives as long as the data. */
static heed_status copy_bytes(heed_data *data, heed_text from, heed_text *text, const char *path,
                              heed_error *error)
{
    char *copy = heed_arena_take(data->arena, from.length, 1);
    if (!copy) return heed_fail_memory(error, from.length, path);
    if (from.length) memcpy(copy, from.bytes, from.length);
    *text = (heed_text){copy, from.length};
    return HEED_OK;
}

/* A file of lines; an empty one is an error. */
static heed_status open_lines(heed_line_file **lines, const char *path, heed_error *error)
{
    struct stat information;
    HEED_TRY(heed_line_file_open(lines, path, error));
    bool empty = strcmp(path, "-") && stat(path, &information) == 0 &&
                 S_ISREG(information.st_mode) && information.st_size == 0;
    if (!empty) return HEED_OK;
    heed_line_file_close(*lines);
    *lines = NULL;
    return fail_empty(path, error);
}

static heed_status expect_kind(heed_data *data, heed_data_kind kind, const char *path,
                               heed_error *error)
{
    static const char *const names[] = {[HEED_DATA_DOCUMENTS] = "documents",
                                        [HEED_DATA_PAIRS] = "pairs",
                                        [HEED_DATA_CONVERSATIONS] = "conversations",
                                        [HEED_DATA_TOKENS] = "token shards"};
    if (!data->kind_from) {
        data->kind = kind;
        data->kind_from = path;
    }
    if (data->kind == kind) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "%s holds %s, but %s holds %s: give files of one kind",
                     path, names[kind], data->kind_from, names[data->kind]);
}

static heed_status add_document(heed_data *data, heed_text text, const char *path,
                                heed_error *error)
{
    HEED_TRY(expect_kind(data, HEED_DATA_DOCUMENTS, path, error));
    if (!heed_grow(&data->documents, &data->capacity, data->count + 1, sizeof *data->documents))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->documents, path);
    data->documents[data->count++] = text;
    data->bytes += text.length;
    return HEED_OK;
}

static heed_status add_pair(heed_data *data, heed_text source, heed_text target, const char *path,
                            heed_error *error)
{
    HEED_TRY(expect_kind(data, HEED_DATA_PAIRS, path, error));
    if (!heed_grow(&data->pairs, &data->capacity, data->count + 1, sizeof *data->pairs))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->pairs, path);
    data->pairs[data->count++] = (heed_text_pair){source, target};
    data->bytes += source.length + target.length;
    return HEED_OK;
}

/* Line ends become LF, in place. */
static size_t drop_carriages(char *bytes, size_t length)
{
    const char *end = bytes + length, *found = memchr(bytes, '\r', length);
    if (!found) return length;
    size_t kept = (size_t)(found - bytes);
    for (const char *at = found; at < end; at++)
        if (!(at[0] == '\r' && end - at > 1 && at[1] == '\n')) bytes[kept++] = *at;
    return kept;
}

static heed_status read_whole(heed_data *data, const char *path, heed_error *error)
{
    heed_text text = {0};
    HEED_TRY(keep_file(data, path, &text, error));
    char *file = data->files[data->file_count - 1];
    text.length = drop_carriages(file + (text.bytes - file), text.length);
    return add_document(data, text, path, error);
}

/* Where an object stands, for messages. */
typedef struct place {
    const char *path;
    size_t line;
} place;

/* Copies the text of a member. HEED_E_FORMAT when it is no text after all. */
static heed_status copy_text(heed_data *data, const json_t *object, const char *key,
                             heed_text *text, place at, heed_error *error)
{
    const json_t *string = json_object_get(object, key);
    size_t length = json_string_length(string);
    if (!heed_utf8_valid(json_string_value(string), length))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s, line %zu: \"%s\" holds half a surrogate pair (\"\\ud83d\" without "
                         "the other half, say), which is not text: mend or remove it",
                         at.path, at.line, key);
    return copy_bytes(data, (heed_text){json_string_value(string), length}, text, at.path, error);
}

/* A list of one or more objects with a string "role". */
static bool are_messages(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_object_get(json_array_get(list, i), "role"))) return false;
    return json_array_size(list) > 0;
}

/* Keeps the line itself: templates read whatever else its objects hold. */
static heed_status add_conversation(heed_data *data, const json_t *object, heed_text line,
                                    const char *path, size_t number, heed_error *error)
{
    const json_t *messages = json_object_get(object, "messages"),
                 *prompt = json_object_get(object, "prompt"),
                 *completion = json_object_get(object, "completion");
    bool texts = json_is_string(prompt) && json_is_string(completion);
    if (messages ? !are_messages(messages)
                 : !texts && !(are_messages(prompt) && are_messages(completion)))
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: expected %s", path, number,
                         messages ? "\"messages\" to be a list of objects, each with a string "
                                    "\"role\""
                                  : "\"prompt\" and \"completion\" to be two strings, or two lists "
                                    "of messages with a string \"role\" each");
    HEED_TRY(expect_kind(data, HEED_DATA_CONVERSATIONS, path, error));
    if (!heed_grow(&data->documents, &data->capacity, data->count + 1, sizeof *data->documents) ||
        !heed_grow(&data->places, &data->place_capacity, data->count + 1, sizeof *data->places))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->documents, path);
    data->places[data->count].path = path;
    data->places[data->count].line = number;
    HEED_TRY(copy_bytes(data, line, &data->documents[data->count], path, error));
    data->count++;
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

static heed_status add_object(heed_data *data, const json_t *object, heed_text whole, place at,
                              heed_error *error)
{
    HEED_TRY(check_one_kind(object, at, error));
    const json_t *text = json_object_get(object, "text");
    const json_t *source = json_object_get(object, "source"),
                 *target = json_object_get(object, "target");
    heed_text first = {0}, second = {0};
    if (json_is_string(text)) {
        HEED_TRY(copy_text(data, object, "text", &first, at, error));
        return add_document(data, first, at.path, error);
    }
    if (heed_json_foreign(text))
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: \"text\" is %s, expected a string",
                         at.path, at.line, heed_json_foreign(text));
    if (json_object_get(object, "messages") || json_object_get(object, "completion"))
        return add_conversation(data, object, whole, at.path, at.line, error);
    if (!json_is_string(source) || !json_is_string(target))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s, line %zu: expected an object with the string \"text\", or \"source\" "
                         "and \"target\", or \"messages\", or \"prompt\" and \"completion\"",
                         at.path, at.line);
    HEED_TRY(copy_text(data, object, "source", &first, at, error));
    HEED_TRY(copy_text(data, object, "target", &second, at, error));
    return add_pair(data, first, second, at.path, error);
}

static heed_status read_object(heed_data *data, heed_text line, place at, heed_error *error)
{
    char where[300];
    json_t *object = NULL;
    snprintf(where, sizeof where, "%.250s, line %zu", at.path, at.line);
    HEED_TRY(heed_json_parse(&object, line.bytes, line.length, where, error));
    heed_status status = add_object(data, object, line, at, error);
    json_decref(object);
    return status;
}

/* The next line, if nobody wants the reading to end. */
static heed_status next_line(const heed_data *data, heed_line_file *lines, heed_text *line,
                             bool *found, heed_error *error)
{
    enum { LINES_UNASKED = 256 };
    if (heed_line_file_number(lines) % LINES_UNASKED == 0)
        HEED_TRY(heed_cancel_check(data->cancel, "reading the data", error));
    return heed_line_file_next(lines, line, found, error);
}

/* Blank lines are no objects: they are passed over. */
static heed_status read_jsonl(heed_data *data, const char *path, heed_error *error)
{
    heed_line_file *lines = NULL;
    HEED_TRY(open_lines(&lines, path, error));
    heed_status status = HEED_OK;
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line = {0};
        status = next_line(data, lines, &line, &found, error);
        if (status == HEED_OK && found && !heed_line_is_blank(line))
            status = read_object(data, line, (place){path, heed_line_file_number(lines)}, error);
    }
    heed_line_file_close(lines);
    return status;
}

static heed_status read_pair(heed_data *data, heed_text line, place at, heed_error *error)
{
    const char *tab = memchr(line.bytes, '\t', line.length), *end = line.bytes + line.length;
    bool more = tab && memchr(tab + 1, '\t', (size_t)(end - tab - 1));
    if (!tab || more)
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: %s, expected source, one tab, target",
                         at.path, at.line, tab ? "more than one tab" : "no tab");
    HEED_TRY(copy_bytes(data, line, &line, at.path, error));
    size_t length = (size_t)(tab - (end - line.length));
    heed_text source = {line.bytes, length};
    heed_text target = {line.bytes + length + 1, line.length - length - 1};
    return add_pair(data, source, target, at.path, error);
}

/* Every line is a pair; a blank one is an error as any other line without a tab. */
static heed_status read_tsv(heed_data *data, const char *path, heed_error *error)
{
    heed_line_file *lines = NULL;
    HEED_TRY(open_lines(&lines, path, error));
    heed_status status = HEED_OK;
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line = {0};
        status = next_line(data, lines, &line, &found, error);
        if (status == HEED_OK && found)
            status = read_pair(data, line, (place){path, heed_line_file_number(lines)}, error);
    }
    heed_line_file_close(lines);
    return status;
}

/* Reads on to the end, for the number of lines. */
static heed_status count_lines(heed_line_file *lines, heed_error *error)
{
    heed_text line = {0};
    for (bool found = true; found;) HEED_TRY(heed_line_file_next(lines, &line, &found, error));
    return HEED_OK;
}

/* Pairs line i of one file with line i of the other. */
static heed_status read_aligned(heed_data *data, heed_line_file *files[2],
                                const char *const paths[2], heed_error *error)
{
    for (;;) {
        heed_text texts[2] = {{0}, {0}};
        bool found[2] = {false, false};
        for (int i = 0; i < 2; i++) {
            HEED_TRY(next_line(data, files[i], &texts[i], &found[i], error));
            if (found[i]) HEED_TRY(copy_bytes(data, texts[i], &texts[i], paths[i], error));
        }
        if (!found[0] && !found[1]) return HEED_OK;
        if (found[0] != found[1]) break;
        HEED_TRY(add_pair(data, texts[0], texts[1], paths[0], error));
    }
    for (int i = 0; i < 2; i++) HEED_TRY(count_lines(files[i], error));
    return heed_fail(error, HEED_E_FORMAT,
                     "%s has %zu lines and %s has %zu, expected one translation a line in both",
                     paths[0], heed_line_file_number(files[0]), paths[1],
                     heed_line_file_number(files[1]));
}

heed_status heed_data_read_pairs(heed_data *data, const char *source_path, const char *target_path,
                                 heed_error *error)
{
    const char *const paths[2] = {source_path, target_path};
    heed_line_file *files[2] = {NULL, NULL};
    heed_status status = HEED_OK;
    for (int i = 0; i < 2; i++)
        if (!heed_data_reader_for(paths[i], error)) return HEED_E_UNSUPPORTED;
    for (int i = 0; i < 2 && status == HEED_OK; i++)
        status = open_lines(&files[i], paths[i], error);
    if (status == HEED_OK) status = read_aligned(data, files, paths, error);
    for (int i = 0; i < 2; i++) heed_line_file_close(files[i]);
    return status;
}

enum { HEADER = 1024, HEADER_WORDS = 3 };

static int32_t header_word(const unsigned char *header, int index)
{
    const unsigned char *at = header + 4 * index;
    return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                     (uint32_t)at[3] << 24);
}

/* Says where the tokens of a file lie whose first words are `header`. */
static heed_status find_tokens(heed_shard_file *file, const unsigned char *header,
                               heed_error *error)
{
    static const struct {
        int32_t magic, version;
        int width;
    } formats[] = {{20240520, 1, 2}, {20240801, 7, 4}};
    const char *path = file->shard.file;
    const size_t size = file->reader.size;
    int32_t magic = size >= 4 ? header_word(header, 0) : 0;
    if (magic == 20240522)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: an llm.c evaluation file (magic 20240522), expected a token shard",
                         path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (magic != formats[i].magic) continue;
        if (size < HEADER)
            return heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected a header of %d bytes",
                             path, size, HEADER);
        int64_t version = header_word(header, 1), count = header_word(header, 2);
        if (version != formats[i].version)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: byte 4: version %lld of a token shard, expected %d", path,
                             (long long)version, formats[i].version);
        if (count < 0 || (uint64_t)count * (uint64_t)formats[i].width != size - HEADER)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: byte 8: the header counts %lld tokens of %d bytes, but %zu bytes "
                             "follow it: cut short or damaged",
                             path, (long long)count, formats[i].width, size - HEADER);
        if (count == 0) return heed_fail(error, HEED_E_FORMAT, "%s: no tokens in it", path);
        file->offset = HEADER;
        file->shard.count = (size_t)count;
        file->shard.width = formats[i].width;
        return HEED_OK;
    }
    if (size % 2)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: %zu bytes, expected an even number (uint16 tokens) or an llm.c header", path,
            size);
    file->shard.count = size / 2;
    file->shard.width = 2;
    return HEED_OK;
}

static heed_status open_shard(heed_shard_file *file, const char *path, heed_error *error)
{
    unsigned char header[4 * HEADER_WORDS] = {0};
    *file = (heed_shard_file){.shard.file = path};
    HEED_TRY(heed_file_reader_open(&file->reader, path, error));
    size_t size = file->reader.size, most = size < sizeof header ? size : sizeof header;
    heed_status status = size > 0 ? heed_file_reader_get(&file->reader, 0, header, most, error)
                                  : fail_empty(path, error);
    if (status == HEED_OK) status = find_tokens(file, header, error);
    if (status != HEED_OK) heed_file_reader_close(&file->reader);
    return status;
}

/* llm.c: 256 int32 (magic, version, count, zeros), then the tokens. nanoGPT: uint16 tokens from the
   first byte on. Source: github.com/karpathy/llm.c, dev/data/data_common.py;
   github.com/karpathy/nanoGPT, data/openwebtext/prepare.py. */
static heed_status read_tokens(heed_data *data, const char *path, heed_error *error)
{
    heed_shard_file file;
    HEED_TRY(open_shard(&file, path, error));
    heed_status status = expect_kind(data, HEED_DATA_TOKENS, path, error);
    if (status == HEED_OK &&
        !heed_grow(&data->shards, &data->capacity, data->count + 1, sizeof *data->shards))
        status = heed_fail_memory(error, (data->count + 1) * sizeof *data->shards, path);
    if (status != HEED_OK || data->count >= SHARDS_HELD) heed_file_reader_close(&file.reader);
    HEED_TRY(status);
    data->shards[data->count++] = file;
    data->bytes += file.shard.count * (size_t)file.shard.width;
    return HEED_OK;
}

static const struct {
    const char *ending;
    heed_data_reader *read;
    const char *remedy;
} formats[] = {
    {".txt", read_whole, NULL},
    {".md", read_whole, NULL},
    {".jsonl", read_jsonl, NULL},
    {".tsv", read_tsv, NULL},
    {".bin", read_tokens, NULL},
    {".parquet", NULL, "convert it to .jsonl"},
    {".arrow", NULL, "convert it to .jsonl"},
    {".json", NULL, "write one object a line into a .jsonl"},
    {".csv", NULL, "convert it to .jsonl, or to .tsv without a header"},
    {".gz", NULL, "unpack it with gunzip"},
    {".zst", NULL, "unpack it with unzstd"},
    {".xz", NULL, "unpack it with unxz"},
    {".bz2", NULL, "unpack it with bunzip2"},
    {".zip", NULL, "unpack it with unzip"},
    {".tar", NULL, "unpack it with tar"},
    {".pdf", NULL, "extract its text with pdftotext"},
    {".npy", NULL, "write raw uint16 tokens into a .bin"},
};

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
        heed_fail(error, HEED_E_UNSUPPORTED,
                  "%s: heed reads .txt, .jsonl, .tsv and .bin, no %s files; %s", path,
                  formats[format].ending, formats[format].remedy);
    return formats[format].read;
}

bool heed_data_in_folder(const char *name)
{
    int format = format_of(name);
    return *name != '.' && format >= 0 && formats[format].read;
}
