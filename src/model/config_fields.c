/* The list of all fields of a configuration, the spellings of its enumerations, and in what two
   configurations differ. */
#include "model/key_internal.h"

const char *const heed_arrangement_names[] = {"decoder", "encoder", "encoder-decoder", NULL};
const char *const heed_embedding_order_names[] = {"projected_first", "projected_last", NULL};
const char *const heed_norm_names[] = {"layer", "rms", NULL};
const char *const heed_norm_place_names[] = {"pre", "post", "sandwich", "output", "stream", NULL};
const char *const heed_residual_names[] = {
#define HEED_LAYER_ORDER(symbol, name, list) name,
#include "model/layer_orders.def"
#undef HEED_LAYER_ORDER
    NULL};
const char *const heed_qk_norm_names[] = {"none", "head", "all", "head_gains", NULL};
const char *const heed_router_names[] = {"softmax_top", "top_softmax", NULL};
const char *const heed_position_names[] = {"none",   "learned", "sinusoidal",
                                           "rotary", "alibi",   NULL};
const char *const heed_sinusoid_order_names[] = {"halves", "interleaved", NULL};
const char *const heed_pooled_row_names[] = {"usual", "first", "last", "end", "mean", NULL};
const char *const heed_problem_names[] = {"", "regression", "single_label_classification",
                                          "multi_label_classification", NULL};

/* clang-format off */
#define ROW(at, key_type, spellings, key, purpose, about) \
    {.name = key, .type = HEED_KEY_##key_type, .field = HEED_PLACE(at), .names = spellings, \
     .use = HEED_FIELD_##purpose, .what = about, \
     .flags = HEED_FIELD_##purpose & HEED_FIELD_RARE ? HEED_KEY_SPARSE : 0},
#define HEED_FIELD(type, field, key_type, key, use, what) ROW(field, key_type, NULL, key, use, what)
#define HEED_KIND(type, field, spellings, key, use, what) \
    ROW(field, KIND, spellings, key, use, what)
#define HEED_INNER(field, key_type, key, use, what) ROW(field, key_type, NULL, key, use, what)
#define HEED_INNER_KIND(field, spellings, key, use, what) \
    ROW(field, KIND, spellings, key, use, what)
#define HEED_MEMBER(declaration)
const heed_key heed_field_keys[] = {
#include "model/config.def"
    HEED_EVERY_WINDOW,
    HEED_KEY_ROTARY,
    {0},
};
/* clang-format on */
#undef HEED_FIELD
#undef HEED_KIND
#undef HEED_INNER
#undef HEED_INNER_KIND
#undef HEED_MEMBER
#undef ROW

static bool within(const heed_key *key, size_t offset, size_t bytes)
{
    return key->field.offset >= offset && key->field.offset < offset + bytes;
}

bool heed_config_is_idle(const heed_config *config, const heed_key *key)
{
    const bool rotary = config->position == HEED_POSITION_ROTARY;
    if (within(key, offsetof(heed_config, rope), sizeof config->rope)) return !rotary;
    if (within(key, offsetof(heed_config, rope_local), sizeof config->rope_local)) return !rotary;
    if (within(key, offsetof(heed_config, lm_transform), sizeof config->lm_transform))
        return !config->lm_transform.dense;
    if (within(key, offsetof(heed_config, pooler), sizeof config->pooler))
        return !config->pooler.dense;
    return false;
}

const char *heed_config_difference(const heed_config *a, const heed_config *b, uint32_t uses)
{
    for (const heed_key *key = heed_field_keys; key->name; key++) {
        bool idle = heed_config_is_idle(a, key) && heed_config_is_idle(b, key);
        if ((key->use & uses) && !idle && !heed_config_fields_equal(a, b, key->field))
            return key->what;
    }
    /* GGUF files say by a step which layers have the window. */
    for (int64_t i = 0; (uses & HEED_FIELD_MODEL) && i < heed_config_main(a)->layers; i++)
        if (heed_config_windowed(a, i) != heed_config_windowed(b, i)) return "layers with a window";
    return NULL;
}
