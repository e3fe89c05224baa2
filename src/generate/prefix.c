#include "generate/prefix.h"

#include "base/memory.h"
#include "generate/session_internal.h"
#include "io/stored.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void heed_prefix_begin(heed_prefix *prefix, heed_session *session)
{
    *prefix = (heed_prefix){.session = session, .sequence = -1};
}

void heed_prefix_free(heed_prefix *prefix)
{
    if (prefix->session && prefix->sequence >= 0)
        heed_session_drop(prefix->session, prefix->sequence);
    free(prefix->ids);
    *prefix = (heed_prefix){.session = prefix->session, .sequence = -1};
}

int64_t heed_prefix_shared(const heed_prefix *prefix, const int32_t *ids, int64_t count)
{
    int64_t shared = 0;
    while (prefix->sequence >= 0 && shared < prefix->count && shared < count &&
           prefix->ids[shared] == ids[shared])
        shared++;
    return shared;
}

heed_status heed_prefix_keep(heed_prefix *prefix, int64_t sequence, const int32_t *ids,
                             heed_error *error)
{
    int64_t count = heed_session_length(prefix->session, sequence);
    int32_t *copy = heed_allocate((size_t)count, sizeof *copy);
    if (!copy) {
        heed_session_drop(prefix->session, sequence);
        return heed_fail_memory(error, (size_t)count * sizeof *copy, "the ids of a kept sequence");
    }
    if (count) memcpy(copy, ids, (size_t)count * sizeof *copy);
    heed_prefix_free(prefix);
    prefix->sequence = sequence;
    prefix->ids = copy;
    prefix->count = count;
    return HEED_OK;
}

static heed_status no_rows(void *argument, const heed_logits_row *rows, int64_t count,
                           heed_error *error)
{
    (void)argument, (void)rows, (void)count, (void)error;
    return HEED_OK;
}

static heed_status feed(heed_session *session, int64_t sequence, const int32_t *ids, int64_t count,
                        heed_error *error)
{
    heed_step_item item = {.sequence = sequence, .ids = ids, .count = count, .want = count};
    return heed_session_step(session, &item, 1, no_rows, NULL, error);
}

heed_status heed_prefix_feed(heed_prefix *prefix, const int32_t *ids, int64_t count,
                             heed_error *error)
{
    int64_t sequence;
    HEED_TRY(heed_session_add(prefix->session, &sequence, error));
    heed_status status = feed(prefix->session, sequence, ids, count, error);
    if (status != HEED_OK) heed_session_drop(prefix->session, sequence);
    return status == HEED_OK ? heed_prefix_keep(prefix, sequence, ids, error) : status;
}

/* ---- on disk ---- */

/* The cache of a session's own sequences, and the sequence's number in it. */
static heed_cache *cache_of(const heed_prefix *prefix, int64_t sequence, int64_t *in_cache)
{
    *in_cache = heed_session_find(prefix->session, sequence)->in[HEED_SESSION_SELF];
    return prefix->session->caches[HEED_SESSION_SELF];
}

static void copy_rows(const heed_prefix *prefix, int64_t sequence, int64_t array, char *rows,
                      int64_t from, int64_t count, bool out)
{
    int64_t in_cache;
    heed_cache *cache = cache_of(prefix, sequence, &in_cache);
    size_t bytes = heed_cache_row_bytes(cache);
    for (int64_t i = 0; i < count; i++) {
        char *row = (char *)heed_cache_array(cache, array) +
                    (size_t)heed_cache_row(cache, in_cache, from + i) * bytes,
             *other = rows + (size_t)i * bytes;
        memcpy(out ? other : row, out ? row : other, bytes);
    }
}

static heed_status produce(void *context, size_t index, const heed_tensor_source *tensor,
                           void *bytes, heed_error *error)
{
    const heed_prefix *prefix = context;
    (void)tensor, (void)error;
    if (index == 0) memcpy(bytes, prefix->ids, (size_t)prefix->count * sizeof *prefix->ids);
    else copy_rows(prefix, prefix->sequence, (int64_t)index - 1, bytes, 0, prefix->count, true);
    return HEED_OK;
}

static heed_status check_kind(const heed_prefix *prefix, heed_error *error)
{
    if (!heed_session_has_source(prefix->session)) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "prompt caches are for decoders: an encoder-decoder's prompt is its source");
}

heed_status heed_prefix_save(const heed_prefix *prefix, const char *path, heed_error *error)
{
    HEED_TRY(check_kind(prefix, error));
    if (prefix->sequence < 0)
        return heed_fail(error, HEED_E_ARG, "%s: nothing has been read that could be saved", path);
    const heed_cache *cache = prefix->session->caches[HEED_SESSION_SELF];
    size_t arrays = (size_t)heed_cache_arrays(cache);
    int64_t shape[2] = {prefix->count, heed_cache_columns(cache)};
    heed_tensor_source *tensors = heed_allocate(arrays + 1, sizeof *tensors);
    char(*names)[32] = heed_allocate(arrays, sizeof *names);
    heed_status status = tensors && names
                             ? HEED_OK
                             : heed_fail_memory(error, arrays * sizeof *tensors, "a prompt cache");
    if (status == HEED_OK) {
        tensors[0] = (heed_tensor_source){
            .name = "ids", .dtype = HEED_I32, .rank = 1, .shape = shape};
        for (size_t i = 0; i < arrays; i++) {
            snprintf(names[i], sizeof names[i], "cache.%zu", i);
            tensors[i + 1] = (heed_tensor_source){
                .name = names[i],
                .dtype = heed_model_cache_dtype(heed_session_model(prefix->session)),
                .rank = 2,
                .shape = shape};
        }
        static const char *const metadata[] = {"format", "heed-prompt-cache", NULL};
        heed_tensor_set set = {
            .tensors = tensors,
            .count = arrays + 1,
            .produce = produce,
            .context = (void *)prefix,
            .metadata = metadata,
        };
        status = heed_safetensors_write(path, &set, error);
    }
    free(tensors);
    free(names);
    return status;
}

/* The tensor of a file, when it is of this kind and shape. */
static heed_status expect(const heed_safetensors *file, const char *path, const char *name,
                          heed_dtype dtype, int64_t rows, int64_t columns,
                          const heed_stored_tensor **found, heed_error *error)
{
    const heed_stored_tensor *tensor = heed_safetensors_find(file, name);
    bool fits = tensor && tensor->dtype == dtype && tensor->rank == (columns ? 2 : 1) &&
                (rows < 0 || tensor->shape[0] == rows) && (!columns || tensor->shape[1] == columns);
    if (!fits)
        return heed_fail(
            error, HEED_E_ARG,
            "%s: \"%s\" is no part of a prompt cache of this model and this type of cache: remove "
            "the file, or use the model and the --cache type it was made with",
            path, name);
    *found = tensor;
    return HEED_OK;
}

/* *agrees: are the rows of the last position what the file holds, up to rounding? `scratch`: a row
   as it is kept and two as floats. */
static heed_status compare_last(const heed_prefix *prefix, int64_t sequence,
                                const heed_safetensors *file, int64_t count, float *scratch,
                                bool *agrees, heed_error *error)
{
    const heed_cache *cache = prefix->session->caches[HEED_SESSION_SELF];
    const heed_model *model = heed_session_model(prefix->session);
    const heed_dtype dtype = heed_model_cache_dtype(model);
    /* a number may be rounded the other way */
    const double steps = dtype == HEED_I8     ? 2e-2
                         : dtype == HEED_BF16 ? 1e-2
                         : dtype == HEED_F16  ? 2e-3
                                              : 1e-3;
    const int64_t width = heed_model_cache_width(model);
    const size_t bytes = heed_cache_row_bytes(cache);
    float *kept = scratch, *stored = kept + width, *room = stored + width;
    for (int64_t i = 0; i < heed_cache_arrays(cache); i++) {
        char name[32];
        snprintf(name, sizeof name, "cache.%lld", (long long)i);
        const heed_stored_tensor *tensor = heed_safetensors_find(file, name);
        copy_rows(prefix, sequence, i, (char *)room, count - 1, 1, true);
        heed_model_cache_widen(model, room, kept);
        HEED_TRY(heed_stored_read(tensor, (size_t)(count - 1) * bytes, room, bytes, error));
        heed_model_cache_widen(model, room, stored);
        double most = 0, apart = 0;
        for (int64_t k = 0; k < width; k++) {
            most = fmax(most, fabs((double)stored[k]));
            apart = fmax(apart, fabs((double)stored[k] - (double)kept[k]));
        }
        *agrees = apart <= steps * most + 1e-6;
        if (!*agrees) return HEED_OK;
    }
    return HEED_OK;
}

/* Copies the rows of one array of the cache out of the file. */
static heed_status fill_array(const heed_prefix *prefix, int64_t sequence, int64_t array,
                              const heed_stored_tensor *tensor, int64_t count, heed_error *error)
{
    size_t bytes = heed_cache_row_bytes(prefix->session->caches[HEED_SESSION_SELF]);
    heed_stored_window window = {.tensor = tensor};
    heed_status status = HEED_OK;
    for (int64_t row = 0; row < count && status == HEED_OK; row++) {
        const void *stored = NULL;
        status = heed_stored_window_get(&window, (size_t)row * bytes, bytes, &stored, error);
        if (status == HEED_OK) copy_rows(prefix, sequence, array, (char *)stored, row, 1, false);
    }
    heed_stored_window_free(&window);
    return status;
}

static heed_status read_rows(heed_prefix *prefix, int64_t sequence, const heed_safetensors *file,
                             const char *path, const int32_t *ids, int64_t count, float *scratch,
                             heed_error *error)
{
    int64_t in_cache, columns = heed_cache_columns(prefix->session->caches[HEED_SESSION_SELF]);
    heed_cache *cache = cache_of(prefix, sequence, &in_cache);
    HEED_TRY(heed_session_emit(prefix->session, sequence, 0, ids, count, error));
    prefix->session->sequences[sequence].past_original = prefix->session->original_context &&
                                                         count > prefix->session->original_context;
    HEED_TRY(heed_cache_extend(cache, &(heed_cache_growth){in_cache, count}, 1, error));
    for (int64_t i = 0; i < heed_cache_arrays(cache); i++) {
        char name[32];
        const heed_stored_tensor *tensor = NULL;
        snprintf(name, sizeof name, "cache.%lld", (long long)i);
        HEED_TRY(expect(file, path, name,
                        heed_model_cache_dtype(heed_session_model(prefix->session)), count, columns,
                        &tensor, error));
        HEED_TRY(fill_array(prefix, sequence, i, tensor, count, error));
    }
    heed_session_truncate(prefix->session, sequence, count - 1);
    HEED_TRY(feed(prefix->session, sequence, ids + count - 1, 1, error));
    bool agrees = false;
    HEED_TRY(compare_last(prefix, sequence, file, count, scratch, &agrees, error));
    if (agrees) return heed_safetensors_check_unchanged(file, error);
    return heed_fail(error, HEED_E_ARG,
                     "%s: the prompt cache was made with other weights: remove the file, or use "
                     "the model it was made with",
                     path);
}

heed_status heed_prefix_load(heed_prefix *prefix, const char *path, heed_error *error)
{
    heed_safetensors *file = NULL;
    const heed_stored_tensor *stored = NULL;
    int32_t *ids = NULL;
    float *scratch = NULL;
    int64_t sequence = -1, columns, count = 0;
    HEED_TRY(check_kind(prefix, error));
    columns = heed_cache_columns(prefix->session->caches[HEED_SESSION_SELF]);
    HEED_TRY(heed_safetensors_open(&file, path, error));
    heed_status status = expect(file, path, "ids", HEED_I32, -1, 0, &stored, error);
    if (status == HEED_OK) {
        count = stored->shape[0];
        if (count < 1 || count > heed_session_context(prefix->session))
            status = heed_fail(
                error, HEED_E_ARG, "%s: a prompt cache of %lld positions, but the context has %lld",
                path, (long long)count, (long long)heed_session_context(prefix->session));
    }
    if (status == HEED_OK) {
        ids = heed_allocate((size_t)count, sizeof *ids);
        scratch = heed_allocate(3 * (size_t)columns, sizeof *scratch);
        if (!ids || !scratch) status = heed_fail_memory(error, stored->bytes, "a prompt cache");
        else status = heed_stored_read(stored, 0, ids, (size_t)count * sizeof *ids, error);
    }
    if (status == HEED_OK) status = heed_session_add(prefix->session, &sequence, error);
    if (status == HEED_OK)
        status = read_rows(prefix, sequence, file, path, ids, count, scratch, error);
    if (status == HEED_OK) status = heed_prefix_keep(prefix, sequence, ids, error);
    else if (sequence >= 0) heed_session_drop(prefix->session, sequence);
    heed_safetensors_close(file);
    free(ids);
    free(scratch);
    return status;
}
