/* terminal.h: what people see on stderr: errors, notes, progress bars. Color and bars only on a
   terminal; NO_COLOR, TERM=dumb and CI are honored. Data goes to stdout and never through here. */
#ifndef HEED_CLI_TERMINAL_H
#define HEED_CLI_TERMINAL_H

#include <heed/status.h>
#include <stdbool.h>

bool heed_cli_terminal_is_live(void); /* stderr is a terminal that wants bars */
/* Prints "heed COMMAND: message" and returns the exit status of the error: 2 for HEED_E_ARG from
   the command line's values is the caller's choice; here 1, and 130 for HEED_E_CANCELLED. */
int heed_cli_report_error(const char *command, const heed_error *error);
void heed_cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A progress bar: fraction in [0,1], text after it; redrawn at most ten times a second, cleared by
   heed_cli_progress_end. On something that is no terminal it prints nothing. */
void heed_cli_progress_show(double fraction, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void heed_cli_progress_end(void);
/* "1 h 02 min", "3 min 20 s", "12 s". */
const char *heed_cli_duration_text(double seconds, char text[32]);
/* "1.24 GB", "3.1 MB". */
const char *heed_cli_bytes_text(double bytes, char text[32]);

#endif
