/* load_tiktoken.c: loads a .tiktoken file: lines of a token in base64 and its rank, which is its
   id. Two neighbors merge if their bytes are a token, the lowest rank first; a word that is a token
   is not split. The file lacks the split into words and the special tokens, which follow from its
   name; a file of another name splits as cl100k_base does. Source: openai/tiktoken,
   openai_public.py. */
#include "text/text_internal.h"

#include "base/base64.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/memory.h"
#include "io/gguf.h"
#include "io/sentencepiece.h"
#include "text/stage.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *content;
    size_t id;
} special_token;
enum { MOST_SPECIALS = 6 };
/* What a name means: the name of its pre-tokenizer in gguf_pre.c, and its special tokens. */
static const struct {
    const char *name, *pre;
    special_token specials[MOST_SPECIALS];
} encodings[] = {
    {"cl100k_base",
     "llama-bpe",
     {{"<|endoftext|>", 100257},
      {"<|fim_prefix|>", 100258},
      {"<|fim_middle|>", 100259},
      {"<|fim_suffix|>", 100260},
      {"<|endofprompt|>", 100276}}},
    {"o200k_base", "gpt-4o", {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}},
    {"p50k_base", "gpt-2", {{"<|endoftext|>", 50256}}},
    {"r50k_base", "gpt-2", {{"<|endoftext|>", 50256}}},
};
enum { ENCODINGS = sizeof encodings / sizeof *encodings };

/* The tokens of a file, spelled in the byte-level alphabet, by id. */
typedef struct {
    heed_arena *arena;
    heed_gguf_string *tokens;
    int32_t *types;
    float *scores;
    size_t count, token_capacity, type_capacity, score_capacity;
    const char *path;
    heed_error *error;
} token_list;

static heed_status append(token_list *list, const char *spelled, size_t length, int32_t type)
{
    char *copy = heed_arena_take(list->arena, length + 1, 1);
    if (!copy || list->count >= INT32_MAX ||
        !heed_grow(&list->tokens, &list->token_capacity, list->count + 1, sizeof *list->tokens) ||
        !heed_grow(&list->types, &list->type_capacity, list->count + 1, sizeof *list->types) ||
        !heed_grow(&list->scores, &list->score_capacity, list->count + 1, sizeof *list->scores))
        return heed_fail_memory(list->error, length, "the vocabulary");
    memcpy(copy, spelled, length);
    list->tokens[list->count] = (heed_gguf_string){copy, length};
    list->types[list->count] = type;
    list->scores[list->count] = -(float)list->count;
    list->count++;
    return HEED_OK;
}

/* Appends the token of a line "BASE64 RANK". */
static heed_status read_line(token_list *list, heed_text line, size_t number)
{
    const char *space = line.length ? memchr(line.bytes, ' ', line.length) : NULL;
    const size_t length = space ? (size_t)(space - line.bytes) : 0;
    heed_buffer spelled = {0};
    char rank[32];
    snprintf(rank, sizeof rank, " %zu", list->count);
    const bool follows = space && line.length - length == strlen(rank) &&
                         !memcmp(space, rank, strlen(rank));
    char *decoded = heed_allocate(length + 1, 1);
    if (!decoded) return heed_fail_memory(list->error, length, "a token");
    const int64_t size = follows ? heed_base64_decode(line.bytes, length, decoded) : -1;
    for (int64_t i = 0; i < size; i++) {
        char encoded[4];
        const size_t used = heed_utf8_put(heed_byte_character((unsigned char)decoded[i]), encoded);
        heed_buffer_append(&spelled, encoded, used);
    }
    heed_status status = HEED_OK;
    if (size <= 0)
        status = heed_fail(list->error, HEED_E_FORMAT,
                           "%s:%zu: expected a token in base64, a space and the rank%s", list->path,
                           number, rank);
    else if (spelled.failed) status = heed_fail_memory(list->error, length, "a token");
    else status = append(list, spelled.data, spelled.length, HEED_PIECE_NORMAL);
    free(decoded);
    heed_buffer_free(&spelled);
    return status;
}

static heed_status read_lines(token_list *list)
{
    heed_line_file *file = NULL;
    heed_status status = heed_line_file_open(&file, list->path, list->error);
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line;
        status = heed_line_file_next(file, &line, &found, list->error);
        if (status == HEED_OK && found && line.length)
            status = read_line(list, line, heed_line_file_number(file));
    }
    heed_line_file_close(file);
    return status;
}

static size_t encoding_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < ENCODINGS; i++) {
        const size_t length = strlen(encodings[i].name);
        if (!strncmp(name, encodings[i].name, length) && name[length] == '.') return i;
    }
    return ENCODINGS;
}

/* Appends the special tokens; ids between are unused. */
static heed_status add_specials(token_list *list, const special_token specials[MOST_SPECIALS])
{
    for (size_t i = 0; i < MOST_SPECIALS && specials[i].content; i++) {
        while (list->count < specials[i].id) {
            char name[48];
            const int length = snprintf(name, sizeof name, "<|unused_%zu|>", list->count);
            HEED_TRY(append(list, name, (size_t)length, HEED_PIECE_UNUSED));
        }
        if (list->count == specials[i].id)
            HEED_TRY(
                append(list, specials[i].content, strlen(specials[i].content), HEED_PIECE_CONTROL));
    }
    return HEED_OK;
}

static heed_status load(heed_tokenizer **tokenizer, token_list *list)
{
    const size_t encoding = encoding_of(list->path);
    const size_t known = encoding < ENCODINGS ? encoding : 0;
    heed_gguf_vocabulary v = {.model = "tiktoken", .pre = encodings[known].pre};
    HEED_TRY(read_lines(list));
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) v.special[part] = -1;
    if (encoding < ENCODINGS) {
        HEED_TRY(add_specials(list, encodings[encoding].specials));
        const size_t end = encodings[encoding].specials[0].id;
        if (end < list->count && list->types[end] == HEED_PIECE_CONTROL)
            v.special[HEED_EOS] = (int64_t)end;
    }
    v.tokens = list->tokens;
    v.types = list->types;
    v.scores = list->scores;
    v.token_count = list->count;
    return heed_tokenizer_from_gguf(tokenizer, &v, list->path, list->error);
}

bool heed_tiktoken_is_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && !strcmp(dot, ".tiktoken");
}

heed_status heed_tokenizer_load_tiktoken(heed_tokenizer **tokenizer, const char *path,
                                         heed_error *error)
{
    token_list list = {.arena = heed_arena_new(), .path = path, .error = error};
    heed_status status = list.arena ? load(tokenizer, &list)
                                    : heed_fail_memory(error, strlen(path), "the vocabulary");
    free(list.tokens);
    free(list.types);
    free(list.scores);
    heed_arena_free(list.arena);
    return status;
}
