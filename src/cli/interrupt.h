/* interrupt.h: Ctrl-C once asks the task to finish cleanly, twice ends the program at once with 130. */
#ifndef HEED_CLI_INTERRUPT_H
#define HEED_CLI_INTERRUPT_H

#include <stdbool.h>

void interrupt_listen(void);
/* A file at the limit of its size (ulimit -f) is a failed write like any other, no signal that ends the program. */
void file_limit_is_an_error(void);
bool interrupted(void *unused); /* fits the library's `cancelled` callbacks */
void interrupt_forget(void);    /* what was asked has been done */

#endif
