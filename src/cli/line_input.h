/* line_input.h: a line from the user: edited, with a history, where libedit was found and stdin is a terminal; plain otherwise. */
#ifndef HEED_CLI_LINE_INPUT_H
#define HEED_CLI_LINE_INPUT_H

#include <stdbool.h>

bool line_input_is_live(void);          /* a person types */
char *line_input_read(const char *prompt); /* without its line end; free(); NULL at the end of input */

#endif
