/* class_build.h: knows what the class named in "tokenizer_class" does with a tokenizer.json in
   transformers 5.24. heed always uses the stages of tokenizer.json itself, so this serves for notes
   to the user. */
#ifndef HEED_TEXT_CLASS_BUILD_H
#define HEED_TEXT_CLASS_BUILD_H

#include "base/json.h"

/* Returns whether AutoTokenizer uses tokenizer.json unchanged: without a class, with a generic
   class, or where AutoTokenizer replaces the class by the generic one. `model` is the folder's
   config.json or NULL. */
bool heed_class_is_generic(const json_t *config, const json_t *model, const json_t *json);

/* Returns whether the class builds its own normalizer and pre-tokenizer, and these differ from the
   ones in tokenizer.json. */
bool heed_class_builds_others(const json_t *config, const json_t *json);

#endif
