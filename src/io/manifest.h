/* manifest.h: a folder's list of what it consists of: a JSON file with the size of every other file
   in and below the folder. */
#ifndef HEED_IO_MANIFEST_H
#define HEED_IO_MANIFEST_H

#include "base/error.h"

/* Syncs everything in `folder`, then writes folder/NAME: {HEAD, "files": {"config.json": 120}}. The
   names are sorted, so that equal folders have equal manifests. `head` is a JSON member such as
   "\"step\": 5". HEED_E_ARG naming an entry that is neither a file nor a folder. */
heed_status heed_manifest_seal(const char *folder, const char *name, const char *head,
                               heed_error *error);

#endif
