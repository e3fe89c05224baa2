#include "line_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef HEED_WITH_LIBEDIT
#include <editline/readline.h>
#endif

bool line_input_is_live(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

char *line_input_read(const char *prompt)
{
#ifdef HEED_WITH_LIBEDIT
    if (line_input_is_live()) {
        char *line = readline(prompt);
        if (line && *line) add_history(line);
        return line;
    }
#endif
    char *line = NULL;
    size_t room = 0;
    if (line_input_is_live()) {
        fputs(prompt, stdout);
        fflush(stdout);
    }
    ssize_t length = getline(&line, &room, stdin);
    if (length < 0) {
        free(line);
        return NULL;
    }
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = 0;
    return line;
}
