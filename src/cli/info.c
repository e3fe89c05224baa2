/* heed info: what this build and machine have, or what a model is. */
#include "options.h"
#include "terminal.h"

#include <heed/heed.h>
#include <jansson.h>
#include <string.h>

typedef struct { bool json; int64_t threads; } info_options;

static const option options[] = {
    HEED_OPTION(info_options, json, "json", 0, OPTION_FLAG, NULL, "Print one JSON object."),
    HEED_OPTION(info_options, threads, "threads", 't', OPTION_INTEGER, "N", "Threads (default: OMP_NUM_THREADS, else all processors)."),
    {0}};

static void print_value(const char *key, const json_t *value)
{
    char text[32];
    size_t length = strlen(key);
    bool bytes = length > 6 && !strcmp(key + length - 6, "_bytes");
    if (json_is_string(value)) printf("%s", json_string_value(value));
    else if (json_is_boolean(value)) printf("%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_number(value) && bytes) printf("%s", bytes_text(json_number_value(value), text));
    else if (json_is_integer(value)) printf("%lld", (long long)json_integer_value(value));
    else if (json_is_real(value)) printf("%g", json_real_value(value));
    else printf("-");
}

/* "key  value" lines; nested objects and lists are indented. */
static void print_object(const json_t *object, int indent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        char label[64];
        snprintf(label, sizeof label, "%s", key);
        for (char *c = label; *c; c++)
            if (*c == '_') *c = ' ';
        if (strlen(label) > 6 && !strcmp(label + strlen(label) - 6, " bytes")) label[strlen(label) - 6] = 0;
        if (json_is_object(value)) {
            printf("%*s%s\n", indent, "", label);
            print_object(value, indent + 2);
            continue;
        }
        printf("%*s%-*s ", indent, "", 26 - indent, label);
        if (json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(value); i++) {
                if (i) printf(json_array_size(value) > 4 ? "\n%*s" : ", ", 27, "");
                print_value(key, json_array_get(value, i));
            }
        } else print_value(key, value);
        printf("\n");
    }
}

static int run(int argc, char **argv);
const verb verb_info = {"info", "[MODEL] [--json]", "what a model is, or what this build and machine have",
    "Without a model: version, kernels, threads, libraries. With a model folder: family, sizes, parameters, memory for running and for\n"
    "training, tokenizer, and what heed noticed when reading it.\n\n"
    "  heed info\n  heed info path/to/model --json\n", options, run};

static int run(int argc, char **argv)
{
    info_options values = {0};
    option_list words = {0};
    bool helped;
    heed_error error = {0};
    heed_context *context = NULL;
    char *json = NULL;
    if (!options_parse(&verb_info, &values, argc, argv, &words, &helped)) return 2;
    if (helped) return 0;
    if (words.count > 1) return usage_error(&verb_info, "one model at a time; found \"%s\" too", words.items[1]);
    heed_status status = heed_context_new(&context, &(heed_context_options){.threads = (int)values.threads}, &error);
    if (status == HEED_OK) status = heed_describe(context, words.count ? words.items[0] : NULL, &json, &error);
    if (status == HEED_OK && values.json) puts(json);
    else if (status == HEED_OK) {
        json_t *object = json_loads(json, 0, NULL);
        print_object(object, 0);
        json_decref(object);
    }
    heed_free(json);
    heed_context_free(context);
    option_list_free(&words);
    return status == HEED_OK ? 0 : report_error("info", &error);
}
