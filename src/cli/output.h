/* output.h: what goes to stdout. A write that fails there is found when it is flushed. */
#ifndef HEED_CLI_OUTPUT_H
#define HEED_CLI_OUTPUT_H

#include <heed/status.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sends what was printed on its way; false when stdout has failed, now or before. */
bool heed_cli_output_flush(void);
heed_status heed_cli_output_failed(heed_error *error); /* HEED_E_IO with the reason */
/* Prints the object (taken; NULL is an allocation that failed) and a line end. */
heed_status heed_cli_print_json(json_t *object, size_t flags, heed_error *error);
void heed_cli_print_ids(const int32_t *ids, size_t count); /* "[1, 2]" */
json_t *heed_cli_number_or_null(double number);            /* NaN and infinities have no JSON */

#endif
