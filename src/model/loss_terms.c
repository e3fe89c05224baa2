/* Lists the terms of the loss of each head. */
#include "model/build.h"

heed_problem heed_build_problem(const heed_config *config, const heed_program_spec *spec)
{
    if (spec->problem != HEED_PROBLEM_UNKNOWN) return (heed_problem)spec->problem;
    if (config->problem != HEED_PROBLEM_UNKNOWN) return (heed_problem)config->problem;
    return config->labels == 1 ? HEED_PROBLEM_REGRESSION : HEED_PROBLEM_SINGLE;
}

/* Does any layer have experts? */
static bool routes(const heed_config *config)
{
    for (int64_t layer = 0; layer < config->decoder.layers; layer++)
        if (heed_config_has_experts(config, layer)) return true;
    return false;
}

int heed_engine_loss_terms(const heed_model *model, heed_loss_term terms[4])
{
    const heed_config *config = &model->config;
    heed_problem problem = heed_build_problem(config, &(heed_program_spec){0});
    switch ((heed_head)config->head) {
    case HEED_HEAD_CAUSAL_LM:
    case HEED_HEAD_MASKED_LM:
    case HEED_HEAD_TOKEN_CLASS:
        terms[0] = (heed_loss_term){"tokens", 1};
        if (config->head != HEED_HEAD_CAUSAL_LM || !config->router_outputs || !routes(config))
            return 1;
        terms[1] = (heed_loss_term){"balance", (float)config->balance_weight};
        return 2;
    case HEED_HEAD_PRETRAINING:
        terms[0] = (heed_loss_term){"tokens", 1};
        terms[1] = (heed_loss_term){"sentences", 1};
        return 2;
    case HEED_HEAD_NEXT_SENTENCE:
    case HEED_HEAD_CHOICE: terms[0] = (heed_loss_term){"sentences", 1}; return 1;
    case HEED_HEAD_SEQUENCE_CLASS:
        terms[0] = (heed_loss_term){problem == HEED_PROBLEM_SINGLE ? "sentences" : "targets", 1};
        return 1;
    case HEED_HEAD_QUESTION:
        terms[0] = (heed_loss_term){"start", 0.5f};
        terms[1] = (heed_loss_term){"end", 0.5f};
        return 2;
    case HEED_HEAD_NONE:
    case HEED_HEAD_COUNT: break;
    }
    return 0;
}
