/* template.c: compiles and renders a template (jinja.h). */
#include "jinja/run.h"

#include "base/utf8.h"
#include "jinja/characters.h"
#include <stdlib.h>
#include <string.h>

void heed_jinja_free(heed_jinja *jinja)
{
    if (!jinja) return;
    heed_arena_free(jinja->arena);
    free(jinja->names);
    free(jinja->slots);
    free(jinja->where);
    free(jinja);
}

/* Normalizes a source as Jinja does: valid UTF-8, line feeds only, none at the end. */
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

/* Sets the variables that the template mentions, and global functions for other names. */
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
