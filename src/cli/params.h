/* params.h: the command "/params" of heed chat, which shows and changes the options that choose
   tokens. */
#ifndef HEED_CLI_PARAMS_H
#define HEED_CLI_PARAMS_H

#include "task.h"

/* Runs "/params REST". An empty REST shows every parameter with the value in force, "NAME" shows
   one of them, and "NAME VALUE" changes one. Tables, checks and messages are those of the command
   line; in a name, `_` may replace `-`. After HEED_E_ARG nothing has changed. `rest` is changed. */
heed_status heed_cli_params_command(heed_cli_task *t, const heed_chat *chat, char *rest);

#endif
