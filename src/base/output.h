/* output.h: whether a file can be written, asked before the work that is to fill it. */
#ifndef HEED_BASE_OUTPUT_H
#define HEED_BASE_OUTPUT_H

#include "base/error.h"

/* Whether a file could be written at `path`, as far as that shows without writing: a regular file,
   present or not, needs a folder that can be written to, anything else needs to be writable itself.
   HEED_E_ARG for an empty path, HEED_E_IO for a folder and for what the system would refuse. "-" is
   fine. A disk that is full shows later. */
heed_status heed_path_check_output(const char *path, heed_error *error);

#endif
