/* The ids that end a text: lists of config.json, and the keys and token texts of GGUF files. */
#include "io/gguf.h"
#include "model/model.h"
#include "support/chain_model.h"
#include "support/test.h"

enum { MOST = 8 };

static void check_ids(const char *name, const heed_config *config, const char *wanted)
{
    heed_buffer found = {0};
    heed_buffer_printf(&found, "%lld", (long long)config->eos_id);
    for (int64_t i = 0; i < config->more_eos.count; i++)
        heed_buffer_printf(&found, ",%d", config->more_eos.ids[i]);
    if (strcmp(found.data, wanted) != 0)
        fail_msg("%s: the ids are %s, expected %s", name, found.data, wanted);
    heed_buffer_free(&found);
}

static void lists_of_config_json_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *text, *ids;
    } cases[] = {
        {"{\"eos_token_id\": 257}", "257"},
        {"{\"eos_token_id\": [257, 258]}", "257,258"},
        {"{\"eos_token_id\": [258, 257, 258]}", "258,257"},
        {"{\"eos_token_id\": [258]}", "258"},
        {"{\"eos_token_id\": null}", "-1"},
        {"{\"text_config\": {\"eos_token_id\": [1, 2]}}", "1,2"},
        {"{\"eos_token_id\": null, \"decoder\": {\"eos_token_id\": 3}}", "3"},
        {"{\"eos_token_id\": [5, 6], \"text_config\": {\"eos_token_id\": [1, 2]}}", "5,6"},
    };
    scratch folder;
    scratch_make(&folder);
    const chain_model model = {.without_tokenizer = true};
    assert_true(chain_model_write(folder.folder, &model));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = NULL, *more = json_loads(cases[i].text, 0, NULL), *written = NULL;
        heed_config config, back;
        assert_ok(heed_json_read(&json, scratch_path(&folder, "config.json"), &error));
        assert_int_equal(json_object_del(json, "eos_token_id"), 0);
        assert_int_equal(json_object_update(json, more), 0);
        assert_ok(heed_config_read(&config, json, "config.json", &error));
        check_ids(cases[i].text, &config, cases[i].ids);
        assert_ok(heed_config_write(&config, &written, &error));
        assert_ok(heed_config_read(&back, written, "config.json", &error));
        check_ids(cases[i].text, &back, cases[i].ids);
        json_decref(json);
        json_decref(more);
        json_decref(written);
    }
    scratch_remove(&folder);
}

/* A GGUF vocabulary: what differs from the tokens "t0", "t1" ... */
typedef struct gguf_case {
    const char *texts[MOST]; /* from id 100 on */
    struct {
        const char *key;
        uint32_t id;
    } keys[MOST];
    const char *ids;
} gguf_case;

static const gguf_case gguf_cases[] = {
    {{NULL}, {{"eos", 5}}, "5"},
    {{NULL}, {{NULL, 0}}, "-1"},
    {{NULL}, {{"eos", 5}, {"eot", 6}, {"eom", 7}}, "5,6,7"},
    {{NULL}, {{"eos", 5}, {"eot", 5}}, "5"},
    {{NULL}, {{"eot", 6}}, "6"},
    {{NULL}, {{"eos", 5}, {"eot", 4000000000u}}, "5"},
    {{"<|im_start|>", "<|im_end|>"}, {{"eos", 5}}, "5,101"},
    {{"<|im_end|>"}, {{"eos", 100}}, "100"},
    {{"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"}, {{"eos", 102}}, "102,100,101"},
    {{"<start_of_turn>", "<end_of_turn>", "<eos>"}, {{"eos", 102}}, "102,101"},
    {{"<|end|>", "<|user|>"}, {{"eos", 5}, {"eot", 9}}, "5,9,100"},
    /* Messages end in <|end|>, the answer does not. */
    {{"<|end|>", "<|return|>", "<|call|>"}, {{"eos", 101}}, "101,102"},
    {{"<|end|>", "<|flush|>", "<|calls|>"}, {{"eos", 5}}, "5,101,102"},
    {{"<|end|>", "<|return|>"}, {{"eos", 101}}, "101,100"},
    {{"</s>", "<turn|>", "<|tool_response>"}, {{"eos", 101}}, "101,102"},
    /* Code infilling: one token of each kind, by key or by text. */
    {{"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"}, {{"eos", 5}}, "5,100,101,102"},
    {{"<|fim_pad|>"}, {{"eos", 5}, {"fim_pad", 9}}, "5,9"},
    {{"< |im_end|>", "<|im_end|> ", "im_end", "[EOT"}, {{"eos", 5}}, "5"},
};

static void put_vocabulary(heed_gguf_entries *entries, const gguf_case *c)
{
    char text[64];
    heed_gguf_put_string(entries, "tokenizer.ggml.model", "gpt2", 4);
    heed_gguf_put_array(entries, "tokenizer.ggml.tokens", HEED_GGUF_STRING, CHAIN_IDS);
    for (int id = 0; id < CHAIN_IDS; id++) {
        bool is_named = id >= 100 && id < 100 + MOST && c->texts[id - 100];
        snprintf(text, sizeof text, "t%d", id);
        if (is_named) snprintf(text, sizeof text, "%s", c->texts[id - 100]);
        heed_gguf_put_text(entries, text, strlen(text));
    }
    for (int i = 0; i < MOST && c->keys[i].key; i++) {
        snprintf(text, sizeof text, "tokenizer.ggml.%s_token_id", c->keys[i].key);
        heed_gguf_put_u32(entries, text, c->keys[i].id);
    }
}

typedef struct written_model {
    scratch folder;
    heed_model *model;
    char path[512];
} written_model;

static void open_model(written_model *w)
{
    const chain_model model = {.without_tokenizer = true};
    scratch_make(&w->folder);
    assert_true(chain_model_write(w->folder.folder, &model));
    assert_ok(heed_model_load(&w->model, w->folder.folder, &(heed_model_options){0}, &error));
    snprintf(w->path, sizeof w->path, "%s", scratch_path(&w->folder, "m.gguf"));
}

static void close_model(written_model *w)
{
    heed_model_release(w->model);
    scratch_remove(&w->folder);
}

static void check_file(const written_model *w, const char *name, heed_gguf_entries *entries,
                       const char *ids)
{
    heed_config config;
    assert_ok(heed_model_save_gguf(w->model, w->path, HEED_F32, entries, &error));
    assert_ok(heed_config_load(&config, w->path, &error));
    check_ids(name, &config, ids);
    heed_buffer_free(&entries->bytes);
}

static void keys_and_texts_of_gguf_files_count(void **state)
{
    (void)state;
    written_model w = {0};
    open_model(&w);
    for (size_t i = 0; i < sizeof gguf_cases / sizeof *gguf_cases; i++) {
        const gguf_case *c = &gguf_cases[i];
        heed_gguf_entries entries = {0};
        char name[64];
        snprintf(name, sizeof name, "case %zu (%s)", i, c->texts[0] ? c->texts[0] : "keys");
        put_vocabulary(&entries, c);
        check_file(&w, name, &entries, c->ids);
    }
    close_model(&w);
}

static void own_lists_of_gguf_files_say_all(void **state)
{
    (void)state;
    static const gguf_case vocabulary = {{"<|im_end|>", "</s>"}, {{"eos", 5}, {"eot", 6}}, ""};
    static const struct {
        int32_t ids[3];
        size_t count;
        const char *wanted;
    } lists[] = {{{9, 8, 7}, 3, "9,8,7"}, {{-1}, 1, "-1"}, {{9, 9, 999}, 3, "9"}};
    written_model w = {0};
    open_model(&w);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        heed_gguf_entries entries = {0};
        put_vocabulary(&entries, &vocabulary);
        heed_gguf_put_array(&entries, HEED_GGUF_ENDS, HEED_GGUF_I32, lists[i].count);
        for (size_t k = 0; k < lists[i].count; k++)
            heed_gguf_put_element(&entries, HEED_GGUF_I32, lists[i].ids[k]);
        check_file(&w, lists[i].wanted, &entries, lists[i].wanted);
    }
    close_model(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_config_json_are_read_and_written),
        cmocka_unit_test(keys_and_texts_of_gguf_files_count),
        cmocka_unit_test(own_lists_of_gguf_files_say_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
