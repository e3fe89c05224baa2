/* observer.c: the observer of the public interface. It writes traces and dumps as text and the
   profile as a table. */
#include "api/observer.h"

#include "api/speed.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- while plans are made and run ---- */

/* Passes the text of a step that has run to the caller. */
static void trace(void *argument, const heed_graph *graph, const heed_node *node,
                  const heed_kernel_args *args)
{
    const heed_observer_options *asked = &((heed_context *)argument)->asked;
    heed_buffer text = {0};
    heed_trace_text(graph, node, args, &text);
    asked->trace(asked->argument, text.failed ? "(no memory for this step)\n" : text.data);
    heed_buffer_free(&text);
}

/* Passes the text of a compiled graph to the caller. */
static void dump(void *argument, const heed_plan *plan)
{
    heed_context *context = argument;
    const heed_observer_options *asked = &context->asked;
    heed_buffer text = {0};
    if (asked->dot) heed_graph_dump_dot(heed_plan_graph(plan), &text);
    else {
        heed_graph_dump_text(heed_plan_graph(plan), &text);
        heed_plan_dump(plan, &text);
    }
    pthread_mutex_lock(&context->turn);
    asked->dump(asked->argument, text.failed ? "(no memory for this graph)\n" : text.data);
    pthread_mutex_unlock(&context->turn);
    heed_buffer_free(&text);
}

void heed_observer_begin(heed_context *context, const heed_observer_options *options)
{
    pthread_mutex_init(&context->turn, NULL);
    if (!options || !(options->profile || options->nan_guard || options->no_passes ||
                      options->trace || options->dump))
        return;
    context->asked = *options;
    context->observer = (heed_observer){
        .check_finite = options->nan_guard,
        .no_passes = options->no_passes,
        .argument = context,
        .turn = &context->turn,
    };
    if (options->dump) context->observer.compiled = dump;
    if (options->trace) context->observer.trace = trace;
    if (options->profile) context->observer.profile = &context->profile;
    context->backend->observer = &context->observer;
}

/* ---- the table ---- */

/* Compares lines for qsort: those with more seconds come first. */
static int by_time(const void *a, const void *b)
{
    double x = ((const heed_profile_line *)a)->seconds, y = ((const heed_profile_line *)b)->seconds;
    return (x < y) - (x > y);
}

/* Returns the type of number that most of the operations use. */
static const char *number_of(const double flops[HEED_NUMBERS])
{
    static const char *const names[HEED_NUMBERS] = {"f32", "bf16", "int8"};
    int most = 0;
    for (int n = 1; n < HEED_NUMBERS; n++)
        if (flops[n] > flops[most]) most = n;
    return names[most];
}

/* Appends a row of the table. `all` is the time of all rows, in seconds. */
static void put_line(heed_buffer *out, const heed_profile_line *line, const char *op,
                     const heed_peak *peak, double all)
{
    double seconds = line->seconds > 0 ? line->seconds : 1e-12;
    double bytes = line->bytes / seconds, flops = 0, share = 0, memory_share = 0;
    if (all > 0) share = 100 * line->seconds / all;
    if (peak->memory.measured) memory_share = 100 * bytes / peak->memory.all;
    for (int n = 0; n < HEED_NUMBERS; n++) flops += line->flops[n] / seconds;
    heed_buffer_printf(
        out, "%-26s %-28s %8lld %10.2f %6.1f%% %9.2f %-4s %5.0f%% %10.2f %8.2f %5.0f%%\n", op,
        line->kernel, (long long)line->runs, 1e3 * line->seconds, share, 1e-9 * flops,
        number_of(line->flops), 100 * heed_seconds_at_peak(line->flops, peak) / seconds,
        1e-6 * line->bytes, 1e-9 * bytes, memory_share);
}

heed_status heed_context_profile(heed_context *context, char **text, heed_error *error)
{
    heed_peak peak;
    heed_buffer out = {0};
    heed_profile_line sum = {.kernel = ""};
    *text = NULL;
    HEED_TRY(heed_context_peak(context, &peak, error));
    pthread_mutex_lock(&context->turn);
    heed_profile *profile = &context->profile;
    if (profile->count) qsort(profile->lines, profile->count, sizeof *profile->lines, by_time);
    for (size_t i = 0; i < profile->count; i++) {
        const heed_profile_line *line = &profile->lines[i];
        for (int n = 0; n < HEED_NUMBERS; n++) sum.flops[n] += line->flops[n];
        sum.seconds += line->seconds;
        sum.bytes += line->bytes;
        sum.runs += line->runs;
    }
    heed_buffer_printf(&out, "%-26s %-28s %8s %10s %7s %9s %-4s %6s %10s %8s %6s\n",
                       "op (+ steps on its rows)", "kernel", "runs", "ms", "share", "GFLOP/s", "in",
                       "peak", "MB", "GB/s", "peak");
    for (size_t i = 0; i < profile->count; i++) {
        char op[64];
        const heed_profile_line *line = &profile->lines[i];
        snprintf(op, sizeof op, line->more ? "%s +%d" : "%s", line->op, line->more);
        put_line(&out, line, op, &peak, sum.seconds);
    }
    put_line(&out, &sum, "all", &peak, sum.seconds);
    heed_buffer_printf(
        &out,
        "peak of %d thread%s, measured now: %.1f GFLOP/s in f32, %.1f in bf16, %.1f in int8; "
        "%.1f GB/s from memory (above 100%%: from the caches)\n",
        peak.threads, peak.threads == 1 ? "" : "s", 1e-9 * peak.f32.all, 1e-9 * peak.bf16.all,
        1e-9 * peak.int8.all, 1e-9 * peak.memory.all);
    pthread_mutex_unlock(&context->turn);
    if (!out.failed) *text = out.data;
    else heed_buffer_free(&out);
    return *text ? HEED_OK : heed_fail_memory(error, 4096, "the profile");
}
