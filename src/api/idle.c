/* idle.c: finds the options of a generation that have no effect because of the others. */
#include "api/transformer.h"

#include "base/buffer.h"
#include <stddef.h>
#include <string.h>

/* Why an option has no effect: nothing is drawn, or there are no beams. */
typedef enum cause { BY_DRAWING, BY_BEAMS, CAUSES } cause;

static const char *const reasons[CAUSES] = {
    [BY_DRAWING] = "while the likeliest token is taken each time: give --temp X above 0",
    [BY_BEAMS] = "without beams: give --beams 2 or more"};

/* The options that may have no effect. An option with the value `neutral` is not reported, because
   it has no effect in any case. */
static const struct {
    const char *flag;
    size_t offset;
    enum { INTEGER, REAL, FLAG } kind;
    double neutral;
    cause cause;
} options[] = {
#define AT(name) offsetof(heed_generation_options, name)
    {"--top-k", AT(top_k), INTEGER, 0, BY_DRAWING},
    {"--top-p", AT(top_p), REAL, 1, BY_DRAWING},
    {"--min-p", AT(min_p), REAL, 0, BY_DRAWING},
    {"--typical-p", AT(typical_p), REAL, 1, BY_DRAWING},
    {"--epsilon-cutoff", AT(epsilon_cutoff), REAL, 0, BY_DRAWING},
    {"--eta-cutoff", AT(eta_cutoff), REAL, 0, BY_DRAWING},
    {"--length-penalty", AT(length_penalty), REAL, 1, BY_BEAMS},
    {"--early-stopping", AT(early_stopping), FLAG, 0, BY_BEAMS},
#undef AT
};

/* Returns whether option i is set to another value than its neutral one. */
static bool is_chosen(const heed_generation_options *given, size_t i)
{
    const void *at = (const char *)given + options[i].offset;
    if (options[i].kind == FLAG) return *(const bool *)at;
    if (options[i].kind == INTEGER) {
        heed_optional_int number = *(const heed_optional_int *)at;
        return number.set && (double)number.value != options[i].neutral;
    }
    heed_optional_real number = *(const heed_optional_real *)at;
    return number.set && number.value != options[i].neutral;
}

/* Appends a note for each line, which names a setting of the model's files without effect. */
static void put_notes(heed_buffer *text, const heed_buffer *lines)
{
    const char *at = lines->data, *end = at ? at + lines->length : NULL;
    while (at && at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        if (!next) next = end;
        heed_buffer_printf(text, "note: %.*s\n", (int)(next - at), at);
        at = next + 1;
    }
}

heed_status heed_transformer_idle_options(heed_transformer *t, const heed_generation_options *given,
                                          char **notes, heed_error *error)
{
    heed_generation_settings settings;
    heed_buffer text = {0};
    *notes = NULL;
    given = heed_generation_options_or_default(given);
    heed_status status = heed_transformer_settings(t, given, &settings, error);
    const bool works[CAUSES] = {[BY_DRAWING] = settings.sample && settings.temperature > 0,
                                [BY_BEAMS] = settings.beams > 1};
    if (status == HEED_OK) put_notes(&text, &settings.notes);
    heed_generation_settings_free(&settings);
    if (status != HEED_OK) {
        heed_buffer_free(&text);
        return status;
    }
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (is_chosen(given, i) && !works[options[i].cause])
            heed_buffer_printf(&text, "note: %s has no effect %s\n", options[i].flag,
                               reasons[options[i].cause]);
    if (text.failed) status = heed_fail_memory(error, text.length, "notes");
    if (status == HEED_OK) *notes = text.data;
    else heed_buffer_free(&text);
    return status;
}
