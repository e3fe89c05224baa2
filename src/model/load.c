/* Loads weights: every tensor of the file is used once or ignored by name, and every weight is
   filled once (docs/architecture.md, invariant 7). */
#include "model/ties.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which tensors ---- */

/* Finds the stored tensor by its name, by an older spelling of the same role, or as its copy in a
   tied model. */
static heed_status find_source(heed_model *model, const heed_weights_file *file,
                               const heed_ties *ties, heed_tensor *tensor, heed_error *error)
{
    const heed_weight_name *alias = model->names;
    tensor->source = heed_weights_file_find(file, tensor->name);
    if (!tensor->source) HEED_TRY(heed_weights_file_check(file, tensor->name, error));
    for (; !tensor->source && alias->name; alias++) {
        heed_weight_place place = heed_weight_name_place(alias, tensor->place.layer);
        if (!(alias->flags & HEED_NAME_ALIAS) || alias->role != tensor->entry->role ||
            place.stack_id != tensor->place.stack_id || place.slot != tensor->place.slot)
            continue;
        const char *prefix = alias->flags & HEED_NAME_BASE ? model->prefix : "";
        char *name = heed_weights_expand(
            model->arena, prefix, alias->name,
            heed_weights_numbers(&model->config, &tensor->place, tensor->expert));
        if (!name) return heed_fail_memory(error, strlen(alias->name), "names of tensors");
        tensor->source = heed_weights_file_find(file, name);
        if (tensor->source) tensor->name = name;
        else HEED_TRY(heed_weights_file_check(file, name, error));
    }
    if (tensor->source) return HEED_OK;
    tensor->source = heed_ties_source(ties, tensor);
    if (!tensor->source) return HEED_OK;
    return heed_model_note_add(model, error,
                               "%s is not in the file: %s, to which it is tied, stands in for it",
                               tensor->name, tensor->source->name);
}

static bool is_gguf(const heed_model *model)
{
    return model->names != model->config.family->weights;
}

/* Names the place of the configuration in messages. */
static const char *configuration(const heed_model *model)
{
    return is_gguf(model) ? "the metadata" : "config.json";
}

/* Does a name belong to a head? In GGUF files names have no prefix; there a head's tensors are
   those that belong to no stack, except the embedding. */
static bool is_head(const heed_model *model, const heed_weight_name *entry)
{
    if (is_gguf(model))
        return entry->stack_id == HEED_STACK_MODEL && entry->role != HEED_ROLE_TOKEN_EMBEDDING;
    return !(entry->flags & HEED_NAME_BASE) || (entry->flags & HEED_NAME_HEAD);
}

/* Writes which head needs a tensor, and returns text; "" if none does. */
static const char *head_reason(const heed_model *model, const heed_tensor *tensor, char *text,
                               size_t room)
{
    heed_role role = (heed_role)tensor->entry->role;
    const heed_head_kind *head = heed_head_of_role(&model->config, &tensor->place, role);
    if (tensor->place.stack_id != HEED_STACK_MODEL) head = NULL;
    *text = 0;
    if (!head || !is_head(model, tensor->entry)) return text;
    snprintf(text, room,
             " for the head that architectures names (%s); only training initializes a new head",
             head->name);
    return text;
}

/* Fails with the name of the tensor, and suggests a tensor of the file whose name differs only by a
   wrapper's. */
static heed_status fail_missing(const heed_model *model, const heed_weights_file *file,
                                const heed_tensor *tensor, heed_error *error)
{
    const char *where = heed_weights_file_path(file);
    const char *name = tensor->name;
    const char *wanted = name;
    size_t at = 0;
    const char *similar = is_gguf(model) ? NULL : heed_weights_file_find_wrapped(file, name, &at);
    if (!similar && !is_gguf(model) && (tensor->entry->flags & HEED_NAME_BASE)) {
        wanted = name + strlen(model->prefix);
        similar = heed_weights_file_find_wrapped(file, wanted, &at);
    }
    if (similar)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: tensor \"%s\" is missing, but \"%.128s\" is there: a wrapper has put "
            "\"%.*s\" into some of the names; save the unwrapped model (in Python: the "
            "module inside the wrapper), or rename the tensors",
            where, name, similar, (int)(strlen(similar) - strlen(wanted)), similar + at);
    char head[160];
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: tensor \"%s\" is missing; %s (model_type %s) needs it%s", where, name,
                     configuration(model), model->config.model_type,
                     head_reason(model, tensor, head, sizeof head));
}

/* Handles a tensor that the file lacks: it is optional, or part of a new head, or an error. */
static heed_status accept_missing(heed_model *model, const heed_weights_file *file,
                                  heed_tensor *tensor, const heed_model_options *options,
                                  heed_error *error)
{
    bool bare_pooler = (tensor->entry->flags & HEED_NAME_HEAD) &&
                       heed_head_any(&model->config, HEED_TRAIT_BARE);
    if ((tensor->entry->flags & HEED_NAME_OPTIONAL) || (bare_pooler && !options->missing_head)) {
        tensor->absent = true;
        return HEED_OK;
    }
    if (tensor->entry->flags & HEED_NAME_SINUSOIDS) {
        tensor->initialize = true;
        return heed_model_note_add(model, error, "%s is not in the file: filled with sinusoids",
                                   tensor->name);
    }
    if (is_head(model, tensor->entry) && options->missing_head) {
        tensor->initialize = true;
        return heed_model_note_add(model, error, "%s is not in the file: initialized from the seed",
                                   tensor->name);
    }
    return fail_missing(model, file, tensor, error);
}

enum { SHAPE_TEXT = 96 };

/* Writes "4,8,16"; the text is cut if it is too long. */
static void write_shape(char text[SHAPE_TEXT], int rank, const int64_t *shape)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < rank && at < SHAPE_TEXT - 24; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%lld", i ? "," : "",
                               (long long)shape[i]);
}

static heed_status check_source(const heed_model *model, const heed_tensor *tensor,
                                heed_error *error)
{
    const heed_stored_tensor *source = tensor->source;
    bool floating = source->dtype == HEED_F32 || source->dtype == HEED_F16 ||
                    source->dtype == HEED_BF16 || source->dtype == HEED_F64;
    if (!floating && !heed_dtype_is_quantized(source->dtype))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: tensor \"%s\" holds %s; expected F32, F16, BF16 or a quantized type",
                         source->file, source->name, heed_dtypes[source->dtype].safetensors);
    bool fits = source->rank == tensor->rank;
    for (int i = 0; fits && i < source->rank; i++) fits = source->shape[i] == tensor->shape[i];
    if (fits) return HEED_OK;
    char found[SHAPE_TEXT], wanted[SHAPE_TEXT];
    write_shape(found, source->rank, source->shape);
    write_shape(wanted, tensor->rank, tensor->shape);
    return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%s\" has shape (%s); %s makes it (%s)",
                     source->file, source->name, found, configuration(model), wanted);
}

/* ---- what is left over ---- */

/* Is the name one of the encoder, or of what reads it, and the model has no encoder? */
static bool is_beside_decoder(const heed_model *model, const heed_weight_name *entry)
{
    const heed_config *config = &model->config;
    heed_slot_id slot = (heed_slot_id)heed_weight_name_place(entry, 0).slot;
    if (!heed_config_is_decoder_alone(config)) return false;
    return !heed_weight_name_is_used(config, entry) ||
           !heed_role_wanted(config, (heed_stack_id)entry->stack_id, slot, (heed_role)entry->role);
}

/* Does the family know this name, although this model does not use it? Examples are heads of other
   tasks, older spellings and buffers. */
static bool is_ignored(const heed_model *model, const char *name)
{
    const heed_family *family = model->config.family;
    for (const heed_weight_name *entry = model->names; entry->name; entry++) {
        bool other = is_head(model, entry) || (entry->flags & HEED_NAME_ALIAS) ||
                     is_beside_decoder(model, entry);
        if (other && heed_weights_matches(name, entry->flags & HEED_NAME_BASE ? model->prefix : "",
                                          entry->name))
            return true;
    }
    for (const char *const *pattern = is_gguf(model) ? heed_gguf_ignored : family->ignored;
         *pattern; pattern++) {
        if (heed_weights_matches(name, "", *pattern)) return true;
        for (const char *const *prefix = family->prefixes; *prefix; prefix++)
            if (heed_weights_matches(name, *prefix, *pattern)) return true;
    }
    return false;
}

static int compare_pointers(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const void *const *)a, y = (uintptr_t) * (const void *const *)b;
    return (x > y) - (x < y);
}

static heed_status check_leftovers(heed_model *model, const heed_weights_file *file,
                                   heed_error *error)
{
    const void **used = heed_allocate(model->n_tensors + 1, sizeof *used);
    if (!used)
        return heed_fail_memory(error, model->n_tensors * sizeof *used, "the list of tensors");
    heed_status status = HEED_OK;
    size_t count = 0, ignored = 0;
    for (size_t i = 0; i < model->n_tensors; i++)
        if (model->tensors[i].source) used[count++] = model->tensors[i].source;
    qsort(used, count, sizeof *used, compare_pointers);
    for (size_t i = 0; status == HEED_OK && i < heed_weights_file_count(file); i++) {
        const heed_stored_tensor *stored = heed_weights_file_at(file, i);
        if (bsearch(&stored, used, count, sizeof *used, compare_pointers)) continue;
        if (!heed_weights_file_is_listed(file, i) || is_ignored(model, stored->name)) ignored++;
        else
            status = heed_fail(error, HEED_E_FORMAT,
                               "%s: tensor \"%s\" has no place in this model (model_type %s by %s)",
                               stored->file, stored->name, model->config.model_type,
                               configuration(model));
    }
    free(used);
    size_t lost = heed_weights_file_lost_count(file);
    if (status == HEED_OK && lost > 0)
        status = heed_model_warning_add(model, error,
                                        "the index names %zu tensor%s that cannot be read and that "
                                        "this model does not need, the first: %s",
                                        lost, lost == 1 ? "" : "s",
                                        heed_weights_file_lost(file, 0));
    if (status == HEED_OK && ignored > 0)
        status = heed_model_note_add(
            model, error,
            "%zu tensors of the file are not used here (other heads, buffers, repeated names)",
            ignored);
    return status;
}

/* ---- values ---- */

/* Returns the exponent bits of a type; all of them are set in NaN and infinity, and only there. */
static uint64_t exponent_bits(heed_dtype dtype)
{
    if (dtype == HEED_F32) return 0x7F800000u;
    if (dtype == HEED_BF16) return 0x7F80u;
    if (dtype == HEED_F16) return 0x7C00u;
    return 0x7FF0000000000000u;
}

/* Returns the index of the first element that is NaN or infinite, or `count` if all are finite. */
static size_t first_nonfinite(const void *data, heed_dtype dtype, size_t count)
{
    enum { AT_ONCE = 4096 };
    const unsigned char *bytes = data;
    const size_t size = heed_dtypes[dtype].bytes;
    const uint64_t exponent = exponent_bits(dtype);
    for (size_t begin = 0; begin < count; begin += AT_ONCE) {
        size_t end = begin + AT_ONCE < count ? begin + AT_ONCE : count;
        int bad = 0;
        for (size_t i = begin; i < end; i++) {
            uint64_t bits = 0;
            memcpy(&bits, bytes + i * size, size);
            bad |= (bits & exponent) == exponent;
            if (bad && end - begin == 1) return i;
        }
        if (!bad) continue;
        for (size_t i = begin; i < end; i++)
            if (first_nonfinite(bytes + i * size, dtype, 1) == 0) return i;
    }
    return count;
}

/* Returns the index of the first element of the first qblock with a scale that is NaN or infinite,
   or the number of elements. Quantized elements are finite if their scales are. */
static size_t first_nonfinite_qblock(const void *data, heed_dtype dtype, size_t qblocks)
{
    const heed_dtype_info *type = &heed_dtypes[dtype];
    const unsigned char *bytes = (const unsigned char *)data + type->scale_at;
    for (size_t i = 0; i < qblocks; i++)
        for (size_t j = 0; j < type->scales; j++)
            if ((bytes[i * type->bytes + 2 * j + 1] & 0x7C) == 0x7C) return i * type->qblock;
    return qblocks * type->qblock;
}

/* Returns the index of the first of `count` f64 numbers that is too large for f32, in which heed
   computes; `count` if there is none. */
static size_t first_too_wide(const void *data, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, (const char *)data + i * sizeof value, sizeof value);
        if (isfinite(value) && isinf((float)value)) return i;
    }
    return count;
}

static heed_status check_wide(const heed_stored_tensor *source, const void *data, size_t first,
                              size_t count, heed_error *error)
{
    size_t at = source->dtype == HEED_F64 ? first_too_wide(data, count) : count;
    if (at == count) return HEED_OK;
    double value;
    memcpy(&value, (const char *)data + at * sizeof value, sizeof value);
    return heed_fail(
        error, HEED_E_UNSUPPORTED,
        "%s: tensor \"%s\": element %zu is %.9g, too large for f32, in which heed computes",
        source->file, source->name, first + at, value);
}

static heed_status fail_nonfinite(heed_model *model, const heed_stored_tensor *source, size_t at,
                                  bool allowed, heed_error *error)
{
    const heed_dtype_info *type = &heed_dtypes[source->dtype];
    if (allowed)
        return heed_model_note_add(model, error,
                                   "tensor \"%s\" holds NaN or infinity, first at element %zu",
                                   source->name, at);
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: tensor \"%s\" holds NaN or infinity at element %zu (byte %zu); expected "
                     "finite weights",
                     source->file, source->name, at,
                     source->offset + at / type->qblock * type->bytes);
}

/* Checks all elements of a tensor, one window of the file at a time. */
static heed_status check_values(heed_model *model, heed_stored_window *window, bool allowed,
                                heed_error *error)
{
    const heed_stored_tensor *source = window->tensor;
    const heed_dtype_info *type = &heed_dtypes[source->dtype];
    const size_t units = source->bytes / type->bytes, most = HEED_STORED_WINDOW / type->bytes;
    bool told = false;
    for (size_t unit = 0, some; unit < units; unit += some) {
        const void *data = NULL;
        some = units - unit < most ? units - unit : most;
        HEED_TRY(
            heed_stored_window_get(window, unit * type->bytes, some * type->bytes, &data, error));
        size_t count = some * type->qblock, at = count;
        if (!told && type->qblock > 1) at = first_nonfinite_qblock(data, source->dtype, some);
        else if (!told) at = first_nonfinite(data, source->dtype, count);
        told |= at < count;
        if (at < count)
            HEED_TRY(fail_nonfinite(model, source, unit * type->qblock + at, allowed, error));
        HEED_TRY(check_wide(source, data, unit, count, error));
    }
    return HEED_OK;
}

static heed_status fill_all(heed_model *model, const heed_weights_file *file,
                            const heed_model_options *options, heed_error *error)
{
    heed_stored_window window = {0};
    heed_status status = HEED_OK;
    for (size_t i = 0; i < model->n_tensors && status == HEED_OK; i++) {
        heed_tensor *tensor = &model->tensors[i];
        status = heed_cancel_check(model->cancel, "loading the model", error);
        if (status == HEED_OK && tensor->initialize)
            status = heed_weights_initialize(model, tensor, options->seed, error);
        if (status != HEED_OK || !tensor->source) continue;
        window.tensor = tensor->source;
        status = check_values(model, &window, options->allow_nonfinite, error);
        if (status == HEED_OK) status = heed_weights_fill(model, tensor, &window, error);
        tensor->source = NULL;
    }
    heed_stored_window_free(&window);
    HEED_TRY(status);
    heed_weights_compute(model);
    return heed_weights_file_check_unchanged(file, error);
}

static heed_status load_weights(heed_model *model, heed_weights_file *file,
                                const heed_model_options *options, heed_error *error)
{
    heed_ties ties;
    HEED_TRY(heed_weights_choose_prefix(model, file, error));
    for (size_t i = 0; i < heed_weights_file_note_count(file); i++)
        HEED_TRY(heed_model_warning_add(model, error, "%s", heed_weights_file_note(file, i)));
    HEED_TRY(heed_ties_resolve(&ties, model, file, error));
    HEED_TRY(heed_weights_list(model, model->prefix, error));
    for (size_t i = 0; i < model->n_tensors; i++) {
        heed_tensor *tensor = &model->tensors[i];
        HEED_TRY(find_source(model, file, &ties, tensor, error));
        tensor->absent = false;
        if (!tensor->source) HEED_TRY(accept_missing(model, file, tensor, options, error));
        else HEED_TRY(check_source(model, tensor, error));
        if (tensor->source)
            tensor->stored = tensor->source->dtype == HEED_F64 ? HEED_F32 : tensor->source->dtype;
    }
    HEED_TRY(check_leftovers(model, file, error));
    HEED_TRY(heed_weights_allocate(model, error));
    return fill_all(model, file, options, error);
}

/* Reads what the config.json beside the weights says beyond the configuration. */
static heed_status load_besides(heed_model *model, const char *path, heed_error *error)
{
    if (is_gguf(model)) return HEED_OK;
    char *folder = heed_weights_folder(path);
    char *file = folder ? heed_path_join(folder, "config.json") : NULL;
    heed_status status = file ? heed_model_read_besides(model, file, error)
                              : heed_fail_memory(error, strlen(path) + 16, "a path");
    free(file);
    free(folder);
    return status;
}

heed_status heed_model_load(heed_model **out, const char *path, const heed_model_options *options,
                            heed_error *error)
{
    heed_config config;
    heed_model *model = NULL;
    heed_weights_file *file = NULL;
    *out = NULL;
    HEED_TRY(heed_config_load(&config, path, error));
    if (options->head != HEED_HEAD_NONE) {
        HEED_TRY(heed_config_set_head(&config, options->head, path, error));
        HEED_TRY(heed_config_complete(&config, path, error));
    }
    heed_status status = heed_weights_file_open(&file, path, error);
    if (status == HEED_OK) status = heed_model_create(&model, &config, options, error);
    if (status == HEED_OK && heed_weights_file_gguf(file))
        model->names = config.family->gguf->weights;
    if (status == HEED_OK) status = load_besides(model, path, error);
    if (status == HEED_OK) status = load_weights(model, file, options, error);
    heed_weights_file_close(file);
    if (model) model->cancel = (heed_cancel){0};
    if (model) model->frozen = NULL;
    if (status == HEED_OK) *out = model;
    else heed_model_release(model);
    return status;
}
