/* output.c: checks paths of outputs for the public interface. */
#include "base/output.h"
#include <heed/heed.h>

heed_status heed_output_check(const char *path, heed_error *error)
{
    return heed_path_check_output(path, error);
}
