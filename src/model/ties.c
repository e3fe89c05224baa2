/* Compares tie_word_embeddings with what a file holds: copies that are equal become one tensor;
   copies that differ are all kept. */
#include "model/ties.h"
#include "tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 16, AT_ONCE = 4096 };

/* Tensors of a file that a tied configuration treats as one. The first is the embedding. */
typedef struct {
    const heed_stored_tensor *tensors[MOST_NAMES];
    size_t count;
} copies;

static heed_status add_copies(const heed_model *model, const heed_weights_file *file,
                              const heed_weight_name *entry, copies *found, heed_error *error)
{
    const char *prefix = entry->flags & HEED_NAME_BASE ? model->prefix : "";
    char *name = heed_weights_expand(model->arena, prefix, entry->name, (heed_name_numbers){0});
    if (!name) return heed_fail_memory(error, strlen(entry->name), "names of tensors");
    const heed_stored_tensor *tensor = heed_weights_file_find(file, name);
    if (!tensor) HEED_TRY(heed_weights_file_check(file, name, error));
    bool known = !tensor;
    for (size_t i = 0; i < found->count; i++) known = known || found->tensors[i] == tensor;
    if (!known && found->count < MOST_NAMES) found->tensors[found->count++] = tensor;
    return HEED_OK;
}

/* Does this entry name the embedding to which the output matrix is tied? */
static bool names_table(const heed_model *model, const heed_weight_name *entry, bool alias)
{
    bool own_table = model->config.source_vocabulary > 0;
    heed_stack_id stack_id = own_table ? HEED_STACK_DECODER : HEED_STACK_MODEL;
    return entry->role == HEED_ROLE_TOKEN_EMBEDDING && entry->stack_id == stack_id &&
           alias == !!(entry->flags & HEED_NAME_ALIAS);
}

/* Finds all tensors that hold the values of the embedding: under its own name, as the output
   matrix, under older names. In this order they replace one that the file lacks. */
static heed_status find_tables(const heed_model *model, const heed_weights_file *file,
                               copies *found, heed_error *error)
{
    bool words = heed_head_any(&model->config, HEED_TRAIT_PREDICTS_TOKENS);
    *found = (copies){0};
    for (int pass = 0; pass < 3; pass++)
        for (const heed_weight_name *entry = model->names; entry->name; entry++) {
            bool wanted = names_table(model, entry, pass == 2);
            if (pass == 1) wanted = words && entry->role == HEED_ROLE_LM_WEIGHT;
            if (wanted) HEED_TRY(add_copies(model, file, entry, found, error));
        }
    return HEED_OK;
}

/* Finds the biases of the output matrix; the first is the one that tied models use. */
static heed_status find_biases(const heed_model *model, const heed_weights_file *file,
                               copies *found, heed_error *error)
{
    *found = (copies){0};
    for (int pass = 0; pass < 2; pass++)
        for (const heed_weight_name *entry = model->names; entry->name; entry++) {
            bool tied = entry->flags & HEED_NAME_TIED;
            if (entry->role == HEED_ROLE_LM_BIAS && tied == (pass == 0))
                HEED_TRY(add_copies(model, file, entry, found, error));
        }
    return HEED_OK;
}

static bool same_shape(const heed_stored_tensor *a, const heed_stored_tensor *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->shape[i] == b->shape[i];
    return same;
}

/* Compares `count` elements of two tensors from `begin` on. *at becomes the index of the first that
   differs as a number, or `count`. */
static heed_status compare_elements(heed_stored_window pair[2], size_t begin, size_t count,
                                    double *values, size_t *at, heed_error *error)
{
    const void *bytes[2] = {NULL, NULL};
    size_t sizes[2];
    for (int i = 0; i < 2; i++) {
        heed_dtype dtype = pair[i].tensor->dtype;
        sizes[i] = heed_dtype_bytes(dtype, count);
        HEED_TRY(heed_stored_window_get(&pair[i], heed_dtype_bytes(dtype, begin), sizes[i],
                                        &bytes[i], error));
    }
    *at = count;
    bool alike = pair[0].tensor->dtype == pair[1].tensor->dtype;
    if (alike && memcmp(bytes[0], bytes[1], sizes[0]) == 0) return HEED_OK;
    for (int i = 0; i < 2; i++)
        heed_convert(values + (size_t)i * AT_ONCE, HEED_F64, bytes[i], pair[i].tensor->dtype,
                     count);
    for (size_t i = 0; i < count && *at == count; i++)
        if (values[i] != values[AT_ONCE + i]) *at = i;
    return HEED_OK;
}

/* *at becomes the first element in which two tensors of one shape differ as numbers, or their
   element count if they are equal. */
static heed_status find_difference(const heed_stored_tensor *a, const heed_stored_tensor *b,
                                   size_t *at, heed_error *error)
{
    size_t count = 1;
    for (int i = 0; i < a->rank; i++) count *= (size_t)a->shape[i];
    heed_stored_window pair[2] = {{.tensor = a}, {.tensor = b}};
    double *values = heed_allocate(2 * AT_ONCE, sizeof *values);
    heed_status status = values ? HEED_OK
                                : heed_fail_memory(error, 2 * AT_ONCE * sizeof *values, a->name);
    *at = count;
    for (size_t begin = 0; begin < count && *at == count && status == HEED_OK; begin += AT_ONCE) {
        size_t some = count - begin < AT_ONCE ? count - begin : AT_ONCE;
        size_t found = some;
        status = compare_elements(pair, begin, some, values, &found, error);
        if (status == HEED_OK && found < some) *at = begin + found;
    }
    heed_stored_window_free(&pair[0]);
    heed_stored_window_free(&pair[1]);
    free(values);
    return status;
}

/* *differ becomes true if one of the copies has other numbers than the first. A tensor of another
   shape cannot be a copy and is skipped. */
static heed_status compare_copies(heed_model *model, const copies *found, bool *differ,
                                  heed_error *error)
{
    for (size_t i = 1; i < found->count; i++) {
        const heed_stored_tensor *first = found->tensors[0];
        const heed_stored_tensor *other = found->tensors[i];
        size_t at = 0;
        size_t count = 1;
        for (int d = 0; d < first->rank; d++) count *= (size_t)first->shape[d];
        if (!same_shape(first, other)) {
            HEED_TRY(
                heed_model_warning_add(model, error,
                                       "tensor \"%s\" is not used: the model is tied by "
                                       "tie_word_embeddings, and it has another shape than \"%s\"",
                                       other->name, first->name));
            continue;
        }
        HEED_TRY(find_difference(first, other, &at, error));
        if (at == count) continue;
        HEED_TRY(
            heed_model_warning_add(model, error,
                                   "tie_word_embeddings is true, but \"%s\" and \"%s\" differ from "
                                   "element %zu on: both are kept, and the model is not tied",
                                   first->name, other->name, at));
        *differ = true;
    }
    return HEED_OK;
}

/* Does an untied model of this family have an embedding table for each stack? */
static bool has_table_for_each_stack(const heed_model *model)
{
    bool found = false;
    for (const heed_weight_name *entry = model->names; entry->name; entry++)
        found = found || entry->role == HEED_ROLE_SPARE_EMBEDDING;
    return found;
}

heed_status heed_ties_resolve(heed_ties *ties, heed_model *model, const heed_weights_file *file,
                              heed_error *error)
{
    heed_config *config = &model->config;
    copies tables;
    copies biases;
    bool differ = false;
    *ties = (heed_ties){0};
    if (!config->tied || config->float_inputs) return HEED_OK;
    HEED_TRY(find_tables(model, file, &tables, error));
    HEED_TRY(find_biases(model, file, &biases, error));
    HEED_TRY(compare_copies(model, &tables, &differ, error));
    HEED_TRY(compare_copies(model, &biases, &differ, error));
    ties->table = tables.count ? tables.tensors[0] : NULL;
    ties->bias = biases.count ? biases.tensors[0] : NULL;
    ties->encoder = config->source_vocabulary == 0;
    if (!differ) return HEED_OK;
    config->tied = false;
    if (config->source_vocabulary == 0 && has_table_for_each_stack(model))
        config->source_vocabulary = config->vocabulary;
    return HEED_OK;
}

const heed_stored_tensor *heed_ties_source(const heed_ties *ties, const heed_tensor *tensor)
{
    heed_role role = (heed_role)tensor->entry->role;
    bool encoder = tensor->entry->stack_id == HEED_STACK_ENCODER;
    if (role == HEED_ROLE_LM_BIAS) return ties->bias;
    if (role == HEED_ROLE_LM_WEIGHT) return ties->table;
    return role == HEED_ROLE_TOKEN_EMBEDDING && (!encoder || ties->encoder) ? ties->table : NULL;
}
