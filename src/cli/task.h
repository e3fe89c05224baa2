/* task.h: one run of a command.

   It holds the options that commands share, the context, the model and everything that has to be
   freed. main() finds the command and calls heed_cli_task_run. The file of a command has its table
   of options, its check and its run. */
#ifndef HEED_CLI_TASK_H
#define HEED_CLI_TASK_H

#include "options.h"
#include "output.h"
#include "sampling.h"
#include "terminal.h"
#include "text.h"

#include <heed/heed.h>
#include <jansson.h>

struct heed_cli_task {
    const heed_cli_command *command;
    heed_cli_option_words words; /* the words without an option, and the options given */
    heed_error error;
    heed_context *context;         /* HEED_CLI_COMPUTES */
    heed_transformer *transformer; /* HEED_CLI_LOADS */
    const char *model;             /* HEED_CLI_MODEL */
    heed_load_options load;        /* HEED_CLI_LOADS, HEED_CLI_TYPES */
    int64_t threads;
    bool json, profile, nan_guard, no_passes, reference;
    const char *trace, *dump;
    FILE *trace_file;
    heed_cli_sampling_options sampling; /* HEED_CLI_SAMPLES */
    heed_cli_sampling_words sampling_words;
};

/* Parses, checks, makes the context, loads the model, runs, reports, frees. Returns the exit
   status. */
int heed_cli_task_run(const heed_cli_command *command, int argc, char **argv);

/* Returns the hooks of a long task: a progress bar "12 of 340 UNIT", and Ctrl-C. */
heed_hooks heed_cli_task_hooks(const char *unit);
/* Fills *how from the options that choose tokens (--temp and others) and from -n (count). Numbers
   that were not given stay unset. */
heed_status heed_cli_task_generation(heed_cli_task *t, heed_optional_int count,
                                     heed_generation_options *how);
/* Prints a note about each of these options that has no effect. */
heed_status heed_cli_task_note_idle(heed_cli_task *t, const heed_generation_options *how);

#endif
