/* weights_names.c: removes what wrappers add to the names of tensors. PyTorch's compiler and its
   parallel modules add a component; adapters and outer modules add others before all names. */
#include "io/weights_internal.h"

#include <stdlib.h>
#include <string.h>

/* Components that no model has, anywhere in a name. */
static const char *const components[] = {"_orig_mod.", "_fsdp_wrapped_module.",
                                         "_checkpoint_wrapped_module."};

/* Returns the first of the components in a name, at its beginning or after a dot; NULL if it has
   none. */
static const char *find_component(const char *name, size_t *length)
{
    for (size_t i = 0; i < sizeof components / sizeof *components; i++) {
        const char *found = strstr(name, components[i]);
        *length = strlen(components[i]);
        if (found && (found == name || found[-1] == '.')) return found;
    }
    return NULL;
}

/* Returns the name without such components: a copy in the arena, or the name itself if it has none.
   NULL if memory is out. */
static const char *without_components(heed_arena *arena, const char *name)
{
    size_t length;
    const char *found = find_component(name, &length);
    if (!found) return name;
    char *copy = heed_arena_string(arena, name);
    if (!copy) return NULL;
    for (char *at = copy + (found - name); at; at = (char *)find_component(copy, &length))
        memmove(at, at + length, strlen(at + length) + 1);
    return copy;
}

/* Returns HEED_E_FORMAT if two members have one name. */
static heed_status check_distinct(const heed_weights_file *file, heed_error *error)
{
    for (size_t i = 1; i < file->count; i++) {
        const heed_stored_tensor *a = &file->by_name[i - 1]->tensor;
        const heed_stored_tensor *b = &file->by_name[i]->tensor;
        if (strcmp(a->name, b->name) == 0)
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: tensor \"%.128s\" is there with and without the names of wrappers "
                "such as _orig_mod: save the unwrapped model",
                b->file, b->name);
    }
    return HEED_OK;
}

heed_status heed_weights_file_unwrap(heed_weights_file *file, bool *changed, heed_error *error)
{
    const char *first = NULL;
    *changed = false;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->members[i].tensor.name;
        const char *plain = without_components(file->arena, name);
        if (!plain) return heed_fail_memory(error, strlen(name), file->path);
        if (plain != name && !first) first = name;
        file->members[i].tensor.name = plain;
    }
    for (size_t i = 0; i < file->lost_count; i++) {
        const char *plain = without_components(file->arena, file->lost[i].name);
        if (!plain) return heed_fail_memory(error, strlen(file->lost[i].name), file->path);
        file->lost[i].name = plain;
    }
    if (!first) return HEED_OK;
    *changed = true;
    heed_weights_sort_lost(file);
    HEED_TRY(heed_weights_order(file, error));
    HEED_TRY(check_distinct(file, error));
    return heed_weights_note(
        file, error,
        "%s: names of tensors have components of a wrapper (\"%.128s\"): they are "
        "read without them",
        file->path, first);
}

/* Returns how many first bytes two names have in common, at most `most`. */
static size_t common_length(const char *a, const char *b, size_t most)
{
    size_t at = 0;
    while (at < most && a[at] && a[at] == b[at]) at++;
    return at;
}

const char *heed_weights_file_common(const heed_weights_file *file, size_t *length)
{
    const char *first = file->count ? file->members[0].tensor.name : "";
    *length = strlen(first);
    for (size_t i = 0; i < file->count; i++)
        *length = common_length(first, file->members[i].tensor.name, *length);
    for (size_t i = 0; i < file->lost_count; i++)
        *length = common_length(first, file->lost[i].name, *length);
    return first;
}

heed_status heed_weights_file_strip(heed_weights_file *file, size_t length, heed_error *error)
{
    HEED_TRY(
        heed_weights_note(file, error,
                          "%s: all names of tensors begin with \"%.*s\", the name of a wrapper: "
                          "they are read without it",
                          file->path, (int)length, file->members[0].tensor.name));
    for (size_t i = 0; i < file->count; i++) file->members[i].tensor.name += length;
    for (size_t i = 0; i < file->lost_count; i++) file->lost[i].name += length;
    return HEED_OK;
}

/* Is `longer` the name with something more before one of its components? *at is where that
   begins. */
static bool is_wrapped(const char *longer, const char *name, size_t *at)
{
    size_t length = strlen(name);
    size_t more = strlen(longer);
    if (more <= length) return false;
    more -= length;
    for (*at = 0; *at < length; (*at)++) {
        bool begins = *at == 0 || name[*at - 1] == '.';
        if (begins && longer[*at + more - 1] == '.' && !strcmp(longer + *at + more, name + *at))
            return true;
        if (longer[*at] != name[*at]) return false;
    }
    return false;
}

const char *heed_weights_file_find_wrapped(const heed_weights_file *file, const char *name,
                                           size_t *at)
{
    for (size_t i = 0; i < file->count; i++)
        if (is_wrapped(file->members[i].tensor.name, name, at)) return file->members[i].tensor.name;
    return NULL;
}
