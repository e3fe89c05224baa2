/* options.h: one table of options feeds the parser, --help, the man page and shell completion. A
   command has a table of its own and a share in the common ones (shared.c). */
#ifndef HEED_CLI_OPTIONS_H
#define HEED_CLI_OPTIONS_H

#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum option_kind {
    OPTION_FLAG,    /* bool: true when given */
    OPTION_INTEGER, /* int64_t */
    /* the same, 0 or more: what is below 0 in the library means that nobody chose */
    OPTION_COUNT,
    OPTION_NUMBER,   /* double */
    OPTION_AMOUNT,   /* the same, 0 or more */
    OPTION_TEXT,     /* const char *: a path or a name; an empty one is a mistake */
    OPTION_ANY_TEXT, /* the same, and it may be empty */
    OPTION_LIST,     /* option_list: one or more values, none of them empty; may be repeated */
    OPTION_PAIR,     /* option_list: exactly two values, none of them empty */
    OPTION_HEADING   /* a line between options in --help */
} option_kind;

typedef struct option_list {
    const char **items;
    size_t count, capacity;
} option_list;

typedef struct option {
    const char *name; /* without "--"; NULL ends the table */
    char letter;      /* -x, or 0 */
    option_kind kind;
    const char *value; /* how --help calls the value: "FILE", "N" */
    const char *help;
    size_t offset; /* of the field in the struct that the table is for */
} option;

/* Each option stands as HEED_OPTION(struct, field, ...) in a table. */
/* clang-format off */
#define HEED_OPTION(type, field, long_name, letter, kind, value, help) \
    {long_name, letter, kind, value, help, offsetof(type, field)}
#define HEED_HEADING(text) {"", 0, OPTION_HEADING, NULL, text, 0}
/* clang-format on */

/* What options mean together. Both texts are names with blanks between them; each of the first is
   held against the others. A table of rules ends with a row without names. */
typedef enum option_relation {
    OPTION_NEEDS,   /* without any of the others it has no effect: a note */
    OPTION_IDLE,    /* with any of the others it has no effect: a note */
    OPTION_EXCLUDES /* it contradicts each of the others: a usage error */
} option_relation;
typedef struct option_rule {
    const char *names;
    option_relation relation;
    const char *others;
} option_rule;

typedef struct task task; /* task.h */

/* A command: what it says of itself, its options, and what it alone does. Its struct of values
   begins with a task. */
typedef struct command {
    const char *name, *arguments, *summary; /* "MODEL [options]", one line */
    /* paragraphs; commands, one a line, two blanks in front */
    const char *description, *examples;
    const option *options;    /* its own */
    const option_rule *rules; /* about all its options; NULL: none */
    unsigned shares;          /* VERB_* bits */
    size_t bytes;             /* of its struct of values */
    /* values that are not zero before parsing; NULL: none */
    void (*preset)(task *t);
    /* 0, or what usage_error returned; NULL: nothing to check */
    int (*check)(task *t);
    heed_status (*run)(task *t); /* errors go to task_error(t) */
    /* frees what the command allocated, in every case; NULL: nothing */
    void (*finish)(task *t);
} command;

/* What a command shares with others, and how it is run. */
enum {
    COMMAND_MODEL = 1,       /* MODEL, as -m or as the first word */
    COMMAND_MODEL_MAYBE = 2, /* the same, and none is fine */
    COMMAND_COMPUTES = 4,    /* a context: -t */
    COMMAND_LOADS = 8,       /* the model, if one is named, loaded; watched too */
    COMMAND_SAMPLES = 16,    /* how tokens are chosen */
    COMMAND_JSON = 32,       /* --json */
    COMMAND_WATCHED = 128,   /* what is computed can be looked at: --profile, --trace ... */
    /* in which types a model is held and computed, where it is not loaded by COMMAND_LOADS */
    COMMAND_ROUNDS = 256,
    COMMAND_STOPS = 64 /* asks interrupted() now and then: Ctrl-C ends it in good order */
};

/* Walks all options of a command, its own and the shared ones, headings included:
   for (option_walk walk = {.command = v}; (o = option_next(&walk));) */
typedef struct option_walk {
    const command *command;
    size_t group;
    const option *next;
} option_walk;
const option *option_next(option_walk *walk);

/* Fills `values` (preset with defaults) from argv; words that belong to no option go to
   `positional`, the names of the options that were met to `given`. On a mistake prints what was
   wrong, the nearest option and where help stands, and returns false: exit with 2. --help prints
   the page and sets *helped. */
typedef struct option_words {
    option_list positional, given;
} option_words;
bool options_parse(const command *v, void *values, int argc, char **argv, option_words *words,
                   bool *helped);
bool option_given(const option_words *words, const char *name);
/* Applies the command's rules to the options given: 0 after notes about those without effect, 2
   after a usage error. */
int options_check_rules(const command *v, const option_words *words);
/* false, after a message, if memory is out */
bool option_list_add(option_list *list, const char *item);
/* Sets the field of an option that takes one value. Returns NULL, or what is expected instead of
   `text`; the field is as before then. A text is borrowed. */
const char *option_set(const option *o, void *values, const char *text);
void option_list_free(option_list *list);
/* A usage error in the style of options_parse; returns 2. */
int usage_error(const command *v, const char *format, ...) HEED_PRINTF(2, 3);
/* The word of `words` nearest to `word` by edit distance, NULL when none is near. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
