/* Chat templates by name: where they are kept, which one is used, that all of them are saved, and
   the token that ends a turn. */
#include "io/gguf.h"
#include "support/chain_model.h"
#include "support/test.h"
#include "text/chat.h"

enum { FILES = 5 };

typedef struct home {
    const char *files[FILES][2]; /* name, text */
    const char *usual, *tools;   /* what conversations without and with tools are written as */
    const char *names;
} home;

#define LIST                                                          \
    "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"R\"}, " \
    "{\"name\": \"tool_use\", \"template\": \"T\"}, "                 \
    "{\"name\": \"default\", \"template\": \"D\"}]}"
#define OBJECT "{\"chat_template\": {\"default\": \"D\", \"tool_use\": \"T\"}}"
#define TEXT "{\"chat_template\": \"D\"}"

static const home homes[] = {
    {{{"tokenizer_config.json", TEXT}}, "D", "D", "default"},
    {{{"tokenizer_config.json", LIST}}, "D", "T", "rag, tool_use, default"},
    {{{"tokenizer_config.json", OBJECT}}, "D", "T", "default, tool_use"},
    {{{"chat_template.jinja", "F"}}, "F", "F", "default"},
    {{{"chat_template.jinja", "F"}, {"tokenizer_config.json", LIST}}, "F", "F", "default"},
    {{{"chat_template.jinja", "F"}, {"additional_chat_templates/tool_use.jinja", "U"}},
     "F",
     "U",
     "default, tool_use"},
    {{{"additional_chat_templates/tool_use.jinja", "U"}, {"tokenizer_config.json", TEXT}},
     "D",
     "U",
     "default, tool_use"},
    {{{"additional_chat_templates/tool_use.txt", "U"}, {"tokenizer_config.json", TEXT}},
     "D",
     "D",
     "default"},
    {{{"chat_template.json", "{\"chat_template\": \"J\"}"}}, "J", "J", "default"},
    {{{"chat_template.json", OBJECT}}, "D", "T", "default, tool_use"},
    {{{"chat_template.json", "{\"chat_template\": \"J\"}"}, {"tokenizer_config.json", TEXT}},
     "D",
     "D",
     "default"},
    {{{"additional_chat_templates/tool_use.jinja", "U"}}, NULL, "U", "tool_use"},
};

static void put(scratch *work, const char *name, const char *text)
{
    assert_ok(heed_directory_make(scratch_path(work, "additional_chat_templates"), &error));
    scratch_file(work, name, text, strlen(text));
}

static void make_folder(scratch *work, const home *h)
{
    scratch_make(work);
    assert_true(chain_model_write(work->folder, &(chain_model){0}));
    for (int i = 0; i < FILES && h->files[i][0]; i++) put(work, h->files[i][0], h->files[i][1]);
}

static heed_status render(const heed_chat_template *chat, bool tools, heed_buffer *text,
                          heed_error *error)
{
    json_t *messages = json_pack("[{s:s, s:s}]", "role", "user", "content", "x"),
           *list = json_array();
    heed_jinja_output output = {0};
    const heed_chat_input input = {.messages = messages, .tools = tools ? list : NULL};
    heed_status status = heed_chat_render(chat, &input, &output, error);
    heed_buffer_append(text, output.text.data ? output.text.data : "", output.text.length);
    heed_buffer_byte(text, 0);
    heed_jinja_output_free(&output);
    json_decref(messages);
    json_decref(list);
    return status;
}

static void check_written(const char *name, const heed_chat_template *chat, bool tools,
                          const char *wanted)
{
    heed_buffer text = {0};
    heed_error error = {0};
    heed_status status = render(chat, tools, &text, &error);
    bool refused = status == HEED_E_UNSUPPORTED && strstr(error.message, "\"default\"");
    bool same = refused;
    if (wanted) same = status == HEED_OK && strcmp(text.data, wanted) == 0;
    if (!same)
        fail_msg("%s: \"%s\" (%s) instead of \"%s\"", name, text.data, error.message,
                 wanted ? wanted : "a refusal");
    heed_buffer_free(&text);
}

static void check_model(const char *path, const home *h)
{
    heed_tokenizer *tokenizer = NULL;
    heed_chat_template *chat = NULL;
    heed_buffer names = {0};
    assert_ok(heed_tokenizer_load(&tokenizer, path, &error));
    heed_tokenizer_list_templates(tokenizer, &names);
    if (strlen(names.data) != strlen(h->names))
        fail_msg("%s: the names are %s, expected %s", path, names.data, h->names);
    assert_ok(heed_chat_template_load(&chat, path, tokenizer, &error));
    check_written(path, chat, false, h->usual);
    check_written(path, chat, true, h->tools);
    heed_chat_template_free(chat);
    heed_tokenizer_free(tokenizer);
    heed_buffer_free(&names);
}

static void save_gguf(const heed_tokenizer *tokenizer, const char *path)
{
    heed_gguf_entries entries = {0};
    const heed_tensor_set none = {0};
    assert_ok(heed_tokenizer_put_gguf(tokenizer, CHAIN_IDS, &entries, &error));
    assert_ok(heed_gguf_write(path, &entries, &none, &error));
    heed_buffer_free(&entries.bytes);
}

static void templates_are_found_and_saved(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
        scratch work, copy;
        heed_tokenizer *tokenizer = NULL;
        make_folder(&work, &homes[i]);
        scratch_make(&copy);
        check_model(work.folder, &homes[i]);
        assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
        assert_ok(heed_tokenizer_save(tokenizer, copy.folder, &error));
        check_model(copy.folder, &homes[i]);
        save_gguf(tokenizer, scratch_path(&copy, "t.gguf"));
        check_model(scratch_path(&copy, "t.gguf"), &homes[i]);
        heed_tokenizer_free(tokenizer);
        scratch_remove(&work);
        scratch_remove(&copy);
    }
}

static void templates_are_chosen_by_name(void **state)
{
    (void)state;
    static const home h = {{{"tokenizer_config.json", LIST}}, "D", "T", ""};
    static const home nameless = {
        {{"tokenizer_config.json",
          "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"R\"}]}"}},
        "",
        "",
        ""};
    scratch work;
    heed_tokenizer *tokenizer = NULL;
    heed_chat_template *chat = NULL;
    make_folder(&work, &h);
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    assert_ok(heed_chat_template_open(&chat, "rag", "m", tokenizer, &error));
    check_written("rag", chat, false, "R");
    check_written("rag", chat, true, "R");
    heed_chat_template_free(chat);
    put(&work, "file.jinja", "from a file");
    assert_ok(
        heed_chat_template_open(&chat, scratch_path(&work, "file.jinja"), "m", tokenizer, &error));
    check_written("a file", chat, true, "from a file");
    heed_chat_template_free(chat);
    assert_fails(HEED_E_UNSUPPORTED,
                 "nor a template \"rog\"; the model's templates are: rag, "
                 "tool_use, default",
                 heed_chat_template_open(&chat, "rog", "m", tokenizer, &error));
    heed_tokenizer_free(tokenizer);
    scratch_remove(&work);
    make_folder(&work, &nameless);
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    assert_fails(HEED_E_UNSUPPORTED, "the model's templates are: rag",
                 heed_chat_template_load(&chat, "m", tokenizer, &error));
    heed_tokenizer_free(tokenizer);
    scratch_remove(&work);
}

/* ---- the end of a turn ---- */

#define EACH "{% for m in messages %}"
#define REFUSE(condition) "{% if " condition " %}{{ raise_exception('no') }}{% endif %}"
#define NO_SYSTEM "messages[0].role != 'system'"

static const struct {
    const char *source;
    int32_t id;
} turns[] = {
    {EACH "{{ m.role }}{{ m.content }}<|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content }} <|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content }}\n<|eot|>\n{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content + '\\n\\n' }}<|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content | upper }}<|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content | title }}<|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content | capitalize | trim }}<|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.content | tojson }}<|eot|>{% endfor %}", CHAIN_EOT},
    {EACH "<answer>{{ m.content }}</answer><|eot|>{% endfor %}", CHAIN_EOT},
    {REFUSE(NO_SYSTEM) EACH "{{ m.content }}<|eot|>{% endfor %}", CHAIN_EOT},
    {REFUSE("messages[0].role == 'system'") EACH "{{ m.content }}<|end|>{% endfor %}", CHAIN_END},
    {REFUSE("messages[-1].role != 'user'") EACH "{{ m.content }}<|eot|>{% endfor %}", CHAIN_EOT},
    {REFUSE(NO_SYSTEM " or messages[-1].role != 'user'") EACH "{{ m.content }} <|eot|>{% endfor %}",
     CHAIN_EOT},
    {EACH REFUSE(
         "(m.role == 'user') != (loop.index0 % 2 == 0)") "{{ m.content }}<|eot|>{% endfor %}",
     CHAIN_EOT},
    {EACH "{{ m.content }}{% if not loop.last %}<|eot|>{% endif %}{% endfor %}", CHAIN_EOT},
    {EACH "<|bos|>{{ m.content }}|{{ m.content }}<|eot|><|end|>{% endfor %}", CHAIN_EOT},
    {EACH "{{ m.role }}: {{ m.content }}\n{% endfor %}", -1},
    {"{{ raise_exception('never') }}", -1},
    {"nothing of it", -1},
};

static void ends_of_turns_are_found(void **state)
{
    (void)state;
    scratch work;
    heed_tokenizer *tokenizer = NULL;
    scratch_make(&work);
    assert_true(chain_model_write(work.folder, &(chain_model){0}));
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        heed_chat_template *chat = NULL;
        int32_t id = 0;
        const char *source = turns[i].source;
        assert_ok(heed_chat_template_new(&chat, source, strlen(source), "t", tokenizer, &error));
        assert_ok(heed_chat_find_end(chat, tokenizer, 0, &id, &error));
        if (id != turns[i].id) fail_msg("%s: the end is %d, expected %d", source, id, turns[i].id);
        heed_chat_template_free(chat);
    }
    heed_tokenizer_free(tokenizer);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_found_and_saved),
        cmocka_unit_test(templates_are_chosen_by_name),
        cmocka_unit_test(ends_of_turns_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
