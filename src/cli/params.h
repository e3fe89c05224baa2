/* params.h: "/params" of heed chat: the options that say how tokens are chosen, while it runs. */
#ifndef HEED_CLI_PARAMS_H
#define HEED_CLI_PARAMS_H

#include "task.h"

/* "" shows every parameter with the value in force, "NAME" one of them, "NAME VALUE" changes one.
   The rows, their checks and messages are those of the command line; `_` may stand for `-`.
   HEED_E_ARG: nothing is changed. */
heed_status heed_cli_params_command(heed_cli_task *t, const heed_chat *chat, char *rest);

#endif
