/* suggest.h: suggests a known word for an unknown one. */
#ifndef HEED_CLI_SUGGEST_H
#define HEED_CLI_SUGGEST_H

#include <stddef.h>

enum { HEED_CLI_SUGGESTION = 128 }; /* bytes of a suggestion */

/* Returns the index of the word that is nearest to `word`: at most a letter in four is wrong, and
   it does not mean the opposite. Returns `count` if there is none. */
size_t heed_cli_nearest(const char *word, const char *const *words, size_t count);
/* Writes "; did you mean PREFIXWORD?" with the nearest of the `count` words; writes "" if none is
   near. Returns `text`. */
const char *heed_cli_suggest(char text[HEED_CLI_SUGGESTION], const char *prefix, const char *word,
                             const char *const *words, size_t count);

#endif
