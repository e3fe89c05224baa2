/* Reads and writes which layers have no experts, as Qwen's configurations list them. */
#include "model/family/experts.h"

heed_status heed_dense_layers_read(heed_config *config, const json_t *json, const char *where,
                                   heed_error *error)
{
    const json_t *list = json_object_get(json, "mlp_only_layers");
    if (!list || json_is_null(list)) return HEED_OK;
    if (!json_is_array(list))
        return heed_fail(error, HEED_E_FORMAT, "%s: mlp_only_layers: expected a list of layers",
                         where);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *layer = json_array_get(list, i);
        if (!json_is_integer(layer) || json_integer_value(layer) < 0)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: mlp_only_layers[%zu]: expected the number of a layer, from 0 on",
                             where, i);
        json_int_t index = json_integer_value(layer);
        if (index >= HEED_MAX_LAYERS) continue; /* the model has no such layer */
        config->dense[index / 8] |= (uint8_t)(1u << (index % 8));
    }
    return HEED_OK;
}

bool heed_dense_layers_write(const heed_config *config, json_t *json)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < config->decoder.layers; i++)
        if (config->dense[i / 8] >> (i % 8) & 1)
            ok = json_array_append_new(list, json_integer(i)) == 0;
    ok = ok && json_object_set(json, "mlp_only_layers", list) == 0;
    json_decref(list);
    return ok;
}
