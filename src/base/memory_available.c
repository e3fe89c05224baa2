/* How much memory is to be had: /proc/meminfo and the control groups above this process. */
#include "base/memory.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 8192, PATH_BYTES = 1024 };

/* The beginning of a small file of the kernel's, with a NUL behind it; false when it cannot be read. */
static bool read_text(const char *path, char text[TEXT_BYTES])
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    size_t length = 0;
    ssize_t count;
    while (length < TEXT_BYTES - 1 && (count = read(descriptor, text + length, TEXT_BYTES - 1 - length)) > 0) length += (size_t)count;
    close(descriptor);
    text[length] = 0;
    return length > 0;
}

/* The number behind `key` at the beginning of a line, SIZE_MAX when there is none ("max" included). */
static size_t number_behind(const char *text, const char *key)
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

static size_t number_in(const char *folder, const char *name, const char *key)
{
    char path[PATH_BYTES + 64], text[TEXT_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_text(path, text) ? number_behind(text, key) : SIZE_MAX;
}

/* Where the two versions of control groups keep their figures. */
typedef struct group_kind { const char *line, *root, *limit, *usage, *inactive; } group_kind;
static const group_kind group_kinds[] = {
    {"0::", "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "},
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
};

/* What the group of this folder leaves: its limit less its use, where file pages not in use do not count. */
static size_t left_in_group(const group_kind *kind, const char *folder)
{
    size_t limit = number_in(folder, kind->limit, ""), usage = number_in(folder, kind->usage, "");
    if (limit == SIZE_MAX || usage == SIZE_MAX) return SIZE_MAX;
    size_t inactive = number_in(folder, "memory.stat", kind->inactive);
    if (inactive != SIZE_MAX) usage -= inactive < usage ? inactive : usage;
    return limit > usage ? limit - usage : 0;
}

/* The least that any group from this process's own up to the root leaves. */
static size_t left_in_groups(const group_kind *kind, const char *groups)
{
    const char *line = strstr(groups, kind->line);
    if (!line) return SIZE_MAX;
    line += strlen(kind->line);
    char folder[PATH_BYTES];
    size_t root = strlen(kind->root);
    snprintf(folder, sizeof folder, "%s%.*s", kind->root, (int)strcspn(line, "\n"), line);
    size_t least = SIZE_MAX;
    for (;;) {
        size_t left = left_in_group(kind, folder);
        if (left < least) least = left;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= root || !slash) return least;
        *slash = 0;
    }
}

size_t heed_memory_available(void)
{
    char text[TEXT_BYTES];
    size_t least = SIZE_MAX, kilobytes;
    if (read_text("/proc/meminfo", text) && (kilobytes = number_behind(text, "MemAvailable:")) < SIZE_MAX / 1024) least = kilobytes * 1024;
    if (!read_text("/proc/self/cgroup", text)) return least;
    for (size_t i = 0; i < sizeof group_kinds / sizeof group_kinds[0]; i++) {
        size_t left = left_in_groups(&group_kinds[i], text);
        if (left < least) least = left;
    }
    return least;
}
