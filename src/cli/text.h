/* text.h: checks texts that the user gives and keeps lists of them. */
#ifndef HEED_CLI_TEXT_H
#define HEED_CLI_TEXT_H

#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>

#define HEED_CLI_BLANKS " \t\r\f\v" /* white space; a line of nothing else is blank */

/* Returns whether `length` bytes are valid UTF-8. */
bool heed_cli_is_utf8(const char *text, size_t length);

/* A list that owns copies of texts. Starts as {0}. */
typedef struct heed_cli_text_list {
    char **items;
    size_t count, capacity;
} heed_cli_text_list;
/* Appends a copy of `length` bytes, with a NUL after it. HEED_E_NOMEM. */
heed_status heed_cli_text_list_add(heed_cli_text_list *list, const char *text, size_t length,
                                   heed_error *error);
void heed_cli_text_list_free(heed_cli_text_list *list);

#endif
