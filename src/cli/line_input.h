/* line_input.h: reads a line from the user.

   At a terminal, and if the build has libedit, the line can be edited and has a history. In all
   other cases the library's reader of lines reads it. */
#ifndef HEED_CLI_LINE_INPUT_H
#define HEED_CLI_LINE_INPUT_H

#include <heed/heed.h>
#include <stdbool.h>

/* Returns whether stdin and stdout are terminals, so that a person types. */
bool heed_cli_line_input_is_live(void);
/* Reads the next line, without its end; the caller frees *line. *line is NULL at the end of input,
   after a signal and on failure. *input must be NULL at the first call; it keeps the open stdin
   between calls, and the caller closes it with heed_lines_close. */
heed_status heed_cli_line_input_read(heed_line_file **input, const char *prompt, char **line,
                                     heed_error *error);

#endif
