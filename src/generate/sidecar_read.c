/* sidecar_read.c: reads a sidecar from the folder of a model or from its GGUF file. */
#include "generate/sidecar_internal.h"

#include "base/file.h"
#include "base/memory.h"
#include "io/weights.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes of one file. */
enum { FILE_BYTES = 256 << 20 };

static heed_status read_path(heed_sidecar *sidecar, const char *path, const char *name,
                             heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, FILE_BYTES, &text, error);
    if (status == HEED_OK) status = heed_sidecar_add(sidecar, name, path, &text, error);
    heed_buffer_free(&text);
    return status;
}

/* Adds a file of the folder to the sidecar, if the folder has it. */
static heed_status read_file(heed_sidecar *sidecar, const char *folder, const char *name,
                             heed_error *error)
{
    char *path = heed_path_join(folder, name);
    if (!path) return heed_fail_memory(error, strlen(folder) + strlen(name) + 2, "a path");
    heed_status status = HEED_OK;
    bool is_file = heed_path_exists(path) && !heed_path_is_directory(path);
    if (is_file) status = read_path(sidecar, path, name, error);
    free(path);
    return status;
}

static bool is_template(const char *name)
{
    static const char ending[] = ".jinja";
    size_t length = strlen(name), end = sizeof ending - 1;
    return length > end && strcmp(name + length - end, ending) == 0;
}

/* Adds the chat templates of the folder additional_chat_templates, if there is one. */
static heed_status read_templates(heed_sidecar *sidecar, const char *folder, heed_error *error)
{
    char *path = heed_path_join(folder, heed_sidecar_template_folder);
    if (!path)
        return heed_fail_memory(error, strlen(folder) + strlen(heed_sidecar_template_folder) + 2,
                                "a path");
    DIR *stream = opendir(path);
    heed_status status = HEED_OK;
    if (!stream && errno != ENOENT && errno != ENOTDIR)
        status = heed_fail_system(error, "open the folder", path);
    for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));) {
        if (!is_template(entry->d_name)) continue;
        char *name = heed_path_join(heed_sidecar_template_folder, entry->d_name);
        status = name ? read_file(sidecar, folder, name, error)
                      : heed_fail_memory(error, strlen(entry->d_name), "a path");
        free(name);
    }
    if (stream) closedir(stream);
    free(path);
    return status;
}

static heed_status read_folder(heed_sidecar *sidecar, const char *folder, heed_sidecar_scope scope,
                               heed_error *error)
{
    bool all = scope == HEED_SIDECAR_ALL;
    for (size_t i = 0; i < heed_sidecar_carried_count; i++)
        if (all || heed_sidecar_carried[i].is_settings)
            HEED_TRY(read_file(sidecar, folder, heed_sidecar_carried[i].name, error));
    return all ? read_templates(sidecar, folder, error) : HEED_OK;
}

heed_status heed_sidecar_load(heed_sidecar **result, const char *model, heed_sidecar_scope scope,
                              heed_error *error)
{
    *result = NULL;
    heed_sidecar *sidecar = heed_allocate(1, sizeof *sidecar);
    if (!sidecar) return heed_fail_memory(error, sizeof *sidecar, "what comes with the model");
    char *folder = heed_weights_folder(model);
    heed_status status = HEED_OK;
    if (!folder) status = heed_fail_memory(error, strlen(model) + 1, "a path");
    else if (heed_gguf_is_file(model)) status = heed_sidecar_read_gguf(sidecar, model, error);
    else status = read_folder(sidecar, folder, scope, error);
    free(folder);
    if (status == HEED_OK) *result = sidecar;
    else heed_sidecar_free(sidecar);
    return status;
}

heed_status heed_sidecar_from_config(heed_sidecar **result, const char *path, heed_error *error)
{
    *result = NULL;
    heed_sidecar *sidecar = heed_allocate(1, sizeof *sidecar);
    if (!sidecar) return heed_fail_memory(error, sizeof *sidecar, "what comes with the model");
    heed_status status = read_path(sidecar, path, heed_sidecar_config_name, error);
    if (status == HEED_OK) *result = sidecar;
    else heed_sidecar_free(sidecar);
    return status;
}
