/* Which parts of a conversation are learned, for every kind of object and template; and how
   conversations become rows. */
#include "train/conversation.h"

#include "model/family.h"
#include "support/work.h"
#include "train/dataset.h"

/* ---- texts and answers ---- */

/* Writes "text" with answers in brackets, texts parted by a line end. */
static heed_status show(void *context, const heed_conversation *c, heed_error *error)
{
    heed_buffer *shown = context;
    (void)error;
    for (size_t at = 0, i = 0; at <= c->text.length; at++) {
        if (i < c->count && at == c->answers[i].end) {
            heed_buffer_byte(shown, ']');
            i++;
        }
        if (i < c->count && at == c->answers[i].begin) heed_buffer_byte(shown, '[');
        if (at < c->text.length) heed_buffer_byte(shown, c->text.bytes[at]);
    }
    if (c->plain) heed_buffer_text(shown, "(plain)");
    else if (c->marked) heed_buffer_text(shown, "(marked)");
    heed_buffer_byte(shown, '\n');
    return HEED_OK;
}

static heed_status lay(const char *template, const char *object, heed_buffer *shown,
                       heed_error *error)
{
    heed_chat_template *chat = NULL;
    if (template)
        HEED_TRY(
            heed_chat_template_new(&chat, template, strlen(template), "template", NULL, error));
    const heed_conversation_layout layout = {
        .chat = chat, .now = 86400, .sink = show, .context = shown};
    heed_text text = {object, strlen(object)};
    heed_status status = heed_conversation_lay(&layout, text, "data", error);
    heed_chat_template_free(chat);
    return status;
}

#define TALK                                                                    \
    "{% for m in messages %}<{{ m.role }}>{{ m.content }};\n{% endfor %}{% if " \
    "add_generation_prompt %}<assistant>{% endif %}"
#define MARKED                                                                               \
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ " \
    "m.content }};{% endgeneration %}{% else %}{{ m.content }};{% endif %}{% endfor %}"
#define SAY(role, text) "{\"role\": \"" role "\", \"content\": \"" text "\"}"

static void answers_are_found(void **state)
{
    (void)state;
    static const char two[] = "{\"messages\": [" SAY("system", "s") ", " SAY("user", "u") ", " SAY(
        "assistant", "a") ", " SAY("user", "v") ", " SAY("assistant", "b") "]}";
    static const char weighted[] = "{\"messages\": [" SAY(
        "user", "u") ", {\"role\": \"assistant\", \"content\": \"a\", \"weight\": "
                     "0}, " SAY("user", "v") ", " SAY("assistant", "b") "]}";
    static const struct {
        const char *template, *object, *shown;
    } cases[] = {
        {TALK, two, "<system>s;\n<user>u;\n<assistant>[a;\n]<user>v;\n<assistant>[b;\n]\n"},
        {TALK, weighted, "<user>u;\n<assistant>a;\n<user>v;\n<assistant>[b;\n]\n"},
        {TALK, "{\"prompt\": \"u\", \"completion\": \"a\"}", "<user>u;\n<assistant>[a;\n]\n"},
        /* what the prompt holds is not learned */
        {TALK,
         "{\"prompt\": [" SAY("user", "u") ", " SAY("assistant", "x") ", " SAY(
             "user", "v") "], \"completion\": [" SAY("assistant", "a") "]}",
         "<user>u;\n<assistant>x;\n<user>v;\n<assistant>[a;\n]\n"},
        {NULL, "{\"prompt\": \"1 + 1 =\", \"completion\": \" 2\"}", "1 + 1 =[ 2](plain)\n"},
        {MARKED, two, "<system>s;<user>u;<assistant>[a;]<user>v;<assistant>[b;](marked)\n"},
        {MARKED, weighted, "<user>u;<assistant>a;<user>v;<assistant>[b;](marked)\n"},
        /* no answer: nothing */
        {TALK, "{\"messages\": [" SAY("user", "u") "]}", ""},
        {TALK, "{\"messages\": [" SAY("user", "u") ", " SAY("tool", "a") "]}", ""},
        /* the model begins */
        {TALK, "{\"messages\": [" SAY("assistant", "a") "]}", "<assistant>[a;\n]\n"},
        /* a prompt that opens thoughts which the answer does not have; half a character is never
           cut off */
        {"{% for m in messages %}<{{ m.role }}>{{ m.content }}|{% endfor %}{% if "
         "add_generation_prompt %}<assistant>\xC3\xA4{% endif %}",
         "{\"messages\": [" SAY("user", "u") ", " SAY("assistant", "\xC3\xB6") "]}",
         "<user>u|<assistant>[\xC3\xB6|]\n"},
        /* earlier answers are written in another way: each is a text of its own */
        {"{% for m in messages %}<{{ m.role }}>{{ m.content if loop.last or m.role == 'user' else "
         "'cut' }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
         two,
         "<system>cut<user>u<assistant>[a]\n<system>cut<user>u<assistant>cut<user>v<assistant>[b]"
         "\n"},
        /* an end of text after all messages alone */
        {"{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ '<assistant>' if "
         "add_generation_prompt else '.' }}",
         two,
         "<system>s<user>u<assistant>[a.]\n<system>s<user>u<assistant>a<user>v<assistant>[b.]\n"},
        {"{{ tools[0].name }}{{ strftime_now('%Y') }}" TALK,
         "{\"tools\": [{\"name\": \"f\"}], \"messages\": [" SAY("user", "u") ", " SAY("assistant",
                                                                                      "a") "]}",
         "f1970<user>u;\n<assistant>[a;\n]\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_buffer shown = {0};
        assert_ok(lay(cases[i].template, cases[i].object, &shown, &error));
        assert_string_equal(shown.data ? shown.data : "", cases[i].shown);
        heed_buffer_free(&shown);
    }
}

static void what_cannot_be_laid_out_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *template, *object;
        heed_status status;
        const char *part;
    } cases[] = {
        {NULL, "{\"messages\": [" SAY("user", "u") "]}", HEED_E_ARG,
         "data: messages need a chat template"},
        {"{{ raise_exception('no ' + messages[0].role) }}",
         "{\"messages\": [" SAY("user", "u") ", " SAY("assistant", "a") "]}", HEED_E_ARG,
         "data: template: the template refuses the conversation: no user"},
        {"{% for m in messages %}{{ m.none.none }}{% endfor %}",
         "{\"messages\": [" SAY("user", "u") ", " SAY("assistant", "a") "]}", HEED_E_FORMAT,
         "data: template: line 1"},
        /* a head that is there only with messages would be learned */
        {"{% for m in messages %}{% if loop.first %}head{% endif %}<{{ m.role }}>{{ m.content }}{% "
         "endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
         "{\"messages\": [" SAY("assistant", "a") "]}", HEED_E_FORMAT, "message 1"},
        {"{% for m in messages %}{{ loop.revindex }}{{ m.content }}{% endfor %}",
         "{\"messages\": [" SAY("user", "u") ", " SAY("assistant", "a") "]}", HEED_E_FORMAT,
         "message 2"},
        {"{% generation %}{{ messages | length }}{% endgeneration %}",
         "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\", \"weight\": 0}, " SAY(
             "assistant", "b") "]}",
         HEED_E_FORMAT, "marks 1 answers, the conversation has 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_buffer shown = {0};
        assert_fails(cases[i].status, cases[i].part,
                     lay(cases[i].template, cases[i].object, &shown, &error));
        heed_buffer_free(&shown);
    }
}

/* ---- rows and labels ---- */

/* One token per character; <end> is special. */
static heed_tokenizer *characters(void)
{
    static const heed_special_token special[] = {{"<end>", HEED_EOS}};
    heed_tokenizer_training training = {.special = special, .special_count = 1};
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, "abcdefghijklmnopqrstuvwxyz:\n", 28, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    heed_tokenizer_trainer_free(trainer);
    return tokenizer;
}

typedef struct conversations {
    heed_tokenizer *tokenizer;
    heed_chat_template *chat;
    heed_config config;
    heed_dataset *data;
    heed_batch batch;
} conversations;

static heed_status open_conversations(conversations *c, const char *lines, const char *template,
                                      const heed_objective *objective, size_t length,
                                      heed_error *error)
{
    const char *path = scratch_file(&work, "c.jsonl", lines, strlen(lines));
    heed_data *data = NULL;
    *c = (conversations){.tokenizer = characters()};
    if (template)
        HEED_TRY(
            heed_chat_template_new(&c->chat, template, strlen(template), "t", c->tokenizer, error));
    HEED_TRY(heed_data_open(&data, &path, 1, error));
    heed_status status = heed_config_preset(&c->config, "llama", error);
    c->config.vocabulary = heed_tokenizer_id_limit(c->tokenizer);
    heed_dataset_options options = {
        .objective = objective,
        .config = &c->config,
        .tokenizer = c->tokenizer,
        .chat = c->chat,
        .length = length,
        .seed = 3,
    };
    return status == HEED_OK ? heed_dataset_new(&c->data, data, &options, error) : status;
}

static void close_conversations(conversations *c)
{
    heed_batch_free(&c->batch);
    heed_dataset_free(c->data);
    heed_chat_template_free(c->chat);
    heed_tokenizer_free(c->tokenizer);
}

/* All sequences of an epoch, what is read before a colon, what is predicted after it; parted by
   blanks. */
static void assert_rows(conversations *c, const char *wanted)
{
    heed_buffer shown = {0};
    assert_ok(heed_dataset_begin(c->data, 0, &error));
    heed_batch_clear(&c->batch, 0);
    assert_ok(heed_dataset_collate(c->data, 0, heed_dataset_units(c->data), &c->batch, &error));
    const int32_t *ids = heed_batch_read(&c->batch, "ids"),
                  *table = heed_batch_read(&c->batch, "sequences"),
                  *gathered = heed_batch_read(&c->batch, "rows"),
                  *labels = heed_batch_read(&c->batch, "labels");
    for (int64_t s = 0, label = 0; s < c->batch.count[HEED_EXTENT_SEQUENCES]; s++) {
        const int32_t *row = table + s * HEED_SEQUENCE_FIELDS;
        int32_t begin = row[HEED_SEQUENCE_QUERY_START],
                end = begin + row[HEED_SEQUENCE_QUERY_LENGTH];
        if (s) heed_buffer_byte(&shown, ' ');
        assert_ok(heed_tokenizer_decode(c->tokenizer, ids + begin, (size_t)(end - begin), false,
                                        &shown, &error));
        heed_buffer_byte(&shown, '=');
        for (; label < c->batch.count[HEED_EXTENT_GATHERED] && gathered[label] < end; label++) {
            assert_ok(
                heed_tokenizer_decode(c->tokenizer, &labels[label], 1, false, &shown, &error));
            int32_t next = gathered[label] + 1; /* a label is the token after its row */
            if (next < end) assert_int_equal(ids[next], labels[label]);
        }
    }
    heed_buffer_byte(&shown, '\0');
    assert_string_equal(shown.data, wanted);
    heed_buffer_free(&shown);
}

#define TURNS                                                                         \
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}<end>\n{% endfor %}{% if " \
    "add_generation_prompt %}a:{% endif %}"

static void answers_alone_are_predicted(void **state)
{
    (void)state;
    conversations c;
    static const char lines[] =
        "{\"messages\": [" SAY("user", "x") ", " SAY("assistant", "yes") ", " SAY(
            "user",
            "z") ", " SAY("assistant",
                          "no") "]}\n"
                                "{\"prompt\": \"p\", \"completion\": \"q\"}\n{\"messages\": [" SAY(
                                    "user", "silent") "]}\n";
    assert_ok(open_conversations(&c, lines, TURNS, &heed_objective_clm, 64, &error));
    /* the line end after <end> is the template's */
    assert_rows(&c, "u:x<end>\na:yes<end>\nu:z<end>\na:no=yes<end>no<end> u:p<end>\na:q=q<end>");
    assert_int_equal(c.data->silent, 1);
    assert_int_equal(heed_dataset_cut(c.data), 0);
    close_conversations(&c);
    assert_ok(open_conversations(
        &c,
        "{\"prompt\": \"p\", \"completion\": \"q\"}\n{\"prompt\": \"\", \"completion\": \"rs\"}",
        NULL, &heed_objective_clm, 64, &error));
    assert_rows(&c, "pq=q<end> rs=s<end>");
    close_conversations(&c);
}

static void conversations_stay_whole(void **state)
{
    (void)state;
    conversations c;
    heed_buffer lines = {0};
    for (int i = 0; i < 9; i++)
        heed_buffer_printf(&lines, "{\"prompt\": \"%.*s\", \"completion\": \"z\"}\n", 1 + i,
                           "abcdefghij");
    heed_buffer_byte(&lines, '\0');
    assert_ok(open_conversations(&c, lines.data, NULL, &heed_objective_clm, 12, &error));
    c.data->options.shuffled = true;
    for (int epoch = 0; epoch < 8; epoch++) {
        size_t labels = 0;
        assert_ok(heed_dataset_begin(c.data, epoch, &error));
        for (size_t unit = 0; unit < heed_dataset_units(c.data); unit++) {
            heed_batch_clear(&c.batch, 0);
            assert_ok(heed_dataset_collate(c.data, unit, 1, &c.batch, &error));
            assert_in_range(c.batch.count[HEED_EXTENT_ROWS], 1, 12);
            /* each begins with its prompt */
            const int32_t *ids = heed_batch_read(&c.batch, "ids"),
                          *table = heed_batch_read(&c.batch, "sequences");
            for (int64_t s = 0; s < c.batch.count[HEED_EXTENT_SEQUENCES]; s++)
                assert_int_equal(ids[table[s * HEED_SEQUENCE_FIELDS + HEED_SEQUENCE_QUERY_START]],
                                 heed_tokenizer_id(c.tokenizer, "a", 1));
            labels += (size_t)c.batch.count[HEED_EXTENT_GATHERED];
        }
        assert_int_equal(labels, 2 * 9);
    }
    close_conversations(&c);
    assert_ok(open_conversations(&c, lines.data, NULL, &heed_objective_clm, 8, &error));
    /* prompts of 7, 8 and 9: the first still has its "z" */
    assert_int_equal(heed_dataset_cut(c.data), 3);
    assert_int_equal(c.data->silent, 2);
    assert_int_equal(c.data->stream.texts, 7);
    close_conversations(&c);
    heed_buffer_free(&lines);
}

static void marks_are_part_of_the_fingerprint(void **state)
{
    (void)state;
    conversations a, b;
    assert_ok(open_conversations(&a, "{\"prompt\": \"ab\", \"completion\": \"c\"}", NULL,
                                 &heed_objective_clm, 8, &error));
    assert_ok(open_conversations(&b, "{\"prompt\": \"a\", \"completion\": \"bc\"}", NULL,
                                 &heed_objective_clm, 8, &error));
    assert_int_equal(a.data->stream.count, b.data->stream.count);
    uint64_t first = 0, second = 0;
    assert_ok(heed_dataset_fingerprint(a.data, &first, &error));
    assert_ok(heed_dataset_fingerprint(b.data, &second, &error));
    assert_true(first != second);
    close_conversations(&a);
    close_conversations(&b);
}

static void data_that_teaches_nothing_is_refused(void **state)
{
    (void)state;
    conversations c;
    static const struct {
        const char *lines, *template;
        const heed_objective *objective;
        heed_status status;
        const char *part;
    } cases[] = {
        {"{\"messages\": [" SAY("user", "x") "]}", TURNS, &heed_objective_clm, HEED_E_ARG,
         "none of the 1 conversations has an answer"},
        {"{\"prompt\": \"aaaaaaaaa\", \"completion\": \"b\"}", NULL, &heed_objective_clm,
         HEED_E_ARG, "within 8 tokens"},
        {"{\"prompt\": \"a\", \"completion\": \"b\"}", NULL, &heed_objective_mlm, HEED_E_ARG,
         "mask token"},
        {"{\"messages\": [" SAY("user", "x") "]}", NULL, &heed_objective_clm, HEED_E_ARG,
         "c.jsonl, line 1: messages need a chat template"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(cases[i].status, cases[i].part,
                     open_conversations(&c, cases[i].lines, cases[i].template, cases[i].objective,
                                        8, &error));
        close_conversations(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_are_found),
                                       cmocka_unit_test(what_cannot_be_laid_out_is_refused),
                                       cmocka_unit_test(answers_alone_are_predicted),
                                       cmocka_unit_test(conversations_stay_whole),
                                       cmocka_unit_test(marks_are_part_of_the_fingerprint),
                                       cmocka_unit_test(data_that_teaches_nothing_is_refused)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
