/* text.c: checks and lists of texts (text.h). */
#include "text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

bool heed_cli_is_utf8(const char *text, size_t length)
{
    json_t *string = json_stringn(text, length);
    json_decref(string);
    return string != NULL;
}

/* Makes room for one more item. Returns false if memory is out. */
static bool grow(heed_cli_text_list *list)
{
    if (list->count < list->capacity) return true;
    size_t capacity = list->capacity ? 2 * list->capacity : 16;
    char **items = realloc(list->items, capacity * sizeof *items);
    if (!items) return false;
    list->items = items;
    list->capacity = capacity;
    return true;
}

heed_status heed_cli_text_list_add(heed_cli_text_list *list, const char *text, size_t length,
                                   heed_error *error)
{
    char *copy = grow(list) ? malloc(length + 1) : NULL;
    if (!copy)
        return heed_fail(error, HEED_E_NOMEM, "out of memory for %zu lines", list->count + 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    list->items[list->count++] = copy;
    return HEED_OK;
}

void heed_cli_text_list_free(heed_cli_text_list *list)
{
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
    *list = (heed_cli_text_list){0};
}
