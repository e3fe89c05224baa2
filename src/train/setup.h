/* setup.h: from options to what a training works on: data, tokenizer, configuration. */
#ifndef HEED_TRAIN_SETUP_H
#define HEED_TRAIN_SETUP_H

#include "train/dataset.h"
#include "train/options.h"

/* Opens the files of the options: those of validation if `valid`, else those of training. */
heed_status heed_setup_data(heed_data **data, const heed_run_options *options, bool valid,
                            heed_cancel cancel, heed_error *error);
/* The tokenizer that the options ask for: trained on `data` for "char", loaded otherwise.
   *tokenizer is NULL for token files without one. Options without a tokenizer take that of
   options->init. */
heed_status heed_setup_tokenizer(heed_tokenizer **tokenizer, const heed_run_options *options,
                                 const heed_data *data, const heed_objective *objective,
                                 heed_cancel cancel, heed_error *error);
/* The template that lays out conversations, for data that holds them: options->template_file, a
   file or one of the tokenizer's by name (it becomes the tokenizer's default, so that it is saved
   with it), else the tokenizer's own. *chat is NULL for other data, for "none" and if there is
   none. */
heed_status heed_setup_chat(heed_chat_template **chat, const heed_run_options *options,
                            const heed_data *data, heed_tokenizer *tokenizer, heed_error *error);
/* The objective by name, else by model, else by data. `init` is the configuration of options->init,
   NULL without one. */
heed_status heed_setup_objective(const heed_objective **objective, const heed_run_options *options,
                                 const heed_config *init, const heed_data *data, heed_error *error);
/* The configuration of a new model: a family in the sizes of the options, or options->config;
   vocabulary and special ids as the tokenizer has them (token files without one: one more than
   their largest id). */
heed_status heed_setup_config(heed_config *config, const heed_run_options *options,
                              const heed_objective *objective, const heed_tokenizer *tokenizer,
                              const heed_data *data, heed_error *error);

#endif
