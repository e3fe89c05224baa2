/* output.h: prints to stdout. heed_cli_output_flush notices writes that failed. */
#ifndef HEED_CLI_OUTPUT_H
#define HEED_CLI_OUTPUT_H

#include <heed/optional.h>
#include <heed/status.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flushes stdout. Returns false if a write has failed, now or before. */
bool heed_cli_output_flush(void);
/* Returns HEED_E_IO, with the reason why stdout failed. */
heed_status heed_cli_output_failed(heed_error *error);
/* Prints the object and a line end, and frees the object. `flags` are jansson's. HEED_E_NOMEM if
   `object` is NULL, which means that it could not be allocated. */
heed_status heed_cli_print_json(json_t *object, size_t flags, heed_error *error);
void heed_cli_print_ids(const int32_t *ids, size_t count); /* as "[1, 2]" */
/* Returns a new JSON number; null for NaN and infinities, which JSON does not have. */
json_t *heed_cli_number_or_null(double number);
/* Does the same; null also for a number that is not set. */
json_t *heed_cli_real_or_null(heed_optional_real number);

#endif
