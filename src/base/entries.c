/* entries.c: visits the entries of a folder (entries.h). */
#include "base/entries.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Appends the names in `folder` to `text`, each with its NUL, and counts them. */
static heed_status read_names(const char *folder, heed_buffer *text, size_t *count,
                              heed_error *error)
{
    DIR *stream = opendir(folder);
    if (!stream) return heed_fail_system(error, "open the folder", folder);
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        heed_buffer_append(text, entry->d_name, strlen(entry->d_name) + 1);
        ++*count;
    }
    closedir(stream);
    return text->failed ? heed_fail_memory(error, text->length, folder) : HEED_OK;
}

/* Calls `visit` for each name. Entries that vanished meanwhile are skipped. */
static heed_status visit_names(const char *folder, const char *const *names, size_t count,
                               heed_entry_visit *visit, void *context, heed_error *error)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; i < count && status == HEED_OK; i++) {
        struct stat information;
        char *path = heed_path_join(folder, names[i]);
        if (!path) status = heed_fail_memory(error, strlen(folder) + 256, folder);
        else if (lstat(path, &information) == 0)
            status = visit(context, folder, names[i], path, &information, error);
        free(path);
    }
    return status;
}

heed_status heed_for_each_entry(const char *folder, heed_entry_visit *visit, void *context,
                                heed_error *error)
{
    heed_buffer text = {0};
    size_t count = 0, at = 0;
    heed_status status = read_names(folder, &text, &count, error);
    const char **names = status == HEED_OK ? heed_allocate(count + 1, sizeof *names) : NULL;
    if (status == HEED_OK && !names)
        status = heed_fail_memory(error, count * sizeof *names, folder);
    for (size_t i = 0; names && i < count; i++, at += strlen(text.data + at) + 1)
        names[i] = text.data + at;
    if (names) {
        qsort(names, count, sizeof *names, compare_names);
        status = visit_names(folder, names, count, visit, context, error);
    }
    free(names);
    heed_buffer_free(&text);
    return status;
}
