/* manual.c: prints help, man page and completion (manual.h). */
#include "manual.h"

#include "aliases.h"

#include <heed/heed.h>
#include <string.h>

enum { HELP_COLUMN = 32, HELP_WIDTH = 100, ALIASES_TEXT = 256, HELP_TEXT = 1024 };

static const char *const exit_words =
    "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";
static const char *const other_names =
    "Names of options in transformers and llama.cpp work too (\"Also:\" in a command's help);\n"
    "an underscore counts as a hyphen.";
static const char *const streams = "Data goes to stdout, everything else to stderr.";
static const struct {
    const char *name, *help;
} environment[] = {
    {"OMP_NUM_THREADS", "Threads, when -t does not say."},
    {"HEED_ISA",
     "generic, avx2 or avx512: the instruction set to use instead of the machine's best."},
    {"NO_COLOR, CI", "When set, no color and no progress bars."}};
static const char *const first_steps =
    "  heed train --data my.txt --out run --tokenizer char --layers 4 --d-model 128 --heads 4 "
    "--context 128 --max-steps 1000\n"
    "  heed generate -m run -p \"Once\" -n 200 --temp 0.8\n"
    "  heed info MODEL-FOLDER\n";

/* The defaults, for the man page. tests/cli/test_defaults.sh tests each of them. */
static const struct {
    const char *name, *text;
} defaults[] = {
    {"Where they come from",
     "Options, then generation_config.json or, without that file, the same keys of config.json "
     "(for a GGUF file, its keys general.sampling), then this list."},
    {"Choice of tokens",
     "The likeliest token each time, unless do_sample is set in the model's files or --temp is "
     "above 0."},
    {"top_k", "Off: every token can be drawn. transformers draws among 50."},
    {"Length", "To the end of sequence or of the context. transformers ends at a max_length of 20. "
               "max_length counts the prompt, -n and max_new_tokens do not."},
    {"Seed", "The clock in seconds for generation, 1 for training. Equal seeds give equal results, "
             "whatever the threads and whatever else is in the batch."},
    {"Penalties", "--repeat-penalty counts the tokens of the prompt too, as transformers does; "
                  "--presence-penalty "
                  "and --frequency-penalty count new tokens alone."},
    {"Beams",
     "They end when no hypothesis can become better (early_stopping false); scores are divided "
     "by the length (length_penalty 1)."},
    {"Stop strings",
     "A stop string counts in the new text alone. transformers also ends at one that begins in "
     "the prompt."},
    {"Control tokens",
     "A control token spelled in a prompt or a message, such as <|eot|>, becomes that token, "
     "as in transformers: check the text of strangers. heed tokenize --no-special leaves those "
     "of GGUF files as text, as llama.cpp does."},
    {"Beginning of text",
     "heed generate and heed eval --text add the tokens that the tokenizer adds. heed chat "
     "reads what the chat template writes and adds no beginning of text, as transformers does; "
     "add_bos_token of a GGUF file has no effect there, unlike in llama.cpp. heed eval "
     "--choices adds none without --special."},
    {"Context",
     "A prompt longer than the context is an error; --truncate keeps its end. heed chat leaves "
     "out the oldest messages and says so; --keep-all makes that an error."},
    {"Numbers",
     "Weights as stored; matmuls, sums, keys and values in f32. transformers computes in the "
     "type of the files, llama.cpp keeps keys and values in f16 (--cache f16)."},
    {"Threads", "OMP_NUM_THREADS, else all processors within the container's quota."}};

/* ---- help ---- */

/* Prints `text` in lines of at most HELP_WIDTH columns; a line feed begins a line too. The cursor
   is at column `indent`, where every further line begins. */
static void put_wrapped(FILE *file, const char *text, int indent)
{
    int column = indent;
    for (const char *word = text; *word;) {
        const int length = (int)strcspn(word, " \n");
        const bool line_feed = word > text && word[-1] == '\n';
        if (line_feed || (column > indent && column + 1 + length > HELP_WIDTH)) {
            fprintf(file, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(file, "%s%.*s", column > indent ? " " : "", length, word);
        word += length + (int)strspn(word + length, " \n");
    }
    fputc('\n', file);
}

/* Writes an option as in "-m, --model MODEL" or "--stop TEXT..."; returns `text`. */
static const char *option_text(const heed_cli_option *o, char text[96])
{
    char letter[8] = "", value[48] = "";
    const char *more = o->kind == HEED_CLI_LIST ? "..." : "";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    if (o->value) snprintf(value, sizeof value, " %s%s", o->value, more);
    snprintf(text, 96, "%s--%s%s", letter, o->name, value);
    return text;
}

/* Returns the next alias of an option, or NULL at the end. *at begins as 0. */
static const heed_cli_alias *next_alias_of(const heed_cli_command *command,
                                           const heed_cli_option *o, size_t *at)
{
    const heed_cli_alias *alias;
    while ((alias = heed_cli_alias_next(command, at)))
        if (!strcmp(alias->name, o->name)) return alias;
    return NULL;
}

/* Writes the names of other programs for an option, as in "Also: --lr."; "" if there are none. */
static const char *aliases_text(const heed_cli_command *command, const heed_cli_option *o,
                                char text[ALIASES_TEXT])
{
    const heed_cli_alias *alias;
    size_t used = 0;
    text[0] = 0;
    for (size_t at = 0; (alias = next_alias_of(command, o, &at));) {
        const char *before = used ? ", " : "Also: ";
        const char *value = alias->suffix ? " N" : "";
        int length = snprintf(text + used, ALIASES_TEXT - used, "%s--%s%s", before, alias->spelling,
                              value);
        if (length < 0 || (size_t)length >= ALIASES_TEXT - used) break;
        used += (size_t)length;
    }
    if (used && used + 2 <= ALIASES_TEXT) memcpy(text + used, ".", 2);
    return text;
}

void heed_cli_manual_help(const heed_cli_command *command, FILE *file)
{
    const heed_cli_option *o;
    char text[96], help[HELP_TEXT], also[ALIASES_TEXT];
    bool first = true;
    fprintf(file, "heed %s - %s\n\nUsage: heed %s %s\n\n", command->name, command->summary,
            command->name, command->arguments);
    put_wrapped(file, command->description, 0);
    fprintf(file, "\n%s\n", command->examples);
    for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));
         first = false) {
        if (o->kind == HEED_CLI_HEADING) {
            fprintf(file, "%s%s:\n", first ? "" : "\n", o->help);
            continue;
        }
        if (first) fprintf(file, "Options:\n");
        int column = fprintf(file, "  %s%s", o->letter ? "" : "    ", option_text(o, text));
        if (column >= HELP_COLUMN) fprintf(file, "\n%*s", HELP_COLUMN, "");
        else fprintf(file, "%*s", HELP_COLUMN - column, "");
        snprintf(help, sizeof help, "%s %s", o->help, aliases_text(command, o, also));
        put_wrapped(file, help, HELP_COLUMN);
    }
    fprintf(file, "  -h, --help                    Print this page.\n");
}

void heed_cli_manual_overview(const heed_cli_command *const *commands, size_t count, FILE *file)
{
    fprintf(file,
            "heed %s - Transformers in C: train, run and inspect them, from the Hugging Face "
            "directory as it is.\n\n"
            "Usage: heed COMMAND [options]      heed COMMAND --help explains one\n\n",
            heed_version());
    for (size_t i = 0; i < count; i++)
        fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(file, "\nFirst steps:\n%s\n%s\n%s %s\n", first_steps, other_names, streams, exit_words);
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
        fprintf(file, "%s%-16s ", i ? "             " : "Environment: ", environment[i].name);
        fprintf(file, "%s\n", environment[i].help);
    }
    fprintf(file, "heed --man prints the man page, heed --completion the completion for bash "
                  "(source <(heed --completion)).\n");
}

/* ---- man page ---- */

/* Prints text as roff: backslashes and hyphens are escaped, and no line begins with a request. */
static void put_roff(FILE *file, const char *text)
{
    bool begins = true;
    for (const char *c = text; *c; c++) {
        if (begins && (*c == '.' || *c == '\'')) fputs("\\&", file);
        if (*c == '\\') fputs("\\e", file);
        else if (*c == '-') fputs("\\-", file);
        else fputc(*c, file);
        begins = *c == '\n';
    }
    if (!begins) fputc('\n', file);
}

/* Prints a roff macro such as "SS" or "B" with its text. */
static void put_macro(FILE *file, const char *macro, const char *text)
{
    fprintf(file, ".%s ", macro);
    put_roff(file, text);
}

/* Prints lines that roff must not fill. */
static void put_example(FILE *file, const char *text)
{
    fputs(".PP\n.nf\n", file);
    put_roff(file, text);
    fputs(".fi\n", file);
}

/* Prints the section of a command. */
static void put_command(FILE *file, const heed_cli_command *command)
{
    const heed_cli_option *o;
    char text[96], also[ALIASES_TEXT];
    snprintf(text, sizeof text, "heed %s - %s", command->name, command->summary);
    put_macro(file, "SS", text);
    fprintf(file, ".B heed %s\n", command->name);
    put_roff(file, command->arguments);
    fputs(".PP\n", file);
    put_roff(file, command->description);
    put_example(file, command->examples);
    for (heed_cli_option_walk walk = {.command = command}; (o = heed_cli_option_next(&walk));) {
        if (o->kind == HEED_CLI_HEADING) {
            fputs(".PP\n", file);
            put_macro(file, "I", o->help);
            continue;
        }
        fputs(".TP\n", file);
        put_macro(file, "B", option_text(o, text));
        put_roff(file, o->help);
        put_roff(file, aliases_text(command, o, also));
    }
}

void heed_cli_manual_page(const heed_cli_command *const *commands, size_t count, FILE *file)
{
    fprintf(file,
            ".TH HEED 1 \"\" \"heed %s\" \"User Commands\"\n.SH NAME\nheed \\- Transformers in C: "
            "train, run and inspect them\n"
            ".SH SYNOPSIS\n.B heed\n.I COMMAND\n[options]\n.SH DESCRIPTION\n",
            heed_version());
    put_roff(file, "One program for the life of a Transformer: it reads a Hugging Face directory "
                   "as it is and writes the same layout back.");
    put_roff(file, other_names);
    put_roff(file, streams);
    put_example(file, first_steps);
    fputs(".SH COMMANDS\n", file);
    for (size_t i = 0; i < count; i++) put_command(file, commands[i]);
    fputs(".SH DEFAULTS\n", file);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
        fputs(".TP\n", file);
        put_macro(file, "B", defaults[i].name);
        put_roff(file, defaults[i].text);
    }
    fputs(".SH ENVIRONMENT\n", file);
    for (size_t i = 0; i < sizeof environment / sizeof *environment; i++) {
        fputs(".TP\n", file);
        put_macro(file, "B", environment[i].name);
        put_roff(file, environment[i].help);
    }
    fputs(".SH EXIT STATUS\n", file);
    put_roff(file, exit_words);
}

/* ---- completion ---- */

void heed_cli_manual_completion(const heed_cli_command *const *commands, size_t count, FILE *file)
{
    const heed_cli_option *o;
    fprintf(file, "# bash completion of heed: source <(heed --completion)\n_heed() {\n  local "
                  "word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options=\n"
                  "  if [ $COMP_CWORD -eq 1 ]; then COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; i < count; i++) fprintf(file, "%s ", commands[i]->name);
    fprintf(
        file,
        "--help --version --man --completion\" -- \"$word\")); return; fi\n  case $command in\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "  %s) options=\"", commands[i]->name);
        for (heed_cli_option_walk walk = {.command = commands[i]};
             (o = heed_cli_option_next(&walk));)
            if (o->kind != HEED_CLI_HEADING) fprintf(file, "--%s ", o->name);
        fprintf(file, "--help\" ;;\n");
    }
    fprintf(file, "  esac\n  case $word in -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) "
                  ";; *) COMPREPLY=($(compgen -f -- \"$word\")) ;; esac\n}\n"
                  "complete -o filenames -F _heed heed\n");
}
