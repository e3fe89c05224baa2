/* sampling.c: reads --bad-words and --logit-bias and fills the library's options (sampling.h). */
#include "sampling.h"

#include "terminal.h"
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Adds a sequence of ids, which it takes over, also on failure. HEED_E_NOMEM. */
static heed_status add_word(heed_cli_sampling_words *words, int32_t *ids, size_t length,
                            heed_error *error)
{
    if (words->count == words->capacity) {
        size_t capacity = words->capacity ? 2 * words->capacity : 16;
        int32_t **grown = realloc(words->ids, capacity * sizeof *grown);
        if (grown) words->ids = grown;
        size_t *lengths = realloc(words->lengths, capacity * sizeof *lengths);
        if (lengths) words->lengths = lengths;
        if (!grown || !lengths) {
            free(ids);
            return heed_fail(error, HEED_E_NOMEM, "out of memory for the bad words");
        }
        words->capacity = capacity;
    }
    words->ids[words->count] = ids;
    words->lengths[words->count++] = length;
    return HEED_OK;
}

/* Adds a sequence of ids, as in "[1, 2]". */
static heed_status add_ids(const json_t *array, const char *line, const char *place,
                           heed_cli_sampling_words *words, heed_error *error)
{
    size_t count = json_array_size(array);
    int32_t *ids = malloc((count ? count : 1) * sizeof *ids);
    if (!ids) return heed_fail(error, HEED_E_NOMEM, "out of memory for the bad words");
    bool valid = count > 0;
    for (size_t i = 0; valid && i < count; i++) {
        json_int_t id = json_integer_value(json_array_get(array, i));
        valid = json_is_integer(json_array_get(array, i)) && id >= 0 && id <= INT32_MAX;
        ids[i] = (int32_t)id;
    }
    if (valid) return add_word(words, ids, count, error);
    free(ids);
    return heed_fail(error, HEED_E_FORMAT, "%s: \"%.60s\" is not an array of token ids", place,
                     line);
}

/* Reads one line: a JSON array of ids, or text. */
static heed_status read_word(const char *line, size_t length, const char *place,
                             heed_cli_sampling_words *words, heed_error *error)
{
    json_t *array = NULL;
    if (line[0] == '[' && heed_json_from_text(&array, line, length, place, NULL) == HEED_OK &&
        json_is_array(array)) {
        heed_status status = add_ids(array, line, place, words, error);
        json_decref(array);
        return status;
    }
    json_decref(array);
    return heed_cli_text_list_add(&words->texts, line, length, error);
}

/* Reads --bad-words FILE, once for all answers of a task. Blank lines, and blanks around a word,
   are ignored. A file without words is most likely a mistake, so it is noted. */
static heed_status read_words(const char *path, heed_cli_sampling_words *words, heed_error *error)
{
    heed_line_file *file = NULL;
    heed_status status = heed_lines_open(&file, path, error);
    while (status == HEED_OK) {
        char place[300];
        const char *line = NULL;
        size_t length = 0;
        status = heed_lines_read(file, &line, &length, error);
        if (!line) break;
        heed_lines_place(file, place, sizeof place);
        while (length > 0 && strchr(HEED_CLI_BLANKS, line[length - 1])) length--;
        size_t begin = strspn(line, HEED_CLI_BLANKS);
        if (begin < length) status = read_word(line + begin, length - begin, place, words, error);
    }
    heed_lines_close(file);
    words->read = status == HEED_OK;
    if (status == HEED_OK && words->count + words->texts.count == 0)
        heed_cli_note("note: %s: no bad words in it: nothing is forbidden", path);
    return status;
}

/* Reads the values "ID=X" of --logit-bias. HEED_E_ARG; HEED_E_NOMEM. */
static heed_status read_bias(const heed_cli_option_list *list, heed_generation_options *options,
                             heed_cli_sampling_words *words, heed_error *error)
{
    free(words->bias_ids);
    free(words->bias_values);
    words->bias_ids = NULL;
    words->bias_values = NULL;
    if (!list->count) return HEED_OK;
    words->bias_ids = malloc(list->count * sizeof *words->bias_ids);
    words->bias_values = malloc(list->count * sizeof *words->bias_values);
    if (!words->bias_ids || !words->bias_values)
        return heed_fail(error, HEED_E_NOMEM, "out of memory for the logit bias");
    for (size_t i = 0; i < list->count; i++) {
        char *end, *after;
        errno = 0;
        long id = strtol(list->items[i], &end, 10);
        double value = *end == '=' ? strtod(end + 1, &after) : NAN;
        if (end == list->items[i] || *end != '=' || after == end + 1 || *after || errno || id < 0 ||
            id > INT32_MAX || !isfinite(value))
            return heed_fail(error, HEED_E_ARG,
                             "--logit-bias %s: expected a token id and a number, as in 15=-2.5",
                             list->items[i]);
        words->bias_ids[i] = (int32_t)id;
        words->bias_values[i] = (float)value;
    }
    options->bias_ids = words->bias_ids;
    options->bias_values = words->bias_values;
    options->bias_count = list->count;
    return HEED_OK;
}

heed_status heed_cli_sampling_apply(const heed_cli_sampling_options *s,
                                    heed_generation_options *options,
                                    heed_cli_sampling_words *words, heed_error *error)
{
    *options = s->how;
    heed_status status = read_bias(&s->logit_bias, options, words, error);
    if (status != HEED_OK) return status;
    if (!s->bad_words) return HEED_OK;
    if (!words->read) status = read_words(s->bad_words, words, error);
    options->bad_words = (const int32_t *const *)words->ids;
    options->bad_word_lengths = words->lengths;
    options->bad_word_count = words->count;
    options->bad_texts = (const char *const *)words->texts.items;
    options->bad_text_count = words->texts.count;
    return status;
}

void heed_cli_sampling_free(heed_cli_sampling_words *words)
{
    for (size_t i = 0; i < words->count; i++) free(words->ids[i]);
    free(words->ids);
    heed_cli_text_list_free(&words->texts);
    free(words->lengths);
    free(words->bias_ids);
    free(words->bias_values);
    *words = (heed_cli_sampling_words){0};
}
