/* interrupt.h: signals that end a task.

   The first Ctrl-C, SIGTERM or SIGHUP asks the task to finish in good order; a second Ctrl-C or
   SIGTERM ends the program at once. The exit status is 130 either way.
   A signal that was ignored when the program began stays ignored: SIGHUP under nohup, the
   terminal's Ctrl-C in the background jobs of a script. */
#ifndef HEED_CLI_INTERRUPT_H
#define HEED_CLI_INTERRUPT_H

#include <stdbool.h>

/* Begins to handle the signals. Set `asks` for a task that calls heed_cli_interrupted() often. For
   any other task a signal ends the program at once, since there is nothing to finish. */
void heed_cli_interrupt_listen(bool asks);
/* Makes a write beyond the largest size of a file (ulimit -f) an error instead of a signal. */
void heed_cli_ignore_file_limit_signal(void);
/* Opens /dev/null in place of each of stdin, stdout and stderr that is closed. */
void heed_cli_open_standard_streams(void);
bool heed_cli_interrupt_asked(void); /* whether a signal has asked to finish */
/* Returns true once a signal has asked to finish or stdout has failed. It fits the `cancelled`
   callbacks of the library. */
bool heed_cli_interrupted(void *unused);
/* Returns whether SIGTERM or SIGHUP has asked to finish, and not only Ctrl-C. */
bool heed_cli_interrupt_is_final(void);
/* Forgets a Ctrl-C that has been obeyed. SIGTERM and SIGHUP are not forgotten. */
void heed_cli_interrupt_forget(void);

#endif
