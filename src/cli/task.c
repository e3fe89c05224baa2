/* task.c: runs a command from its words to its exit status (task.h). */
#include "task.h"

#include "hub.h"
#include "interrupt.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers of commands ---- */

/* Draws the progress bar of a task; fits heed_hooks.progress. */
static void show(void *unit, int64_t done, int64_t total)
{
    heed_cli_progress_show(total ? (double)done / (double)total : 0, "%lld of %lld %s",
                           (long long)done, (long long)total, (const char *)unit);
}

heed_hooks heed_cli_task_hooks(const char *unit)
{
    return (heed_hooks){
        .progress = show, .cancelled = heed_cli_interrupted, .argument = (void *)unit};
}

heed_status heed_cli_task_generation(heed_cli_task *t, heed_optional_int count,
                                     heed_generation_options *how)
{
    heed_status status = heed_cli_sampling_apply(&t->sampling, how, &t->sampling_words, &t->error);
    how->max_new_tokens = count;
    return status;
}

heed_status heed_cli_task_note_idle(heed_cli_task *t, const heed_generation_options *how)
{
    char *notes = NULL;
    heed_status status = heed_transformer_idle_options(t->transformer, how, &notes, &t->error);
    if (notes) fputs(notes, stderr);
    heed_free(notes);
    return status;
}

/* ---- the run ---- */

/* Takes MODEL from the words and checks all options. Returns 0 or an exit status after a message.
   */
static int check(heed_cli_task *t)
{
    const heed_cli_command *command = t->command;
    size_t taken = 0;
    if ((command->shares & (HEED_CLI_MODEL | HEED_CLI_MODEL_MAYBE)) && !t->model &&
        t->words.positional.count) {
        t->model = t->words.positional.items[taken++];
        if (!heed_cli_option_list_add(&t->words.given, "model")) return 1;
    }
    if (t->words.positional.count > taken)
        return heed_cli_usage_error(command, "unexpected \"%s\"", t->words.positional.items[taken]);
    if ((command->shares & HEED_CLI_COMPUTES) && (t->threads < 0 || t->threads > 256))
        return heed_cli_usage_error(command, "-t %lld: expected 1 to 256 threads",
                                    (long long)t->threads);
    if (t->dump && strcmp(t->dump, "text") && strcmp(t->dump, "dot"))
        return heed_cli_usage_error(command, "--dump %s: expected text or dot", t->dump);
    int wrong = command->check ? command->check(t) : 0;
    if (!wrong && (command->shares & HEED_CLI_MODEL) && !t->model)
        return heed_cli_usage_error(command, "expected -m MODEL");
    return wrong ? wrong : heed_cli_options_check_rules(command, &t->words);
}

static void write_trace(void *argument, const char *text)
{
    fputs(text, ((heed_cli_task *)argument)->trace_file);
}

static void write_dump(void *argument, const char *text)
{
    (void)argument;
    heed_cli_progress_end();
    fputs(text, stderr);
}

static void print_note(void *argument, const char *text)
{
    heed_cli_note("heed %s: %s", ((heed_cli_task *)argument)->command->name, text);
}

/* Opens the file of --trace. */
static heed_status open_trace(heed_cli_task *t)
{
    if (!t->trace) return HEED_OK;
    t->trace_file = strcmp(t->trace, "-") ? fopen(t->trace, "we") : stderr;
    if (t->trace_file) return HEED_OK;
    return heed_fail(&t->error, HEED_E_IO, "%s: cannot open for the trace: %s", t->trace,
                     strerror(errno));
}

/* Makes the context with what is to be observed, and prints its note. */
static heed_status make_context(heed_cli_task *t)
{
    heed_observer_options observer = {
        .profile = t->profile,
        .nan_guard = t->nan_guard,
        .no_passes = t->no_passes,
        .dot = t->dump && !strcmp(t->dump, "dot"),
        .argument = t,
    };
    if (t->trace) observer.trace = write_trace;
    if (t->dump) observer.dump = write_dump;
    heed_context_options how = {
        .threads = (int)t->threads, .reference = t->reference, .observer = &observer};
    heed_status status = heed_context_new(&t->context, &how, &t->error);
    const char *text = status == HEED_OK ? heed_context_note(t->context) : NULL;
    if (text) heed_cli_note("heed %s: %s", t->command->name, text);
    return status;
}

/* Prepares what the run of a command needs: signals, the trace, the context, the model. */
static heed_status prepare(heed_cli_task *t)
{
    static const heed_hooks stop = {.cancelled = heed_cli_interrupted};
    unsigned shares = t->command->shares;
    heed_cli_ignore_file_limit_signal();
    heed_cli_interrupt_listen(shares & HEED_CLI_STOPS);
    t->load.hooks = shares & HEED_CLI_STOPS ? &stop : NULL;
    t->load.note = print_note;
    t->load.note_argument = t;
    heed_status status = heed_cli_hub_find(&t->model, &t->words.made, &t->error);
    if (status == HEED_OK) status = open_trace(t);
    if (status == HEED_OK && (shares & HEED_CLI_COMPUTES)) status = make_context(t);
    if (status == HEED_OK && (shares & HEED_CLI_LOADS) && t->model)
        status = heed_transformer_load(&t->transformer, t->context, t->model, &t->load, &t->error);
    return status;
}

/* Flushes what was printed before an error is reported. If stdout has failed, that is the error to
   report, unless a signal ended the task: any other error is a consequence. */
static heed_status report(heed_cli_task *t, heed_status status)
{
    char *profile = NULL;
    if (!heed_cli_output_flush() && !heed_cli_interrupt_asked()) {
        t->error = (heed_error){0};
        return heed_cli_output_failed(&t->error);
    }
    if (status != HEED_OK) return status;
    if (t->trace_file && (fflush(t->trace_file) != 0 || ferror(t->trace_file)))
        return heed_fail(&t->error, HEED_E_IO, "%s: cannot write the trace: %s", t->trace,
                         strerror(errno));
    if (!t->profile) return HEED_OK;
    status = heed_context_profile(t->context, &profile, &t->error);
    if (status == HEED_OK) fputs(profile, stderr);
    heed_free(profile);
    return status;
}

/* Frees the task with everything in it. */
static void release(heed_cli_task *t)
{
    const heed_cli_option *o;
    if (t->command->finish) t->command->finish(t);
    for (heed_cli_option_walk walk = {.command = t->command}; (o = heed_cli_option_next(&walk));)
        if (o->kind == HEED_CLI_LIST || o->kind == HEED_CLI_PAIR)
            heed_cli_option_list_free((heed_cli_option_list *)((char *)t + o->offset));
    if (t->trace_file && t->trace_file != stderr) fclose(t->trace_file);
    heed_cli_sampling_free(&t->sampling_words);
    heed_transformer_free(t->transformer);
    heed_context_free(t->context);
    heed_cli_option_list_free(&t->words.positional);
    heed_cli_option_list_free(&t->words.given);
    heed_cli_text_list_free(&t->words.made);
    free(t);
}

int heed_cli_task_run(const heed_cli_command *command, int argc, char **argv)
{
    heed_cli_task *t = calloc(1, command->bytes);
    bool helped = false;
    int exit_status = 2;
    if (!t) {
        fprintf(stderr, "heed: out of memory\n");
        return 1;
    }
    t->command = command;
    if (command->preset) command->preset(t);
    if (heed_cli_options_parse(command, t, argc, argv, &t->words, &helped))
        exit_status = helped ? 0 : check(t);
    if (exit_status == 0 && !helped) {
        heed_status status = prepare(t);
        if (status == HEED_OK) status = command->run(t);
        heed_cli_progress_end();
        status = report(t, status);
        if (status != HEED_OK) exit_status = heed_cli_report_error(command->name, &t->error);
    }
    release(t);
    return exit_status;
}
