/* cpu_threads.c: decides how many threads to use, from what the caller asks for, OMP_NUM_THREADS,
   the processors and the container's quota (cpu.h). */
#define _GNU_SOURCE
#include "base/cgroup.h"
#include "base/cpu.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 256, MOST_PROCESSORS = 1 << 18 };

/* Returns the number of processors in the affinity mask. The call fails if the given mask is
   smaller than the kernel's, so larger masks are tried. */
static int affine_processors(void)
{
    for (int most = CPU_SETSIZE; most <= MOST_PROCESSORS; most *= 2) {
        size_t bytes = CPU_ALLOC_SIZE(most);
        cpu_set_t *set = CPU_ALLOC(most);
        if (!set) return 1;
        bool found = sched_getaffinity(0, bytes, set) == 0;
        int count = found ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (found) return count < 1 ? 1 : count;
    }
    return 1;
}

/* Reads cpu.max of version 2, which is "QUOTA PERIOD" in microseconds, or "max PERIOD" for no
   limit. */
static bool read_unified(const char *folder, double *quota, double *period)
{
    char text[128];
    *period = 100000;
    return heed_cgroup_read(folder, "cpu.max", text, sizeof text) &&
           sscanf(text, "%lf %lf", quota, period) >= 1;
}

/* Reads the two files of version 1. A quota of -1 means no limit. */
static bool read_split(const char *folder, double *quota, double *period)
{
    char text[128];
    if (!heed_cgroup_read(folder, "cpu.cfs_quota_us", text, sizeof text) ||
        sscanf(text, "%lf", quota) != 1)
        return false;
    return heed_cgroup_read(folder, "cpu.cfs_period_us", text, sizeof text) &&
           sscanf(text, "%lf", period) == 1;
}

/* Visitor of groups: keeps the smallest quota divided by its period. */
static void take_smaller(void *argument, const char *folder, bool unified)
{
    double *least = argument, quota, period;
    bool found = unified ? read_unified(folder, &quota, &period)
                         : read_split(folder, &quota, &period);
    if (!found || !(quota > 0 && period > 0)) return;
    if (*least == 0 || quota / period < *least) *least = quota / period;
}

double heed_cpu_quota(const char *root)
{
    double least = 0;
    heed_cgroup_visit(root, "cpu", take_smaller, &least);
    return least;
}

/* Rounds a quota up to whole processors: a fraction of a processor still pays for a thread. */
static int quota_processors(double quota)
{
    return quota < MOST_PROCESSORS ? (int)ceil(quota - 1e-9) : MOST_PROCESSORS;
}

/* Returns the number of processors that this process may use. *quota is 0 if the quota does not
   limit them. */
static int usable_processors(double *quota)
{
    int affine = affine_processors();
    *quota = heed_cpu_quota("");
    int allowed = *quota > 0 ? quota_processors(*quota) : affine;
    if (allowed >= affine) {
        *quota = 0;
        return affine;
    }
    return allowed < 1 ? 1 : allowed;
}

int heed_processor_count(void)
{
    double quota;
    return usable_processors(&quota);
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t\n\v\f\r");
}

bool heed_thread_list_read(const char *text, int *first)
{
    bool begun = false;
    for (;; text++) {
        char *end;
        text = skip_blanks(text);
        if (*text < '0' || *text > '9') return false;
        errno = 0;
        long number = strtol(text, &end, 10);
        if (errno || number < 1 || number > INT_MAX) return false;
        if (!begun) *first = (int)number;
        begun = true;
        text = skip_blanks(end);
        if (!*text) return true;
        if (*text != ',') return false;
    }
}

/* Limits a number of threads to 1 to 256. */
static int clamp(int threads)
{
    if (threads < 1) return 1;
    return threads > MOST_THREADS ? MOST_THREADS : threads;
}

/* Copies the variable for a message: unprintable characters become '?', and a long text is cut and
   ends in "...". */
static void quote(char *to, size_t capacity, const char *text)
{
    size_t at = 0;
    for (; *text && at < capacity - 4; text++)
        to[at++] = *text >= ' ' && *text <= '~' ? *text : '?';
    strcpy(to + at, *text ? "..." : "");
}

void heed_threads_choose(heed_threads *threads, int wanted)
{
    const char *variable = getenv("OMP_NUM_THREADS");
    double quota;
    int listed, processors = usable_processors(&quota);
    *threads = (heed_threads){.processors = clamp(processors), .quota = quota};
    threads->wished = threads->processors;
    threads->why = quota > 0 ? HEED_THREADS_QUOTA : HEED_THREADS_PROCESSORS;
    if (wanted > 0) {
        threads->wished = clamp(wanted);
        threads->why = HEED_THREADS_ASKED;
    } else if (variable && heed_thread_list_read(variable, &listed)) {
        threads->wished = clamp(listed);
        threads->why = HEED_THREADS_ENVIRONMENT;
    } else if (variable) {
        char text[48];
        quote(text, sizeof text, variable);
        snprintf(threads->note, sizeof threads->note,
                 "OMP_NUM_THREADS is \"%s\", expected a whole number of at least 1, or several "
                 "with commas between: "
                 "all %d processors are used",
                 text, threads->processors);
    }
    threads->used = threads->wished < threads->processors ? threads->wished : threads->processors;
}

int heed_thread_count(int wanted)
{
    heed_threads threads;
    heed_threads_choose(&threads, wanted);
    return threads.wished;
}
