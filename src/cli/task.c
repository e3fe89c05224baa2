#include "task.h"

#include "interrupt.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers of commands ---- */

json_t *number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

bool is_utf8(const char *text, size_t length)
{
    json_t *string = json_stringn(text, length);
    json_decref(string);
    return string != NULL;
}

heed_status task_print_json(task *t, json_t *object, size_t flags)
{
    bool ok = object && json_dumpf(object, stdout, flags) == 0;
    json_decref(object);
    putchar('\n');
    return ok || ferror(stdout)
               ? HEED_OK
               : heed_fail(&t->error, HEED_E_NOMEM, "out of memory for the output");
}

static void show(void *unit, int64_t done, int64_t total)
{
    progress_show(total ? (double)done / (double)total : 0, "%lld of %lld %s", (long long)done,
                  (long long)total, (const char *)unit);
}

heed_hooks task_hooks(const char *unit)
{
    return (heed_hooks){.progress = show, .cancelled = interrupted, .argument = (void *)unit};
}

heed_status task_generation(task *t, int64_t count, heed_generation_options *how)
{
    heed_generation_preset(how);
    how->max_new_tokens = count;
    return sampling_apply(&t->sampling, how, &t->sampling_words, &t->error);
}

heed_status task_note_idle(task *t, const heed_generation_options *how)
{
    char *notes = NULL;
    heed_status status = heed_transformer_idle_options(t->transformer, how, &notes, &t->error);
    if (notes) fputs(notes, stderr);
    heed_free(notes);
    return status;
}

/* ---- the run ---- */

static int check(task *t)
{
    const command *v = t->command;
    size_t taken = 0;
    if ((v->shares & (COMMAND_MODEL | COMMAND_MODEL_MAYBE)) && !t->model &&
        t->words.positional.count) {
        t->model = t->words.positional.items[taken++];
        if (!option_list_add(&t->words.given, "model")) return 1;
    }
    if (t->words.positional.count > taken)
        return usage_error(v, "unexpected \"%s\"", t->words.positional.items[taken]);
    if ((v->shares & COMMAND_COMPUTES) && (t->threads < 0 || t->threads > 256))
        return usage_error(v, "-t %lld: expected 1 to 256 threads", (long long)t->threads);
    if (t->dump && strcmp(t->dump, "text") && strcmp(t->dump, "dot"))
        return usage_error(v, "--dump %s: expected text or dot", t->dump);
    int wrong = v->check ? v->check(t) : 0;
    if (!wrong && (v->shares & COMMAND_MODEL) && !t->model)
        return usage_error(v, "expected -m MODEL");
    return wrong ? wrong : options_check_rules(v, &t->words);
}

static void write_trace(void *argument, const char *text)
{
    fputs(text, ((task *)argument)->trace_file);
}

static void write_dump(void *argument, const char *text)
{
    (void)argument;
    progress_end();
    fputs(text, stderr);
}

static void print_note(void *argument, const char *text)
{
    note("heed %s: %s", ((task *)argument)->command->name, text);
}

static heed_status prepare(task *t)
{
    unsigned shares = t->command->shares;
    file_limit_is_an_error();
    interrupt_listen(shares & COMMAND_STOPS);
    static const heed_hooks stop = {.cancelled = interrupted};
    t->load.hooks = shares & COMMAND_STOPS ? &stop : NULL;
    heed_observer_options observer = {
        .profile = t->profile,
        .nan_guard = t->nan_guard,
        .no_passes = t->no_passes,
        .trace = t->trace ? write_trace : NULL,
        .dump = t->dump ? write_dump : NULL,
        .dot = t->dump && !strcmp(t->dump, "dot"),
        .argument = t,
    };
    heed_status status = HEED_OK;
    t->load.note = print_note;
    t->load.note_argument = t;
    if (t->trace && !(t->trace_file = strcmp(t->trace, "-") ? fopen(t->trace, "we") : stderr))
        status = heed_fail(&t->error, HEED_E_IO, "%s: cannot open for the trace: %s", t->trace,
                           strerror(errno));
    if (status == HEED_OK && (shares & COMMAND_COMPUTES))
        status = heed_context_new(&t->context,
                                  &(heed_context_options){.threads = (int)t->threads,
                                                          .reference = t->reference,
                                                          .observer = &observer},
                                  &t->error);
    if (t->context && heed_context_note(t->context))
        note("heed %s: %s", t->command->name, heed_context_note(t->context));
    if (status == HEED_OK && (shares & COMMAND_LOADS) && t->model)
        status = heed_transformer_load_with(&t->transformer, t->context, t->model, &t->load,
                                            &t->error);
    return status;
}

/* Whatever was printed goes out before an error is told. A stdout that has failed is the error to
   tell, unless a signal ended the task: what else went wrong follows from it. */
static heed_status report(task *t, heed_status status)
{
    char *profile = NULL;
    if (!output_flush() && !interrupt_asked()) {
        t->error = (heed_error){0};
        return output_failed(&t->error);
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

static void release(task *t)
{
    const option *o;
    if (t->command->finish) t->command->finish(t);
    for (option_walk walk = {.command = t->command}; (o = option_next(&walk));)
        if (o->kind == OPTION_LIST || o->kind == OPTION_PAIR)
            option_list_free((option_list *)((char *)t + o->offset));
    if (t->trace_file && t->trace_file != stderr) fclose(t->trace_file);
    sampling_free(&t->sampling_words);
    heed_transformer_free(t->transformer);
    heed_context_free(t->context);
    option_list_free(&t->words.positional);
    option_list_free(&t->words.given);
    free(t);
}

int command_run(const command *v, int argc, char **argv)
{
    task *t = calloc(1, v->bytes);
    bool helped = false;
    int exit_status = 2;
    if (!t) {
        fprintf(stderr, "heed: out of memory\n");
        return 1;
    }
    t->command = v;
    sampling_preset(&t->sampling);
    if (v->preset) v->preset(t);
    if (options_parse(v, t, argc, argv, &t->words, &helped)) exit_status = helped ? 0 : check(t);
    if (exit_status == 0 && !helped) {
        heed_status status = prepare(t);
        if (status == HEED_OK) status = v->run(t);
        progress_end();
        status = report(t, status);
        if (status != HEED_OK) exit_status = report_error(v->name, &t->error);
    }
    release(t);
    return exit_status;
}
