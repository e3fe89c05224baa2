#include "train/objective.h"

#include "model/family.h"
#include <string.h>

static const heed_objective *const objectives[] = {&heed_objective_clm, &heed_objective_mlm,
                                                   &heed_objective_seq2seq};
enum { OBJECTIVES = sizeof objectives / sizeof *objectives };

heed_status heed_objective_by_name(const heed_objective **objective, const char *name,
                                   heed_error *error)
{
    for (int i = 0; i < OBJECTIVES; i++)
        if (strcmp(objectives[i]->name, name) == 0) {
            *objective = objectives[i];
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_ARG, "objective '%s' is not known; there are clm, mlm, seq2seq",
                     name);
}

const heed_objective *heed_objective_of(const heed_config *config)
{
    for (int i = 0; i < OBJECTIVES; i++)
        if ((int64_t)objectives[i]->arrangement == config->arrangement) return objectives[i];
    return &heed_objective_clm;
}

heed_status heed_objective_check(const heed_objective *objective, const heed_config *config,
                                 heed_error *error)
{
    static const char *const arrangements[HEED_ARRANGEMENTS] = {"a decoder", "an encoder",
                                                                "an encoder and a decoder"};
    if (config->arrangement != (int64_t)objective->arrangement)
        return heed_fail(
            error, HEED_E_ARG,
            "objective %s trains models with %s, this one (%s) has %s: use --objective %s",
            objective->name, arrangements[objective->arrangement], config->family->name,
            arrangements[config->arrangement], heed_objective_of(config)->name);
    if (config->float_inputs)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "model %s reads vectors instead of tokens: it cannot be trained on text",
                         config->model_type);
    return HEED_OK;
}
