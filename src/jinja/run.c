/* run.c: a rendering: limits, scopes, failures; compiling and rendering from outside. */
#include "jinja/run.h"

#include "base/utf8.h"
#include "jinja/characters.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- limits and failures ---- */

heed_jinja_limits heed_jinja_default_limits(void)
{
    return (heed_jinja_limits){
        .steps = 50000000, .output = (size_t)64 << 20, .memory = (size_t)512 << 20, .depth = 1000};
}

static jinja_value record(jinja_run *run, heed_status status, const char *message)
{
    if (run->status == HEED_OK)
        run->status = heed_fail(run->error, status, "%s: line %u: %s", run->jinja->where, run->line,
                                message);
    return heed_jinja_undefined("");
}

jinja_value heed_jinja_fail(jinja_run *run, const char *format, ...)
{
    char message[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return record(run, HEED_E_FORMAT, message);
}

jinja_value heed_jinja_fail_use(jinja_run *run, const char *verb, jinja_value value)
{
    int length = value.length < 60 ? (int)value.length : 60;
    if (value.kind != JINJA_UNDEFINED)
        return heed_jinja_fail(run, "cannot %s a value of type %s", verb, heed_jinja_type(value));
    if (value.unsafe)
        return heed_jinja_fail(run, "templates may not use \"%.*s\"", length, value.text);
    return heed_jinja_fail(run, "cannot %s \"%.*s\", which is undefined", verb, length, value.text);
}

jinja_value heed_jinja_raise(jinja_run *run, jinja_value message)
{
    heed_buffer text = {0};
    heed_jinja_print(run, &text, message);
    if (text.failed && run->status == HEED_OK)
        run->status = heed_fail_memory(run->error, text.length, "a template");
    if (run->status == HEED_OK)
        run->status = heed_fail(run->error, HEED_E_ARG,
                                "%s: the template refuses the conversation: %s", run->jinja->where,
                                text.data ? text.data : "");
    heed_buffer_free(&text);
    return heed_jinja_undefined("");
}

bool heed_jinja_failed(const jinja_run *run)
{
    return run->status != HEED_OK;
}
int64_t heed_jinja_now(const jinja_run *run)
{
    return run->now;
}

bool heed_jinja_spend(jinja_run *run, size_t steps)
{
    if (run->status != HEED_OK) return false;
    if (steps > (size_t)run->steps)
        heed_jinja_fail(run, "the template takes more than %lld steps",
                        (long long)run->limits.steps);
    else run->steps -= (int64_t)steps;
    return run->status == HEED_OK;
}

bool heed_jinja_enter(jinja_run *run)
{
    if (run->status == HEED_OK && run->depth >= run->limits.depth)
        heed_jinja_fail(run, "values or calls are nested more than %d levels deep",
                        run->limits.depth);
    if (run->status != HEED_OK) return false;
    run->depth++;
    return true;
}

void heed_jinja_leave(jinja_run *run)
{
    run->depth--;
}

void *heed_jinja_take(jinja_run *run, size_t count, size_t size)
{
    size_t bytes;
    if (run->status != HEED_OK) return NULL;
    if (!heed_multiply_size(count, size, &bytes) || bytes > run->limits.memory ||
        heed_arena_bytes(run->arena) > run->limits.memory - bytes) {
        heed_jinja_fail(run, "the template's values take more than %zu bytes", run->limits.memory);
        return NULL;
    }
    void *piece = heed_arena_take(run->arena, count, size);
    if (!piece) run->status = heed_fail_memory(run->error, bytes, "a template");
    return piece;
}

bool heed_jinja_fits(jinja_run *run, const heed_buffer *buffer)
{
    if (run->status == HEED_OK && buffer->failed)
        run->status = heed_fail_memory(run->error, buffer->length, "a template");
    if (run->status == HEED_OK && buffer->length > run->limits.output)
        heed_jinja_fail(run, "the template makes more than %zu bytes of text", run->limits.output);
    return run->status == HEED_OK;
}

/* ---- scopes ---- */

jinja_scope *heed_jinja_scope(jinja_run *run, const jinja_scope *parent)
{
    jinja_scope *scope = heed_jinja_take(run, 1, sizeof *scope);
    if (scope) scope->parent = parent;
    return scope;
}

void heed_jinja_assign(jinja_run *run, jinja_scope *scope, int32_t name, jinja_value value)
{
    if (!scope || run->status != HEED_OK) return;
    if (scope == &run->globals) {
        scope->values[name] = value;
        return;
    }
    for (size_t i = 0; i < scope->count; i++)
        if (scope->names[i] == name) {
            scope->values[i] = value;
            return;
        }
    if (scope->count == scope->capacity) {
        size_t capacity = scope->capacity ? scope->capacity * 2 : 4;
        int32_t *names = heed_jinja_take(run, capacity, sizeof *names);
        jinja_value *values = names ? heed_jinja_take(run, capacity, sizeof *values) : NULL;
        if (!values) return;
        if (scope->count) {
            memcpy(names, scope->names, scope->count * sizeof *names);
            memcpy(values, scope->values, scope->count * sizeof *values);
        }
        scope->names = names;
        scope->values = values;
        scope->capacity = capacity;
    }
    scope->names[scope->count] = name;
    scope->values[scope->count++] = value;
}

jinja_value heed_jinja_look_up(const jinja_run *run, int32_t name)
{
    for (const jinja_scope *scope = run->scope; scope != &run->globals && scope;
         scope = scope->parent)
        for (size_t i = scope->count; i > 0; i--)
            if (scope->names[i - 1] == name) return scope->values[i - 1];
    return run->globals.values[name];
}

/* ---- names ---- */

static uint64_t hash(const char *text, size_t length)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

/* The slot of a name: its own, or the free one where it belongs. */
static size_t slot_of(const heed_jinja *jinja, const char *text, size_t length)
{
    size_t slot = hash(text, length) & (jinja->slot_count - 1);
    for (; jinja->slots[slot] >= 0; slot = (slot + 1) & (jinja->slot_count - 1)) {
        jinja_value name = jinja->names[jinja->slots[slot]];
        if (name.length == length && memcmp(name.text, text, length) == 0) break;
    }
    return slot;
}

static bool grow_slots(heed_jinja *jinja)
{
    size_t count = jinja->slot_count ? jinja->slot_count * 2 : 64;
    int32_t *slots = heed_allocate(count, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < count; i++) slots[i] = -1;
    free(jinja->slots);
    jinja->slots = slots;
    jinja->slot_count = count;
    for (size_t i = 0; i < jinja->name_count; i++)
        slots[slot_of(jinja, jinja->names[i].text, jinja->names[i].length)] = (int32_t)i;
    return true;
}

int32_t heed_jinja_find_name(const heed_jinja *jinja, const char *text, size_t length)
{
    return jinja->slot_count ? jinja->slots[slot_of(jinja, text, length)] : -1;
}

int32_t heed_jinja_name(jinja_reader *reader, const char *text, size_t length)
{
    heed_jinja *jinja = reader->jinja;
    if (reader->status != HEED_OK) return -1;
    if ((jinja->name_count * 2 >= jinja->slot_count && !grow_slots(jinja)) ||
        !heed_grow(&jinja->names, &jinja->name_capacity, jinja->name_count + 1,
                   sizeof *jinja->names)) {
        reader->status = heed_fail_memory(reader->error, jinja->name_count * sizeof *jinja->names,
                                          "a template");
        return -1;
    }
    size_t slot = slot_of(jinja, text, length);
    if (jinja->slots[slot] >= 0) return jinja->slots[slot];
    jinja->names[jinja->name_count] = jinja_text(text, length);
    return jinja->slots[slot] = (int32_t)jinja->name_count++;
}

/* ---- from outside ---- */

void heed_jinja_free(heed_jinja *jinja)
{
    if (!jinja) return;
    heed_arena_free(jinja->arena);
    free(jinja->names);
    free(jinja->slots);
    free(jinja->where);
    free(jinja);
}

/* Valid UTF-8 with line feeds only and without one at the end, as Jinja reads sources. */
static void normalize(heed_buffer *out, const char *source, size_t length)
{
    uint32_t c;
    for (size_t at = 0, step; at < length; at += step) {
        step = jinja_next(source, length, at, &c);
        if (c == '\r' && at + 1 < length && source[at + 1] == '\n') continue;
        heed_jinja_put_character(out, c == '\r' ? '\n' : c);
    }
    if (out->length && out->data[out->length - 1] == '\n') out->length--;
}

static heed_status read_template(heed_jinja *jinja, const char *source, size_t length,
                                 heed_error *error)
{
    heed_buffer text = {0};
    normalize(&text, source, length);
    jinja_reader reader = {
        .jinja = jinja, .line = 1, .line_starts = true, .error = error, .length = text.length};
    if (text.failed) reader.status = heed_fail_memory(error, length, "a template");
    char *kept = heed_jinja_keep(&reader, text.length + 1, 1);
    if (kept && text.length) memcpy(kept, text.data, text.length);
    heed_buffer_free(&text);
    reader.text = kept;
    jinja->name_loop = heed_jinja_name(&reader, "loop", 4);
    jinja->name_rest = heed_jinja_name(&reader, "varargs", 7);
    jinja->name_named_rest = heed_jinja_name(&reader, "kwargs", 6);
    jinja->name_caller = heed_jinja_name(&reader, "caller", 6);
    heed_jinja_advance(&reader);
    heed_jinja_advance(&reader);
    jinja->root = heed_jinja_read_body(&reader, NULL);
    heed_buffer_free(&reader.brackets);
    return reader.status;
}

heed_status heed_jinja_new(heed_jinja **jinja, const char *source, size_t length, const char *where,
                           heed_error *error)
{
    *jinja = NULL;
    if (length > JINJA_SOURCE)
        return heed_fail(error, HEED_E_FORMAT, "%s: a template of %zu bytes; at most %d are read",
                         where, length, JINJA_SOURCE);
    heed_jinja *made = heed_allocate(1, sizeof *made);
    if (!made) return heed_fail_memory(error, sizeof *made, "a template");
    made->arena = heed_arena_new();
    made->where = heed_string_copy(where);
    heed_status status = made->arena && made->where
                             ? HEED_OK
                             : heed_fail_memory(error, sizeof *made, "a template");
    if (status == HEED_OK) status = read_template(made, source, length, error);
    if (status == HEED_OK) *jinja = made;
    else heed_jinja_free(made);
    return status;
}

bool heed_jinja_marks_generation(const heed_jinja *jinja)
{
    return jinja->marks_generation;
}

bool heed_jinja_mentions(const heed_jinja *jinja, const char *name)
{
    return heed_jinja_find_name(jinja, name, strlen(name)) >= 0;
}

void heed_jinja_output_free(heed_jinja_output *output)
{
    heed_buffer_free(&output->text);
    free(output->spans);
    *output = (heed_jinja_output){0};
}

/* The variables that the template mentions, and the global functions for the other names. */
static void set_globals(jinja_run *run, const json_t *variables)
{
    const heed_jinja *jinja = run->jinja;
    run->globals.values = heed_jinja_take(run, jinja->name_count + 1, sizeof *run->globals.values);
    for (size_t i = 0; run->globals.values && i < jinja->name_count; i++) {
        jinja_value name = jinja->names[i];
        const jinja_builtin *builtin = heed_jinja_global(name.text, name.length);
        run->globals.values[i] = builtin ? (jinja_value){.kind = JINJA_FUNCTION, .builtin = builtin}
                                         : (jinja_value){.kind = JINJA_UNDEFINED,
                                                         .length = name.length,
                                                         .text = name.text};
    }
    for (void *at = json_object_iter((json_t *)variables); at && run->status == HEED_OK;
         at = json_object_iter_next((json_t *)variables, at)) {
        const char *key = json_object_iter_key(at);
        int32_t name = heed_jinja_find_name(jinja, key, strlen(key));
        if (name < 0) continue;
        jinja_value value = heed_jinja_from_json(run, json_object_iter_value(at));
        if (run->status == HEED_OK) run->globals.values[name] = value;
    }
}

heed_status heed_jinja_render(const heed_jinja *jinja, const json_t *variables, int64_t now,
                              const heed_jinja_limits *limits, heed_jinja_output *output,
                              heed_error *error)
{
    jinja_run run = {.jinja = jinja,
                     .limits = limits ? *limits : heed_jinja_default_limits(),
                     .now = now,
                     .line = 1,
                     .out = &output->text,
                     .output = output,
                     .error = error,
                     .arena = heed_arena_new()};
    if (!run.arena) return heed_fail_memory(error, sizeof run, "a template");
    run.steps = run.limits.steps;
    run.scope = &run.globals;
    set_globals(&run, variables);
    heed_jinja_execute(&run, jinja->root);
    heed_jinja_fits(&run, &output->text);
    heed_arena_free(run.arena);
    bool valid = heed_utf8_valid(output->text.data, output->text.length);
    if (run.status == HEED_OK && !valid)
        return heed_fail(
            error, HEED_E_ARG,
            "a message holds half a surrogate pair (\"\\ud83d\" without the other half, "
            "say), which is not text: mend or remove it");
    return run.status;
}
