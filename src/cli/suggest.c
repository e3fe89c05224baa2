/* suggest.c: finds the nearest known word (suggest.h). */
#include "suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_WORD = 40 };

/* Returns the fewest letters to insert, delete, replace or swap with the next one that make `b` of
   `a` (the optimal string alignment distance). Returns LONGEST_WORD if a word is longer than that.
   d[i][j] is the distance of the first i letters of a and the first j of b. */
static size_t edit_distance(const char *a, const char *b)
{
    static size_t d[LONGEST_WORD + 1][LONGEST_WORD + 1];
    const size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST_WORD || n > LONGEST_WORD) return LONGEST_WORD;
    for (size_t i = 0; i <= m; i++) d[i][0] = i;
    for (size_t j = 0; j <= n; j++) d[0][j] = j;
    for (size_t i = 1; i <= m; i++)
        for (size_t j = 1; j <= n; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[m][n];
}

static bool begins_with(const char *word, const char *prefix)
{
    return !strncmp(word, prefix, strlen(prefix));
}

/* Returns whether two words that look alike mean the opposite: min-p and max-p, no-x and x. */
static bool are_opposite(const char *a, const char *b)
{
    if (begins_with(a, "no-") != begins_with(b, "no-")) return true;
    if (begins_with(a, "min-")) return begins_with(b, "max-");
    return begins_with(a, "max-") && begins_with(b, "min-");
}

size_t heed_cli_nearest(const char *word, const char *const *words, size_t count)
{
    size_t best = count, allowed = strlen(word) / 4;
    if (allowed < 1) allowed = 1;
    size_t nearest = allowed + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, words[i]);
        if (distance >= nearest || are_opposite(word, words[i])) continue;
        nearest = distance;
        best = i;
    }
    return best;
}

const char *heed_cli_suggest(char text[HEED_CLI_SUGGESTION], const char *prefix, const char *word,
                             const char *const *words, size_t count)
{
    size_t best = heed_cli_nearest(word, words, count);
    text[0] = 0;
    if (best < count)
        snprintf(text, HEED_CLI_SUGGESTION, "; did you mean %s%s?", prefix, words[best]);
    return text;
}
