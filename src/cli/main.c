/* main.c: finds the command and runs it. commands.def lists the commands; each has its own file. */
#include "aliases.h"
#include "interrupt.h"
#include "manual.h"
#include "suggest.h"
#include "task.h"

#include <string.h>

#define HEED_CLI_COMMAND(name) extern const heed_cli_command heed_cli_command_##name;
#include "commands.def"
#undef HEED_CLI_COMMAND

static const heed_cli_command *const table[] = {
#define HEED_CLI_COMMAND(name) &heed_cli_command_##name,
#include "commands.def"
#undef HEED_CLI_COMMAND
};
enum { COMMANDS = sizeof table / sizeof *table };

static void print_version(const heed_cli_command *const *commands, size_t count, FILE *file)
{
    (void)commands;
    (void)count;
    fprintf(file, "heed %s\n", heed_version());
}

/* The first words that print a page instead of running a command. */
static const struct {
    const char *word;
    void (*print)(const heed_cli_command *const *commands, size_t count, FILE *file);
} pages[] = {
    {"--help", heed_cli_manual_overview},
    {"-h", heed_cli_manual_overview},
    {"help", heed_cli_manual_overview},
    {"--version", print_version},
    {"-V", print_version},
    {"version", print_version},
    {"--man", heed_cli_manual_page},
    {"--completion", heed_cli_manual_completion},
};

static const heed_cli_command *find_command(const char *word)
{
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(word, table[i]->name)) return table[i];
    return NULL;
}

/* Prints the page of a word such as --help. Returns false if there is none. */
static bool print_page(const char *word)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(word, pages[i].word)) continue;
        pages[i].print(table, COMMANDS, stdout);
        return true;
    }
    return false;
}

/* Says that there is no command `word`, with what to type instead. */
static void print_unknown(const char *word)
{
    const char *names[COMMANDS], *hint = heed_cli_command_hint(word);
    char suggestion[HEED_CLI_SUGGESTION];
    for (int i = 0; i < COMMANDS; i++) names[i] = table[i]->name;
    heed_cli_suggest(suggestion, "", word, names, COMMANDS);
    if (hint) snprintf(suggestion, sizeof suggestion, "; %s", hint);
    fprintf(stderr, "heed: unknown command \"%s\"%s\nSee: heed --help\n", word, suggestion);
}

/* Runs the command or prints the page that the words name. Returns the exit status. */
static int run(int argc, char **argv)
{
    if (argc < 2) {
        heed_cli_manual_overview(table, COMMANDS, stderr);
        return 2;
    }
    bool about = argc > 2 && !strcmp(argv[1], "help"); /* heed help COMMAND */
    const char *word = about ? argv[2] : argv[1];
    const heed_cli_command *command = find_command(word);
    if (command && !about) return heed_cli_task_run(command, argc - 2, argv + 2);
    if (command) {
        heed_cli_manual_help(command, stdout);
        return 0;
    }
    if (print_page(word)) return 0;
    print_unknown(word);
    return 2;
}

int main(int argc, char **argv)
{
    heed_error error = {0};
    heed_cli_open_standard_streams();
    int status = run(argc, argv);
    if (status != 0 || heed_cli_output_flush()) return status;
    heed_cli_output_failed(&error);
    fprintf(stderr, "heed: %s\n", error.message);
    return 1;
}
