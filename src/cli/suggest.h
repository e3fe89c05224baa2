/* suggest.h: suggests a known word for an unknown one. */
#ifndef HEED_CLI_SUGGEST_H
#define HEED_CLI_SUGGEST_H

#include <stddef.h>

enum { HEED_CLI_SUGGESTION = 80 }; /* bytes of a suggestion */

/* Writes "; did you mean PREFIXWORD?" with the one of the `count` words that is nearest to `word`
   by edit distance; writes "" if none is near. Returns `text`. */
const char *heed_cli_suggest(char text[HEED_CLI_SUGGESTION], const char *prefix, const char *word,
                             const char *const *words, size_t count);

#endif
