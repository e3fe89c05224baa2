/* heed chat: holds a conversation, line by line, at a terminal or through a pipe. */
#include "interrupt.h"
#include "line_input.h"
#include "params.h"
#include "suggest.h"
#include "task.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    heed_cli_task task;
    const char *system, *template_file, *load, *save, *message;
    heed_optional_int count;
    int64_t context;
    bool keep_all;
    heed_cli_option_list stop;
    heed_chat *chat;
    heed_line_file *input; /* stdin, if it is read through the library */
    bool quit;             /* /quit was given */
    bool changed;          /* the conversation has changed since it was saved */
    bool warned;           /* the user knows that it cannot be saved */
} chat_task;

static const heed_cli_option options[] = {
    HEED_CLI_OPTION(chat_task, system, "system", 0, HEED_CLI_ANY_TEXT, "TEXT", "System prompt."),
    HEED_CLI_OPTION(chat_task, message, "prompt", 'p', HEED_CLI_ANY_TEXT, "TEXT",
                    "Say this, print the answer, end."),
    HEED_CLI_OPTION(chat_task, count, "n", 'n', HEED_CLI_NATURAL, "N",
                    "New tokens of an answer at most (default: as many as fit)."),
    HEED_CLI_OPTION(chat_task, context, "context", 'c', HEED_CLI_COUNT, "T",
                    "Positions of the conversation (default: the model's context)."),
    HEED_CLI_OPTION(
        chat_task, keep_all, "keep-all", 0, HEED_CLI_FLAG, NULL,
        "When the conversation no longer fits: an error instead of leaving out the oldest "
        "messages."),
    HEED_CLI_OPTION(
        chat_task, template_file, "template", 0, HEED_CLI_TEXT, "FILE|NAME",
        "Chat template: a Jinja file, or one of the model's templates by name (default: "
        "the one called default)."),
    HEED_CLI_OPTION(chat_task, load, "load", 0, HEED_CLI_TEXT, "FILE",
                    "Go on with a saved conversation; --system replaces its system prompt."),
    HEED_CLI_OPTION(chat_task, save, "save", 0, HEED_CLI_TEXT, "FILE",
                    "Save the conversation there, after each turn."),
    HEED_CLI_OPTION(chat_task, stop, "stop", 0, HEED_CLI_LIST, "TEXT",
                    "End an answer when this text comes; it is not printed."),
    {0}};

static void print_text(void *argument, size_t prompt, size_t number, const char *text,
                       size_t length)
{
    (void)argument;
    (void)prompt;
    (void)number;
    fwrite(text, 1, length, stdout);
    heed_cli_output_flush();
}

/* ---- a message ---- */

/* Prints notes about a turn: what was left out, why the answer ended, how fast it was. */
static void report_turn(const heed_turn *turn)
{
    double writing = turn->seconds - turn->prompt_seconds;
    if (turn->dropped)
        heed_cli_note(
            "heed chat: the conversation no longer fits: its %zu oldest messages were left out",
            turn->dropped);
    if (!strcmp(turn->finish, "context"))
        heed_cli_note("heed chat: the answer ended because the context of %zu tokens is full",
                      turn->context);
    if (!strcmp(turn->finish, "length"))
        heed_cli_note("heed chat: the answer ended at the number of tokens asked for");
    if (!heed_cli_line_input_is_live() || turn->new_tokens < 2 || writing <= 0) return;
    heed_cli_note(
        "[%zu tokens, %.1f a second; %zu of %zu positions used, %zu recomputed in %.2f s]",
        turn->new_tokens, (double)(turn->new_tokens - 1) / writing,
        turn->prompt_tokens + turn->new_tokens, turn->context,
        turn->prompt_tokens - turn->kept_tokens, turn->prompt_seconds);
}

/* Ends the line of a streamed answer, or prints the turn as JSON. */
static heed_status print_turn(chat_task *values, const heed_turn *turn)
{
    if (values->task.json) {
        json_t *object = json_pack(
            "{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "text", turn->text, "finish", turn->finish,
            "prompt_tokens", (json_int_t)turn->prompt_tokens, "kept_tokens",
            (json_int_t)turn->kept_tokens, "new_tokens", (json_int_t)turn->new_tokens, "dropped",
            (json_int_t)turn->dropped, "prompt_seconds",
            heed_cli_number_or_null(turn->prompt_seconds), "seconds",
            heed_cli_number_or_null(turn->seconds));
        return heed_cli_print_json(object, JSON_COMPACT, &values->task.error);
    }
    putchar('\n');
    return HEED_OK;
}

/* Says a message to the model and prints the answer. */
static heed_status say(chat_task *values, const char *message)
{
    heed_generation_options how;
    heed_turn turn = {0};
    heed_hooks hooks = {.text = values->task.json ? NULL : print_text,
                        .cancelled = heed_cli_interrupted};
    heed_status status = heed_cli_task_generation(&values->task, values->count, &how);
    how.stop = values->stop.items;
    how.stop_count = values->stop.count;
    if (status == HEED_OK)
        status = heed_chat_say(values->chat, message, &how, &hooks, &turn, &values->task.error);
    values->changed |= status == HEED_OK;
    if (status == HEED_OK) status = print_turn(values, &turn);
    heed_cli_output_flush(); /* a program at the other end of a pipe waits for the whole line */
    if (status == HEED_OK) report_turn(&turn);
    heed_free(turn.text);
    return status;
}

/* ---- commands: `rest` is the line after the command's name ---- */

static heed_status show_help(chat_task *values, char *rest);

static heed_status set_system(chat_task *values, char *rest)
{
    heed_status status = heed_chat_set_system(values->chat, rest, &values->task.error);
    values->changed |= status == HEED_OK;
    if (status == HEED_OK)
        heed_cli_note(*rest ? "The system prompt is set." : "There is no system prompt now.");
    return status;
}

static heed_status reset(chat_task *values, char *rest)
{
    (void)rest;
    values->changed = true;
    heed_cli_note("The conversation begins again.");
    return heed_chat_reset(values->chat, &values->task.error);
}

static heed_status save(chat_task *values, char *rest)
{
    if (!*rest) return heed_fail(&values->task.error, HEED_E_ARG, "/save FILE: expected a file");
    heed_status status = heed_chat_save(values->chat, rest, &values->task.error);
    if (status == HEED_OK) heed_cli_note("Saved %zu messages.", heed_chat_count(values->chat));
    return status;
}

static heed_status load(chat_task *values, char *rest)
{
    if (!*rest) return heed_fail(&values->task.error, HEED_E_ARG, "/load FILE: expected a file");
    heed_status status = heed_chat_load(values->chat, rest, &values->task.error);
    values->changed |= status == HEED_OK;
    if (status == HEED_OK) heed_cli_note("Loaded %zu messages.", heed_chat_count(values->chat));
    return status;
}

static heed_status show_text(chat_task *values, char *rest)
{
    char *text = NULL;
    (void)rest;
    heed_status status = heed_chat_text(values->chat, &text, &values->task.error);
    if (status == HEED_OK) heed_cli_note("%s", text);
    heed_free(text);
    return status;
}

static heed_status params(chat_task *values, char *rest)
{
    return heed_cli_params_command(&values->task, values->chat, rest);
}

static heed_status quit(chat_task *values, char *rest)
{
    (void)rest;
    values->quit = true;
    return HEED_OK;
}

static const struct {
    const char *name, *arguments, *help;
    heed_status (*run)(chat_task *values, char *rest);
} commands[] = {
    {"/help", "", "this list", show_help},
    {"/system", "[TEXT]", "set the system prompt; without text: none", set_system},
    {"/reset", "", "begin the conversation again", reset},
    {"/save", "FILE", "save the conversation", save},
    {"/load", "FILE", "go on with a saved conversation", load},
    {"/params", "[NAME VALUE]", "show or set how tokens are chosen", params},
    {"/show", "", "the conversation as the model reads it", show_text},
    {"/quit", "", "end (also Ctrl-D)", quit},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static heed_status show_help(chat_task *values, char *rest)
{
    (void)values;
    (void)rest;
    for (int i = 0; i < COMMANDS; i++)
        heed_cli_note("  %-8s %-13s %s", commands[i].name, commands[i].arguments, commands[i].help);
    heed_cli_note("  A line that begins with // is said with one slash. Ctrl-C ends an answer.");
    return HEED_OK;
}

/* Runs a line that begins with a slash. HEED_E_ARG for an unknown command. */
static heed_status obey(chat_task *values, char *line)
{
    size_t name = strcspn(line, " ");
    const char *names[COMMANDS];
    char suggestion[HEED_CLI_SUGGESTION];
    for (int i = 0; i < COMMANDS; i++) {
        names[i] = commands[i].name;
        if (strlen(commands[i].name) == name && !strncmp(commands[i].name, line, name))
            return commands[i].run(values, line + name + strspn(line + name, " "));
    }
    line[name] = 0;
    heed_cli_suggest(suggestion, "", line, names, COMMANDS);
    return heed_fail(&values->task.error, HEED_E_ARG, "%.60s: no such command%s (/help lists them)",
                     line, suggestion);
}

/* ---- keeping the conversation ---- */

/* Writes the conversation to --save if it has changed. */
static heed_status save_changes(chat_task *values, heed_error *error)
{
    if (!values->save || !values->changed) return HEED_OK;
    heed_status status = heed_chat_save(values->chat, values->save, error);
    values->changed = status != HEED_OK;
    return status;
}

/* Returns whether saving again replaces what was saved before. If not, because `path` is stdout, a
   pipe or a device, the conversation is written once, at the end. */
static bool is_replaced(const char *path)
{
    struct stat found;
    bool open_file = !strcmp(path, "-") || !strncmp(path, "/dev/", 5) ||
                     !strncmp(path, "/proc/", 6);
    return !open_file && (stat(path, &found) != 0 || S_ISREG(found.st_mode));
}

/* Saves after a turn. A failure is reported once, since the next turn tries again. */
static void save_turn(chat_task *values)
{
    heed_error error = {0};
    if (!values->save || !is_replaced(values->save)) return;
    if (save_changes(values, &error) == HEED_OK) {
        values->warned = false;
        return;
    }
    if (!values->warned)
        heed_cli_note("heed chat: %s; the conversation goes on, and the next turn tries again",
                      error.message);
    values->warned = true;
}

/* Keeps a conversation that cannot be written to --save in a new temporary file. */
static void rescue(const chat_task *values)
{
    const char *folder = getenv("TMPDIR");
    char path[512];
    heed_error error = {0};
    if (!folder || !*folder) folder = "/tmp";
    int length = snprintf(path, sizeof path, "%s/heed-chat-XXXXXX.json", folder);
    int file = length > 0 && (size_t)length < sizeof path ? mkstemps(path, 5) : -1;
    if (file >= 0) close(file);
    if (file >= 0 && heed_chat_save(values->chat, path, &error) == HEED_OK) {
        heed_cli_note("heed chat: the conversation is kept in %s: --load goes on from there", path);
        return;
    }
    if (file >= 0) unlink(path);
    heed_cli_note("heed chat: the conversation could not be kept in %s either, it is lost", folder);
}

/* Saves the conversation if it has changed since the last turn was saved. Returns `status`, or the
   error of saving if `status` is HEED_OK. */
static heed_status save_at_end(chat_task *values, heed_status status)
{
    heed_error error = {0};
    heed_status saved = save_changes(values, &error);
    if (saved == HEED_OK) return status;
    rescue(values);
    if (status == HEED_OK) return heed_fail(&values->task.error, saved, "%s", error.message);
    heed_cli_note("heed chat: %s", error.message);
    return status;
}

/* ---- the conversation ---- */

/* Decides what happens after an error. At a terminal it is reported and the conversation goes on;
   otherwise it ends the program. */
static heed_status settle(chat_task *values, heed_status status)
{
    if (status == HEED_OK || status == HEED_E_CANCELLED || !heed_cli_line_input_is_live())
        return status;
    heed_cli_report_error("chat", &values->task.error);
    values->task.error = (heed_error){0};
    return HEED_OK;
}

/* Obeys or answers one line. A blank line is skipped. */
static heed_status take_line(chat_task *values, char *line)
{
    heed_status status = HEED_OK;
    if (line[0] == '/' && line[1] != '/') status = obey(values, line);
    else if (line[strspn(line, " \t")]) status = say(values, line[0] == '/' ? line + 1 : line);
    save_turn(values);
    return settle(values, status);
}

/* Returns whether the conversation ends. At a terminal, Ctrl-C only ends an answer. Any other
   signal, and Ctrl-C elsewhere, ends the program. */
static bool is_over(const chat_task *values)
{
    bool asked = heed_cli_interrupted(NULL) &&
                 (!heed_cli_line_input_is_live() || heed_cli_interrupt_is_final());
    return values->quit || asked;
}

/* Reads lines and answers them until the conversation ends. */
static heed_status converse(chat_task *values)
{
    heed_status status = HEED_OK;
    if (values->message) return say(values, values->message);
    if (heed_cli_line_input_is_live())
        heed_cli_note("Talk to the model; /help lists commands, /quit ends.");
    while (status == HEED_OK && !is_over(values)) {
        char *line = NULL;
        status = heed_cli_line_input_read(&values->input, "> ", &line, &values->task.error);
        if (!line && status == HEED_OK) break;
        if (line) status = take_line(values, line);
        else if (status != HEED_E_IO) status = settle(values, status);
        free(line);
        if (heed_cli_line_input_is_live()) heed_cli_interrupt_forget();
    }
    return status;
}

/* Prints notes about options that have no effect. */
static heed_status note_idle(chat_task *values)
{
    heed_generation_options how;
    heed_status status = heed_cli_task_generation(&values->task, values->count, &how);
    if (status == HEED_OK) status = heed_cli_task_note_idle(&values->task, &how);
    return status;
}

static heed_status run(heed_cli_task *t)
{
    chat_task *values = (chat_task *)t;
    heed_chat_options how = {
        .template_file = values->template_file,
        .system = values->system,
        .context = values->context,
        .keep_all = values->keep_all,
    };
    heed_status status = values->save ? heed_output_check(values->save, &t->error) : HEED_OK;
    if (status == HEED_OK) status = heed_chat_new(&values->chat, t->transformer, &how, &t->error);
    if (status == HEED_OK && values->load)
        status = heed_chat_load(values->chat, values->load, &t->error);
    if (status == HEED_OK && values->load && values->system)
        status = heed_chat_set_system(values->chat, values->system, &t->error);
    if (status == HEED_OK) status = note_idle(values);
    if (status != HEED_OK) return status;
    values->changed = true;
    status = save_at_end(values, converse(values));
    /* Ctrl-C ends an answer. If no answer is being written, or no other can follow, it ends the
       program. */
    if (status == HEED_OK && heed_cli_interrupted(NULL))
        status = heed_fail(&t->error, HEED_E_CANCELLED, "interrupted");
    return status;
}

static void finish(heed_cli_task *t)
{
    heed_chat_free(((chat_task *)t)->chat);
    heed_lines_close(((chat_task *)t)->input);
}

const heed_cli_command heed_cli_command_chat = {
    .name = "chat",
    .arguments = "-m MODEL [--system TEXT] [-p TEXT]",
    .summary = "a conversation, by the model's own chat template",
    .description = "Each line is a message; answers go to stdout, everything else to stderr, so "
                   "that a pipe works too. What was read stays in "
                   "the cache: a turn reads only what is new. When the conversation no longer "
                   "fits, the oldest messages are left out, which is said.",
    .examples = "  heed chat -m model --system \"Be brief.\" --temp 0.7\n  printf 'Hello!\\nTell "
                "me more.\\n' | heed chat -m model --temp 0\n",
    .options = options,
    .shares = HEED_CLI_MODEL | HEED_CLI_COMPUTES | HEED_CLI_LOADS | HEED_CLI_SAMPLES |
              HEED_CLI_JSON | HEED_CLI_STOPS,
    .bytes = sizeof(chat_task),
    .run = run,
    .finish = finish};
