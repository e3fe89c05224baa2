/* manual.h: prints the tables of options in three forms: as --help, as a man page and as completion
   for bash. */
#ifndef HEED_CLI_MANUAL_H
#define HEED_CLI_MANUAL_H

#include "options.h"

/* Prints the page of `heed COMMAND --help`. */
void heed_cli_manual_help(const heed_cli_command *command, FILE *file);
/* Prints the page of `heed --help`. */
void heed_cli_manual_overview(const heed_cli_command *const *commands, size_t count, FILE *file);
/* Prints the man page heed(1) in roff, for `heed --man`. */
void heed_cli_manual_page(const heed_cli_command *const *commands, size_t count, FILE *file);
/* Prints a script that completes commands and options in bash, for `heed --completion`. */
void heed_cli_manual_completion(const heed_cli_command *const *commands, size_t count, FILE *file);

#endif
