/* translate.c: tokenizes lines, generates for the longest first and returns texts in input
   order. */
#include "generate/translate.h"
#include "base/file.h"
#include "base/memory.h"
#include "io/data.h"
#include <stdlib.h>
#include <string.h>

void heed_translation_free(heed_translation *translation)
{
    for (size_t i = 0; translation->lines && i < translation->count; i++)
        free(translation->lines[i]);
    free(translation->lines);
    *translation = (heed_translation){0};
}

/* A line that is not empty, as ids. */
typedef struct sentence {
    size_t line;
    int32_t *ids;
    size_t count;
} sentence;

/* One call of heed_translate_lines. */
typedef struct job {
    sentence *sentences; /* the longest first */
    heed_ids *prompts;   /* the ids of the sentences */
    size_t count, done;
    const heed_translation_events *events;
} job;

static int by_length(const void *a, const void *b)
{
    const sentence *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

/* Encodes the lines that are not blank and sorts them by length, the longest first. */
static heed_status tokenize(job *j, const heed_tokenizer *tokenizer, const heed_text *lines,
                            size_t count, heed_error *error)
{
    heed_encoding encoding = {.cancel = {j->events->cancelled, j->events->argument}};
    heed_status status = HEED_OK;
    for (size_t i = 0; i < count && status == HEED_OK; i++) {
        if (heed_line_is_blank(lines[i])) continue;
        status = heed_tokenizer_encode(tokenizer, lines[i].bytes, lines[i].length,
                                       HEED_ENCODE_SPECIAL, &encoding, error);
        if (status != HEED_OK || encoding.count == 0) continue;
        sentence *s = &j->sentences[j->count];
        *s = (sentence){i, heed_allocate(encoding.count, sizeof *s->ids), encoding.count};
        if (!s->ids)
            status = heed_fail_memory(error, encoding.count * sizeof *s->ids, "the ids of a line");
        else {
            memcpy(s->ids, encoding.ids, encoding.count * sizeof *s->ids);
            j->count++;
        }
    }
    heed_encoding_free(&encoding);
    qsort(j->sentences, j->count, sizeof *j->sentences, by_length);
    for (size_t i = 0; i < j->count; i++)
        j->prompts[i] = (heed_ids){j->sentences[i].ids, (int64_t)j->sentences[i].count};
    return status;
}

/* Counts a line when its first sequence is complete. */
static void finished(void *argument, const heed_generated *item)
{
    job *j = argument;
    if (item->number == 0) j->done++;
    if (j->events->progress && item->number == 0)
        j->events->progress(j->events->argument, j->done, j->count);
}

static bool cancelled(void *argument)
{
    const job *j = argument;
    return j->events->cancelled && j->events->cancelled(j->events->argument);
}

/* Replaces line feeds, carriage returns and zero bytes by blanks. */
static void flatten(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n' || text[i] == '\r' || text[i] == 0) text[i] = ' ';
}

/* Moves the first text of each line to its place; blank lines become empty texts. */
static heed_status collect(const job *j, heed_generation *generation, heed_translation *translation,
                           heed_error *error)
{
    size_t returned = j->count ? generation->count / j->count : 1;
    for (size_t i = 0; i < j->count; i++) {
        heed_generated *item = &generation->items[i * returned];
        char **line = &translation->lines[j->sentences[i].line];
        *line = item->text;
        item->text = NULL;
        flatten(*line, item->text_length);
        translation->tokens += item->count;
        translation->cut_sources += generation->prompts[i].cut > 0;
        translation->cut_targets += item->finish == HEED_FINISH_LENGTH ||
                                    item->finish == HEED_FINISH_CONTEXT;
    }
    for (size_t i = 0; i < translation->count; i++)
        if (!translation->lines[i] && !(translation->lines[i] = heed_string_copy("")))
            return heed_fail_memory(error, 1, "a line");
    return HEED_OK;
}

heed_status heed_translate_lines(const heed_generator *generator, const heed_text *lines,
                                 size_t count, const heed_translation_events *events,
                                 heed_translation *translation, heed_error *error)
{
    static const heed_translation_events none = {0};
    job j = {.events = events ? events : &none};
    heed_generation generation = {0};
    *translation = (heed_translation){.lines = heed_allocate(count + 1, sizeof(char *)),
                                      .count = count};
    j.sentences = heed_allocate(count + 1, sizeof *j.sentences);
    j.prompts = heed_allocate(count + 1, sizeof *j.prompts);
    heed_status status = HEED_OK;
    if (!translation->lines || !j.sentences || !j.prompts)
        status = heed_fail_memory(error, (count + 1) * sizeof *j.sentences, "lines");
    if (status == HEED_OK) status = tokenize(&j, generator->tokenizer, lines, count, error);
    heed_generation_events inner = {.finished = finished, .cancelled = cancelled, .argument = &j};
    if (status == HEED_OK)
        status = heed_generate(generator, j.prompts, j.count, &inner, &generation, error);
    if (status == HEED_OK) status = collect(&j, &generation, translation, error);
    heed_generation_free(&generation);
    for (size_t i = 0; i < j.count; i++) free(j.sentences[i].ids);
    free(j.sentences);
    free(j.prompts);
    return status;
}

/* The lines of a file. Blank lines count: each is a line of the translation. */
typedef struct source_lines {
    heed_arena *arena;
    heed_text *lines;
    size_t count, capacity;
} source_lines;

/* Copies a line, which is valid until the next one is read. */
static heed_status keep_line(source_lines *kept, heed_text line, heed_error *error)
{
    char *copy = heed_arena_take(kept->arena, line.length + 1, 1);
    if (!copy || !heed_grow(&kept->lines, &kept->capacity, kept->count + 1, sizeof *kept->lines))
        return heed_fail_memory(error, (kept->count + 1) * sizeof *kept->lines, "lines");
    memcpy(copy, line.bytes, line.length);
    kept->lines[kept->count++] = (heed_text){copy, line.length};
    return HEED_OK;
}

/* Reads all lines of a file. */
static heed_status read_lines(const char *path, source_lines *kept, heed_error *error)
{
    heed_line_file *file = NULL;
    HEED_TRY(heed_line_file_open(&file, path, error));
    kept->arena = heed_arena_new();
    heed_status status = kept->arena ? HEED_OK : heed_fail_memory(error, 1, "lines");
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line;
        status = heed_line_file_next(file, &line, &found, error);
        if (status == HEED_OK && found) status = keep_line(kept, line, error);
    }
    heed_line_file_close(file);
    return status;
}

/* Writes the lines to a file, each with a line feed. */
static heed_status write_lines(const char *path, const heed_translation *translation,
                               heed_error *error)
{
    heed_buffer text = {0};
    for (size_t i = 0; i < translation->count; i++) {
        heed_buffer_text(&text, translation->lines[i]);
        heed_buffer_byte(&text, '\n');
    }
    heed_status status = HEED_OK;
    if (text.failed) status = heed_fail_memory(error, text.length, "the translation");
    else status = heed_file_write(path, text.data ? text.data : "", text.length, error);
    heed_buffer_free(&text);
    return status;
}

heed_status heed_translate_file(const heed_generator *generator, const char *in_path,
                                const char *out_path, const heed_translation_events *events,
                                heed_translation *translation, heed_error *error)
{
    source_lines source = {0};
    *translation = (heed_translation){0};
    heed_status status = read_lines(in_path, &source, error);
    if (status == HEED_OK)
        status = heed_translate_lines(generator, source.lines, source.count, events, translation,
                                      error);
    if (status == HEED_OK) status = write_lines(out_path, translation, error);
    free(source.lines);
    heed_arena_free(source.arena);
    return status;
}
