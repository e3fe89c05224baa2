/* gguf_split.c: opens split models: files NAME-00001-of-0000N.gguf and so on, each a complete GGUF
   file with some of the tensors. The entries of the first are those of the model; every part has
   split.no (from 0), split.count and split.tensors.count. All parts appear as one file. */
#include "io/gguf_internal.h"
#include "io/stored.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_PARTS = 99999, ENDING_BYTES = 48 };

/* What a part says about the model. If count < 2, the file is not a part. */
typedef struct {
    int64_t no, count, tensors;
} split;

/* Reads and checks the entries split.*. */
static heed_status read_split(const heed_gguf *file, split *found, heed_error *error)
{
    *found = (split){.no = 0, .count = 0, .tensors = -1};
    HEED_TRY(heed_gguf_integer(file, "split.no", &found->no, error));
    HEED_TRY(heed_gguf_integer(file, "split.count", &found->count, error));
    HEED_TRY(heed_gguf_integer(file, "split.tensors.count", &found->tensors, error));
    if (found->count < 2) return HEED_OK;
    if (found->count > MOST_PARTS || found->no < 0 || found->no >= found->count)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: split.no is %lld and split.count is %lld; expected at most %d parts, "
                         "numbered from 0",
                         file->where, (long long)found->no, (long long)found->count, MOST_PARTS);
    return HEED_OK;
}

/* Writes the ending of a part's name: "-00001-of-00003.gguf" for part 0 of 3. */
static void ending_of(char ending[ENDING_BYTES], int64_t no, int64_t count)
{
    snprintf(ending, ENDING_BYTES, "-%05lld-of-%05lld.gguf", (long long)no + 1, (long long)count);
}

/* Returns in *other the path of another part, beside the one that is open. HEED_E_FORMAT if that
   one is not named as a part. */
static heed_status path_of(const char *path, const split *own, int64_t no, char **other,
                           heed_error *error)
{
    char ending[ENDING_BYTES];
    size_t length = strlen(path);
    ending_of(ending, own->no, own->count);
    if (length <= strlen(ending) || strcasecmp(path + length - strlen(ending), ending) != 0)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: part %lld of %lld of a split model: its name must end in \"%s\", and "
                         "the other parts lie beside it",
                         path, (long long)own->no + 1, (long long)own->count, ending);
    *other = heed_string_copy(path);
    if (!*other) return heed_fail_memory(error, length + 1, path);
    ending_of(ending, no, own->count);
    memcpy(*other + length - strlen(ending), ending, strlen(ending) - strlen(".gguf"));
    return HEED_OK;
}

/* Opens part `no` and checks that it is that part of the same model. */
static heed_status open_part(heed_gguf **part, const char *path, const split *whole, int64_t no,
                             heed_error *error)
{
    char *other = NULL;
    split found;
    heed_error problem = {0};
    HEED_TRY(path_of(path, whole, no, &other, error));
    heed_status status = heed_gguf_open_file(part, other, &problem);
    free(other);
    if (status != HEED_OK)
        return heed_fail(error, status,
                         "part %lld of %lld of a split model: %s; all parts belong into one folder",
                         (long long)no + 1, (long long)whole->count, problem.message);
    HEED_TRY(read_split(*part, &found, error));
    if (found.no == no && found.count == whole->count && found.tensors == whole->tensors)
        return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: says part %lld of %lld, expected part %lld of %lld: the parts are of "
                     "different models",
                     (*part)->where, (long long)found.no + 1, (long long)found.count,
                     (long long)no + 1, (long long)whole->count);
}

/* Gives the first part the tensors of all parts. HEED_E_FORMAT if their number is wrong or a name
   occurs twice. */
static heed_status join_tensors(heed_gguf *file, const split *whole, heed_error *error)
{
    size_t total = file->count;
    for (size_t i = 0; i < file->part_count; i++) total += file->parts[i]->count;
    if (whole->tensors >= 0 && total != (size_t)whole->tensors)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: its %lld parts have %zu tensors, expected the %lld of "
                         "split.tensors.count",
                         file->where, (long long)whole->count, total, (long long)whole->tensors);
    heed_stored_tensor *tensors = heed_allocate(total, sizeof *tensors);
    heed_stored_tensor **by_name = heed_allocate(total, sizeof *by_name);
    if (!tensors || !by_name) {
        free(tensors);
        free(by_name);
        return heed_fail_memory(error, total * sizeof *tensors, file->where);
    }
    size_t at = file->count;
    memcpy(tensors, file->tensors, file->count * sizeof *tensors);
    for (size_t i = 0; i < file->part_count; i++) {
        const heed_gguf *part = file->parts[i];
        memcpy(tensors + at, part->tensors, part->count * sizeof *tensors);
        at += part->count;
    }
    free(file->tensors);
    free(file->by_name);
    file->tensors = tensors;
    file->by_name = by_name;
    file->count = total;
    heed_stored_index(by_name, tensors, total);
    for (size_t i = 1; i < total; i++)
        if (strcmp(by_name[i - 1]->name, by_name[i]->name) == 0)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: tensor \"%.128s\" is in two parts, here and in %s", file->where,
                             by_name[i]->name, by_name[i]->file);
    return HEED_OK;
}

/* Opens the other parts of a model from the first one. */
static heed_status open_others(heed_gguf *file, const split *whole, heed_error *error)
{
    file->parts = heed_allocate((size_t)whole->count, sizeof *file->parts);
    if (!file->parts)
        return heed_fail_memory(error, (size_t)whole->count * sizeof *file->parts, file->where);
    for (int64_t no = 1; no < whole->count; no++) {
        heed_gguf **part = &file->parts[file->part_count++];
        HEED_TRY(open_part(part, file->where, whole, no, error));
    }
    return join_tensors(file, whole, error);
}

heed_status heed_gguf_open(heed_gguf **result, const char *path, heed_error *error)
{
    split whole;
    heed_gguf *file = NULL;
    *result = NULL;
    HEED_TRY(heed_gguf_open_file(&file, path, error));
    heed_status status = read_split(file, &whole, error);
    bool complete = whole.count < 2 || (whole.tensors >= 0 && file->count >= (size_t)whole.tensors);
    if (status == HEED_OK && !complete && whole.no > 0) {
        heed_gguf *first = NULL;
        status = open_part(&first, path, &whole, 0, error);
        heed_gguf_close(file);
        file = first;
        whole.no = 0;
    }
    if (status == HEED_OK && !complete) status = open_others(file, &whole, error);
    if (status != HEED_OK) heed_gguf_close(file);
    *result = status == HEED_OK ? file : NULL;
    return status;
}
