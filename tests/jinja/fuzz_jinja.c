/* libFuzzer target: any bytes are either refused as a template or render, within limits, to valid
   UTF-8; generated spans stay inside the text. The variables are a conversation with tools. Built
   by the preset fuzz. */
#include "base/utf8.h"
#include "jinja/jinja.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const char conversation[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", "
    "\"content\": \" Gr\xC3\xBC\xC3\x9F"
    "e, \\\"x\\\" \"},"
    "{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": "
    "\"f\", \"arguments\": {\"a\": [1, 2.5, true]}}}]},"
    "{\"role\": \"tool\", \"content\": [{\"type\": \"text\", \"text\": \"y\"}]}], \"tools\": "
    "[{\"type\": \"function\"}], \"bos_token\": \"<s>\","
    "\"eos_token\": \"</s>\", \"add_generation_prompt\": true, \"n\": 7, \"x\": -2.5, \"text\": "
    "\"Hello World\", \"list\": [3, 1, 2], \"d\": {\"b\": 2, \"a\": 1}}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static json_t *variables;
    static const heed_jinja_limits limits = {
        .steps = 20000, .output = 1 << 18, .memory = 4 << 20, .depth = 300};
    heed_error error = {0};
    heed_jinja *jinja = NULL;
    heed_jinja_output output = {0};
    if (!variables && heed_json_parse(&variables, conversation, sizeof conversation - 1, "fuzz",
                                      &error) != HEED_OK)
        abort();
    heed_status status = heed_jinja_new(&jinja, (const char *)bytes, count, "fuzz", &error);
    if ((status == HEED_OK) != (jinja != NULL)) abort();
    if (jinja) status = heed_jinja_render(jinja, variables, 1700000000, &limits, &output, &error);
    if (status != error.status || (status != HEED_OK && !error.message[0])) abort();
    for (size_t at = 0; status == HEED_OK && at < output.text.length;) {
        uint32_t point;
        bool valid = true;
        at += heed_utf8_next(output.text.data + at, output.text.length - at, &point, &valid);
        if (!valid) abort();
    }
    for (size_t i = 0; i < output.span_count && status == HEED_OK; i++)
        if (output.spans[i].begin > output.spans[i].end) abort();
    heed_jinja_output_free(&output);
    heed_jinja_free(jinja);
    return 0;
}
