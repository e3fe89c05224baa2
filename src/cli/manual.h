/* manual.h: what the tables of options say, in three forms: --help, the man page, completion for
   the shell. */
#ifndef HEED_CLI_MANUAL_H
#define HEED_CLI_MANUAL_H

#include "options.h"

/* heed COMMAND --help */
void manual_help(const command *v, FILE *file);
/* heed --help */
void manual_overview(const command *const *commands, size_t count, FILE *file);
/* heed --man: heed(1) in roff */
void manual_page(const command *const *commands, size_t count, FILE *file);
/* heed --completion: for bash */
void manual_completion(const command *const *commands, size_t count, FILE *file);

#endif
