/* task.h: one run of a command: the options that commands share, the context, the model, what is to
   be freed. main() finds the command and calls command_run; the command's own file has its table of
   options, a check and a run. */
#ifndef HEED_CLI_TASK_H
#define HEED_CLI_TASK_H

#include "options.h"
#include "sampling.h"
#include "terminal.h"

#include <heed/heed.h>
#include <jansson.h>

struct task {
    const command *command;
    option_words words; /* of the command line: without an option; options given */
    heed_error error;
    heed_context *context;         /* COMMAND_COMPUTES */
    heed_transformer *transformer; /* COMMAND_LOADS */
    const char *model;             /* COMMAND_MODEL */
    heed_load_options load;        /* COMMAND_LOADS, COMMAND_ROUNDS */
    int64_t threads;
    bool json, profile, nan_guard, no_passes, reference;
    const char *trace, *dump;
    FILE *trace_file;
    sampling_options sampling; /* COMMAND_SAMPLES */
    sampling_words sampling_words;
};

/* Parses, checks, makes the context, loads the model, runs, reports, frees. Returns the exit
   status. */
int command_run(const command *v, int argc, char **argv);

/* Hooks of a long task: a progress bar "12 of 340 UNIT", Ctrl-C. */
heed_hooks task_hooks(const char *unit);
/* What --temp ... and -n (count) say, over the preset. */
heed_status task_generation(task *t, int64_t count, heed_generation_options *how);
/* Notes about those of them that have no effect. */
heed_status task_note_idle(task *t, const heed_generation_options *how);
/* Prints the object (taken; NULL is an allocation that failed) and a line end. */
heed_status task_print_json(task *t, json_t *object, size_t flags);
json_t *number_or_null(double number); /* NaN and infinities have no JSON */
bool is_utf8(const char *text, size_t length);

#endif
