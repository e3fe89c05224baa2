/* heed tokenize: turns text into ids and back, line by line, and trains vocabularies. */
#include "task.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    heed_cli_task task;
    const char *jsonl, *text, *train, *out;
    bool no_special, offsets, pairs, decode, skip_special, sentence_ends, masking;
    heed_cli_option_list data;
    int64_t vocab_size, min_frequency;
} tokenize_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(tokenize_task, jsonl, "jsonl", 0, HEED_CLI_TEXT, "FILE",
                    "One JSON object a line: \"text\" (and \"pair\"), or \"ids\" with --decode; - "
                    "reads stdin."),
    HEED_CLI_OPTION(tokenize_task, text, "prompt", 'p', HEED_CLI_ANY_TEXT, "TEXT",
                    "One text from the command line instead of a file."),
    HEED_CLI_OPTION(tokenize_task, no_special, "no-special", 0, HEED_CLI_FLAG, NULL,
                    "Leave out the special tokens that the model adds."),
    HEED_CLI_OPTION(tokenize_task, offsets, "offsets", 0, HEED_CLI_FLAG, NULL,
                    "Objects {\"ids\", \"offsets\"}, offsets in code points."),
    HEED_CLI_OPTION(tokenize_task, pairs, "pairs", 0, HEED_CLI_FLAG, NULL,
                    "Encode \"text\" and \"pair\" together."),
    HEED_CLI_OPTION(tokenize_task, decode, "decode", 0, HEED_CLI_FLAG, NULL,
                    "Ids to text: one JSON string a line."),
    HEED_CLI_OPTION(tokenize_task, skip_special, "skip-special", 0, HEED_CLI_FLAG, NULL,
                    "With --decode: leave out special tokens."),
    HEED_CLI_SECTION("Training a vocabulary"),
    HEED_CLI_OPTION(tokenize_task, train, "train", 0, HEED_CLI_TEXT, "KIND",
                    "bpe or char: learn a vocabulary from --data and write it to --out."),
    HEED_CLI_OPTION(tokenize_task, data, "data", 0, HEED_CLI_LIST, "FILE",
                    "Text files (.txt, .jsonl with \"text\")."),
    HEED_CLI_OPTION(tokenize_task, vocab_size, "vocab-size", 0, HEED_CLI_COUNT, "V",
                    "Tokens in all, special ones included."),
    HEED_CLI_OPTION(tokenize_task, min_frequency, "min-frequency", 0, HEED_CLI_COUNT, "N",
                    "Leave out what is rarer (default 0)."),
    HEED_CLI_OPTION(tokenize_task, sentence_ends, "sentence-ends", 0, HEED_CLI_FLAG, NULL,
                    "Special tokens <pad> </s> <unk>, and </s> after each text: for translation."),
    HEED_CLI_OPTION(
        tokenize_task, masking, "masking", 0, HEED_CLI_FLAG, NULL,
        "Special tokens [PAD] [UNK] [CLS] [SEP] [MASK], and [CLS] text [SEP]: for --family bert."),
    HEED_CLI_OPTION(
        tokenize_task, out, "out", 0, HEED_CLI_TEXT, "DIR",
        "Where tokenizer.json is written: a folder that is new, empty, or of an earlier training."),
    {0}};

static const heed_cli_option_rule rules[] = {
    {"data vocab-size min-frequency sentence-ends masking out", HEED_CLI_NEEDS, "train"},
    {"model jsonl prompt no-special offsets pairs decode skip-special", HEED_CLI_IDLE, "train"},
    {"sentence-ends", HEED_CLI_EXCLUDES, "masking"},
    {"pairs decode", HEED_CLI_IDLE, "prompt"},
    {"skip-special", HEED_CLI_NEEDS, "decode"},
    {"no-special offsets pairs", HEED_CLI_IDLE, "decode"},
    {0}};

/* Returns the options of encoding. The caller adds a pair if there is one. */
static heed_tokenize_options how_to_encode(const tokenize_task *values)
{
    return (heed_tokenize_options){.no_special = values->no_special, .offsets = values->offsets};
}

/* Prints the ids of a text, or of a pair. */
static heed_status encode(const heed_tokenizer *tokenizer, const char *text, size_t length,
                          const heed_tokenize_options *how, heed_error *error)
{
    heed_tokens tokens = {0};
    heed_status status = heed_tokenize(tokenizer, text, length, how, &tokens, error);
    if (status != HEED_OK) return status;
    if (how->offsets) fputs("{\"ids\": ", stdout);
    heed_cli_print_ids(tokens.ids, tokens.count);
    if (how->offsets) {
        fputs(", \"offsets\": [", stdout);
        for (size_t i = 0; i < tokens.count; i++)
            printf("%s[%u, %u]", i ? ", " : "", tokens.offsets[2 * i], tokens.offsets[2 * i + 1]);
        fputs("]}", stdout);
    }
    putchar('\n');
    heed_tokens_free(&tokens);
    return HEED_OK;
}

/* Returns whether a JSON string is valid UTF-8. Half of a surrogate pair is not. */
static bool is_text(const json_t *string)
{
    return heed_cli_is_utf8(json_string_value(string), json_string_length(string));
}

/* Encodes the text, or the pair, of a line and prints its ids. */
static heed_status encode_line(const tokenize_task *values, const heed_tokenizer *tokenizer,
                               const json_t *line, heed_error *error)
{
    const json_t *text = json_object_get(line, "text");
    const json_t *pair = values->pairs ? json_object_get(line, "pair") : NULL;
    if (!json_is_string(text))
        return heed_fail(error, HEED_E_FORMAT, "\"text\" is missing or no string");
    if (values->pairs && !json_is_string(pair))
        return heed_fail(error, HEED_E_FORMAT, "\"pair\" is missing or no string (--pairs)");
    if (!is_text(text) || (pair && !is_text(pair)))
        return heed_fail(
            error, HEED_E_FORMAT,
            "half a surrogate pair (\"\\ud83d\" without the other half, say) is not text");
    heed_tokenize_options how = how_to_encode(values);
    how.pair = json_string_value(pair);
    how.pair_length = json_string_length(pair);
    return encode(tokenizer, json_string_value(text), json_string_length(text), &how, error);
}

/* Reads an array of token ids. The caller frees *ids, after a failure too. */
static heed_status read_ids(const json_t *array, int32_t **ids, heed_error *error)
{
    size_t count = json_array_size(array);
    *ids = malloc((count ? count : 1) * sizeof **ids);
    if (!*ids) return heed_fail(error, HEED_E_NOMEM, "out of memory for %zu ids", count);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(array, i);
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX)
            return heed_fail(error, HEED_E_FORMAT, "\"ids\"[%zu] is no token id", i);
        (*ids)[i] = (int32_t)id;
    }
    return HEED_OK;
}

/* Prints a text as a JSON string. */
static heed_status print_string(const char *text, size_t length, heed_error *error)
{
    json_t *string = json_stringn(text, length);
    bool ok = string && json_dumpf(string, stdout, JSON_ENCODE_ANY) == 0;
    json_decref(string);
    if (!ok) return heed_fail(error, HEED_E_NOMEM, "out of memory for the text");
    putchar('\n');
    return HEED_OK;
}

/* Decodes the ids of a line and prints the text. */
static heed_status decode_line(const tokenize_task *values, const heed_tokenizer *tokenizer,
                               const json_t *line, heed_error *error)
{
    const json_t *array = json_is_array(line) ? line : json_object_get(line, "ids");
    if (!json_is_array(array))
        return heed_fail(error, HEED_E_FORMAT, "\"ids\" is missing or no array");
    int32_t *ids = NULL;
    char *text = NULL;
    size_t length = 0;
    heed_status status = read_ids(array, &ids, error);
    if (status == HEED_OK)
        status = heed_detokenize(tokenizer,
                                 &(heed_tokens){.count = json_array_size(array), .ids = ids},
                                 values->skip_special, &text, &length, error);
    if (status == HEED_OK) status = print_string(text, length, error);
    heed_free(text);
    free(ids);
    return status;
}

/* Encodes or decodes the object of a line. With --decode it may also be an array. */
static heed_status take_line(const tokenize_task *values, const heed_tokenizer *tokenizer,
                             const char *text, size_t length, const char *place, heed_error *error)
{
    json_t *line = NULL;
    heed_error inner = {0};
    heed_status status = heed_json_from_text(&line, text, length, place, error);
    if (status != HEED_OK) return status;
    status = values->decode ? decode_line(values, tokenizer, line, &inner)
                            : encode_line(values, tokenizer, line, &inner);
    if (status != HEED_OK) heed_fail(error, status, "%s: %s", place, inner.message);
    json_decref(line);
    return status;
}

/* Encodes or decodes every line of --jsonl. Blank lines are skipped. */
static heed_status lines(const tokenize_task *values, const heed_tokenizer *tokenizer,
                         heed_error *error)
{
    heed_line_file *file = NULL;
    heed_status status = heed_lines_open(&file, values->jsonl, error);
    while (status == HEED_OK) {
        char place[300];
        const char *text = NULL;
        size_t length = 0;
        status = heed_lines_read(file, &text, &length, error);
        if (!text) break;
        heed_lines_place(file, place, sizeof place);
        if (text[strspn(text, HEED_CLI_BLANKS)])
            status = take_line(values, tokenizer, text, length, place, error);
    }
    heed_lines_close(file);
    return status;
}

static int check(heed_cli_task *t)
{
    const tokenize_task *values = (tokenize_task *)t;
    if (!values->train) {
        if (!t->model) return heed_cli_usage_error(t->command, "expected -m MODEL");
        if (values->text && !heed_cli_is_utf8(values->text, strlen(values->text)))
            return heed_cli_usage_error(t->command, "-p: the text is not valid UTF-8");
        if (!values->jsonl == !values->text)
            return heed_cli_usage_error(t->command, "expected --jsonl FILE or -p TEXT");
        return 0;
    }
    if (!values->data.count || !values->out)
        return heed_cli_usage_error(t->command, "--train expects --data FILE... and --out DIR");
    return 0;
}

static heed_status train(const tokenize_task *values, heed_error *error)
{
    heed_tokenizer_plan plan = {
        .kind = values->train,
        .files = values->data.items,
        .file_count = values->data.count,
        .vocab_size = values->vocab_size,
        .min_frequency = values->min_frequency,
        .sentence_ends = values->sentence_ends,
        .masking = values->masking,
        .alone = true,
    };
    size_t size = 0;
    heed_status status = heed_train_tokenizer(&plan, values->out, &size, error);
    if (status == HEED_OK) heed_cli_note("%s/tokenizer.json: %zu tokens", values->out, size);
    return status;
}

static void print_notes(const heed_tokenizer *tokenizer)
{
    const char *line;
    size_t length;
    for (size_t i = 0; heed_tokenizer_note(tokenizer, i, &line, &length); i++)
        heed_cli_note("%.*s", (int)length, line);
}

static heed_status run(heed_cli_task *t)
{
    const tokenize_task *values = (tokenize_task *)t;
    heed_tokenizer *tokenizer = NULL;
    if (values->train) return train(values, &t->error);
    heed_status status = heed_tokenizer_load(&tokenizer, t->model, &t->error);
    if (status == HEED_OK) print_notes(tokenizer);
    heed_tokenize_options how = how_to_encode(values);
    if (status == HEED_OK && values->jsonl) status = lines(values, tokenizer, &t->error);
    else if (status == HEED_OK)
        status = encode(tokenizer, values->text, strlen(values->text), &how, &t->error);
    heed_tokenizer_free(tokenizer);
    return status;
}

const heed_cli_command heed_cli_command_tokenize = {
    .name = "tokenize",
    .arguments = "-m MODEL --jsonl FILE | --train bpe|char --data FILE... --vocab-size V --out DIR",
    .summary = "text to ids and back; train a vocabulary",
    .description = "For each line's \"text\" prints one JSON array of ids, neither cut nor padded. "
                   "MODEL may be a folder with tokenizer files only, "
                   "or a tokenizer.json.",
    .examples =
        "  heed tokenize -m model --jsonl texts.jsonl --offsets\n"
        "  heed tokenize -m model -p \"Hello world\"\n"
        "  heed tokenize --train bpe --data book.txt --vocab-size 8000 --out my-tokenizer\n",
    .options = options,
    .rules = rules,
    .shares = HEED_CLI_MODEL_MAYBE,
    .bytes = sizeof(tokenize_task),
    .check = check,
    .run = run};
