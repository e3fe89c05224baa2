/* line_input.c: reads lines from the user (line_input.h). */
#include "line_input.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HEED_WITH_LIBEDIT
#include <editline/readline.h>
#endif

bool heed_cli_line_input_is_live(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

#ifdef HEED_WITH_LIBEDIT
/* Reads a line with libedit. HEED_E_FORMAT if it is not valid UTF-8. */
static heed_status read_edited(const char *prompt, char **line, heed_error *error)
{
    *line = readline(prompt);
    if (*line && **line) add_history(*line);
    if (!*line || heed_cli_is_utf8(*line, strlen(*line))) return HEED_OK;
    free(*line);
    *line = NULL;
    return heed_fail(error, HEED_E_FORMAT, "what was typed is not valid UTF-8");
}
#endif

heed_status heed_cli_line_input_read(heed_line_file **input, const char *prompt, char **line,
                                     heed_error *error)
{
    const char *text = NULL;
    size_t length = 0;
    heed_status status = HEED_OK;
    *line = NULL;
#ifdef HEED_WITH_LIBEDIT
    if (heed_cli_line_input_is_live()) return read_edited(prompt, line, error);
#endif
    if (heed_cli_line_input_is_live()) {
        fputs(prompt, stdout);
        fflush(stdout);
    }
    if (!*input) status = heed_lines_open(input, "-", error);
    if (status == HEED_OK) status = heed_lines_read(*input, &text, &length, error);
    if (status == HEED_E_CANCELLED) return HEED_OK; /* the caller asks for signals itself */
    if (status != HEED_OK || !text) return status;
    *line = malloc(length + 1);
    if (!*line) return heed_fail(error, HEED_E_NOMEM, "out of memory for a line");
    memcpy(*line, text, length + 1);
    return HEED_OK;
}
