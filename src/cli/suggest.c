/* suggest.c: finds the nearest known word (suggest.h). */
#include "suggest.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST_WORD = 40 };

/* Returns the Levenshtein distance of two words, computed one row of its table at a time. Returns
   LONGEST_WORD if a word is longer than that. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[LONGEST_WORD + 1], n = strlen(b);
    if (strlen(a) > LONGEST_WORD || n > LONGEST_WORD) return LONGEST_WORD;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; *a; a++, i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j], best = diagonal + (*a != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[n];
}

const char *heed_cli_suggest(char text[HEED_CLI_SUGGESTION], const char *prefix, const char *word,
                             const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t nearest = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, words[i]);
        if (distance >= nearest) continue;
        nearest = distance;
        best = words[i];
    }
    text[0] = 0;
    if (best) snprintf(text, HEED_CLI_SUGGESTION, "; did you mean %s%s?", prefix, best);
    return text;
}
