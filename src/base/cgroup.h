/* cgroup.h: the control groups that limit this process, in both versions of the interface. */
#ifndef HEED_BASE_CGROUP_H
#define HEED_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* Called with the folder of a group. unified: its files are those of version 2. */
typedef void heed_cgroup_visitor(void *argument, const char *folder, bool unified);

/* Visits each group with `controller` ("cpu", "memory") from this process's own up to the root of
   its mount, as /proc/self/cgroup and /proc/self/mountinfo below `root` ("" for this machine) say.
   A group may have no limit, and its folder may be missing. */
void heed_cgroup_visit(const char *root, const char *controller, heed_cgroup_visitor *visitor,
                       void *argument);

/* Reads the beginning of a small file "folder/name" with a NUL after it; false when that fails. */
bool heed_cgroup_read(const char *folder, const char *name, char *text, size_t capacity);

#endif
