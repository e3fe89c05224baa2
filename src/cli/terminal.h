/* terminal.h: prints errors, notes and progress bars to stderr.

   Colors and bars appear only on a terminal, and not if NO_COLOR, CI or TERM=dumb is set. Data goes
   to stdout, which output.h prints to. */
#ifndef HEED_CLI_TERMINAL_H
#define HEED_CLI_TERMINAL_H

#include <heed/status.h>
#include <stdbool.h>

/* Returns whether stderr is a terminal on which bars are wanted. */
bool heed_cli_terminal_is_live(void);
/* Prints "heed COMMAND: message". Returns the exit status: 130 for HEED_E_CANCELLED, otherwise
   1. */
int heed_cli_report_error(const char *command, const heed_error *error);
/* Prints a line, in place of the progress bar if there is one. */
void heed_cli_note(const char *format, ...) HEED_PRINTF(1, 2);

/* Draws a progress bar for a fraction in [0, 1] with text after it, at most ten times a second. If
   stderr is not a terminal, it prints nothing. */
void heed_cli_progress_show(double fraction, const char *format, ...) HEED_PRINTF(2, 3);
void heed_cli_progress_end(void); /* clears the bar */
/* Writes "1 h 02 min", "3 min 20 s", "12 s"; returns `text`. */
const char *heed_cli_duration_text(double seconds, char text[32]);
/* Writes "1.24 GB", "3.1 MB"; returns `text`. */
const char *heed_cli_bytes_text(double bytes, char text[32]);

#endif
