/* settings_internal.h: what the files of the settings share. Each calls only those before it:
   settings.c (values and lists), settings_read.c (the table of members), then settings_load.c (what
   a model comes with) and settings_check.c (what is possible). */
#ifndef HEED_GENERATE_SETTINGS_INTERNAL_H
#define HEED_GENERATE_SETTINGS_INTERNAL_H

#include "generate/settings.h"

/* Every number that the table of members bounds lies within its bounds. HEED_E_ARG naming the first
   that does not. */
heed_status heed_generation_settings_check_ranges(const heed_generation_settings *settings,
                                                  heed_error *error);
/* Only the ids that end, begin, pad and start a text, from config.json. */
heed_status heed_generation_settings_read_ids(heed_generation_settings *settings,
                                              const json_t *json, const char *where,
                                              heed_error *error);

#endif
