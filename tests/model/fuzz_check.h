/* fuzz_check.h: what has to hold for every configuration that was read, wherever it came from. */
#ifndef HEED_TESTS_MODEL_FUZZ_CHECK_H
#define HEED_TESTS_MODEL_FUZZ_CHECK_H

#include "model/family.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>

/* Written as config.json it reads back as the same family and model, or, where `may_lack` words, is
   refused by name; its sizes can be computed. */
static inline void fuzz_check_config(const heed_config *config, bool may_lack)
{
    heed_error error = {0};
    heed_config again;
    json_t *json = NULL;
    heed_status status = heed_config_write(config, &json, &error);
    if (status == HEED_OK) {
        if (heed_config_read(&again, json, "written", &error) != HEED_OK) abort();
        if (config->family->is_published &&
            (again.family != config->family || heed_config_difference(config, &again)))
            abort();
    } else if (!may_lack || status != HEED_E_UNSUPPORTED || !error.message[0]) {
        fprintf(stderr, "%s\n", error.message);
        abort();
    }
    json_decref(json);
    /* Long lists of tensors are slow to make and teach nothing new. */
    if (config->encoder.layers + config->decoder.layers > 8 || config->experts > 64) return;
    heed_model_size size;
    status = heed_config_size(config, HEED_F32, &size, &error);
    if (status != HEED_OK || size.parameters == 0) abort();
}

#endif
