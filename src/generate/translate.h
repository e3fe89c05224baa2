/* translate.h: translates the lines of a file with an encoder-decoder, or continues them with any
   other model. */
#ifndef HEED_GENERATE_TRANSLATE_H
#define HEED_GENERATE_TRANSLATE_H

#include "generate/generate.h"
#include "base/lines.h"

typedef struct heed_translation {
    char **lines; /* (count) one for each input line, in input order; empty for empty lines */
    size_t count;
    size_t tokens;      /* new tokens of all lines */
    size_t cut_sources; /* lines that settings->truncate cut to the context */
    /* lines that ended because the length or the context was used up */
    size_t cut_targets;
} heed_translation;
void heed_translation_free(heed_translation *translation);

typedef struct heed_translation_events {
    void (*progress)(void *argument, size_t done, size_t total); /* counts lines; may be NULL */
    bool (*cancelled)(void *argument);                           /* may be NULL */
    void *argument;
} heed_translation_events;

/* Translates `count` lines; events may be NULL. The longest lines run first, so that the lines of a
   batch are about equally long; results come in the order given. Line ends within a result become
   blanks. *translation is zeroed first; free it in every case.
   Errors: those of heed_generate and of the tokenizer. */
heed_status heed_translate_lines(const heed_generator *generator, const heed_text *lines,
                                 size_t count, const heed_translation_events *events,
                                 heed_translation *translation, heed_error *error);
/* Does the same from file to file. The output file is complete or is not written.
   Errors: also HEED_E_IO. */
heed_status heed_translate_file(const heed_generator *generator, const char *in_path,
                                const char *out_path, const heed_translation_events *events,
                                heed_translation *translation, heed_error *error);

#endif
