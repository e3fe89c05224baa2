/* heed generate: continues prompts with text or ids. */
#include "interrupt.h"
#include "task.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The prompts, which borrow from `lines`, `ids` or the command line. */
typedef struct {
    heed_prompt *items;       /* (count) */
    heed_cli_text_list lines; /* the lines of --file */
    int32_t *ids;             /* the ids of --prompt-ids */
    size_t count;
} prompt_list;

typedef struct {
    heed_cli_task task;
    const char *prompt, *prompt_ids, *file, *prompt_cache;
    heed_optional_int count, logprobs;
    int64_t context, num_return;
    heed_cli_option_list stop;
    bool ids;
    prompt_list prompts;
} generate_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(generate_task, prompt, "prompt", 'p', HEED_CLI_ANY_TEXT, "TEXT",
                    "The beginning; for an encoder-decoder the source."),
    HEED_CLI_OPTION(generate_task, prompt_ids, "prompt-ids", 0, HEED_CLI_ANY_TEXT, "1,2,3",
                    "The prompt as token ids."),
    HEED_CLI_OPTION(generate_task, file, "file", 0, HEED_CLI_TEXT, "FILE",
                    "One prompt a line, written in one batch; - reads stdin."),
    HEED_CLI_OPTION(generate_task, count, "n", 'n', HEED_CLI_INTEGER, "N",
                    "New tokens at most; -1: to the end of the context (default: as "
                    "generation_config.json says, else -1)."),
    HEED_CLI_OPTION(generate_task, context, "context", 'c', HEED_CLI_COUNT, "T",
                    "Positions that a sequence can have (default: the model's context)."),
    HEED_CLI_OPTION(
        generate_task, prompt_cache, "prompt-cache", 0, HEED_CLI_TEXT, "FILE",
        "Keep what was read and written there; a prompt that begins alike is not read again."),
    HEED_CLI_OPTION(generate_task, num_return, "num-return", 0, HEED_CLI_POSITIVE, "N",
                    "Sequences for each prompt."),
    HEED_CLI_OPTION(generate_task, stop, "stop", 0, HEED_CLI_LIST, "TEXT",
                    "End when this text comes in the new text; it is not printed."),
    HEED_CLI_OPTION(
        generate_task, logprobs, "logprobs", 0, HEED_CLI_NATURAL, "K",
        "One JSON object a sequence, with log-probabilities of prompt and new tokens and "
        "the K likeliest."),
    HEED_CLI_OPTION(generate_task, ids, "ids", 0, HEED_CLI_FLAG, NULL,
                    "Print ids, one JSON array a sequence, instead of text."),
    {0}};

/* Reads the ids of --prompt-ids as the only prompt. HEED_E_ARG. */
static heed_status parse_ids(const char *text, prompt_list *list, heed_error *error)
{
    size_t most = 1;
    for (const char *c = text; *c; c++) most += *c == ',';
    list->ids = malloc(most * sizeof *list->ids);
    list->items = calloc(1, sizeof *list->items);
    if (!list->ids || !list->items)
        return heed_fail(error, HEED_E_NOMEM, "out of memory for %zu ids", most);
    for (const char *c = text; *c;) {
        char *end;
        errno = 0;
        long id = strtol(c, &end, 10);
        if (end == c || errno || id < 0 || id > INT32_MAX || (*end && *end != ',') ||
            (*end == ',' && !end[1]))
            return heed_fail(error, HEED_E_ARG, "--prompt-ids %s: expected token ids, as in 1,2,3",
                             text);
        list->ids[list->items[0].count++] = (int32_t)id;
        c = *end ? end + 1 : end;
    }
    list->items[0].ids = list->ids;
    list->count = 1;
    return HEED_OK;
}

/* Reads the prompts of a file. Every line is a prompt, even a blank one. */
static heed_status read_lines(const char *path, prompt_list *list, heed_error *error)
{
    heed_line_file *file = NULL;
    heed_status status = heed_lines_open(&file, path, error);
    while (status == HEED_OK) {
        const char *line = NULL;
        size_t length = 0;
        status = heed_lines_read(file, &line, &length, error);
        if (!line) break;
        status = heed_cli_text_list_add(&list->lines, line, length, error);
    }
    heed_lines_close(file);
    if (status != HEED_OK) return status;
    if (!list->lines.count)
        return heed_fail(error, HEED_E_FORMAT, "%s: empty, expected one prompt a line", path);
    list->items = calloc(list->lines.count, sizeof *list->items);
    if (!list->items) return heed_fail(error, HEED_E_NOMEM, "out of memory for the prompts");
    for (; list->count < list->lines.count; list->count++) {
        const char *text = list->lines.items[list->count];
        list->items[list->count] = (heed_prompt){.text = text, .length = strlen(text)};
    }
    return HEED_OK;
}

static void prompts_free(prompt_list *list)
{
    heed_cli_text_list_free(&list->lines);
    free(list->items);
    free(list->ids);
}

/* Returns an object for a token: its id, its log-probability (null if `own` is NULL) and the
   likeliest tokens in its place. `row` has at most `most` of them; it may be NULL. */
static json_t *score(int32_t id, const float *own, const heed_candidate *row, int64_t most)
{
    json_t *top = json_array();
    for (int64_t k = 0; row && k < most && row[k].set; k++)
        json_array_append_new(top, json_pack("{s:i, s:o}", "id", row[k].id, "logprob",
                                             heed_cli_number_or_null(row[k].log_probability)));
    json_t *number = own ? heed_cli_number_or_null(*own) : json_null();
    return json_pack("{s:i, s:o, s:o}", "id", id, "logprob", number, "top", top);
}

/* Returns an array with an object for each token of a prompt. */
static json_t *prompt_scores(const heed_prompt_result *p, int64_t most)
{
    json_t *array = json_array();
    if (p->count) json_array_append_new(array, score(p->ids[0], NULL, NULL, most));
    for (size_t i = 1; i < p->count; i++) {
        const heed_candidate *row = p->likely ? p->likely + (i - 1) * (size_t)most : NULL;
        json_array_append_new(array, score(p->ids[i], &p->log_probabilities[i - 1], row, most));
    }
    return array;
}

/* Returns an array with an object for each new token of a sequence. */
static json_t *new_scores(const heed_result *r, int64_t most)
{
    json_t *array = json_array();
    for (size_t i = 0; i < r->count; i++) {
        const float *own = r->log_probabilities ? &r->log_probabilities[i] : NULL;
        const heed_candidate *row = r->likely ? r->likely + i * (size_t)most : NULL;
        json_array_append_new(array, score(r->ids[i], own, row, most));
    }
    return array;
}

static json_t *result_json(const heed_results *results, const heed_result *r,
                           heed_optional_int logprobs)
{
    json_t *object = json_pack("{s:I, s:I, s:s}", "prompt", (json_int_t)r->prompt, "number",
                               (json_int_t)r->number, "finish", r->finish);
    json_t *ids = json_array();
    for (size_t i = 0; i < r->count; i++) json_array_append_new(ids, json_integer(r->ids[i]));
    json_object_set_new(object, "ids", ids);
    if (r->text) json_object_set_new(object, "text", json_stringn(r->text, r->text_length));
    if (!logprobs.set) return object;
    const heed_prompt_result *p = &results->prompts[r->prompt];
    if (p->log_probabilities)
        json_object_set_new(object, "prompt_tokens", prompt_scores(p, logprobs.value));
    json_object_set_new(object, "tokens", new_scores(r, logprobs.value));
    json_object_set_new(object, "score", heed_cli_real_or_null(r->score));
    return object;
}

/* Prints notes about prompts that were cut and sequences that filled the context. */
static void note_cuts(const heed_results *results)
{
    for (size_t i = 0; i < results->prompt_count; i++)
        if (results->prompts[i].cut)
            heed_cli_note("heed generate: prompt %zu was longer than the context; its first %zu "
                          "tokens were left out",
                          i + 1, results->prompts[i].cut);
    for (size_t i = 0; i < results->count; i++)
        if (!strcmp(results->items[i].finish, "context"))
            heed_cli_note("heed generate: sequence %zu ended because the model's context is full",
                          i + 1);
}

/* Prints the results. A text that was streamed needs only its line end. */
static heed_status print_results(generate_task *values, const heed_results *results, bool streamed)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; status == HEED_OK && i < results->count; i++) {
        const heed_result *r = &results->items[i];
        if (values->task.json || values->logprobs.set) {
            json_t *object = result_json(results, r, values->logprobs);
            status = heed_cli_print_json(object, JSON_COMPACT, &values->task.error);
            continue;
        }
        if (values->ids) heed_cli_print_ids(r->ids, r->count);
        else if (!streamed && r->text) fwrite(r->text, 1, r->text_length, stdout);
        putchar('\n');
    }
    note_cuts(results);
    return status;
}

/* Prints new text as it comes and sets the bool at `argument`. */
static void stream_text(void *argument, size_t prompt, size_t number, const char *text,
                        size_t length)
{
    (void)prompt;
    (void)number;
    *(bool *)argument = true;
    fwrite(text, 1, length, stdout);
    heed_cli_output_flush();
}

static int check(heed_cli_task *t)
{
    generate_task *values = (generate_task *)t;
    if (!t->model) return heed_cli_usage_error(t->command, "expected -m MODEL");
    if (!!values->prompt + !!values->prompt_ids + !!values->file != 1)
        return heed_cli_usage_error(t->command,
                                    "expected one of -p TEXT, --prompt-ids 1,2,3 and --file LINES");
    if (values->count.value < -1)
        return heed_cli_usage_error(
            t->command, "-n %lld: expected 1 or more, or -1 for as many as the context holds",
            (long long)values->count.value);
    if (values->prompt && !heed_cli_is_utf8(values->prompt, strlen(values->prompt)))
        return heed_cli_usage_error(t->command, "-p: the text is not valid UTF-8");
    if (values->prompt_ids && parse_ids(values->prompt_ids, &values->prompts, &t->error) != HEED_OK)
        return heed_cli_usage_error(t->command, "%s", t->error.message);
    return 0;
}

/* Reads the prompts that check() has not read yet. */
static heed_status read_prompts(generate_task *values, heed_error *error)
{
    prompt_list *prompts = &values->prompts;
    if (values->prompt_ids) return HEED_OK;
    if (values->file) return read_lines(values->file, prompts, error);
    prompts->items = calloc(1, sizeof *prompts->items);
    if (!prompts->items) return heed_fail(error, HEED_E_NOMEM, "out of memory for the prompt");
    prompts->items[prompts->count++] = (heed_prompt){.text = values->prompt,
                                                     .length = strlen(values->prompt)};
    return HEED_OK;
}

/* Returns the limit of new tokens. -n -1 means as many as the context holds, whatever the model's
   files say. */
static heed_optional_int most_tokens(const generate_task *values)
{
    return values->count.value == -1 ? heed_int(INT32_MAX) : values->count;
}

static heed_status run(heed_cli_task *t)
{
    generate_task *values = (generate_task *)t;
    const prompt_list *prompts = &values->prompts;
    heed_generation_options how;
    heed_results results = {0};
    heed_status status = read_prompts(values, &t->error);
    if (status == HEED_OK) status = heed_cli_task_generation(t, most_tokens(values), &how);
    if (status == HEED_OK) status = heed_cli_task_note_idle(t, &how);
    if (status != HEED_OK) return status;
    how.context = values->context;
    how.prompt_cache = values->prompt_cache;
    how.returned = values->num_return;
    how.log_probabilities = values->logprobs;
    how.stop = values->stop.items;
    how.stop_count = values->stop.count;
    how.ids_only = values->ids && !values->stop.count;
    bool streamed = prompts->count == 1 && values->num_return <= 1 && t->sampling.how.beams <= 1 &&
                    !values->ids && !t->json && !values->logprobs.set;
    bool begun = false; /* some text has been printed */
    heed_hooks hooks = {.text = streamed ? stream_text : NULL,
                        .cancelled = heed_cli_interrupted,
                        .argument = &begun};
    heed_prompts asked = {prompts->items, prompts->count};
    status = heed_transformer_generate(t->transformer, &asked, &how, &hooks, &results, &t->error);
    /* Print what was complete before something failed. */
    heed_status printed = results.count ? print_results(values, &results, streamed) : HEED_OK;
    if (!results.count && begun) putchar('\n');
    if (status != HEED_OK && results.count && !values->prompt_cache)
        heed_cli_note("heed generate: only the first %zu sequences are complete", results.count);
    heed_results_free(&results);
    return status == HEED_OK ? printed : status;
}

static void finish(heed_cli_task *t)
{
    prompts_free(&((generate_task *)t)->prompts);
}

const heed_cli_command heed_cli_command_generate = {
    .name = "generate",
    .arguments = "-m MODEL (-p TEXT | --prompt-ids 1,2,3 | --file LINES) [-n N]",
    .summary = "continue a prompt, or answer a source",
    .description = "Writes the new text only, ending in a newline. Several prompts or sequences: "
                   "one after another, each ending in a newline.",
    .examples = "  heed generate -m run -p \"ROMEO:\" -n 200 --temp 0.8 --top-k 40 --seed 1\n"
                "  heed generate -m model --prompt-ids 1,15,8 -n 16 --temp 0 --ids\n",
    .options = options,
    .shares = HEED_CLI_MODEL | HEED_CLI_COMPUTES | HEED_CLI_LOADS | HEED_CLI_SAMPLES |
              HEED_CLI_JSON | HEED_CLI_STOPS,
    .bytes = sizeof(generate_task),
    .check = check,
    .run = run,
    .finish = finish};
