/* line_input.h: reads a line from the user.

   At a terminal, if libedit was found, the line can be edited and has a history. Otherwise the
   library's reader of lines reads it. */
#ifndef HEED_CLI_LINE_INPUT_H
#define HEED_CLI_LINE_INPUT_H

#include <heed/heed.h>
#include <stdbool.h>

bool heed_cli_line_input_is_live(void); /* a person types */
/* Reads the next line without its end; the caller frees *line. *line is NULL at the end of input,
   after a signal and on failure. *input is NULL at first, keeps what was piped in between calls and
   is closed with heed_lines_close. */
heed_status heed_cli_line_input_read(heed_line_file **input, const char *prompt, char **line,
                                     heed_error *error);

#endif
