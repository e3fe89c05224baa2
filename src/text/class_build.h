/* class_build.h: what the class that "tokenizer_class" names makes of a tokenizer.json in
   transformers 5.24. Here the stages of tokenizer.json itself are used, whatever the class. */
#ifndef HEED_TEXT_CLASS_BUILD_H
#define HEED_TEXT_CLASS_BUILD_H

#include "base/json.h"

/* Whether AutoTokenizer reads tokenizer.json as it stands: without a class, with a generic one, and
   where it replaces the class by the generic one. model: the folder's config.json; NULL: none. */
bool heed_class_is_generic(const json_t *config, const json_t *model, const json_t *json);

/* Whether the class builds its own normalizer and pre-tokenizer, and those split texts otherwise
   than the ones of tokenizer.json. */
bool heed_class_builds_others(const json_t *config, const json_t *json);

#endif
