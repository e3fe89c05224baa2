/* run.c: the state of a rendering: limits, failures and scopes (run.h). */
#include "jinja/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- limits and failures ---- */

heed_jinja_limits heed_jinja_default_limits(void)
{
    return (heed_jinja_limits){
        .steps = 50000000, .output = (size_t)64 << 20, .memory = (size_t)512 << 20, .depth = 1000};
}

/* Records a failure with the current line, unless the run has failed. */
static jinja_value record(jinja_run *run, heed_status status, const char *message)
{
    if (run->status == HEED_OK)
        run->status = heed_fail(run->error, status, "%s: line %u: %s", run->jinja->where, run->line,
                                message);
    return (jinja_value){.kind = JINJA_UNDEFINED, .text = ""};
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

jinja_value heed_jinja_raise(jinja_run *run, const char *message)
{
    if (run->status == HEED_OK)
        run->status = heed_fail(run->error, HEED_E_ARG,
                                "%s: the template refuses the conversation: %s", run->jinja->where,
                                message);
    return (jinja_value){.kind = JINJA_UNDEFINED, .text = ""};
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
