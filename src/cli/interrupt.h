/* interrupt.h: signals that end a task.

   The first Ctrl-C, SIGTERM or SIGHUP asks the task to finish in good order; a second Ctrl-C or
   SIGTERM ends the program at once. The exit status is 130 either way.
   A signal that was ignored when the program began stays ignored: SIGHUP under nohup, the
   terminal's Ctrl-C in the background jobs of a script. */
#ifndef HEED_CLI_INTERRUPT_H
#define HEED_CLI_INTERRUPT_H

#include <stdbool.h>

/* Handles the signals from now on. If `asks` is set, the task calls heed_cli_interrupted() often;
   otherwise it has nothing to finish, and a signal ends the program at once. */
void heed_cli_interrupt_listen(bool asks);
/* Makes a write beyond the largest size of a file (ulimit -f) an error instead of a signal. */
void heed_cli_ignore_file_limit_signal(void);
/* Opens /dev/null in place of each of stdin, stdout and stderr that is closed. */
void heed_cli_open_standard_streams(void);
bool heed_cli_interrupt_asked(void); /* a signal has asked to finish */
/* True once a signal has asked to finish, or once stdout can no longer be written to. It fits the
   library's `cancelled` callbacks. */
bool heed_cli_interrupted(void *unused);
bool heed_cli_interrupt_is_final(void); /* SIGTERM or SIGHUP asked, not only Ctrl-C */
void heed_cli_interrupt_forget(void);   /* what Ctrl-C asked has been done */

#endif
