/* reader.c: what all files that read templates use: failures, memory that lives as long as the
   template, and names. */
#include "jinja/tree_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_jinja_refuse(jinja_reader *reader, heed_status status, uint32_t line,
                              const char *format, ...)
{
    if (reader->status != HEED_OK) return reader->status;
    char message[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return reader->status = heed_fail(reader->error, status, "%s: line %u: %s",
                                      reader->jinja->where, line, message);
}

void *heed_jinja_keep(jinja_reader *r, size_t count, size_t size)
{
    void *piece = r->status == HEED_OK ? heed_arena_take(r->jinja->arena, count, size) : NULL;
    if (!piece && r->status == HEED_OK)
        r->status = heed_fail_memory(r->error, count * size, "a template");
    return piece;
}

/* ---- names ---- */

static uint64_t hash(const char *text, size_t length)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

/* Returns the slot of a name, or the free slot where it belongs. */
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
