/* folder.c: takes output folders, and replaces their files in an order that survives a kill. */
#include "io/folder.h"

#include "base/entries.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/path.h"
#include "io/manifest.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `key` is the file without which the folder is not of its kind. It is removed first and moved
   last. */
static const struct {
    const char *name, *key;
} kinds[] = {[HEED_FOLDER_MODEL] = {"model", "config.json"},
             [HEED_FOLDER_TOKENIZER] = {"tokenizer", "tokenizer.json"}};

/* The files that heed wrote into a folder, by the manifests in it and in HEED_FOLDER_INCOMPLETE. */
typedef struct {
    json_t *lists[2];
    const char *kind;
} record;

static heed_status fail_path(const char *folder, heed_error *error)
{
    return heed_fail_memory(error, strlen(folder) + 256, folder);
}

/* ---- existing entries ---- */

/* Sets *there if the folder has an entry of this name. */
static heed_status find(const char *folder, const char *name, bool *there, heed_error *error)
{
    char *path = heed_path_join(folder, name);
    if (!path) return fail_path(folder, error);
    *there = heed_path_exists(path);
    free(path);
    return HEED_OK;
}

/* Reads the manifest of a folder. *list stays NULL if it is absent or not a manifest; the folder is
   then not heed's. */
static heed_status read_manifest(json_t **list, const char **kind, const char *folder,
                                 heed_error *error)
{
    heed_error problem = {0};
    json_t *json = NULL;
    char *path = heed_path_join(folder, HEED_FOLDER_MANIFEST);
    if (!path) return fail_path(folder, error);
    heed_status status = heed_path_exists(path) ? heed_json_read(&json, path, &problem) : HEED_OK;
    free(path);
    if (status == HEED_E_NOMEM) return heed_fail(error, status, "%s", problem.message);
    const char *said = json_string_value(json_object_get(json, "kind"));
    json_t *files = json_object_get(json, "files");
    for (size_t i = 0; said && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(said, kinds[i].name) != 0 || !json_is_object(files)) continue;
        *list = json_incref(files);
        *kind = kinds[i].name;
    }
    json_decref(json);
    return HEED_OK;
}

/* Reads both manifests; free the record in every case. */
static heed_status read_record(record *known, const char *path, heed_error *error)
{
    char *inside = heed_path_join(path, HEED_FOLDER_INCOMPLETE);
    if (!inside) return fail_path(path, error);
    heed_status status = read_manifest(&known->lists[0], &known->kind, path, error);
    if (status == HEED_OK) status = read_manifest(&known->lists[1], &known->kind, inside, error);
    free(inside);
    return status;
}

static void free_record(record *known)
{
    json_decref(known->lists[0]);
    json_decref(known->lists[1]);
}

/* What the manifests tell about a file. */
typedef enum { UNLISTED, CHANGED, UNCHANGED } file_state;

/* Sets *state for the file `name`, which is `path` and has `size` bytes: UNCHANGED if one of the
   manifests lists it as it is, CHANGED if they list it otherwise, UNLISTED if they do not list
   it. */
static heed_status find_recorded(const record *known, const char *name, const char *path,
                                 int64_t size, file_state *state, heed_error *error)
{
    *state = UNLISTED;
    for (int i = 0; i < 2 && *state != UNCHANGED; i++) {
        const json_t *value = json_object_get(known->lists[i], name);
        bool same = false;
        if (!value) continue;
        HEED_TRY(heed_manifest_matches(value, path, size, &same, error));
        *state = same ? UNCHANGED : CHANGED;
    }
    return HEED_OK;
}

/* Returns HEED_E_ARG for an entry that a commit would overwrite. */
static heed_status refuse(const char *folder, const char *name, const record *known,
                          file_state state, heed_error *error)
{
    if (state == CHANGED)
        return heed_fail(
            error, HEED_E_ARG,
            "%s: %s was changed after heed wrote it, and would be lost: choose another folder, or "
            "move the file away",
            folder, name);
    if (known->kind)
        return heed_fail(
            error, HEED_E_ARG,
            "%s: heed wrote a %s there, but not %s: choose another folder, or move it away", folder,
            known->kind, name);
    return heed_fail(
        error, HEED_E_ARG,
        "%s: the folder holds %s, which is not from an earlier output of this command: choose "
        "another folder, or empty this one",
        folder, name);
}

typedef struct {
    const heed_folder *folder;
    const char *inner; /* "" or the path below OUT that is checked */
    const record *known;
} check_job;

/* Refuses an entry of others. In a shared folder such an entry is refused only if a new one has its
   name. */
static heed_status check_foreign(const check_job *job, const char *inner, file_state state,
                                 heed_error *error)
{
    bool in_the_way = true;
    if (job->folder->shared) HEED_TRY(find(job->folder->inside, inner, &in_the_way, error));
    if (!in_the_way) return HEED_OK;
    return refuse(job->folder->path, inner, job->known, state, error);
}

/* Checks one entry of OUT: heed's own unchanged files are accepted, folders are checked inside. */
static heed_status check_entry(void *context, const char *above, const char *name, const char *path,
                               const struct stat *information, heed_error *error)
{
    (void)above;
    const check_job *job = context;
    const record *known = job->known;
    bool folder = S_ISDIR(information->st_mode), file = S_ISREG(information->st_mode);
    file_state state = UNLISTED;
    if (*job->inner == 0 && folder && strcmp(name, HEED_FOLDER_INCOMPLETE) == 0) return HEED_OK;
    if (*job->inner == 0 && file && strcmp(name, HEED_FOLDER_MANIFEST) == 0 && known->kind)
        return HEED_OK;
    char *inner = heed_path_join(job->inner, name);
    if (!inner) return fail_path(path, error);
    heed_status status = HEED_OK;
    check_job below = {job->folder, inner, known};
    if (folder && known->kind && !job->folder->shared)
        status = heed_for_each_entry(path, check_entry, &below, error);
    else {
        int64_t size = information->st_size;
        if (file) status = find_recorded(known, inner, path, size, &state, error);
        if (status == HEED_OK && state != UNCHANGED)
            status = check_foreign(job, inner, state, error);
    }
    free(inner);
    return status;
}

/* Returns HEED_OK if everything that a commit would replace is heed's own and of this kind. */
static heed_status check_entries(const heed_folder *folder, const record *known, heed_error *error)
{
    const char *kind = kinds[folder->kind].name;
    check_job job = {folder, "", known};
    if (known->kind && strcmp(known->kind, kind) != 0)
        return heed_fail(error, HEED_E_ARG,
                         "%s: heed wrote a %s there, not a %s: choose another folder, or remove "
                         "that one",
                         folder->path, known->kind, kind);
    return heed_for_each_entry(folder->path, check_entry, &job, error);
}

/* Returns HEED_E_ARG if `folder` is the run folder of a training. */
static heed_status check_no_run(const char *path, const char *folder, heed_error *error)
{
    bool options = false, log = false;
    HEED_TRY(find(folder, "run.json", &options, error));
    HEED_TRY(find(folder, "log.jsonl", &log, error));
    if (!options || !log) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "%s: %s is the folder of a training and keeps its checkpoints: choose a "
                     "folder outside of it",
                     path, folder);
}

heed_status heed_folder_check_above(const char *path, heed_error *error)
{
    char *real = NULL;
    HEED_TRY(heed_path_resolve(&real, path, error));
    heed_status status = HEED_OK;
    for (char *end = real + strlen(real); end && end > real && status == HEED_OK;
         end = strrchr(real, '/')) {
        *end = 0;
        status = check_no_run(path, real, error);
    }
    free(real);
    return status;
}

/* ---- putting files into place ---- */

typedef struct {
    const heed_folder *folder;
    const record *known;
} move_job;

/* Is this one of heed's own entries of the folder? */
static bool is_own(const char *name)
{
    return strcmp(name, HEED_FOLDER_MANIFEST) == 0 || strcmp(name, HEED_FOLDER_INCOMPLETE) == 0;
}

/* Removes an old file that is listed and unchanged, or an old folder unless OUT is shared. */
static heed_status remove_old(void *context, const char *above, const char *name, const char *path,
                              const struct stat *information, heed_error *error)
{
    (void)above;
    const move_job *job = context;
    file_state state;
    if (is_own(name)) return HEED_OK;
    if (S_ISDIR(information->st_mode))
        return job->folder->shared ? HEED_OK : heed_directory_remove(path, error);
    HEED_TRY(find_recorded(job->known, name, path, information->st_size, &state, error));
    if (state != UNCHANGED) return HEED_OK;
    return unlink(path) == 0 ? HEED_OK : heed_fail_system(error, "remove", path);
}

/* Removes the key file of the old folder. */
static heed_status remove_key(const heed_folder *folder, heed_error *error)
{
    char *key = heed_path_join(folder->path, kinds[folder->kind].key);
    if (!key) return fail_path(folder->path, error);
    bool gone = unlink(key) == 0 || errno == ENOENT;
    heed_status status = gone ? HEED_OK : heed_fail_system(error, "remove", key);
    free(key);
    return status;
}

/* Moves a file of `inside` to OUT. */
static heed_status move_up(const heed_folder *folder, const char *name, heed_error *error)
{
    char *from = heed_path_join(folder->inside, name), *to = heed_path_join(folder->path, name);
    heed_status status = from && to ? HEED_OK : fail_path(folder->path, error);
    if (status == HEED_OK && rename(from, to) != 0)
        status = heed_fail_system(error, "move into place", to);
    free(from);
    free(to);
    return status;
}

/* Moves a new file up, except the key file and heed's own entries. */
static heed_status move_new(void *context, const char *above, const char *name, const char *path,
                            const struct stat *information, heed_error *error)
{
    (void)above;
    (void)path;
    (void)information;
    const move_job *job = context;
    bool later = is_own(name) || strcmp(name, kinds[job->folder->kind].key) == 0;
    return later ? HEED_OK : move_up(job->folder, name, error);
}

/* Sets *none if every file that the manifest of `inside` lists is still there, so that no file was
   moved up yet. */
static heed_status find_moved(const heed_folder *folder, const record *known, bool *none,
                              heed_error *error)
{
    const char *name;
    json_t *size;
    *none = true;
    json_object_foreach(known->lists[1], name, size)
    {
        bool there = false;
        HEED_TRY(find(folder->inside, name, &there, error));
        *none &= there;
    }
    return HEED_OK;
}

/* Removes the old files and moves the new ones up from a sealed folder `inside`. A kill at any
   point leaves a state from which this can go on, because files are moved up only after all old
   ones are gone. */
static heed_status put_into_place(heed_folder *folder, const record *known, heed_error *error)
{
    const char *key = kinds[folder->kind].key;
    move_job job = {folder, known};
    bool none_moved = false, key_below = false;
    HEED_TRY(find_moved(folder, known, &none_moved, error));
    folder->moving = true;
    if (none_moved) {
        HEED_TRY(remove_key(folder, error));
        HEED_TRY(heed_for_each_entry(folder->path, remove_old, &job, error));
    }
    HEED_TRY(heed_for_each_entry(folder->inside, move_new, &job, error));
    HEED_TRY(find(folder->inside, key, &key_below, error));
    if (key_below) HEED_TRY(move_up(folder, key, error));
    HEED_TRY(move_up(folder, HEED_FOLDER_MANIFEST, error));
    HEED_TRY(heed_directory_remove(folder->inside, error));
    return heed_path_sync(folder->path, error);
}

/* Checks the existing entries, then puts a sealed folder `inside` into place. */
static heed_status replace(heed_folder *folder, heed_error *error)
{
    record known = {0};
    heed_status status = read_record(&known, folder->path, error);
    if (status == HEED_OK) status = check_entries(folder, &known, error);
    if (status == HEED_OK && known.lists[1]) status = put_into_place(folder, &known, error);
    free_record(&known);
    return status;
}

/* ---- taking a folder ---- */

heed_status heed_folder_check_name(const char *path, heed_error *error)
{
    struct stat information;
    bool entry = lstat(path, &information) == 0;
    if (strcmp(path, "-") == 0)
        return heed_fail(error, HEED_E_ARG,
                         "-: expected a folder, which standard output is not; one of that name is "
                         "./-");
    if (heed_path_is_directory(path)) return HEED_OK;
    if (heed_path_exists(path))
        return heed_fail(error, HEED_E_ARG,
                         "%s: expected a folder, found a file: choose another name", path);
    if (entry)
        return heed_fail(error, HEED_E_ARG,
                         "%s: a link to something that does not exist: choose another name, or "
                         "remove the link",
                         path);
    return HEED_OK;
}

/* Checks and locks the folder, completes the commit of a killed writer and makes an empty
   `inside`. */
static heed_status take(heed_folder *folder, heed_error *error)
{
    HEED_TRY(heed_folder_check_name(folder->path, error));
    HEED_TRY(heed_folder_check_above(folder->path, error));
    char *existing = heed_path_existing(folder->path, &folder->existed);
    if (!existing) return fail_path(folder->path, error);
    free(existing);
    HEED_TRY(heed_directory_make(folder->path, error));
    heed_status status;
    heed_buffer taken = {0};
    heed_buffer_printf(&taken, "%s is being written", folder->path);
    if (taken.failed) status = fail_path(folder->path, error);
    else status = heed_lock_take_folder(&folder->lock, folder->path, taken.data, error);
    heed_buffer_free(&taken);
    HEED_TRY(status);
    HEED_TRY(replace(folder, error)); /* completes a commit that was killed */
    folder->moving = false;
    folder->began = true;
    HEED_TRY(heed_directory_remove(folder->inside, error));
    return heed_directory_make(folder->inside, error);
}

heed_status heed_folder_open(heed_folder *folder, const char *path, heed_folder_kind kind,
                             bool shared, heed_error *error)
{
    *folder = (heed_folder){.kind = kind, .shared = shared, .lock.descriptor = -1};
    folder->existed = SIZE_MAX; /* not known yet */
    if (*path == 0) return heed_fail(error, HEED_E_ARG, "the name of the output folder is empty");
    folder->path = heed_string_copy(path);
    folder->inside = heed_path_join(path, HEED_FOLDER_INCOMPLETE);
    heed_status status;
    if (folder->path && folder->inside) status = take(folder, error);
    else status = fail_path(path, error);
    if (status != HEED_OK) heed_folder_close(folder);
    return status;
}

void heed_folder_close(heed_folder *folder)
{
    if (folder->began && !folder->moving) heed_directory_remove(folder->inside, NULL);
    if (folder->path && !folder->moving) heed_directory_unmake(folder->path, folder->existed);
    if (folder->path) heed_lock_free(&folder->lock);
    free(folder->path);
    free(folder->inside);
    *folder = (heed_folder){.lock.descriptor = -1};
}

/* ---- the commit ---- */

heed_status heed_folder_commit(heed_folder *folder, heed_error *error)
{
    char head[64];
    snprintf(head, sizeof head, "\"kind\": \"%s\"", kinds[folder->kind].name);
    HEED_TRY(heed_manifest_seal(folder->inside, HEED_FOLDER_MANIFEST, head, true, error));
    return replace(folder, error);
}
