/* options.h: the tables of options.

   One table feeds the parser, --help, the man page and shell completion. A command has a table of
   its own and shares others (shared.c). */
#ifndef HEED_CLI_OPTIONS_H
#define HEED_CLI_OPTIONS_H

#include <heed/optional.h>
#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum heed_cli_option_kind {
    HEED_CLI_FLAG,     /* bool: true when given */
    HEED_CLI_COUNT,    /* int64_t, 0 or more: 0 means the same as leaving the option out */
    HEED_CLI_POSITIVE, /* int64_t, 1 or more: 0 is how nobody chose */
    HEED_CLI_INTEGER,  /* heed_optional_int */
    HEED_CLI_NATURAL,  /* the same, 0 or more */
    HEED_CLI_NUMBER,   /* heed_optional_real */
    HEED_CLI_AMOUNT,   /* the same, 0 or more */
    HEED_CLI_TEXT,     /* const char *: a path or a name; an empty one is a mistake */
    HEED_CLI_ANY_TEXT, /* the same, and it may be empty */
    /* heed_cli_option_list: one or more values, none of them empty; may be repeated */
    HEED_CLI_LIST,
    HEED_CLI_PAIR,   /* heed_cli_option_list: exactly two values, none of them empty */
    HEED_CLI_HEADING /* a line between options in --help */
} heed_cli_option_kind;

typedef struct heed_cli_option_list {
    const char **items;
    size_t count, capacity;
} heed_cli_option_list;

typedef struct heed_cli_option {
    const char *name; /* without "--"; NULL ends the table */
    char letter;      /* -x, or 0 */
    heed_cli_option_kind kind;
    const char *value; /* how --help calls the value: "FILE", "N" */
    const char *help;
    size_t offset; /* of the field in the struct that the table is for */
} heed_cli_option;

/* The rows of a table: HEED_CLI_OPTION(struct, field, ...) is an option, HEED_CLI_SECTION(text) a
   heading of --help. */
/* clang-format off */
#define HEED_CLI_OPTION(type, field, long_name, letter, kind, value, help) \
    {long_name, letter, kind, value, help, offsetof(type, field)}
#define HEED_CLI_SECTION(text) {"", 0, HEED_CLI_HEADING, NULL, text, 0}
/* clang-format on */

/* A rule about options that are given together. Both texts are names separated by blanks; each of
   the first is compared with the others. A table of rules ends with a row without names. */
typedef enum heed_cli_option_relation {
    HEED_CLI_NEEDS,   /* without any of the others it has no effect, which is noted */
    HEED_CLI_IDLE,    /* with any of the others it has no effect, which is noted */
    HEED_CLI_EXCLUDES /* it contradicts each of the others, which is a usage error */
} heed_cli_option_relation;
typedef struct heed_cli_option_rule {
    const char *names;
    heed_cli_option_relation relation;
    const char *others;
} heed_cli_option_rule;

typedef struct heed_cli_task heed_cli_task; /* task.h */

/* A command: its texts, its options and the functions that only it has. Its struct of values begins
   with a heed_cli_task. */
typedef struct heed_cli_command {
    const char *name, *arguments, *summary; /* "MODEL [options]", one line */
    /* paragraphs; commands, one a line, indented by two blanks */
    const char *description, *examples;
    const heed_cli_option *options;    /* its own */
    const heed_cli_option_rule *rules; /* about all its options; NULL: none */
    unsigned shares;                   /* bits of the enum below */
    size_t bytes;                      /* of its struct of values */
    /* sets the values that are not zero before parsing; NULL if there are none */
    void (*preset)(heed_cli_task *t);
    /* returns 0 or what heed_cli_usage_error returned; NULL if there is nothing to check */
    int (*check)(heed_cli_task *t);
    heed_status (*run)(heed_cli_task *t); /* errors go to t->error */
    /* frees what the command allocated, in every case; NULL if there is nothing */
    void (*finish)(heed_cli_task *t);
} heed_cli_command;

/* What a command shares with others. */
enum {
    HEED_CLI_MODEL = 1,       /* MODEL, given with -m or as the first word */
    HEED_CLI_MODEL_MAYBE = 2, /* the same, but it may be left out */
    HEED_CLI_COMPUTES = 4,    /* a context: -t */
    HEED_CLI_LOADS = 8,       /* the model is loaded if one is named; it can be observed */
    HEED_CLI_SAMPLES = 16,    /* how tokens are chosen */
    HEED_CLI_JSON = 32,       /* --json */
    HEED_CLI_OBSERVED = 64,   /* what is computed can be observed: --profile, --trace ... */
    /* types in which a model is stored and computed, unless HEED_CLI_LOADS loads it */
    HEED_CLI_TYPES = 128,
    HEED_CLI_STOPS =
        256 /* asks heed_cli_interrupted() now and then: Ctrl-C ends it in good order */
};

/* Walks all options of a command, its own and the shared ones, headings included:
   for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));) */
typedef struct heed_cli_option_walk {
    const heed_cli_command *command;
    size_t group;
    const heed_cli_option *next;
} heed_cli_option_walk;
const heed_cli_option *heed_cli_option_next(heed_cli_option_walk *walk);

/* Fills `values` (preset with defaults) from argv. Words that belong to no option go to
   `positional`, the names of the options that were given to `given`.
   On a mistake prints what was wrong, the nearest option and where to find help, and returns false;
   the program then exits with 2. --help prints the page and sets *helped. */
typedef struct heed_cli_option_words {
    heed_cli_option_list positional, given;
} heed_cli_option_words;
bool heed_cli_options_parse(const heed_cli_command *command, void *values, int argc, char **argv,
                            heed_cli_option_words *words, bool *helped);
bool heed_cli_option_given(const heed_cli_option_words *words, const char *name);
/* Applies the command's rules to the options given. Returns 0, after notes about those without
   effect, or 2 after a usage error. */
int heed_cli_options_check_rules(const heed_cli_command *command,
                                 const heed_cli_option_words *words);
/* Returns false, after a message, if memory is out. */
bool heed_cli_option_list_add(heed_cli_option_list *list, const char *item);
/* Sets the field of an option that takes one value. Returns NULL, or what was expected instead of
   `text`; then the field is unchanged. A text is borrowed. */
const char *heed_cli_option_set(const heed_cli_option *o, void *values, const char *text);
void heed_cli_option_list_free(heed_cli_option_list *list);
/* Prints a usage error in the style of heed_cli_options_parse. Returns 2. */
int heed_cli_usage_error(const heed_cli_command *command, const char *format, ...)
    HEED_PRINTF(2, 3);

#endif
