/* line_input.h: a line from the user: edited, with a history, where libedit was found and stdin is
   a terminal; else by the library's reader of lines. */
#ifndef HEED_CLI_LINE_INPUT_H
#define HEED_CLI_LINE_INPUT_H

#include <heed/heed.h>
#include <stdbool.h>

bool heed_cli_line_input_is_live(void); /* a person types */
/* The next line without its end; free(*line), which is NULL at the end of input, after a signal and
   on failure. *input keeps what is piped in between calls: NULL at first, closed with
   heed_lines_close. */
heed_status heed_cli_line_input_read(heed_line_file **input, const char *prompt, char **line,
                                     heed_error *error);

#endif
