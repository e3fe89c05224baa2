/* Where a model's chat template is found, and what it is given. */
#include "support/test.h"
#include "text/chat.h"

static const char tokenizer_json[] =
    "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 2, \"content\": \"<s>\", \"special\": "
    "true, \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
    "\"normalized\": false}], \"normalizer\": null, \"pre_tokenizer\": null, \"post_processor\": "
    "null, \"decoder\": null, \"model\": {\"type\": \"BPE\", \"vocab\": "
    "{\"a\": 0, \"b\": 1, \"<s>\": 2}, \"merges\": []}}";

static void put(scratch *work, const char *name, const char *text)
{
    scratch_file(work, name, text, strlen(text));
}

/* Loads tokenizer and template of the folder, renders one message; the caller frees. */
static heed_status render(scratch *work, heed_jinja_output *output, heed_error *error)
{
    heed_tokenizer *tokenizer = NULL;
    heed_chat_template *chat = NULL;
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", "Hi");
    heed_status status = heed_tokenizer_load(&tokenizer, work->folder, error);
    if (status == HEED_OK) status = heed_chat_template_load(&chat, work->folder, tokenizer, error);
    if (status == HEED_OK)
        status = heed_chat_render(
            chat, &(heed_chat_input){.messages = messages, .prompt = true, .now = 1700000000},
            output, error);
    heed_chat_template_free(chat);
    heed_tokenizer_free(tokenizer);
    json_decref(messages);
    return status;
}

static void assert_renders(scratch *work, const char *wanted)
{
    heed_jinja_output output = {0};
    assert_ok(render(work, &output, &error));
    assert_string_equal(output.text.data, wanted);
    heed_jinja_output_free(&output);
}

static void templates_are_found_where_models_keep_them(void **state)
{
    scratch work;
    heed_jinja_output output = {0};
    (void)state;
    scratch_make(&work);
    put(&work, "tokenizer.json", tokenizer_json);
    assert_fails(HEED_E_UNSUPPORTED, "no chat template", render(&work, &output, &error));
    put(&work, "tokenizer_config.json",
        "{\"bos_token\": \"<s>\", \"chat_template\": \"{{ bos_token }}{{ messages[0].content }}{{ "
        "tools }}{{ add_generation_prompt }}\"}");
    assert_renders(&work, "<s>HiNoneTrue");
    put(&work, "tokenizer_config.json",
        "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"no\"}, {\"name\": \"default\", "
        "\"template\": \"yes {{ messages[0].role }}\"}]}");
    assert_renders(&work, "yes user");
    put(&work, "chat_template.jinja", "file {{ messages | length }}");
    assert_renders(&work, "file 1");
    put(&work, "chat_template.jinja", "a\n{% if %}");
    assert_fails(HEED_E_FORMAT, "chat template: line 2: ", render(&work, &output, &error));
    put(&work, "chat_template.jinja", "{{ raise_exception('no users here') }}");
    assert_fails(HEED_E_ARG, "no users here", render(&work, &output, &error));
    heed_jinja_output_free(&output);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_found_where_models_keep_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
