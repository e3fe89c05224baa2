/* output.h: prints to stdout. A write that fails is noticed when stdout is flushed. */
#ifndef HEED_CLI_OUTPUT_H
#define HEED_CLI_OUTPUT_H

#include <heed/optional.h>
#include <heed/status.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flushes stdout; false if it has failed, now or before. */
bool heed_cli_output_flush(void);
heed_status heed_cli_output_failed(heed_error *error); /* HEED_E_IO with the reason */
/* Prints the object and a line end. Takes the reference; NULL stands for an allocation that
   failed. */
heed_status heed_cli_print_json(json_t *object, size_t flags, heed_error *error);
void heed_cli_print_ids(const int32_t *ids, size_t count); /* as "[1, 2]" */
json_t *heed_cli_number_or_null(double number);            /* NaN and infinities have no JSON */
json_t *heed_cli_real_or_null(heed_optional_real number);

#endif
