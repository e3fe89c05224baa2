/* The table of heads, and what follows from a model's list of them. */
#include "model/head/head.h"

#include <string.h>

static const heed_head_kind *const heads[HEED_HEAD_COUNT] = {
    [HEED_HEAD_NONE] = NULL,
#define HEED_HEAD(symbol, record) [HEED_HEAD_##symbol] = &heed_head_##record,
#include "model/heads.def"
#undef HEED_HEAD
};

const heed_head_kind *heed_head_at(const heed_config *config, int at)
{
    int count = 0;
    while (count < HEED_MAX_HEADS && config->heads[count] != HEED_HEAD_NONE) count++;
    if (at < count) return heads[config->heads[at]];
    return at == count && config->contacts ? &heed_head_contacts : NULL;
}

bool heed_head_any(const heed_config *config, uint32_t traits)
{
    const heed_head_kind *head;
    for (int at = 0; (head = heed_head_at(config, at)) != NULL; at++)
        if (head->traits & traits) return true;
    return false;
}

bool heed_head_has_others(const heed_config *config)
{
    return config->heads[1] != HEED_HEAD_NONE;
}

const char *heed_head_output(const heed_config *config, const heed_head_kind *head)
{
    return heed_head_has_others(config) ? head->output_beside : head->output;
}

bool heed_head_lists_equal(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, HEED_MAX_HEADS) == 0;
}

/* ---- terms of the loss ---- */

heed_problem heed_loss_problem(const heed_config *config, heed_problem asked)
{
    if (asked != HEED_PROBLEM_UNKNOWN) return asked;
    if (config->problem != HEED_PROBLEM_UNKNOWN) return (heed_problem)config->problem;
    return config->labels == 1 ? HEED_PROBLEM_REGRESSION : HEED_PROBLEM_SINGLE;
}

bool heed_head_names_labels(const char *name)
{
    for (int kind = HEED_HEAD_NONE + 1; kind < HEED_HEAD_COUNT; kind++) {
        const heed_loss_term *term = heads[kind]->terms;
        for (; term && term->name; term++)
            if (strcmp(term->labels->name, name) == 0 ||
                strcmp(term->labels->name_beside, name) == 0)
                return true;
    }
    return false;
}

/* Does any layer have experts? */
static bool routes(const heed_config *config)
{
    for (int64_t layer = 0; layer < config->decoder.layers; layer++)
        if (heed_config_has_experts(config, layer)) return true;
    return false;
}

static void add(heed_loss_terms *terms, heed_loss_term term)
{
    if (terms->count < HEED_MAX_LOSS_TERMS) terms->items[terms->count++] = term;
}

/* Adds the terms that a head has if sequences are scored in this way. */
static void add_head(const heed_head_kind *head, heed_term_when scored, heed_loss_terms *terms)
{
    for (const heed_loss_term *term = head->terms; term && term->name; term++) {
        heed_loss_term own = *term;
        own.head = head;
        if (term->when == HEED_TERM_ALWAYS || term->when == scored) add(terms, own);
    }
}

void heed_loss_terms_list(const heed_config *config, heed_problem problem, heed_loss_terms *terms)
{
    const heed_head_kind *head;
    bool single = heed_loss_problem(config, problem) == HEED_PROBLEM_SINGLE;
    heed_term_when scored = single ? HEED_TERM_CLASSES : HEED_TERM_NUMBERS;
    terms->count = 0;
    for (int at = 0; (head = heed_head_at(config, at)) != NULL; at++) add_head(head, scored, terms);
    if (heed_head_any(config, HEED_TRAIT_GENERATES) && config->router_outputs && routes(config))
        add(terms, (heed_loss_term){.name = "balance", .weight = (float)config->balance_weight});
}
