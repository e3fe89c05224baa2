/* memory_available.c: finds how much memory is available, from /proc/meminfo and the control groups
   of this process (heed_memory_available). */
#include "base/cgroup.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 8192 };

/* Returns the number after `key` at the beginning of a line. Returns SIZE_MAX if there is none,
   which includes "max". */
static size_t number_after(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, length) != 0) continue;
        char *end;
        unsigned long long number = strtoull(line + length, &end, 10);
        return end == line + length ? SIZE_MAX : (size_t)number;
    }
    return SIZE_MAX;
}

/* Returns the number after `key` in the file "folder/name", SIZE_MAX if there is none. */
static size_t number_in(const char *folder, const char *name, const char *key)
{
    char text[TEXT_BYTES];
    return heed_cgroup_read(folder, name, text, sizeof text) ? number_after(text, key) : SIZE_MAX;
}

/* The files of the two versions of control groups, and the key in memory.stat. */
typedef struct group_kind {
    const char *limit, *usage, *inactive;
} group_kind;
static const group_kind group_kinds[2] = {
    {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
    {"memory.max", "memory.current", "inactive_file "},
};

/* Returns what the group of this folder leaves: its limit minus its usage. Inactive file pages do
   not count as used, because the kernel can reclaim them. */
static size_t left_in_group(const group_kind *kind, const char *folder)
{
    size_t limit = number_in(folder, kind->limit, ""), usage = number_in(folder, kind->usage, "");
    if (limit == SIZE_MAX || usage == SIZE_MAX) return SIZE_MAX;
    size_t inactive = number_in(folder, "memory.stat", kind->inactive);
    if (inactive != SIZE_MAX) usage -= inactive < usage ? inactive : usage;
    return limit > usage ? limit - usage : 0;
}

/* Visitor of groups: keeps the smallest remainder. */
static void take_smaller(void *argument, const char *folder, bool unified)
{
    size_t *least = argument, left = left_in_group(&group_kinds[unified], folder);
    if (left < *least) *least = left;
}

size_t heed_memory_available(void)
{
    char text[TEXT_BYTES];
    size_t least = SIZE_MAX, kilobytes;
    if (heed_cgroup_read("/proc", "meminfo", text, sizeof text) &&
        (kilobytes = number_after(text, "MemAvailable:")) < SIZE_MAX / 1024)
        least = kilobytes * 1024;
    heed_cgroup_visit("", "memory", take_smaller, &least);
    return least;
}
