/* Every allocation in turn fails while conversations become a data set: template, texts, ids,
   marks, rows. */
#include "model/family.h"
#include "support/fail_alloc.h"
#include "support/test.h"
#include "train/dataset.h"

static scratch work;

static heed_status scenario(void *context, heed_error *error)
{
    static const char template[] =
        "{% for m in messages %}{{ m.role[0] }}:{{ m.content if loop.last or m.role == 'user' else "
        "m.content[:2] }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}";
    const heed_config *config = context;
    const char *path = scratch_path(&work, "c.jsonl");
    heed_chat_template *chat = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_dataset *dataset = NULL;
    heed_data *data = NULL;
    HEED_TRY(heed_tokenizer_load(&tokenizer, HEED_FIXTURES "/llama", error));
    heed_status status = heed_tokenizer_set_chat_template(tokenizer, template, sizeof template - 1,
                                                          "t", error);
    if (status == HEED_OK) status = heed_chat_template_load(&chat, "t", tokenizer, error);
    if (status == HEED_OK) status = heed_data_open(&data, &path, 1, error);
    heed_dataset_options options = {
        .objective = &heed_objective_clm,
        .config = config,
        .tokenizer = tokenizer,
        .chat = chat,
        .length = 40,
    };
    if (status == HEED_OK) status = heed_dataset_new(&dataset, data, &options, error);
    heed_dataset_free(dataset);
    heed_chat_template_free(chat);
    heed_tokenizer_free(tokenizer);
    return status;
}

static void test_each_allocation(void **state)
{
    (void)state;
    static const char lines[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"hello\"}, "
                                "{\"role\": \"assistant\", \"content\": \"you there\"}, "
                                "{\"role\": \"user\", \"content\": \"so\"}, {\"role\": "
                                "\"assistant\", \"content\": \"on\"}]}\n"
                                "{\"prompt\": [{\"role\": \"user\", \"content\": \"a\"}], "
                                "\"completion\": [{\"role\": \"assistant\", \"content\": \"b\"}]}\n"
                                "{\"prompt\": \"a\", \"completion\": \"b\"}\n";
    heed_config config;
    assert_ok(heed_config_preset(&config, "llama", &error));
    config.vocabulary = 1 << 20;
    scratch_make(&work);
    scratch_file(&work, "c.jsonl", lines, sizeof lines - 1);
    assert_true(fail_alloc_each(scenario, &config) > 100);
    scratch_remove(&work);
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
