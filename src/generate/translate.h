/* translate.h: a file through an encoder-decoder (or any model), line by line. */
#ifndef HEED_GENERATE_TRANSLATE_H
#define HEED_GENERATE_TRANSLATE_H

#include "generate/generate.h"
#include "base/lines.h"

typedef struct heed_translation {
    char **lines; /* one for each input line, in input order; empty lines stay empty */
    size_t count;
    size_t tokens;      /* written */
    size_t cut_sources; /* lines longer than the context, with settings->truncate */
    /* lines whose end did not come before the length or the context was used up */
    size_t cut_targets;
} heed_translation;
void heed_translation_free(heed_translation *translation);

typedef struct heed_translation_events {
    void (*progress)(void *argument, size_t done, size_t total); /* lines; NULL: none */
    bool (*cancelled)(void *argument);                           /* NULL: never */
    void *argument;
} heed_translation_events;

/* Translates the lines; events may be NULL. They are run in order of their length, so that batches
   are even; results come in the order given. Line ends within a result become blanks. *translation
   is zeroed first; free it in every case. */
heed_status heed_translate_lines(const heed_generator *generator, const heed_text *lines,
                                 size_t count, const heed_translation_events *events,
                                 heed_translation *translation, heed_error *error);
/* The same from file to file; the output file is complete or not there. */
heed_status heed_translate_file(const heed_generator *generator, const char *in_path,
                                const char *out_path, const heed_translation_events *events,
                                heed_translation *translation, heed_error *error);

#endif
