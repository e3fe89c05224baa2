/* cgroup.c: reads /proc/self/cgroup and /proc/self/mountinfo (cgroup.h). Source: cgroups(7) and
   proc_pid_mountinfo(5) of the Linux manual pages. */
#define _GNU_SOURCE
#include "base/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 8192, PATH_BYTES = 4096 };

/* The state of one visit: what is searched for, and the line of /proc/self/cgroup being handled. */
typedef struct search {
    const char *root, *controller;
    heed_cgroup_visitor *visitor;
    void *argument;
    bool unified;
    const char *path; /* the path of the process's group, from the root of its hierarchy */
    /* whether mountinfo lists a mount of the hierarchy */
    bool mounted;
} search;

bool heed_cgroup_read(const char *folder, const char *name, char *text, size_t capacity)
{
    char path[PATH_BYTES + 64];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = length > 0 && (size_t)length < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return false;
    size_t found = 0;
    ssize_t count = 1;
    while (count > 0 && found < capacity - 1) {
        count = read(file, text + found, capacity - 1 - found);
        if (count > 0) found += (size_t)count;
    }
    close(file);
    text[found] = 0;
    return found > 0;
}

/* Calls `call` with every line of a file below the root, without its line feed. Lines that are too
   long for the buffer are skipped. */
static void each_line(search *s, const char *name, void (*call)(search *s, char *line))
{
    char path[PATH_BYTES], line[LINE_BYTES];
    int length = snprintf(path, sizeof path, "%s%s", s->root, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "re") : NULL;
    if (!file) return;
    bool continued = false; /* whether the next bytes continue a line that was too long */
    while (fgets(line, sizeof line, file)) {
        size_t end = strcspn(line, "\n");
        bool complete = line[end] == '\n';
        line[end] = 0;
        if (!continued && complete) call(s, line);
        continued = !complete;
    }
    fclose(file);
}

/* Returns whether a comma-separated list contains a word. */
static bool lists(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list;; at++) {
        size_t found = strcspn(at, ",");
        if (found == length && strncmp(at, word, length) == 0) return true;
        at += found;
        if (!*at) return false;
    }
}

/* Decodes the escapes of mountinfo, where blanks and some other bytes are written as a backslash
   and three octal digits. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        unsigned code;
        bool escaped = from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1;
        *to = escaped ? (char)code : *from;
        from += escaped ? 4 : 1;
    }
    *to = 0;
}

/* Returns the part of the group's path that lies below the root of a mount. Returns "" if the group
   lies elsewhere, because the mount then shows only its own root. */
static const char *below(const char *path, const char *mount_root)
{
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    bool inside = strncmp(path, mount_root, length) == 0 && (path[length] == '/' || !path[length]);
    if (!inside || strstr(path, "/..")) return "";
    return strcmp(path + length, "/") == 0 ? "" : path + length;
}

/* Visits the folder `relative` below a mount point, then its parents up to the mount point. */
static void walk_up(const search *s, const char *point, const char *relative)
{
    char folder[PATH_BYTES];
    int length = snprintf(folder, sizeof folder, "%s%s%s", s->root, point, relative);
    if (length < 0 || (size_t)length >= sizeof folder) return;
    size_t top = strlen(s->root) + strlen(point);
    for (;;) {
        s->visitor(s->argument, folder, s->unified);
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= top || !slash) return;
        *slash = 0;
    }
}

/* Handles one line of mountinfo: if it mounts the hierarchy being searched for, visits its groups.
   The fields of a line are: id, parent, device, root, mount point, options, optional fields, "-",
   type, source, options. */
static void try_mount(search *s, char *line)
{
    char *fields[64];
    int count = 0, dash = 0;
    for (char *save = NULL, *word = strtok_r(line, " ", &save); word && count < 64;
         word = strtok_r(NULL, " ", &save)) {
        if (strcmp(word, "-") == 0 && !dash) dash = count;
        fields[count++] = word;
    }
    if (dash < 6 || count < dash + 4) return;
    bool fits = s->unified ? strcmp(fields[dash + 1], "cgroup2") == 0
                           : strcmp(fields[dash + 1], "cgroup") == 0 &&
                                 lists(fields[dash + 3], s->controller);
    if (!fits) return;
    unescape(fields[3]);
    unescape(fields[4]);
    s->mounted = true;
    walk_up(s, fields[4], below(s->path, fields[3]));
}

/* Handles one line of /proc/self/cgroup, "4:cpu,cpuacct:/path" in version 1 and "0::/path" in
   version 2. If mountinfo lists no mount of the hierarchy, the usual folder is tried. */
static void try_group(search *s, char *line)
{
    char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
    if (!path) return;
    *path++ = 0;
    list++;
    s->unified = !*list;
    if (!s->unified && !lists(list, s->controller)) return;
    s->path = path;
    s->mounted = false;
    each_line(s, "/proc/self/mountinfo", try_mount);
    if (s->mounted) return;
    char point[64] = "/sys/fs/cgroup";
    if (!s->unified) snprintf(point, sizeof point, "/sys/fs/cgroup/%s", s->controller);
    walk_up(s, point, below(path, "/"));
}

void heed_cgroup_visit(const char *root, const char *controller, heed_cgroup_visitor *visitor,
                       void *argument)
{
    search s = {.root = root, .controller = controller, .visitor = visitor, .argument = argument};
    each_line(&s, "/proc/self/cgroup", try_group);
}
