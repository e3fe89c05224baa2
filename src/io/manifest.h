/* manifest.h: a manifest lists what a folder consists of: a JSON file with the size of every other
   file in and below the folder. */
#ifndef HEED_IO_MANIFEST_H
#define HEED_IO_MANIFEST_H

#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

/* Syncs everything in `folder`, then writes folder/NAME: {HEAD, "files": {"config.json": 120}}. The
   names are sorted, so that equal folders have equal manifests. `head` is a JSON member such as
   "\"step\": 5". With `contents`, files of at most 16 MiB are listed with a fingerprint of their
   bytes too, as "120 cbf29ce484222325".
   Errors: HEED_E_ARG names an entry that is neither a file nor a folder; HEED_E_IO;
   HEED_E_NOMEM. */
heed_status heed_manifest_seal(const char *folder, const char *name, const char *head,
                               bool contents, heed_error *error);
/* Sets *same if the file `path` of `size` bytes is what a member of "files" says. */
heed_status heed_manifest_matches(const json_t *value, const char *path, int64_t size, bool *same,
                                  heed_error *error);

#endif
