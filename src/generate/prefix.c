/* prefix.c: keeps sequences for prompts that begin alike, and saves them as prompt caches. */
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

/* Feeds ids into a sequence without asking for logits. */
static heed_status feed(heed_session *session, int64_t sequence, const int32_t *ids, int64_t count,
                        heed_error *error)
{
    heed_step_item item = {.sequence = sequence, .ids = ids, .count = count, .want = count};
    return heed_session_step(session, &item, 1, NULL, NULL, error);
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

/* The cache that a prefix is kept in. */
static heed_cache *cache_of(const heed_prefix *prefix)
{
    return prefix->session->caches[HEED_SESSION_SELF];
}

/* Returns what an array of the cache holds. */
static const heed_kept *kept_in(const heed_prefix *prefix, int64_t array)
{
    size_t count;
    return heed_model_keeps(heed_session_model(prefix->session), HEED_KEEP_SELF, &count) + array;
}

/* Returns the rows that an array has for `count` positions. */
static int64_t rows_for(const heed_prefix *prefix, int64_t array, int64_t count)
{
    if (!kept_in(prefix, array)->what->per_page) return count;
    return (count + HEED_PAGE_POSITIONS - 1) / HEED_PAGE_POSITIONS;
}

/* Returns row `at` of what an array of the cache holds of a sequence: that of a position, or of a
   page. */
static char *row_at(const heed_prefix *prefix, int64_t sequence, int64_t array, int64_t at)
{
    bool per_page = kept_in(prefix, array)->what->per_page;
    heed_cache *cache = cache_of(prefix);
    int64_t in_cache =
        heed_session_find(prefix->session, sequence)->cache_sequence[HEED_SESSION_SELF];
    int64_t row = heed_cache_row(cache, in_cache, per_page ? at * HEED_PAGE_POSITIONS : at);
    if (per_page) row /= HEED_PAGE_POSITIONS;
    return (char *)heed_cache_array(cache, array) +
           (size_t)row * heed_cache_row_bytes(cache, array);
}

/* Writes the bytes of one tensor of the file: the ids, or the rows of an array in order of
   position. */
static heed_status produce(void *context, size_t index, const heed_tensor_source *tensor,
                           void *bytes, heed_error *error)
{
    const heed_prefix *prefix = context;
    (void)tensor;
    (void)error;
    if (index == 0) {
        memcpy(bytes, prefix->ids, (size_t)prefix->count * sizeof *prefix->ids);
        return HEED_OK;
    }
    int64_t array = (int64_t)index - 1;
    size_t row_bytes = heed_cache_row_bytes(cache_of(prefix), array);
    for (int64_t i = 0; i < rows_for(prefix, array, prefix->count); i++)
        memcpy((char *)bytes + (size_t)i * row_bytes, row_at(prefix, prefix->sequence, array, i),
               row_bytes);
    return HEED_OK;
}

/* Returns HEED_E_UNSUPPORTED for encoder-decoders. */
static heed_status check_kind(const heed_prefix *prefix, heed_error *error)
{
    if (!heed_session_has_source(prefix->session)) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "prompt caches are for decoders: an encoder-decoder's prompt is its source");
}

/* Name and shape of the tensor that holds an array of the cache. */
typedef struct stored_array {
    char name[32];
    int64_t shape[2];
} stored_array;

/* Describes the tensor of array `index` for `count` positions. */
static stored_array describe_array(const heed_prefix *prefix, int64_t index, int64_t count)
{
    stored_array stored = {
        .shape = {rows_for(prefix, index, count), kept_in(prefix, index)->columns}};
    snprintf(stored.name, sizeof stored.name, "cache.%lld", (long long)index);
    return stored;
}

/* Lists the tensors of the file: the ids, then the arrays of the cache. */
static void list_tensors(const heed_prefix *prefix, stored_array *arrays,
                         heed_tensor_source *tensors)
{
    tensors[0] = (heed_tensor_source){
        .name = "ids", .dtype = HEED_I32, .rank = 1, .shape = &prefix->count};
    for (int64_t i = 0; i < heed_cache_arrays(cache_of(prefix)); i++) {
        arrays[i] = describe_array(prefix, i, prefix->count);
        tensors[i + 1] = (heed_tensor_source){.name = arrays[i].name,
                                              .dtype = kept_in(prefix, i)->dtype,
                                              .rank = 2,
                                              .shape = arrays[i].shape};
    }
}

heed_status heed_prefix_save(const heed_prefix *prefix, const char *path, heed_error *error)
{
    static const char *const metadata[] = {"format", "heed-prompt-cache", NULL};
    HEED_TRY(check_kind(prefix, error));
    if (prefix->sequence < 0)
        return heed_fail(error, HEED_E_ARG, "%s: nothing has been read that could be saved", path);
    size_t arrays = (size_t)heed_cache_arrays(cache_of(prefix));
    heed_tensor_source *tensors = heed_allocate(arrays + 1, sizeof *tensors);
    stored_array *stored = heed_allocate(arrays, sizeof *stored);
    heed_status status = HEED_OK;
    if (!tensors || !stored)
        status = heed_fail_memory(error, arrays * sizeof *tensors, "a prompt cache");
    if (status == HEED_OK) {
        list_tensors(prefix, stored, tensors);
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
    free(stored);
    return status;
}

/* ---- read back ---- */

/* A prompt cache that is being read into a new sequence of the session. */
typedef struct reading {
    const heed_prefix *prefix;
    const char *path;
    heed_safetensors *file;
    int64_t sequence; /* -1 before it is added */
    int32_t *ids;     /* (count) */
    int64_t count;
    float *scratch; /* room for two rows of the cache as floats and one as it is stored */
} reading;

static heed_status fail_kind(const reading *r, const char *name, heed_error *error)
{
    return heed_fail(error, HEED_E_ARG,
                     "%s: \"%s\" is no part of a prompt cache of this model and this type of "
                     "cache: remove the file, or use the model and the --cache type it was made "
                     "with",
                     r->path, name);
}

/* Returns the widest row of the arrays, as floats and as it is stored. */
static size_t widest_row(const heed_prefix *prefix)
{
    size_t widest = 1;
    for (int64_t i = 0; i < heed_cache_arrays(cache_of(prefix)); i++) {
        const heed_kept *kept = kept_in(prefix, i);
        size_t width = (size_t)(kept->width.runs * kept->width.columns);
        if (width > widest) widest = width;
        if ((size_t)kept->columns > widest) widest = (size_t)kept->columns;
    }
    return widest;
}

/* Reads the ids and allocates the scratch rows. */
static heed_status read_ids(reading *r, heed_error *error)
{
    int64_t context = heed_session_context(r->prefix->session);
    const heed_stored_tensor *tensor = heed_safetensors_find(r->file, "ids");
    if (!tensor || tensor->dtype != HEED_I32 || tensor->rank != 1)
        return fail_kind(r, "ids", error);
    r->count = tensor->shape[0];
    if (r->count < 1 || r->count > context)
        return heed_fail(error, HEED_E_ARG,
                         "%s: a prompt cache of %lld positions, but the context has %lld", r->path,
                         (long long)r->count, (long long)context);
    r->ids = heed_allocate((size_t)r->count, sizeof *r->ids);
    r->scratch = heed_allocate(3 * widest_row(r->prefix), sizeof *r->scratch);
    if (!r->ids || !r->scratch) return heed_fail_memory(error, tensor->bytes, "a prompt cache");
    return heed_stored_read(tensor, 0, r->ids, (size_t)r->count * sizeof *r->ids, error);
}

/* Finds the tensor with an array of the cache. HEED_E_ARG unless it has the type and shape of the
   session's array. */
static heed_status find_array(const reading *r, int64_t index, const heed_stored_tensor **found,
                              heed_error *error)
{
    const stored_array wanted = describe_array(r->prefix, index, r->count);
    const heed_stored_tensor *tensor = heed_safetensors_find(r->file, wanted.name);
    bool fits = tensor && tensor->dtype == kept_in(r->prefix, index)->dtype && tensor->rank == 2 &&
                tensor->shape[0] == wanted.shape[0] && tensor->shape[1] == wanted.shape[1];
    *found = tensor;
    return fits ? HEED_OK : fail_kind(r, wanted.name, error);
}

/* Copies one array of the cache out of the file. */
static heed_status read_array(const reading *r, int64_t index, heed_error *error)
{
    size_t bytes = heed_cache_row_bytes(cache_of(r->prefix), index);
    const int64_t rows = rows_for(r->prefix, index, r->count);
    heed_stored_window window = {0};
    HEED_TRY(find_array(r, index, &window.tensor, error));
    heed_status status = HEED_OK;
    for (int64_t i = 0; i < rows && status == HEED_OK; i++) {
        const void *stored = NULL;
        status = heed_stored_window_get(&window, (size_t)i * bytes, bytes, &stored, error);
        if (status == HEED_OK) memcpy(row_at(r->prefix, r->sequence, index, i), stored, bytes);
    }
    heed_stored_window_free(&window);
    return status;
}

/* Returns how much the same value may differ between two runs, relative to the largest of its row:
   it may have been rounded the other way. */
static double rounding_of(heed_dtype dtype)
{
    switch (dtype) {
    case HEED_I8: return 2e-2;
    case HEED_BF16: return 1e-2;
    case HEED_F16: return 2e-3;
    default: return 1e-3;
    }
}

/* Sets *agrees if the rows of the last position are what the file holds, up to rounding. */
static heed_status compare_last(const reading *r, bool *agrees, heed_error *error)
{
    for (int64_t i = 0; i < heed_cache_arrays(cache_of(r->prefix)); i++) {
        const heed_kept *kept = kept_in(r->prefix, i);
        const int64_t width = kept->width.runs * kept->width.columns;
        const int64_t last = rows_for(r->prefix, i, r->count) - 1;
        const double rounding = rounding_of(kept->dtype);
        const size_t bytes = heed_cache_row_bytes(cache_of(r->prefix), i);
        float *computed = r->scratch, *stored = computed + width, *row = stored + width;
        const heed_stored_tensor *tensor = NULL;
        HEED_TRY(find_array(r, i, &tensor, error));
        memcpy(row, row_at(r->prefix, r->sequence, i, last), bytes);
        heed_kept_widen(kept, row, computed);
        HEED_TRY(heed_stored_read(tensor, (size_t)last * bytes, row, bytes, error));
        heed_kept_widen(kept, row, stored);
        double largest = 0, apart = 0;
        for (int64_t k = 0; k < width; k++) {
            largest = fmax(largest, fabs((double)stored[k]));
            apart = fmax(apart, fabs((double)stored[k] - (double)computed[k]));
        }
        *agrees = apart <= rounding * largest + 1e-6;
        if (!*agrees) return HEED_OK;
    }
    return HEED_OK;
}

/* Fills the new sequence from the file, computes its last position again and compares. */
static heed_status read_rows(const reading *r, heed_error *error)
{
    heed_session *session = r->prefix->session;
    heed_cache *cache = cache_of(r->prefix);
    HEED_TRY(heed_session_emit(session, r->sequence, 0, r->ids, r->count, error));
    heed_sequence_slot *slot = heed_session_find(session, r->sequence);
    slot->past_original = session->original_context && r->count > session->original_context;
    heed_cache_growth growth = {slot->cache_sequence[HEED_SESSION_SELF], r->count};
    HEED_TRY(heed_cache_extend(cache, &growth, 1, error));
    for (int64_t i = 0; i < heed_cache_arrays(cache); i++) HEED_TRY(read_array(r, i, error));
    heed_session_truncate(session, r->sequence, r->count - 1);
    HEED_TRY(feed(session, r->sequence, r->ids + r->count - 1, 1, error));
    bool agrees = false;
    HEED_TRY(compare_last(r, &agrees, error));
    if (agrees) return heed_safetensors_check_unchanged(r->file, error);
    return heed_fail(error, HEED_E_ARG,
                     "%s: the prompt cache was made with other weights: remove the file, or use "
                     "the model it was made with",
                     r->path);
}

heed_status heed_prefix_load(heed_prefix *prefix, const char *path, heed_error *error)
{
    reading r = {.prefix = prefix, .path = path, .sequence = -1};
    HEED_TRY(check_kind(prefix, error));
    HEED_TRY(heed_safetensors_open(&r.file, path, error));
    heed_status status = read_ids(&r, error);
    if (status == HEED_OK) status = heed_session_add(prefix->session, &r.sequence, error);
    if (status == HEED_OK) status = read_rows(&r, error);
    if (status == HEED_OK) status = heed_prefix_keep(prefix, r.sequence, r.ids, error);
    else if (r.sequence >= 0) heed_session_drop(prefix->session, r.sequence);
    heed_safetensors_close(r.file);
    free(r.ids);
    free(r.scratch);
    return status;
}
