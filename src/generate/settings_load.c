/* settings_load.c: reads the settings that a model comes with.

   generation_config.json has all of them. A folder without that file has them in config.json, as
   older folders do; members of a nested decoder configuration count where the outer one has none.
   Ids that no file names come from the configuration. */
#include "generate/settings_internal.h"
#include "generate/sidecar.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* Reads the ids of config.json first, for those that generation_config.json does not name. */
static heed_status read_older_ids(heed_generation_settings *settings, const heed_sidecar *sidecar,
                                  heed_error *error)
{
    const heed_sidecar_file *file = heed_sidecar_find(sidecar, "config.json");
    json_t *json = NULL;
    if (!file || !heed_sidecar_find(sidecar, "generation_config.json")) return HEED_OK;
    const char *text = file->text.data ? file->text.data : "";
    HEED_TRY(heed_json_parse(&json, text, file->text.length, file->where, error));
    heed_status status = heed_generation_settings_read_ids(settings, json, file->where, error);
    json_decref(json);
    return status;
}

/* Reads the settings of the model's files, if they have any. */
static heed_status read_all(heed_generation_settings *settings, const heed_sidecar *sidecar,
                            heed_error *error)
{
    json_t *json = NULL;
    const char *where = "";
    HEED_TRY(heed_sidecar_generation(sidecar, &json, &where, error));
    heed_status status = HEED_OK;
    if (json) status = heed_generation_settings_read(settings, json, where, error);
    json_decref(json);
    return status;
}

/* Takes the ids that end a text from the configuration if no file names any. */
static heed_status set_ends(heed_generation_settings *settings, const heed_config *config,
                            heed_error *error)
{
    int32_t ids[HEED_MAX_ENDS + 1];
    size_t more = (size_t)config->more_eos.count;
    if (settings->eos.count > 0 || config->eos_id < 0) return HEED_OK;
    ids[0] = (int32_t)config->eos_id;
    memcpy(ids + 1, config->more_eos.ids, more * sizeof *ids);
    return heed_id_list_set(&settings->eos, ids, more + 1, error);
}

/* Notes the ids that end a text but are not in the vocabulary: the model cannot write them. */
static void note_beyond(heed_generation_settings *settings, const heed_config *config)
{
    for (size_t i = 0; i < settings->eos.count; i++) {
        int32_t id = settings->eos.ids[i];
        if (id < config->vocabulary) continue;
        heed_buffer_printf(&settings->notes,
                           "eos_token_id names %d, but the vocabulary has %lld "
                           "ids: no text ends there\n",
                           id, (long long)config->vocabulary);
    }
}

heed_status heed_generation_settings_from(heed_generation_settings *settings,
                                          const heed_sidecar *sidecar, const heed_config *config,
                                          heed_error *error)
{
    heed_generation_settings_default(settings);
    HEED_TRY(read_older_ids(settings, sidecar, error));
    HEED_TRY(read_all(settings, sidecar, error));
    if (settings->bos < 0) settings->bos = config->bos_id;
    if (settings->pad < 0) settings->pad = config->pad_id;
    if (settings->decoder_start < 0) settings->decoder_start = config->decoder_start_id;
    if (settings->decoder_start < 0) settings->decoder_start = settings->bos;
    note_beyond(settings, config);
    HEED_TRY(set_ends(settings, config, error));
    if (!settings->notes.failed) return HEED_OK;
    return heed_fail_memory(error, settings->notes.capacity, "notes");
}

heed_status heed_generation_settings_load(heed_generation_settings *settings, const char *model,
                                          const heed_config *config, heed_error *error)
{
    heed_sidecar *sidecar = NULL;
    heed_generation_settings_default(settings);
    HEED_TRY(heed_sidecar_load(&sidecar, model, HEED_SIDECAR_SETTINGS, error));
    heed_status status = heed_generation_settings_from(settings, sidecar, config, error);
    heed_sidecar_free(sidecar);
    return status;
}
