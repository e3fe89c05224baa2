/* cgroup.h: finds the Linux control groups (versions 1 and 2) that limit this process. */
#ifndef HEED_BASE_CGROUP_H
#define HEED_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* Called with the folder of a group. `unified` says that its files are those of version 2. */
typedef void heed_cgroup_visitor(void *argument, const char *folder, bool unified);

/* Visits every group of `controller` ("cpu", "memory"), from the group of this process up to the
   root of its mount. The groups come from /proc/self/cgroup and /proc/self/mountinfo under `root`,
   which is "" except in tests. A visited group may have no limit, and its folder may be missing. */
void heed_cgroup_visit(const char *root, const char *controller, heed_cgroup_visitor *visitor,
                       void *argument);

/* Reads at most capacity - 1 bytes of the file "folder/name" into `text` and appends a NUL. Returns
   false if the file cannot be opened or is empty. */
bool heed_cgroup_read(const char *folder, const char *name, char *text, size_t capacity);

#endif
