/* settings_internal.h: declares what the files of the settings share. Each calls only those before
   it: settings.c (values and lists), settings_read.c (the table of members), then settings_load.c
   (the settings of a model) and settings_check.c (bounds and combinations). */
#ifndef HEED_GENERATE_SETTINGS_INTERNAL_H
#define HEED_GENERATE_SETTINGS_INTERNAL_H

#include "generate/settings.h"

/* Checks every number against the bounds in the table of members. HEED_E_ARG names the first that
   is outside. */
heed_status heed_generation_settings_check_ranges(const heed_generation_settings *settings,
                                                  heed_error *error);
/* Reads from config.json only the ids that begin, end and pad a text and that start a decoder. */
heed_status heed_generation_settings_read_ids(heed_generation_settings *settings,
                                              const json_t *json, const char *where,
                                              heed_error *error);

#endif
