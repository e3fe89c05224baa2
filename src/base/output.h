/* output.h: whether a file can be written, asked before the work that is to fill it. */
#ifndef HEED_BASE_OUTPUT_H
#define HEED_BASE_OUTPUT_H

#include "base/error.h"

/* Whether a file could be written at `path`, without a trace of the question: a file that would be
   replaced is begun and given up, anything else (pipe, terminal, device) needs to be writable and
   is not opened. Errors are those of heed_file_writer_open. A disk that is full shows later. */
heed_status heed_path_check_output(const char *path, heed_error *error);

#endif
