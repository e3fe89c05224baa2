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
    return at < HEED_MAX_HEADS ? heads[config->heads[at]] : NULL;
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
    return heed_head_at(config, 1) != NULL;
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

void heed_loss_terms_add(heed_loss_terms *terms, heed_loss_term term)
{
    if (terms->count < HEED_MAX_LOSS_TERMS) terms->items[terms->count++] = term;
}

static bool has_labels(const heed_loss_terms *terms, const char *name)
{
    for (int i = 0; i < terms->count; i++) {
        const heed_label_use *use = terms->items[i].labels;
        if (strcmp(use->name, name) == 0 || strcmp(use->name_beside, name) == 0) return true;
    }
    return false;
}

bool heed_head_names_labels(const char *name)
{
    const heed_config any = {0};
    for (int kind = HEED_HEAD_NONE + 1; kind < HEED_HEAD_COUNT; kind++) {
        heed_loss_terms terms = {0};
        if (!heads[kind]->list_terms) continue;
        heads[kind]->list_terms(&any, HEED_PROBLEM_SINGLE, &terms);
        if (has_labels(&terms, name)) return true;
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

static void list_head(const heed_config *config, heed_problem problem, const heed_head_kind *head,
                      heed_loss_terms *terms)
{
    int first = terms->count;
    if (head->list_terms) head->list_terms(config, problem, terms);
    for (int i = first; i < terms->count; i++) terms->items[i].head = head;
}

void heed_loss_terms_list(const heed_config *config, heed_problem problem, heed_loss_terms *terms)
{
    const heed_head_kind *head;
    terms->count = 0;
    for (int at = 0; (head = heed_head_at(config, at)) != NULL; at++)
        list_head(config, problem, head, terms);
    if (heed_head_any(config, HEED_TRAIT_GENERATES) && config->router_outputs && routes(config))
        heed_loss_terms_add(terms,
                            (heed_loss_term){"balance", (float)config->balance_weight, NULL, NULL});
}
