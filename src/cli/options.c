/* options.c: parses a command line by the tables of options and checks its rules (options.h). */
#include "aliases.h"
#include "manual.h"
#include "suggest.h"
#include "terminal.h"

#include <heed/heed.h>

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 40, HELP_COLUMN = 32 };

int heed_cli_usage_error(const heed_cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "heed %s: ", command->name);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nSee: heed %s --help\n", command->name);
    return 2;
}

void heed_cli_option_list_free(heed_cli_option_list *list)
{
    free(list->items);
    *list = (heed_cli_option_list){0};
}

bool heed_cli_option_list_add(heed_cli_option_list *list, const char *item)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        const char **items = realloc(list->items, capacity * sizeof *items);
        if (!items) {
            fprintf(stderr, "heed: out of memory reading the command line\n");
            return false;
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return true;
}

/* Returns the option with this name of `length` bytes, not an alias; NULL if there is none. */
static const heed_cli_option *find_option(const heed_cli_command *command, const char *name,
                                          size_t length)
{
    const heed_cli_option *o;
    for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));)
        if (o->kind != HEED_CLI_HEADING && heed_cli_name_matches(o->name, name, length)) return o;
    return NULL;
}

static const heed_cli_option *find_letter(const heed_cli_command *command, char letter)
{
    const heed_cli_option *o;
    for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));)
        if (o->letter == letter && letter) return o;
    return NULL;
}

/* Returns the dashes that precede a name on the command line. */
static const char *dashes(const char *name)
{
    return name[1] ? "--" : "-";
}

/* Returns false after a usage error if a path or name is empty. A shell variable that is not set
   leaves such a word on the command line. */
static bool check_not_empty(const heed_cli_command *command, const heed_cli_option *o,
                            const char *text)
{
    bool checked = o->kind == HEED_CLI_TEXT || o->kind == HEED_CLI_LIST || o->kind == HEED_CLI_PAIR;
    if (*text || !checked) return true;
    heed_cli_usage_error(command,
                         "%s%s: the value is empty, expected %s; is a shell variable not set?",
                         dashes(o->name), o->name, o->value);
    return false;
}

/* Sets a field that holds a whole number. Returns NULL, or what was expected. */
static const char *set_whole(const heed_cli_option *o, void *field, const char *text)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool plain = o->kind == HEED_CLI_COUNT || o->kind == HEED_CLI_POSITIVE;
    bool valid = *text && !*end && !errno;
    if (o->kind == HEED_CLI_POSITIVE && !(valid && number >= 1))
        return "expected a whole number, 1 or more";
    if (o->kind != HEED_CLI_INTEGER && !(valid && number >= 0))
        return "expected a whole number, 0 or more";
    if (!valid) return "expected a whole number";
    if (plain) *(int64_t *)field = number;
    else *(heed_optional_int *)field = heed_int(number);
    return NULL;
}

/* Sets a field that holds a number. Returns NULL, or what was expected. */
static const char *set_real(const heed_cli_option *o, heed_optional_real *field, const char *text)
{
    char *end = NULL;
    double number = strtod(text, &end);
    bool valid = *text && !*end && !isnan(number);
    if (o->kind == HEED_CLI_AMOUNT && !(valid && number >= 0))
        return "expected a number, 0 or more";
    if (!valid) return "expected a number";
    *field = heed_real(number);
    return NULL;
}

const char *heed_cli_option_set(const heed_cli_option *o, void *values, const char *text)
{
    void *field = (char *)values + o->offset;
    switch (o->kind) {
    case HEED_CLI_COUNT:
    case HEED_CLI_POSITIVE:
    case HEED_CLI_INTEGER:
    case HEED_CLI_NATURAL: return set_whole(o, field, text);
    case HEED_CLI_NUMBER:
    case HEED_CLI_AMOUNT: return set_real(o, field, text);
    case HEED_CLI_TEXT:
    case HEED_CLI_ANY_TEXT: *(const char **)field = text; break;
    case HEED_CLI_FLAG:
    case HEED_CLI_LIST:
    case HEED_CLI_PAIR:
    case HEED_CLI_HEADING: break;
    }
    return NULL;
}

/* The words of a command line that is being read. */
typedef struct command_line {
    const heed_cli_command *command;
    void *values; /* the struct that the tables of options describe */
    int argc;
    char **argv;
    int at; /* index of the word that is being read */
    heed_cli_option_words *words;
    const heed_cli_alias *alias; /* the name of another program in that word, or NULL */
} command_line;

/* Returns a value in heed's notation: "3" of --epochs as "3e". NULL after a message. */
static const char *translate_value(const command_line *line, const char *text)
{
    char value[64], *end = NULL;
    heed_error error = {0};
    (void)strtod(text, &end);
    int length = snprintf(value, sizeof value, "%s%s", text, line->alias->suffix);
    if (!*text || *end || length >= (int)sizeof value) {
        heed_cli_usage_error(line->command, "--%s %s: expected a number", line->alias->spelling,
                             text);
        return NULL;
    }
    heed_cli_text_list *made = &line->words->made;
    if (heed_cli_text_list_add(made, value, (size_t)length, &error) == HEED_OK)
        return made->items[made->count - 1];
    fprintf(stderr, "heed: %s\n", error.message);
    return NULL;
}

/* Sets or appends a value of option o. Returns false after a message. */
static bool set_value(const command_line *line, const heed_cli_option *o, const char *text)
{
    if (!check_not_empty(line->command, o, text)) return false;
    if (line->alias && line->alias->suffix) text = translate_value(line, text);
    if (!text) return false;
    if (o->kind == HEED_CLI_LIST || o->kind == HEED_CLI_PAIR)
        return heed_cli_option_list_add((heed_cli_option_list *)((char *)line->values + o->offset),
                                        text);
    const char *problem = heed_cli_option_set(o, line->values, text);
    if (problem)
        heed_cli_usage_error(line->command, "%s%s %s: %s", dashes(o->name), o->name, text, problem);
    return !problem;
}

/* The names that an option can be called by: `spellings` are what can be typed, an alias too,
   `names` are heed's own. */
typedef struct {
    const char *spellings[256], *names[256];
    size_t count;
} known_names;

static void add_name(known_names *known, const char *spelling, const char *name)
{
    if (known->count == sizeof known->names / sizeof *known->names) return;
    known->spellings[known->count] = spelling;
    known->names[known->count++] = name;
}

/* Returns the name of the option that is nearest to a word such as "--tmp=1"; NULL if none is. */
static const char *nearest_option(const heed_cli_command *command, const char *word)
{
    known_names known = {.count = 0};
    char name[LONGEST_WORD + 1];
    const heed_cli_option *o;
    const heed_cli_alias *alias;
    for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));)
        if (o->kind != HEED_CLI_HEADING) add_name(&known, o->name, o->name);
    for (size_t at = 0; (alias = heed_cli_alias_next(command, &at));)
        add_name(&known, alias->spelling, alias->name);
    word += strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    for (char *c = name; *c; c++)
        if (*c == '_') *c = '-';
    size_t best = heed_cli_nearest(name, known.spellings, known.count);
    return best < known.count ? known.names[best] : NULL;
}

/* Prints the usage error of an unknown option, with what to type instead. Returns false. */
static bool unknown_option(const heed_cli_command *command, const char *word)
{
    const char *hint = heed_cli_option_hint(word);
    const char *nearest = hint ? NULL : nearest_option(command, word);
    if (hint) heed_cli_usage_error(command, "unknown option %s; %s", word, hint);
    else if (nearest)
        heed_cli_usage_error(command, "unknown option %s; did you mean %s%s?", word,
                             dashes(nearest), nearest);
    else heed_cli_usage_error(command, "unknown option %s", word);
    return false;
}

/* Sets a flag. Returns false after a usage error if a value is attached to it. */
static bool take_flag(const command_line *line, const heed_cli_option *o, const char *attached)
{
    if (attached) {
        heed_cli_usage_error(line->command, "--%s takes no value", o->name);
        return false;
    }
    *(bool *)((char *)line->values + o->offset) = true;
    return true;
}

/* Returns whether the next word can be one more value of a list. */
static bool value_follows(const command_line *line)
{
    return line->at + 1 < line->argc && line->argv[line->at + 1][0] != '-';
}

/* Takes the values of option o from the words after its own. `attached` is the value in its own
   word, after '=' or after the letter; NULL if there is none. */
static bool take_values(command_line *line, const heed_cli_option *o, const char *attached)
{
    int wanted = o->kind == HEED_CLI_PAIR ? 2 : 1, taken = 0;
    bool is_open = o->kind == HEED_CLI_LIST && !attached;
    if (attached) {
        if (!set_value(line, o, attached)) return false;
        taken = 1;
    }
    for (; taken < wanted || (is_open && value_follows(line)); taken++) {
        if (line->at + 1 >= line->argc) {
            const char *missing = wanted == 2 ? "two values," : "a value,";
            heed_cli_usage_error(line->command, "%s%s: expected %s %s", dashes(o->name), o->name,
                                 missing, o->value);
            return false;
        }
        if (!set_value(line, o, line->argv[++line->at])) return false;
    }
    return true;
}

/* Returns whether a second value of the option replaces the first. */
static bool is_single(const heed_cli_option *o)
{
    return o->kind != HEED_CLI_FLAG && o->kind != HEED_CLI_LIST && o->kind != HEED_CLI_PAIR;
}

/* Finds the option that the current word names: --NAME, --NAME=VALUE, -x, -xVALUE or -x=VALUE; NULL
   if there is none. *attached is the value in the word, or NULL. Sets line->alias. */
static const heed_cli_option *named_option(command_line *line, const char **attached)
{
    const heed_cli_command *command = line->command;
    const char *word = line->argv[line->at];
    *attached = NULL;
    line->alias = NULL;
    if (word[1] != '-') {
        if (heed_cli_option_hint(word)) return NULL; /* -ngl is not -n gl */
        const heed_cli_option *o = find_letter(command, word[1]);
        if (o && word[2]) *attached = word + 2 + (word[2] == '=');
        return o;
    }
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    if (name[length]) *attached = name + length + 1;
    const heed_cli_option *own = find_option(command, name, length);
    if (own) return own;
    line->alias = heed_cli_alias_find(command, name, length);
    if (!line->alias) return NULL;
    return find_option(command, line->alias->name, strlen(line->alias->name));
}

/* Takes the option at the current word, with its values. Returns false after a message. */
static bool take_option(command_line *line)
{
    heed_cli_option_words *words = line->words;
    const char *word = line->argv[line->at], *attached;
    const heed_cli_option *o = named_option(line, &attached);
    if (!o) return unknown_option(line->command, word);
    bool replaced = is_single(o) && heed_cli_option_given(words, o->name);
    bool taken = o->kind == HEED_CLI_FLAG ? take_flag(line, o, attached)
                                          : take_values(line, o, attached);
    if (!taken) return false;
    if (replaced)
        heed_cli_note("note: %s%s is given more than once: the last value counts", dashes(o->name),
                      o->name);
    return heed_cli_option_list_add(&words->given, o->name);
}

bool heed_cli_options_parse(const heed_cli_command *command, void *values, int argc, char **argv,
                            heed_cli_option_words *words, bool *helped)
{
    command_line line = {
        .command = command, .values = values, .argc = argc, .argv = argv, .words = words};
    bool only_words = false; /* after "--" */
    *helped = false;
    for (; line.at < argc; line.at++) {
        const char *word = argv[line.at];
        if (!*word) {
            heed_cli_usage_error(command,
                                 "one of the words is empty; is a shell variable not set?");
            return false;
        }
        if (only_words || word[0] != '-' || !word[1]) {
            if (!heed_cli_option_list_add(&words->positional, word)) return false;
        } else if (!strcmp(word, "--")) {
            only_words = true;
        } else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
            heed_cli_manual_help(command, stdout);
            *helped = true;
            return true;
        } else if (!strcmp(word, "--version") || !strcmp(word, "-V")) {
            printf("heed %s\n", heed_version());
            *helped = true;
            return true;
        } else if (!take_option(&line)) return false;
    }
    return true;
}

/* ---- rules ---- */

bool heed_cli_option_given(const heed_cli_option_words *words, const char *name)
{
    for (size_t i = 0; i < words->given.count; i++)
        if (strcmp(words->given.items[i], name) == 0) return true;
    return false;
}

/* Takes the next of several names separated by blanks. Returns false at the end. */
static bool next_name(const char **names, char name[LONGEST_WORD + 1])
{
    size_t length = strcspn(*names, " ");
    snprintf(name, LONGEST_WORD + 1, "%.*s", (int)length, *names);
    *names += length;
    *names += strspn(*names, " ");
    return length > 0;
}

/* Adds "--name" to the text, after " or " if the text is not empty. */
static void spell_name(const char *name, char *text, size_t size)
{
    size_t used = strlen(text);
    const char *between = used ? " or " : "";
    int length = snprintf(text + used, size - used, "%s%s%s", between, dashes(name), name);
    if (length < 0 || (size_t)length >= size - used) text[used] = 0; /* no room: left out */
}

/* Checks an option that was given against the others of its rule. Returns 0, or 2 after a usage
   error. */
static int check_rule(const heed_cli_command *command, const heed_cli_option_words *words,
                      const char *name, const heed_cli_option_rule *rule)
{
    char other[LONGEST_WORD + 1], own[LONGEST_WORD + 4] = "", met[LONGEST_WORD + 4] = "",
                                                     all[256] = "";
    for (const char *rest = rule->others; next_name(&rest, other);) {
        spell_name(other, all, sizeof all);
        if (!*met && heed_cli_option_given(words, other)) spell_name(other, met, sizeof met);
    }
    spell_name(name, own, sizeof own);
    if (rule->relation == HEED_CLI_NEEDS && !*met)
        heed_cli_note("note: %s has no effect without %s", own, all);
    if (rule->relation == HEED_CLI_IDLE && *met)
        heed_cli_note("note: %s has no effect with %s", own, met);
    if (rule->relation != HEED_CLI_EXCLUDES || !*met) return 0;
    return heed_cli_usage_error(command, "%s and %s contradict each other: give one of them", own,
                                met);
}

int heed_cli_options_check_rules(const heed_cli_command *command,
                                 const heed_cli_option_words *words)
{
    char name[LONGEST_WORD + 1];
    int wrong = 0;
    for (const heed_cli_option_rule *rule = command->rules; rule && rule->names && !wrong; rule++)
        for (const char *rest = rule->names; !wrong && next_name(&rest, name);)
            if (heed_cli_option_given(words, name)) wrong = check_rule(command, words, name, rule);
    return wrong;
}
