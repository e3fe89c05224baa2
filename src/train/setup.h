/* setup.h: makes from options what a training works on: data, tokenizer, configuration. */
#ifndef HEED_TRAIN_SETUP_H
#define HEED_TRAIN_SETUP_H

#include "train/dataset.h"
#include "train/options.h"

/* Opens the data files that the options name, those of validation if `valid`. The caller frees the
   data. */
heed_status heed_setup_data(heed_data **data, const heed_run_options *options, bool valid,
                            heed_cancel cancel, heed_error *error);
/* Makes the tokenizer that the options ask for: trained on `data` for "char", loaded otherwise.
   Options without a tokenizer take that of options->init. *tokenizer is NULL for token files
   without one. */
heed_status heed_setup_tokenizer(heed_tokenizer **tokenizer, const heed_run_options *options,
                                 const heed_data *data, const heed_objective *objective,
                                 heed_cancel cancel, heed_error *error);
/* Finds the template that lays out conversations, if the data holds them: options->template_file,
   which names a file or one of the tokenizer's templates, else the tokenizer's own. A named
   template becomes the tokenizer's default, so that it is saved with it. *chat is NULL for other
   data, for "none", and if there is no template. */
heed_status heed_setup_chat(heed_chat_template **chat, const heed_run_options *options,
                            const heed_data *data, heed_tokenizer *tokenizer, heed_error *error);
/* Chooses the objective by name, else by model, else by data. `init` is the configuration of
   options->init, or NULL. */
heed_status heed_setup_objective(const heed_objective **objective, const heed_run_options *options,
                                 const heed_config *init, const heed_data *data, heed_error *error);
/* Makes the configuration of a new model: a family in the sizes of the options, or options->config.
   Vocabulary and special ids come from the tokenizer; for token files without one the vocabulary is
   their largest id + 1. */
heed_status heed_setup_config(heed_config *config, const heed_run_options *options,
                              const heed_objective *objective, const heed_tokenizer *tokenizer,
                              const heed_data *data, heed_error *error);

#endif
