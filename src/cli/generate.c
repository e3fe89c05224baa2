/* heed generate: prompts in, text (or ids) out. */
#include "interrupt.h"
#include "sampling.h"
#include "terminal.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *model, *prompt, *prompt_ids, *file;
    int64_t count, num_return, logprobs, threads;
    option_list stop;
    bool ids, json, profile;
    sampling_options sampling;
} generate_options;

static const option options[] = {
    HEED_OPTION(generate_options, model, "model", 'm', OPTION_TEXT, "MODEL", "Model folder."),
    HEED_OPTION(generate_options, prompt, "prompt", 'p', OPTION_TEXT, "TEXT", "The beginning; for an encoder-decoder the source."),
    HEED_OPTION(generate_options, prompt_ids, "prompt-ids", 0, OPTION_TEXT, "1,2,3", "The prompt as token ids."),
    HEED_OPTION(generate_options, file, "file", 0, OPTION_TEXT, "FILE", "One prompt a line, written in one batch."),
    HEED_OPTION(generate_options, count, "n", 'n', OPTION_INTEGER, "N", "New tokens at most; -1: to the end of the context (default: generation_config.json, else 128)."),
    HEED_HEADING("How tokens are chosen (what is not given comes from generation_config.json)"),
    HEED_SAMPLING_ROWS(generate_options),
    HEED_HEADING("What is printed"),
    HEED_OPTION(generate_options, num_return, "num-return", 0, OPTION_INTEGER, "N", "Sequences for each prompt."),
    HEED_OPTION(generate_options, stop, "stop", 0, OPTION_LIST, "TEXT", "End when this text comes; it is not printed."),
    HEED_OPTION(generate_options, logprobs, "logprobs", 0, OPTION_INTEGER, "K", "One JSON object a sequence, with log-probabilities of prompt and new tokens and the K likeliest."),
    HEED_OPTION(generate_options, ids, "ids", 0, OPTION_FLAG, NULL, "Print ids, one JSON array a sequence, instead of text."),
    HEED_OPTION(generate_options, json, "json", 0, OPTION_FLAG, NULL, "One JSON object a sequence: text, ids, finish."),
    HEED_OPTION(generate_options, threads, "threads", 't', OPTION_INTEGER, "N", "Threads (default: OMP_NUM_THREADS, else all processors)."),
    HEED_OPTION(generate_options, profile, "profile", 0, OPTION_FLAG, NULL, "Print time, operations and bytes per kernel to stderr."),
    {0}};

static int run(int argc, char **argv);
const verb verb_generate = {"generate", "-m MODEL (-p TEXT | --prompt-ids 1,2,3 | --file LINES) [-n N]", "continue a prompt, or answer a source",
    "Writes the new text only, ending in a newline. Several prompts or sequences: one after another, each ending in a newline.\n\n"
    "  heed generate -m run -p \"ROMEO:\" -n 200 --temp 0.8 --top-k 40 --seed 1\n"
    "  heed generate -m model --prompt-ids 1,15,8 -n 16 --temp 0 --ids\n", options, run};

typedef struct { heed_prompt *items; char **lines; int32_t *ids; size_t count, capacity; } prompt_list;

static heed_status parse_ids(const char *text, prompt_list *list, heed_error *error)
{
    size_t most = 1;
    for (const char *c = text; *c; c++) most += *c == ',';
    list->ids = malloc(most * sizeof *list->ids);
    list->items = calloc(1, sizeof *list->items);
    if (!list->ids || !list->items) return heed_fail(error, HEED_E_NOMEM, "out of memory for %zu ids", most);
    for (const char *c = text; *c;) {
        char *end;
        errno = 0;
        long id = strtol(c, &end, 10);
        if (end == c || errno || id < 0 || id > INT32_MAX || (*end && *end != ',') || (*end == ',' && !end[1]))
            return heed_fail(error, HEED_E_ARG, "--prompt-ids %s: expected token ids, as in 1,2,3", text);
        list->ids[list->items[0].count++] = (int32_t)id;
        c = *end ? end + 1 : end;
    }
    list->items[0].ids = list->ids;
    list->count = 1;
    return HEED_OK;
}

static heed_status read_lines(const char *path, prompt_list *list, heed_error *error)
{
    FILE *file = !strcmp(path, "-") ? stdin : fopen(path, "re");
    if (!file) return heed_fail(error, HEED_E_IO, "%s: cannot open: %s", path, strerror(errno));
    char *line = NULL;
    size_t room = 0;
    heed_status status = HEED_OK;
    for (ssize_t length; status == HEED_OK && (length = getline(&line, &room, file)) >= 0; line = NULL, room = 0) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
        if (list->count == list->capacity) {
            size_t capacity = list->capacity ? 2 * list->capacity : 64;
            heed_prompt *items = realloc(list->items, capacity * sizeof *items);
            if (items) list->items = items;
            char **lines = realloc(list->lines, capacity * sizeof *lines);
            if (lines) list->lines = lines;
            if (!items || !lines) {
                status = heed_fail(error, HEED_E_NOMEM, "out of memory for the prompts");
                break;
            }
            list->capacity = capacity;
        }
        list->lines[list->count] = line;
        list->items[list->count++] = (heed_prompt){.text = line, .length = (size_t)length};
    }
    free(line);
    if (file != stdin) fclose(file);
    if (status == HEED_OK && !list->count) status = heed_fail(error, HEED_E_FORMAT, "%s: empty, expected one prompt a line", path);
    return status;
}

static void prompts_free(prompt_list *list)
{
    for (size_t i = 0; list->lines && i < list->count; i++) free(list->lines[i]);
    free(list->lines);
    free(list->items);
    free(list->ids);
}

static json_t *number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *scores(const int32_t *ids, const float *own, const heed_candidate *likely, size_t count, int64_t most)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *top = json_array();
        for (int64_t k = 0; likely && k < most && likely[i * (size_t)most + (size_t)k].id >= 0; k++) {
            const heed_candidate *c = &likely[i * (size_t)most + (size_t)k];
            json_array_append_new(top, json_pack("{s:i, s:o}", "id", c->id, "logprob", number_or_null(c->log_probability)));
        }
        json_array_append_new(array, json_pack("{s:i, s:o, s:o}", "id", ids[i], "logprob", number_or_null(own ? own[i] : NAN), "top", top));
    }
    return array;
}

static json_t *result_json(const heed_results *results, const heed_result *r, const generate_options *values)
{
    json_t *object = json_pack("{s:I, s:I, s:s}", "prompt", (json_int_t)r->prompt, "number", (json_int_t)r->number, "finish", r->finish), *ids = json_array();
    for (size_t i = 0; i < r->count; i++) json_array_append_new(ids, json_integer(r->ids[i]));
    json_object_set_new(object, "ids", ids);
    if (r->text) json_object_set_new(object, "text", json_stringn(r->text, r->text_length));
    if (values->logprobs < 0) return object;
    const heed_prompt_result *p = &results->prompts[r->prompt];
    if (p->log_probabilities) json_object_set_new(object, "prompt_tokens", scores(p->ids, p->log_probabilities, p->likely, p->count, values->logprobs));
    json_object_set_new(object, "tokens", scores(r->ids, r->log_probabilities, r->likely, r->count, values->logprobs));
    json_object_set_new(object, "score", number_or_null(r->score));
    return object;
}

static void print_results(const heed_results *results, const generate_options *values, bool streamed)
{
    for (size_t i = 0; i < results->count; i++) {
        const heed_result *r = &results->items[i];
        if (values->json || values->logprobs >= 0) {
            json_t *object = result_json(results, r, values);
            json_dumpf(object, stdout, JSON_COMPACT);
            json_decref(object);
        } else if (values->ids) {
            putchar('[');
            for (size_t k = 0; k < r->count; k++) printf("%s%d", k ? ", " : "", r->ids[k]);
            putchar(']');
        } else if (!streamed && r->text) fwrite(r->text, 1, r->text_length, stdout);
        putchar('\n');
    }
    for (size_t i = 0; i < results->prompt_count; i++)
        if (results->prompts[i].cut) note("heed generate: prompt %zu was longer than the context; its first %zu tokens were left out", i + 1, results->prompts[i].cut);
    for (size_t i = 0; i < results->count; i++)
        if (!strcmp(results->items[i].finish, "context")) note("heed generate: sequence %zu ended because the model's context is full", i + 1);
}

static void stream_text(void *argument, size_t prompt, size_t number, const char *text, size_t length)
{
    (void)argument, (void)prompt, (void)number;
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

static heed_status generate(const generate_options *values, heed_transformer *transformer, const prompt_list *prompts, heed_error *error)
{
    heed_generation_options how;
    heed_generation_preset(&how);
    sampling_words words = {0};
    heed_results results = {0};
    bool only_ids = values->ids && !values->stop.count;
    how.max_new_tokens = values->count;
    how.returned = values->num_return;
    how.log_probabilities = values->logprobs;
    how.stop = values->stop.items, how.stop_count = values->stop.count;
    how.ids_only = only_ids;
    bool streamed = prompts->count == 1 && values->num_return <= 1 && values->sampling.beams <= 1 && !values->ids && !values->json && values->logprobs < 0;
    heed_hooks hooks = {.text = streamed ? stream_text : NULL, .cancelled = interrupted};
    heed_status status = sampling_apply(&values->sampling, transformer, &how, &words, error);
    if (status == HEED_OK) status = heed_transformer_generate(transformer, prompts->items, prompts->count, &how, &hooks, &results, error);
    if (status == HEED_OK) print_results(&results, values, streamed);
    else if (streamed) putchar('\n');
    if (status == HEED_OK && (fflush(stdout) != 0 || ferror(stdout))) status = heed_fail(error, HEED_E_IO, "cannot write to stdout: %s", strerror(errno));
    heed_results_free(&results);
    sampling_free(&words);
    return status;
}

static int run(int argc, char **argv)
{
    generate_options values = {.count = -2, .num_return = -1, .logprobs = -1};
    option_list positional = {0};
    bool helped;
    heed_error error = {0};
    heed_context *context = NULL;
    heed_transformer *transformer = NULL;
    prompt_list prompts = {0};
    sampling_preset(&values.sampling);
    if (!options_parse(&verb_generate, &values, argc, argv, &positional, &helped)) return 2;
    if (helped) return 0;
    if (!values.model && positional.count == 1) values.model = positional.items[0];
    else if (positional.count) return usage_error(&verb_generate, "unexpected \"%s\"", positional.items[0]);
    if (!values.model) return usage_error(&verb_generate, "expected -m MODEL");
    if (!!values.prompt + !!values.prompt_ids + !!values.file != 1) return usage_error(&verb_generate, "expected one of -p TEXT, --prompt-ids 1,2,3 and --file LINES");
    interrupt_listen();
    heed_status status = HEED_OK;
    if (values.prompt_ids) status = parse_ids(values.prompt_ids, &prompts, &error);
    else if (values.file) status = read_lines(values.file, &prompts, &error);
    else if ((prompts.items = calloc(1, sizeof *prompts.items))) {
        prompts.items[0] = (heed_prompt){.text = values.prompt, .length = strlen(values.prompt)};
        prompts.count = 1;
    } else status = heed_fail(&error, HEED_E_NOMEM, "out of memory for the prompt");
    if (status == HEED_OK) status = heed_context_new(&context, &(heed_context_options){.threads = (int)values.threads}, &error);
    if (status == HEED_OK) status = heed_transformer_load(&transformer, context, values.model, &error);
    if (status == HEED_OK && values.profile) status = heed_transformer_profile(transformer, true, &error);
    if (status == HEED_OK) status = generate(&values, transformer, &prompts, &error);
    char *profile = NULL;
    if (status == HEED_OK && values.profile && heed_transformer_profile_text(transformer, &profile, &error) == HEED_OK) fputs(profile, stderr);
    heed_free(profile);
    heed_transformer_free(transformer);
    heed_context_free(context);
    prompts_free(&prompts);
    option_list_free(&values.stop);
    option_list_free(&positional);
    if (status == HEED_OK) return 0;
    int exit_status = report_error("generate", &error);
    return error.status == HEED_E_ARG && values.prompt_ids && strstr(error.message, "--prompt-ids") == error.message ? 2 : exit_status;
}
