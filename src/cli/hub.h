/* hub.h: finds models by their name on the Hugging Face hub, in the cache on this machine. */
#ifndef HEED_CLI_HUB_H
#define HEED_CLI_HUB_H

#include "text.h"

/* Replaces a name such as OWNER/MODEL in *model by the folder of its snapshot in the cache, or by
   the only GGUF file there; `paths` owns the path. Leaves NULL, what exists as a file or folder,
   and what cannot be such a name as it is. Nothing is downloaded. HEED_E_IO, with the place where
   it looked; HEED_E_ARG if there are several GGUF files; HEED_E_NOMEM. */
heed_status heed_cli_hub_find(const char **model, heed_cli_text_list *paths, heed_error *error);

#endif
