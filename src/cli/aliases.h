/* aliases.h: the names that users of other programs type.

   Options and commands of transformers, llama.cpp and nanoGPT that heed has under another name. An
   option of theirs with the same meaning is an alias; another one gets a hint. */
#ifndef HEED_CLI_ALIASES_H
#define HEED_CLI_ALIASES_H

#include "options.h"

typedef struct heed_cli_alias {
    const char *spelling; /* their name, without dashes, with hyphens */
    const char *name;     /* the name of heed's option */
    const char *suffix;   /* what follows the value in heed's notation; NULL if nothing does */
} heed_cli_alias;

/* Returns the next alias of an option that the command has, or NULL at the end. *at begins as 0. */
const heed_cli_alias *heed_cli_alias_next(const heed_cli_command *command, size_t *at);
/* Returns the alias that a name of `length` bytes spells, or NULL if the command has none. */
const heed_cli_alias *heed_cli_alias_find(const heed_cli_command *command, const char *name,
                                          size_t length);
/* Returns whether a name of `length` bytes spells `known`; an underscore counts as a hyphen. */
bool heed_cli_name_matches(const char *known, const char *name, size_t length);

/* Returns what to do instead of giving the option `word`, which begins with its dashes, or NULL. */
const char *heed_cli_option_hint(const char *word);
/* Returns what to type instead of the command `word`, or NULL. */
const char *heed_cli_command_hint(const char *word);

#endif
