/* --profile: where time went, as a table for people. */
#include "api/transformer.h"

#include "base/buffer.h"
#include <stdlib.h>

heed_status heed_transformer_profile(heed_transformer *t, bool on, heed_error *error)
{
    (void)error;
    t->profiling = on;
    return HEED_OK;
}

typedef struct { const char *op, *kernel; double seconds, flops, bytes; int64_t runs; } total;

static int by_time(const void *a, const void *b)
{
    double x = ((const total *)a)->seconds, y = ((const total *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

heed_status heed_transformer_profile_text(heed_transformer *t, char **text, heed_error *error)
{
    enum { MOST = 128 };
    total totals[MOST];
    size_t count = 0;
    double all = 0;
    for (size_t i = 0; i < t->profile.count; i++) {
        const heed_profile_line *line = &t->profile.lines[i];
        size_t at = 0;
        while (at < count && (totals[at].op != line->op || totals[at].kernel != line->kernel)) at++;
        if (at == MOST) continue;
        if (at == count) totals[count++] = (total){.op = line->op, .kernel = line->kernel};
        totals[at].seconds += line->seconds, totals[at].flops += line->flops, totals[at].bytes += line->bytes, totals[at].runs += line->runs;
        all += line->seconds;
    }
    qsort(totals, count, sizeof *totals, by_time);
    heed_buffer out = {0};
    heed_buffer_printf(&out, "%-24s %-34s %9s %9s %7s %9s %9s\n", "op", "kernel", "runs", "ms", "share", "GFLOP/s", "GB/s");
    for (size_t i = 0; i < count; i++)
        heed_buffer_printf(&out, "%-24s %-34s %9lld %9.2f %6.1f%% %9.2f %9.2f\n", totals[i].op, totals[i].kernel, (long long)totals[i].runs,
                           1e3 * totals[i].seconds, all > 0 ? 100 * totals[i].seconds / all : 0,
                           totals[i].seconds > 0 ? 1e-9 * totals[i].flops / totals[i].seconds : 0,
                           totals[i].seconds > 0 ? 1e-9 * totals[i].bytes / totals[i].seconds : 0);
    if (out.failed) {
        heed_buffer_free(&out);
        return heed_fail_memory(error, 4096, "the profile");
    }
    *text = out.data;
    return HEED_OK;
}
