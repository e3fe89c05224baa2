/* The table of families, and the class of a configuration in its family. */
#include "model/head/head.h"

#include <stdio.h>
#include <string.h>

static const heed_family *const families[] = {
#define HEED_FAMILY(symbol) &heed_family_##symbol,
#include "model/families.def"
#undef HEED_FAMILY
};

size_t heed_family_count(void)
{
    return sizeof families / sizeof *families;
}

const heed_family *heed_family_at(size_t index)
{
    return families[index];
}

const heed_family *heed_family_find(const char *name)
{
    for (size_t i = 0; i < heed_family_count(); i++)
        if (strcmp(families[i]->name, name) == 0) return families[i];
    return NULL;
}

const char *heed_family_list(char *text, size_t room)
{
    size_t at = 0;
    for (size_t i = 0; i < heed_family_count() && at < room; i++) {
        const char *before = i + 1 < heed_family_count() ? ", " : " and ";
        if (i == 0) before = "";
        at += (size_t)snprintf(text + at, room - at, "%s%s", before, families[i]->name);
    }
    return text;
}

const char *heed_family_prefix(const heed_family *family, const heed_config *config)
{
    const char *const *prefix = family->prefixes;
    while (heed_head_any(config, HEED_TRAIT_BARE) && prefix[1]) prefix++;
    return *prefix;
}

void heed_config_set_class(heed_config *config, const heed_architecture *known)
{
    memcpy(config->heads, known->heads, sizeof config->heads);
    if (known->pooler) config->pooler = *known->pooler;
    if (config->family->preset->arrangement != HEED_ENCODER_DECODER) return;
    config->arrangement = known->is_decoder_alone ? HEED_DECODER_ONLY : HEED_ENCODER_DECODER;
}

bool heed_config_is_decoder_alone(const heed_config *config)
{
    return config->arrangement == HEED_DECODER_ONLY &&
           config->family->preset->arrangement == HEED_ENCODER_DECODER;
}

const heed_architecture *heed_config_class_of(const heed_config *config, const heed_family *family,
                                              const uint8_t *heads)
{
    bool alone = config->arrangement == HEED_DECODER_ONLY &&
                 family->preset->arrangement == HEED_ENCODER_DECODER;
    for (const heed_architecture *known = family->architectures; known->name; known++)
        if (known->is_decoder_alone == alone && heed_head_lists_equal(known->heads, heads))
            return known;
    return NULL;
}
