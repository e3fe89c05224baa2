/* output.c: prints to stdout (output.h). */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* why stdout failed for the first time; 0 if it has not failed or the reason is unknown */
static int output_errno;

bool heed_cli_output_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return true;
    if (!output_errno) output_errno = errno;
    return false;
}

heed_status heed_cli_output_failed(heed_error *error)
{
    const char *why = output_errno ? strerror(output_errno) : "a write failed";
    return heed_fail(error, HEED_E_IO, "cannot write to stdout: %s", why);
}

/* A write that fails is HEED_OK here, since heed_cli_output_flush reports it later. */
heed_status heed_cli_print_json(json_t *object, size_t flags, heed_error *error)
{
    bool ok = object && json_dumpf(object, stdout, flags) == 0;
    json_decref(object);
    putchar('\n');
    if (ok || ferror(stdout)) return HEED_OK;
    return heed_fail(error, HEED_E_NOMEM, "out of memory for the output");
}

void heed_cli_print_ids(const int32_t *ids, size_t count)
{
    putchar('[');
    for (size_t i = 0; i < count; i++) printf("%s%d", i ? ", " : "", ids[i]);
    putchar(']');
}

json_t *heed_cli_number_or_null(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

json_t *heed_cli_real_or_null(heed_optional_real number)
{
    return number.set ? heed_cli_number_or_null(number.value) : json_null();
}
