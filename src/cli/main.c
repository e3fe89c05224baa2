/* The program: finds the command, hands over. Commands stand in commands.def, each in a file of its
   own. */
#include "interrupt.h"
#include "manual.h"
#include "task.h"

#include <string.h>

#define HEED_COMMAND(name) extern const command command_##name;
#include "commands.def"
#undef HEED_COMMAND

static const command *const table[] = {
#define HEED_COMMAND(name) &command_##name,
#include "commands.def"
#undef HEED_COMMAND
};
enum { COMMANDS = sizeof table / sizeof *table };

static void print_version(const command *const *commands, size_t count, FILE *file)
{
    (void)commands, (void)count;
    fprintf(file, "heed %s\n", heed_version());
}

/* Words that are no command. */
static const struct {
    const char *word;
    void (*print)(const command *const *commands, size_t count, FILE *file);
} pages[] = {
    {"--help", manual_overview},         {"-h", manual_overview},    {"help", manual_overview},
    {"--version", print_version},        {"version", print_version}, {"--man", manual_page},
    {"--completion", manual_completion},
};

static const command *find_verb(const char *word)
{
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(word, table[i]->name)) return table[i];
    return NULL;
}

static int run(int argc, char **argv)
{
    bool about = argc > 2 && !strcmp(argv[1], "help"); /* heed help COMMAND */
    const char *word = argc > 1 ? argv[about ? 2 : 1] : NULL;
    if (!word) {
        manual_overview(table, COMMANDS, stderr);
        return 2;
    }
    const command *v = find_verb(word);
    if (v && about) manual_help(v, stdout);
    else if (v) return command_run(v, argc - 2, argv + 2);
    for (size_t i = 0; !v && i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(word, pages[i].word)) continue;
        pages[i].print(table, COMMANDS, stdout);
        return 0;
    }
    if (v) return 0;
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++) names[i] = table[i]->name;
    const char *near = nearest_word(word, names, COMMANDS);
    fprintf(stderr, "heed: unknown command \"%s\"%s%s%s\nSee: heed --help\n", word,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
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
