/* options.h: the tables of options.

   One table feeds the parser, --help, the man page and shell completion. A command has a table of
   its own and shares others (shared.c). */
#ifndef HEED_CLI_OPTIONS_H
#define HEED_CLI_OPTIONS_H

#include "text.h"

#include <heed/optional.h>
#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum heed_cli_option_kind {
    HEED_CLI_FLAG,     /* bool: true when given */
    HEED_CLI_COUNT,    /* int64_t, 0 or more: 0 means the same as leaving the option out */
    HEED_CLI_POSITIVE, /* int64_t, 1 or more; 0 means that the option was left out */
    HEED_CLI_INTEGER,  /* heed_optional_int */
    HEED_CLI_NATURAL,  /* the same, 0 or more */
    HEED_CLI_NUMBER,   /* heed_optional_real */
    HEED_CLI_AMOUNT,   /* the same, 0 or more */
    HEED_CLI_TEXT,     /* const char *: a path or a name; an empty one is a usage error */
    HEED_CLI_ANY_TEXT, /* const char *: a text, which may be empty */
    /* heed_cli_option_list: one or more values, none of them empty; may be repeated */
    HEED_CLI_LIST,
    HEED_CLI_PAIR,   /* heed_cli_option_list: exactly two values, none of them empty */
    HEED_CLI_HEADING /* a line between options in --help */
} heed_cli_option_kind;

/* The values of an option that takes several; borrowed texts. */
typedef struct heed_cli_option_list {
    const char **items;
    size_t count, capacity;
} heed_cli_option_list;

typedef struct heed_cli_option {
    const char *name; /* without "--"; NULL ends the table */
    char letter;      /* -x, or 0 */
    heed_cli_option_kind kind;
    const char *value; /* the name of the value in --help: "FILE", "N"; NULL for a flag */
    const char *help;
    size_t offset; /* offset of the field in the struct that the table describes */
} heed_cli_option;

/* The rows of a table: HEED_CLI_OPTION(struct, field, ...) is an option, HEED_CLI_SECTION(text) a
   heading of --help. */
/* clang-format off */
#define HEED_CLI_OPTION(type, field, long_name, letter, kind, value, help) \
    {long_name, letter, kind, value, help, offsetof(type, field)}
#define HEED_CLI_SECTION(text) {"", 0, HEED_CLI_HEADING, NULL, text, 0}
/* clang-format on */

/* A rule about options that are given together. `names` and `others` hold names separated by
   blanks. The rule holds for each name with all others. A table of rules ends with a row without
   names. */
typedef enum heed_cli_option_relation {
    HEED_CLI_NEEDS,   /* it has no effect unless one of the others is given; this is noted */
    HEED_CLI_IDLE,    /* it has no effect if one of the others is given; this is noted */
    HEED_CLI_EXCLUDES /* giving it together with one of the others is a usage error */
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
    /* the word that names it; its usage, such as "MODEL [options]"; what it does, in one line */
    const char *name, *arguments, *summary;
    /* paragraphs for --help; example commands, one on each line, indented by two blanks */
    const char *description, *examples;
    const heed_cli_option *options;    /* the options that only this command has */
    const heed_cli_option_rule *rules; /* rules about all its options; NULL for none */
    unsigned shares;                   /* bits of the enum below */
    size_t bytes;                      /* size of its struct of values */
    /* Sets the defaults that are not zero, before parsing. NULL if there are none. */
    void (*preset)(heed_cli_task *t);
    /* Returns 0, or what heed_cli_usage_error returned. NULL if there is nothing to check. */
    int (*check)(heed_cli_task *t);
    heed_status (*run)(heed_cli_task *t); /* runs the command; errors go to t->error */
    /* Frees what the command allocated. It is called in every case. NULL if there is nothing. */
    void (*finish)(heed_cli_task *t);
} heed_cli_command;

/* What a command shares with others. */
enum {
    HEED_CLI_MODEL = 1,       /* it needs MODEL, given with -m or as the first word */
    HEED_CLI_MODEL_MAYBE = 2, /* it takes MODEL, which may be left out */
    HEED_CLI_COMPUTES = 4,    /* it has a context, and the option -t */
    HEED_CLI_LOADS = 8,       /* the model is loaded if one is named; it can be observed */
    HEED_CLI_SAMPLES = 16,    /* the options that choose tokens */
    HEED_CLI_JSON = 32,       /* --json */
    HEED_CLI_OBSERVED = 64,   /* what is computed can be observed: --profile, --trace ... */
    /* types in which a model is stored and computed, unless HEED_CLI_LOADS loads it */
    HEED_CLI_TYPES = 128,
    /* It calls heed_cli_interrupted() often, so that Ctrl-C ends it in good order. */
    HEED_CLI_STOPS = 256
};

/* Walks over all options of a command, its own and the shared ones, with the headings:
   for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));) */
typedef struct heed_cli_option_walk {
    const heed_cli_command *command;
    size_t group;
    const heed_cli_option *next;
} heed_cli_option_walk;
/* Returns the next option, or NULL at the end. */
const heed_cli_option *heed_cli_option_next(heed_cli_option_walk *walk);

/* The words of a command line. */
typedef struct heed_cli_option_words {
    /* words that belong to no option; names of the options that were given */
    heed_cli_option_list positional, given;
    heed_cli_text_list made; /* values in heed's notation, paths of models in the cache */
} heed_cli_option_words;
/* Fills `values`, which holds the defaults, and `words` from argv. On a usage error, prints what is
   wrong, the nearest option and where to find help, and returns false; the program then exits with
   2. --help prints the page of the command and sets *helped, --version does so with the version. */
bool heed_cli_options_parse(const heed_cli_command *command, void *values, int argc, char **argv,
                            heed_cli_option_words *words, bool *helped);
/* Returns whether the option `name` was given. */
bool heed_cli_option_given(const heed_cli_option_words *words, const char *name);
/* Applies the command's rules to the options given. Returns 0, after notes about those without
   effect, or 2 after a usage error. */
int heed_cli_options_check_rules(const heed_cli_command *command,
                                 const heed_cli_option_words *words);
/* Appends an item, which is borrowed. Returns false, after a message, if memory is out. */
bool heed_cli_option_list_add(heed_cli_option_list *list, const char *item);
/* Sets the field of an option that takes one value. Returns NULL, or what was expected instead of
   `text`; then the field is unchanged. A text is borrowed. */
const char *heed_cli_option_set(const heed_cli_option *o, void *values, const char *text);
void heed_cli_option_list_free(heed_cli_option_list *list);
/* Prints a usage error in the style of heed_cli_options_parse. Returns 2. */
int heed_cli_usage_error(const heed_cli_command *command, const char *format, ...)
    HEED_PRINTF(2, 3);

#endif
