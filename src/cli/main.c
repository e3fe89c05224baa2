/* The program: finds the verb, hands over. Verbs stand in verbs.def, each in a file of its own. */
#include "interrupt.h"
#include "manual.h"
#include "task.h"

#include <string.h>

#define HEED_VERB(name) extern const verb verb_##name;
#include "verbs.def"
#undef HEED_VERB

static const verb *const table[] = {
#define HEED_VERB(name) &verb_##name,
#include "verbs.def"
#undef HEED_VERB
};
enum { VERBS = sizeof table / sizeof *table };

static void print_version(const verb *const *verbs, size_t count, FILE *file)
{
    (void)verbs, (void)count;
    fprintf(file, "heed %s\n", heed_version());
}

/* Words that are no verb. */
static const struct { const char *word; void (*print)(const verb *const *verbs, size_t count, FILE *file); } pages[] = {
    {"--help", manual_overview}, {"-h", manual_overview}, {"help", manual_overview}, {"--version", print_version}, {"version", print_version},
    {"--man", manual_page}, {"--completion", manual_completion}};

static const verb *find_verb(const char *word)
{
    for (int i = 0; i < VERBS; i++)
        if (!strcmp(word, table[i]->name)) return table[i];
    return NULL;
}

static int run(int argc, char **argv)
{
    bool about = argc > 2 && !strcmp(argv[1], "help"); /* heed help VERB */
    const char *word = argc > 1 ? argv[about ? 2 : 1] : NULL;
    if (!word) {
        manual_overview(table, VERBS, stderr);
        return 2;
    }
    const verb *v = find_verb(word);
    if (v && about) manual_help(v, stdout);
    else if (v) return verb_run(v, argc - 2, argv + 2);
    for (size_t i = 0; !v && i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(word, pages[i].word)) continue;
        pages[i].print(table, VERBS, stdout);
        return 0;
    }
    if (v) return 0;
    const char *names[VERBS];
    for (int i = 0; i < VERBS; i++) names[i] = table[i]->name;
    const char *near = nearest_word(word, names, VERBS);
    fprintf(stderr, "heed: unknown verb \"%s\"%s%s%s\nSee: heed --help\n", word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return 2;
}

int main(int argc, char **argv)
{
    heed_error error = {0};
    standard_streams_hold();
    int status = run(argc, argv);
    if (status != 0 || output_flush()) return status;
    output_failed(&error);
    fprintf(stderr, "heed: %s\n", error.message);
    return 1;
}
