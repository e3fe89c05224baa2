/* libFuzzer target: our strict JSON reader against jansson's own. What jansson accepts must be
   accepted with equal values (up to our depth of 256); what we accept beyond that are integers
   above 64 bits. What is written of a value reads back to the same. What the strict reader accepts
   the other one reads too, to equal values; what that one reads is written as strict JSON. Built by
   the preset fuzz. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static bool has_long_number(const char *text, size_t count)
{
    size_t digits = 0;
    for (size_t i = 0; i < count; i++) {
        digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
        if (digits >= 19) return true;
    }
    return false;
}

/* Strings and numbers of a value, written and read again. */
static void check_round_trip(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t index;
    json_object_foreach((json_t *)value, key, member) check_round_trip(member);
    json_array_foreach(value, index, member) check_round_trip(member);
    if (!json_is_string(value) && !json_is_real(value)) return;
    heed_buffer text = {0};
    json_t *back = NULL;
    heed_buffer_byte(&text, '[');
    if (json_is_string(value))
        heed_json_put_string(&text, json_string_value(value), json_string_length(value));
    else heed_json_put_number(&text, json_real_value(value));
    heed_buffer_byte(&text, ']');
    if (heed_json_parse_strict(&back, text.data, text.length, "back", NULL) != HEED_OK) abort();
    const json_t *again = json_array_get(back, 0);
    if (json_is_string(value) ? !json_equal(value, again)
                              : json_number_value(again) != json_real_value(value))
        abort();
    json_decref(back);
    heed_buffer_free(&text);
}

static void check_lenient(const json_t *strict, const char *text, size_t count)
{
    json_t *lenient = NULL, *back = NULL;
    heed_buffer written = {0};
    heed_status status = heed_json_parse(&lenient, text, count, "fuzz", NULL);
    if (strict && (status != HEED_OK || !json_equal(strict, lenient))) abort();
    if (status != HEED_OK) return;
    heed_json_put(&written, lenient, JSON_COMPACT);
    if (written.failed ||
        heed_json_parse_strict(&back, written.data, written.length, "back", NULL) != HEED_OK)
        abort();
    heed_buffer_clear(&written);
    heed_json_put_found(&written, lenient);
    heed_buffer_free(&written);
    json_decref(lenient);
    json_decref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    heed_error error = {0};
    json_t *ours = NULL;
    heed_status status = heed_json_parse_strict(&ours, (const char *)bytes, count, "fuzz", &error);
    if ((status == HEED_OK) != (ours != NULL) || status != error.status ||
        (status != HEED_OK && strncmp(error.message, "fuzz: ", 6) != 0))
        abort();
    json_t *theirs = json_loadb((const char *)bytes, count, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                                NULL);
    /* jansson takes a NUL byte after a number for nothing. */
    if (theirs && !ours && !strstr(error.message, "256 levels") && !memchr(bytes, 0, count))
        abort();
    if (theirs && ours && !json_equal(ours, theirs)) abort();
    if (ours && !theirs && !has_long_number((const char *)bytes, count)) abort();
    if (ours) check_round_trip(ours);
    check_lenient(ours, (const char *)bytes, count);
    json_decref(ours);
    json_decref(theirs);
    return 0;
}
