/* output.h: checks that a file can be written before the work that produces it begins. */
#ifndef HEED_BASE_OUTPUT_H
#define HEED_BASE_OUTPUT_H

#include "base/error.h"

/* Checks that a file could be written at `path`, and leaves no file there. For a path that would
   be created or replaced, the write is begun and discarded. A pipe, a terminal or a device is
   checked for write permission and not opened. Errors are those of heed_file_writer_open. A full
   disk is not detected. */
heed_status heed_path_check_output(const char *path, heed_error *error);

#endif
