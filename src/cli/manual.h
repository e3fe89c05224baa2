/* manual.h: prints what the tables of options say in three forms: --help, the man page, completion
   for the shell. */
#ifndef HEED_CLI_MANUAL_H
#define HEED_CLI_MANUAL_H

#include "options.h"

/* heed COMMAND --help */
void heed_cli_manual_help(const heed_cli_command *command, FILE *file);
/* heed --help */
void heed_cli_manual_overview(const heed_cli_command *const *commands, size_t count, FILE *file);
/* heed --man: heed(1) in roff */
void heed_cli_manual_page(const heed_cli_command *const *commands, size_t count, FILE *file);
/* heed --completion: for bash */
void heed_cli_manual_completion(const heed_cli_command *const *commands, size_t count, FILE *file);

#endif
