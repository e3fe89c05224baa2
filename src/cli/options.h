/* options.h: one table of options per verb feeds the parser, --help, the man page and shell completion. */
#ifndef HEED_CLI_OPTIONS_H
#define HEED_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum option_kind {
    OPTION_FLAG,     /* bool: true when given */
    OPTION_INTEGER,  /* int64_t */
    OPTION_NUMBER,   /* double */
    OPTION_TEXT,     /* const char * */
    OPTION_LIST,     /* option_list: one or more values, may be repeated */
    OPTION_PAIR,     /* option_list: exactly two values */
    OPTION_HEADING   /* a line between options in --help */
} option_kind;

typedef struct option_list { const char **items; size_t count, capacity; } option_list;

typedef struct option {
    const char *name;   /* without "--"; NULL ends the table */
    char letter;        /* -x, or 0 */
    option_kind kind;
    const char *value;  /* how --help calls the value: "FILE", "N" */
    const char *help;
    size_t offset;      /* of the field in the verb's own struct */
} option;

/* Each option stands as HEED_OPTION(struct, field, ...) in a table. */
#define HEED_OPTION(type, field, option_name, option_letter, option_kind, option_value, option_help) \
    {option_name, option_letter, option_kind, option_value, option_help, offsetof(type, field)}
#define HEED_HEADING(text) {"", 0, OPTION_HEADING, NULL, text, 0}

typedef struct verb {
    const char *name, *arguments, *summary, *description; /* "MODEL [options]", one line, and a few paragraphs with examples */
    const option *options;
    int (*run)(int argc, char **argv);
} verb;


/* Fills `values` (preset with defaults) from argv; words that belong to no option go to positional. On a mistake prints what was
   wrong, the nearest option and where help stands, and returns false: exit with 2. --help prints the page and sets *helped. */
bool options_parse(const verb *v, void *values, int argc, char **argv, option_list *positional, bool *helped);
void options_help(const verb *v, FILE *file);
void option_list_free(option_list *list);
/* A usage error in the style of options_parse; returns 2. */
int usage_error(const verb *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The word of `words` nearest to `word` by edit distance, NULL when none is near. */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
