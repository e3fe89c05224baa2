/* Finds what comes before the names of a model's tensors: the family's own prefix, and before it
   the names of wrappers. */
#include "model/weights_internal.h"

#include <stdlib.h>
#include <string.h>

/* Do the files have the tensor, or does their index name it? */
static bool is_known(const heed_weights_file *file, const char *name)
{
    return heed_weights_file_find(file, name) || heed_weights_file_is_lost(file, name);
}

/* Counts the tensors of the table, with layer 0 and expert 0, that exist if `wrapper` and then
   `prefix` come before their names. Returns -1 if memory is out. */
static int64_t count_found(const heed_model *model, const heed_weights_file *file,
                           const char *wrapper, const char *prefix)
{
    heed_arena *arena = heed_arena_new();
    char *both = arena ? heed_weights_expand(arena, wrapper, prefix, (heed_name_numbers){0}) : NULL;
    int64_t found = both ? 0 : -1;
    for (const heed_weight_name *entry = model->names; found >= 0 && entry->name; entry++) {
        const char *before = entry->flags & HEED_NAME_BASE ? both : wrapper;
        const char *name = heed_weights_expand(arena, before, entry->name, (heed_name_numbers){0});
        if (!name) found = -1;
        else if (is_known(file, name)) found++;
    }
    heed_arena_free(arena);
    return found;
}

/* Finds the prefix with which most tensors exist after a wrapper, if there are more than *best. If
   two find equally many, the earlier one wins. */
static heed_status best_prefix(const heed_model *model, const heed_weights_file *file,
                               const char *wrapper, const char **prefix, int64_t *best,
                               heed_error *error)
{
    for (const char *const *one = model->config.family->prefixes; *one; one++) {
        int64_t found = count_found(model, file, wrapper, *one);
        if (found < 0) return heed_fail_memory(error, 64, "names of tensors");
        if (found <= *best) continue;
        *best = found;
        *prefix = *one;
    }
    return HEED_OK;
}

heed_status heed_weights_choose_prefix(heed_model *model, heed_weights_file *file,
                                       heed_error *error)
{
    char wrapper[128] = "";
    size_t common = 0;
    size_t chosen = 0;
    int64_t best = 0;
    bool unwrapped = false;
    model->prefix = model->config.family->prefixes[0];
    if (heed_weights_file_gguf(file))
        return best_prefix(model, file, "", &model->prefix, &best, error);
    HEED_TRY(heed_weights_file_unwrap(file, &unwrapped, error));
    HEED_TRY(best_prefix(model, file, "", &model->prefix, &best, error));
    const char *first = heed_weights_file_common(file, &common);
    for (size_t i = 0; i < common && i + 1 < sizeof wrapper; i++) {
        int64_t before = best;
        wrapper[i] = first[i];
        if (first[i] != '.') continue;
        HEED_TRY(best_prefix(model, file, wrapper, &model->prefix, &best, error));
        if (best > before) chosen = i + 1;
    }
    return chosen ? heed_weights_file_strip(file, chosen, error) : HEED_OK;
}
