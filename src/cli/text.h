/* text.h: texts that the user gives: checks and lists of them. */
#ifndef HEED_CLI_TEXT_H
#define HEED_CLI_TEXT_H

#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>

#define HEED_CLI_BLANKS " \t\r\f\v" /* white space; a line of nothing else is blank */

bool heed_cli_is_utf8(const char *text, size_t length);

/* Copies of texts. Starts as {0}. */
typedef struct heed_cli_text_list {
    char **items;
    size_t count, capacity;
} heed_cli_text_list;
/* Copies `length` bytes and ends them with NUL. */
heed_status heed_cli_text_list_add(heed_cli_text_list *list, const char *text, size_t length,
                                   heed_error *error);
void heed_cli_text_list_free(heed_cli_text_list *list);

#endif
