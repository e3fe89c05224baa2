/* describe.c: describes a model, or this build and machine, as JSON for `heed info`. */
#include "api/api_internal.h"

#include "base/cpu.h"
#include "base/json.h"
#include "base/memory.h"
#include "generate/settings.h"
#include "generate/sidecar.h"
#include "model/config.h"
#include "model/family.h"
#include "model/model.h"
#include "tensor/dtype.h"
#include "text/tokenizer.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* A description that is being built. `failed` is set by a NULL value and by a failed insertion.
   Both mean that memory is out. */
typedef struct description {
    json_t *json;
    bool failed;
} description;

static void put(description *d, const char *key, json_t *value)
{
    d->failed |= json_object_set_new(d->json, key, value) != 0;
}

/* Finds out whether the system puts large allocations on huge pages if asked to. Returns false if
   memory is out. */
static bool ask_for_huge_pages(bool *granted)
{
    const size_t bytes = (size_t)8 << 20; /* at any address it contains three whole huge pages */
    char *block = heed_allocate_aligned(bytes);
    if (!block) return false;
    memset(block, 1, bytes);
    *granted = heed_huge_page_bytes(block, bytes) > 0;
    heed_free_aligned(block);
    return true;
}

/* Returns an array of lines. Each names something that makes this context slower than other
   settings or another machine would be. NULL if memory is out. */
static json_t *describe_slower(const heed_context *context, bool huge_pages)
{
    const heed_isa isa = context->backend->isa, best = heed_isa_detect();
    const heed_threads *threads = &context->threads;
    const bool wide = isa == HEED_ISA_AVX512, forced = isa < best;
    char wrong_level[96], crowded[96], limited[96];
    snprintf(wrong_level, sizeof wrong_level, "%s is forced: this machine has %s too",
             heed_isa_name(isa), heed_isa_name(best));
    snprintf(crowded, sizeof crowded, "%d threads are asked for, %d processor%s here: %d work",
             threads->wished, threads->processors, threads->processors == 1 ? " is" : "s are",
             threads->used);
    snprintf(limited, sizeof limited, "the container's quota is the time of %.3g processors",
             threads->quota);
    const struct {
        bool holds;
        const char *line;
    } lines[] = {
        {context->backend == &context->reference,
         "the reference kernels run: one thread, one plain loop an op"},
        {forced && context->cpu, wrong_level},
        {!forced && isa == HEED_ISA_AVX2,
         "no AVX-512: vectors of 256 bits, no instructions for multiplying bytes or bf16"},
        {!forced && isa == HEED_ISA_GENERIC,
         "no AVX2: portable C, where a multiply-add rounded once may take many instructions"},
        {wide && !heed_isa_has_vnni(),
         "no vpdpbusd: quantized matmuls take three instructions in the place of one"},
        {wide && !heed_isa_has_bf16(), "no vdpbf16ps: bf16 is widened and multiplied as f32"},
        {threads->wished > threads->used, crowded},
        {threads->quota > 0, limited},
        {!huge_pages, "huge pages are refused, memory is read through small ones: see "
                      "/sys/kernel/mm/transparent_hugepage/enabled"}};
    json_t *list = json_array();
    bool failed = !list;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].holds) failed |= json_array_append_new(list, json_string(lines[i].line)) != 0;
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

/* Returns what decided the number of threads, in words. */
static const char *threads_origin(heed_threads_why why)
{
    static const char *const origins[] = {
        [HEED_THREADS_ASKED] = "asked for",
        [HEED_THREADS_ENVIRONMENT] = "OMP_NUM_THREADS",
        [HEED_THREADS_PROCESSORS] = "all processors that this process may run on",
        [HEED_THREADS_QUOTA] = "the container's quota of processor time, rounded up",
    };
    return origins[why];
}

/* Describes this build and machine. NULL if memory is out. */
static json_t *describe_machine(const heed_context *context)
{
    char name[128];
    bool huge_pages = false;
    if (!ask_for_huge_pages(&huge_pages)) return NULL;
    heed_cpu_name(name, sizeof name);
    json_t *families = json_array();
    for (size_t i = 0; i < heed_family_count(); i++)
        if (json_array_append_new(families, json_string(heed_family_at(i)->name)) != 0) {
            json_decref(families);
            return NULL;
        }
    json_t *libraries = json_pack("[s,o,o]", "jansson " JANSSON_VERSION,
                                  json_sprintf("pcre2 %d.%d", PCRE2_MAJOR, PCRE2_MINOR),
                                  json_sprintf("utf8proc %s", utf8proc_version()));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:I, s:b, s:b, s:b, s:o, s:o, s:s, s:o}", "version",
        heed_version(), "processor", name, "instruction_set", heed_isa_name(context->backend->isa),
        "best_instruction_set", heed_isa_name(heed_isa_detect()), "threads", context->threads.used,
        "threads_from", threads_origin(context->threads.why), "processors",
        context->threads.processors, "free_memory_bytes", (json_int_t)heed_memory_available(),
        "bf16_instructions", heed_isa_has_bf16(), "vnni_instructions", heed_isa_has_vnni(),
        "huge_pages", huge_pages, "slower", describe_slower(context, huge_pages), "libraries",
        libraries, "compiler", __VERSION__, "families", families);
}

static const char *arrangement_name(int64_t arrangement)
{
    static const char *const names[HEED_ARRANGEMENTS] = {"decoder-only", "encoder-only",
                                                         "encoder-decoder"};
    return arrangement >= 0 && arrangement < HEED_ARRANGEMENTS ? names[arrangement] : "?";
}

/* Describes one stack of layers, unless the model has none. */
static void describe_stack(description *d, const char *key, const heed_stack *stack)
{
    if (!stack->layers) return;
    put(d, key,
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "layers", (json_int_t)stack->layers, "heads",
                  (json_int_t)stack->heads, "kv_heads", (json_int_t)stack->kv_heads, "head_width",
                  (json_int_t)stack->head_width, "inner_width", (json_int_t)stack->d_ff));
}

/* Adds the names of the tokenizer's chat templates to the object, if there are any. Returns
   HEED_E_NOMEM if memory is out. */
static heed_status describe_templates(const heed_tokenizer *tokenizer, json_t *object)
{
    const char *name;
    json_t *names = json_array();
    bool ok = object && names;
    for (size_t i = 0; ok && (name = heed_tokenizer_template_name(tokenizer, i)); i++)
        ok = json_array_append_new(names, json_string(name)) == 0;
    if (ok && json_array_size(names) > 0)
        ok = json_object_set(object, "chat_templates", names) == 0;
    json_decref(names);
    return ok ? HEED_OK : HEED_E_NOMEM;
}

/* ---- how the model generates ---- */

/* Adds the ids that end a sequence. Returns false if memory is out. */
static bool describe_ends(const heed_generation_settings *settings, json_t *object)
{
    json_t *ids = json_array();
    bool ok = ids != NULL;
    for (size_t i = 0; ok && i < settings->eos.count; i++)
        ok = json_array_append_new(ids, json_integer(settings->eos.ids[i])) == 0;
    ok = ok && json_object_set(object, "eos_token_id", ids) == 0;
    json_decref(ids);
    return ok;
}

/* Copies the members that change what is generated, as the model's files spell them. Returns false
   if memory is out. */
static bool copy_settings(const json_t *json, json_t *object)
{
    bool ok = true;
    for (void *at = json_object_iter((json_t *)json); ok && at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *key = json_object_iter_key(at);
        json_t *value = json_object_iter_value(at);
        bool wanted = heed_generation_has_effect(key) && !json_is_null(value);
        if (wanted && strcmp(key, "eos_token_id") != 0)
            ok = json_object_set(object, key, value) == 0;
    }
    return ok;
}

/* Appends each line of a text to the array of notes. Returns false if memory is out. */
static bool note_lines(const heed_buffer *lines, json_t *notes)
{
    const char *at = lines->data, *end = at ? at + lines->length : NULL;
    bool ok = true;
    while (ok && at && at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next) next = end;
        ok = json_array_append_new(notes, json_stringn(at, (size_t)(next - at))) == 0;
        at = next + 1;
    }
    return ok;
}

/* Adds the settings of generation. If they cannot be read, that becomes a note, since only
   generation needs them. HEED_E_NOMEM. */
static heed_status describe_generation(description *d, const char *model, const heed_config *config,
                                       json_t *notes, heed_error *error)
{
    heed_sidecar *sidecar = NULL;
    heed_generation_settings settings;
    heed_error problem = {0};
    const char *where = "";
    json_t *said = NULL, *object = json_object();
    heed_generation_settings_default(&settings);
    heed_status status = heed_sidecar_load(&sidecar, model, HEED_SIDECAR_SETTINGS, &problem);
    if (status == HEED_OK)
        status = heed_generation_settings_from(&settings, sidecar, config, &problem);
    if (status == HEED_OK) status = heed_sidecar_generation(sidecar, &said, &where, &problem);
    if (status == HEED_OK) {
        d->failed |= !object || !describe_ends(&settings, object) || !copy_settings(said, object);
        d->failed |= !note_lines(&settings.notes, notes);
        put(d, "generation", json_incref(object));
    } else if (status != HEED_E_NOMEM) {
        d->failed |= json_array_append_new(notes, json_string(problem.message)) != 0;
    }
    json_decref(said);
    json_decref(object);
    heed_generation_settings_free(&settings);
    heed_sidecar_free(sidecar);
    return status == HEED_E_NOMEM ? heed_fail(error, status, "%s", problem.message) : HEED_OK;
}

/* Returns the description of the tokenizer and adds its notes; if it cannot be read, a string that
   says why; NULL if memory is out. */
static json_t *describe_tokenizer(const char *model, json_t *notes)
{
    heed_tokenizer *tokenizer = NULL;
    heed_error problem = {0};
    if (heed_tokenizer_load(&tokenizer, model, &problem) != HEED_OK)
        return problem.status == HEED_E_NOMEM
                   ? NULL
                   : json_sprintf("none that works: %s", problem.message);
    json_t *object = json_pack("{s:s, s:I}", "kind", heed_tokenizer_kind(tokenizer), "tokens",
                               (json_int_t)heed_tokenizer_vocab_size(tokenizer));
    const char *line;
    size_t length;
    bool failed = describe_templates(tokenizer, object) != HEED_OK;
    for (size_t i = 0; heed_tokenizer_note(tokenizer, i, &line, &length); i++)
        failed |= json_array_append_new(notes, json_stringn(line, length)) != 0;
    heed_tokenizer_free(tokenizer);
    if (!failed) return object;
    json_decref(object);
    return NULL;
}

/* Returns the keys of config.json that the model does not use; NULL if memory is out. */
static json_t *describe_unused(const heed_model *model)
{
    json_t *keys = json_array();
    const char *key;
    bool ok = keys != NULL;
    for (size_t i = 0; ok && (key = heed_model_unused_key(model, i)) != NULL; i++)
        ok = json_array_append_new(keys, json_string(key)) == 0;
    if (ok) return keys;
    json_decref(keys);
    return NULL;
}

/* Loads a model and describes it. */
static heed_status describe_model(heed_context *context, const char *model, json_t **json,
                                  heed_error *error)
{
    heed_model *loaded = NULL;
    heed_model_size size;
    HEED_TRY(heed_model_load(
        &loaded, model, &(heed_model_options){.backend = context->backend, .allow_nonfinite = true},
        error));
    const heed_config *config = heed_model_config(loaded);
    heed_dtype dtype = config->dtype >= 0 && config->dtype < HEED_DTYPE_COUNT
                           ? (heed_dtype)config->dtype
                           : HEED_F32;
    heed_status status = heed_config_size(config, dtype, &size, error);
    description d = {0};
    json_t *notes = json_array();
    for (size_t i = 0; i < heed_model_note_count(loaded); i++)
        d.failed |= json_array_append_new(notes, json_string(heed_model_note(loaded, i))) != 0;
    if (status == HEED_OK) {
        d.json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "model", model, "model_type",
                           config->model_type, "arrangement", arrangement_name(config->arrangement),
                           "written_as", heed_config_written_as(config), "parameters",
                           (json_int_t)size.parameters, "width", (json_int_t)config->d_model,
                           "vocabulary", (json_int_t)config->vocabulary, "context",
                           (json_int_t)config->context);
        describe_stack(&d, "encoder", &config->encoder);
        describe_stack(&d, "decoder", &config->decoder);
        /* a model with float inputs has no table of embeddings */
        if (!config->vocabulary) {
            json_object_del(d.json, "vocabulary");
            json_object_del(d.json, "context");
        }
        put(&d, "dtype", json_string(heed_dtypes[dtype].name));
        put(&d, "weights_bytes", json_integer((json_int_t)heed_model_bytes(loaded)));
        put(&d, "training_bytes", json_integer((json_int_t)size.training_bytes));
        put(&d, "cache_per_position_bytes",
            size.cache_bytes_per_position ? json_integer((json_int_t)size.cache_bytes_per_position)
                                          : json_null());
        put(&d, "tokenizer", describe_tokenizer(model, notes));
        bool generates = config->arrangement != HEED_ENCODER_ONLY && config->vocabulary > 0;
        if (generates) status = describe_generation(&d, model, config, notes, error);
        put(&d, "configuration", heed_config_describe(config));
        put(&d, "unused_keys", describe_unused(loaded));
        put(&d, "notes", json_incref(notes));
        if (d.failed && status == HEED_OK)
            status = heed_fail_memory(error, 4096, "the description");
    }
    if (status == HEED_OK) *json = d.json;
    else json_decref(d.json);
    json_decref(notes);
    heed_model_release(loaded);
    return status;
}

heed_status heed_describe(heed_context *context, const char *model, char **text, heed_error *error)
{
    json_t *json = NULL;
    *text = NULL;
    if (model) HEED_TRY(describe_model(context, model, &json, error));
    else json = describe_machine(context);
    heed_buffer out = {0};
    if (json) heed_json_put(&out, json, JSON_INDENT(2));
    bool ok = json && !out.failed;
    json_decref(json);
    if (ok) *text = out.data;
    else heed_buffer_free(&out);
    return ok ? HEED_OK : heed_fail_memory(error, 4096, "the description");
}
