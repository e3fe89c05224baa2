/* hub.c: looks names up in the Hugging Face cache (hub.h).

   The layout is that of the Python package huggingface_hub:
     HUB/models--OWNER--MODEL/refs/main                 the commit that "main" was at
     HUB/models--OWNER--MODEL/snapshots/COMMIT/         the files of that commit
   HUB is $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
   ~/.cache/huggingface/hub. */
#include "hub.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096 };

/* Writes a path. Returns false if it is too long. */
static bool join(char path[PATH_BYTES], const char *folder, const char *rest)
{
    int length = snprintf(path, PATH_BYTES, "%s%s", folder, rest);
    return length >= 0 && length < PATH_BYTES;
}

/* Writes the folder HUB. Returns false if no variable of the environment says where it is. */
static bool hub_folder(char path[PATH_BYTES])
{
    static const struct {
        const char *variable, *rest;
    } places[] = {
        {"HF_HUB_CACHE", ""},
        {"HUGGINGFACE_HUB_CACHE", ""},
        {"HF_HOME", "/hub"},
        {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *folder = getenv(places[i].variable);
        if (folder && *folder) return join(path, folder, places[i].rest);
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* Returns whether this may be a name on the hub: MODEL or OWNER/MODEL, not the name of a file. */
static bool is_hub_name(const char *name)
{
    static const char *const files[] = {".gguf", ".json", ".safetensors", ".model", ".txt"};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (ends_with(name, files[i])) return false;
    size_t first = strspn(name, letters);
    if (!first || *name == '.') return false;
    if (!name[first]) return true;
    const char *model = name + first + 1;
    return name[first] == '/' && *model && *model != '.' && !model[strspn(model, letters)];
}

/* Writes the folder of a model, HUB/models--OWNER--MODEL. Returns false if it is too long. */
static bool model_folder(const char *hub, const char *name, char path[PATH_BYTES])
{
    size_t owner = strcspn(name, "/");
    int length = 0;
    if (name[owner])
        length = snprintf(path, PATH_BYTES, "%s/models--%.*s--%s", hub, (int)owner, name,
                          name + owner + 1);
    else length = snprintf(path, PATH_BYTES, "%s/models--%s", hub, name);
    return length >= 0 && length < PATH_BYTES;
}

/* Writes the folder of the snapshot that refs/main names. Returns false if there is none. */
static bool snapshot_folder(const char *folder, char path[PATH_BYTES])
{
    char commit[80] = "", begin[PATH_BYTES];
    struct stat found;
    FILE *file = join(path, folder, "/refs/main") ? fopen(path, "re") : NULL;
    if (!file) return false;
    if (!fgets(commit, sizeof commit, file)) commit[0] = 0;
    fclose(file);
    commit[strcspn(commit, " \r\n")] = 0;
    return *commit && !strchr(commit, '/') && join(begin, folder, "/snapshots/") &&
           join(path, begin, commit) && stat(path, &found) == 0;
}

/* Replaces a snapshot that has no config.json by its GGUF file. If it has several, fails with the
   first of them as an example. HEED_E_ARG. */
static heed_status choose_gguf(const char *name, char path[PATH_BYTES], heed_error *error)
{
    char config[PATH_BYTES], first[NAME_MAX + 2] = "", whole[PATH_BYTES];
    struct stat found;
    size_t count = 0;
    if (!join(config, path, "/config.json") || stat(config, &found) == 0) return HEED_OK;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (!ends_with(entry->d_name, ".gguf")) continue;
        if (!count || strcmp(entry->d_name, first + 1) < 0)
            snprintf(first, sizeof first, "/%s", entry->d_name);
        count++;
    }
    if (folder) closedir(folder);
    if (!count || !join(whole, path, first)) return HEED_OK;
    if (count > 1)
        return heed_fail(error, HEED_E_ARG, "%s: it has %zu GGUF files: name one of them, as in %s",
                         name, count, whole);
    memcpy(path, whole, sizeof whole);
    return HEED_OK;
}

heed_status heed_cli_hub_find(const char **model, heed_cli_text_list *paths, heed_error *error)
{
    char hub[PATH_BYTES], folder[PATH_BYTES], snapshot[PATH_BYTES];
    const char *name = *model;
    struct stat found;
    if (!name || stat(name, &found) == 0 || !is_hub_name(name)) return HEED_OK;
    if (!hub_folder(hub) || !model_folder(hub, name, folder)) return HEED_OK;
    if (snapshot_folder(folder, snapshot)) {
        heed_status status = choose_gguf(name, snapshot, error);
        if (status == HEED_OK)
            status = heed_cli_text_list_add(paths, snapshot, strlen(snapshot), error);
        if (status == HEED_OK) *model = paths->items[paths->count - 1];
        return status;
    }
    if (stat(folder, &found) == 0)
        return heed_fail(error, HEED_E_IO,
                         "%s: no such file or folder; the Hugging Face cache has %s, but its "
                         "refs/main names no snapshot that is there: download it again",
                         name, folder);
    return heed_fail(error, HEED_E_IO,
                     "%s: no such file or folder, and the Hugging Face cache has no such model: "
                     "%s is not there; check the name, or download the model: hf download %s",
                     name, folder, name);
}
