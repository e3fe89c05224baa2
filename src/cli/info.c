/* heed info: describes this build and machine, or a model. */
#include "task.h"

#include <string.h>

static const heed_cli_option options[] = {{0}};

/* Prints an integer, with commas from five digits on: 4096, 124,439,808. */
static void print_integer(json_int_t number)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    for (int i = 0; i < length; i++) {
        if (i && length > 4 && digits[i - 1] != '-' && (length - i) % 3 == 0) putchar(',');
        putchar(digits[i]);
    }
}

/* Prints a value. If the key ends in "_bytes", a number is printed with a unit. */
static void print_value(const char *key, const json_t *value)
{
    char text[32];
    size_t length = strlen(key);
    bool bytes = length > 6 && !strcmp(key + length - 6, "_bytes");
    if (json_is_string(value)) printf("%s", json_string_value(value));
    else if (json_is_boolean(value)) printf("%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_number(value) && bytes)
        printf("%s", heed_cli_bytes_text(json_number_value(value), text));
    else if (json_is_integer(value)) print_integer(json_integer_value(value));
    else if (json_is_real(value)) printf("%g", json_real_value(value));
    else printf("-");
}

/* Prints "key  value" lines; nested objects and lists are indented. */
static void print_object(const json_t *object, int indent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        char label[64];
        if (json_is_null(value) || (json_is_array(value) && !json_array_size(value))) continue;
        snprintf(label, sizeof label, "%s", key);
        for (char *c = label; *c; c++)
            if (*c == '_') *c = ' ';
        if (strlen(label) > 6 && !strcmp(label + strlen(label) - 6, " bytes"))
            label[strlen(label) - 6] = 0;
        if (json_is_object(value)) {
            printf("%*s%s\n", indent, "", label);
            print_object(value, indent + 2);
            continue;
        }
        printf("%*s%-*s ", indent, "", 26 - indent, label);
        if (json_is_array(value)) {
            for (size_t i = 0; i < json_array_size(value); i++) {
                if (i)
                    printf(json_array_size(value) > 4 || !strcmp(key, "slower") ? "\n%*s" : ", ",
                           27, "");
                print_value(key, json_array_get(value, i));
            }
        } else print_value(key, value);
        printf("\n");
    }
}

static heed_status run(heed_cli_task *t)
{
    char *json = NULL;
    heed_status status = heed_describe(t->context, t->model, &json, &t->error);
    if (status == HEED_OK && t->json) puts(json);
    else if (status == HEED_OK) {
        json_t *object = json_loads(json, 0, NULL);
        print_object(object, 0);
        json_decref(object);
    }
    heed_free(json);
    return status;
}

const heed_cli_command heed_cli_command_info = {
    .name = "info",
    .arguments = "[MODEL] [--json]",
    .summary = "what a model is, or what this build and machine have",
    .description = "Without a model: version, kernels, threads, what makes this machine or these "
                   "settings slower, libraries, families. With a model folder: family, sizes, "
                   "parameters, memory for running "
                   "and for training, tokenizer, and what heed noticed when reading it.",
    .examples = "  heed info\n  heed info path/to/model --json\n",
    .options = options,
    .shares = HEED_CLI_MODEL_MAYBE | HEED_CLI_COMPUTES | HEED_CLI_JSON,
    .bytes = sizeof(heed_cli_task),
    .run = run};
