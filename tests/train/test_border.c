/* What is learned of an answer begins where generation begins to write: after the ids of the prompt
   alone, whatever tokens the whole text has. For byte-level BPE, SentencePiece's BPE and WordPiece;
   for prompts and for chats. */
#include "train/border.h"

#include "model/family.h"
#include "support/work.h"
#include "text/chat.h"
#include "train/dataset.h"

typedef struct {
    heed_tokenizer *tokenizer;
    heed_chat_template *chat;
    heed_config config;
    heed_dataset *data;
} subject;

static void open_subject(subject *s, const char *name, const char *template, const char *lines)
{
    char path[512];
    const char *file = scratch_file(&work, "c.jsonl", lines, strlen(lines));
    heed_data *data = NULL;
    *s = (subject){0};
    snprintf(path, sizeof path, HEED_FIXTURES "/tokenizers/%s", name);
    assert_ok(heed_tokenizer_load(&s->tokenizer, path, &error));
    if (template)
        assert_ok(heed_chat_template_new(&s->chat, template, strlen(template), "t", s->tokenizer,
                                         &error));
    assert_ok(heed_data_open(&data, &file, 1, &error));
    assert_ok(heed_config_preset(&s->config, "llama", &error));
    s->config.vocabulary = heed_tokenizer_id_limit(s->tokenizer);
    heed_dataset_options options = {
        .objective = &heed_objective_clm,
        .config = &s->config,
        .tokenizer = s->tokenizer,
        .chat = s->chat,
        .length = 128,
        .seed = 3,
    };
    assert_ok(heed_dataset_new(&s->data, data, &options, &error));
}

static void close_subject(subject *s)
{
    heed_dataset_free(s->data);
    heed_chat_template_free(s->chat);
    heed_tokenizer_free(s->tokenizer);
}

/* Ids without the special tokens that the template puts after a text. */
static size_t encode(const subject *s, const char *text, unsigned flags, heed_encoding *encoding)
{
    assert_ok(heed_tokenizer_encode(s->tokenizer, text, strlen(text), flags, encoding, &error));
    size_t count = encoding->count;
    while (count && encoding->special_mask[count - 1]) count--;
    return count;
}

static void decode(const subject *s, const int32_t *ids, size_t count, heed_buffer *text)
{
    heed_buffer_clear(text);
    assert_ok(heed_tokenizer_decode(s->tokenizer, ids, count, false, text, &error));
    heed_buffer_append(text, "", 0);
}

/* Text `index` of the data: the ids of the prompt, read, then those of the answer, learned; both
   together have the text. */
static void check_text(const subject *s, size_t index, const char *prompt, const char *whole,
                       unsigned flags)
{
    const heed_stream *stream = &s->data->stream;
    size_t begin = stream->starts[index], count = stream->starts[index + 1] - begin;
    int32_t ids[256];
    heed_encoding alone = {0}, joint = {0};
    heed_buffer text = {0}, wanted = {0};
    assert_true(count <= 256);
    assert_ok(heed_stream_read(stream, begin, count, ids, &error));
    size_t read = encode(s, prompt, flags, &alone), all = encode(s, whole, flags, &joint),
           learned = count;
    bool follows = read < count && !memcmp(ids, alone.ids, read * sizeof *ids);
    if (!follows)
        print_error("\"%s\" in \"%s\": the ids do not begin with the prompt's\n", prompt, whole);
    assert_true(follows);
    for (size_t i = 0; i < read; i++) assert_int_equal(stream->predicted[begin + i], 0);
    while (learned > read && !stream->predicted[begin + learned - 1]) learned--;
    for (size_t i = read; i < learned; i++) assert_int_equal(stream->predicted[begin + i], 1);
    decode(s, ids, count, &text);
    decode(s, joint.ids, all, &wanted);
    assert_true(text.length >= wanted.length &&
                !memcmp(text.data, wanted.data, wanted.length)); /* an end may follow */
    heed_encoding_free(&alone);
    heed_encoding_free(&joint);
    heed_buffer_free(&text);
    heed_buffer_free(&wanted);
}

typedef struct {
    const char *prompt, *completion;
} record;

static size_t check_records(const char *name, const record *records, size_t count)
{
    subject s;
    heed_buffer lines = {0};
    char whole[256];
    for (size_t i = 0; i < count; i++)
        heed_buffer_printf(&lines, "{\"prompt\": \"%s\", \"completion\": \"%s\"}\n",
                           records[i].prompt, records[i].completion);
    open_subject(&s, name, NULL, lines.data);
    assert_int_equal(s.data->stream.texts, count);
    for (size_t i = 0; i < count; i++) {
        snprintf(whole, sizeof whole, "%s%s", records[i].prompt, records[i].completion);
        check_text(&s, i, records[i].prompt, whole, HEED_ENCODE_SPECIAL);
    }
    size_t split = s.data->split;
    if (split) assert_non_null(strstr(s.data->split_place, "c.jsonl, line "));
    close_subject(&s);
    heed_buffer_free(&lines);
    return split;
}

static void completions_follow_the_ids_of_their_prompts(void **state)
{
    (void)state;
    static const record clean[] = {
        {"The answer is", " the word"}, {"To be or", " not to be"}, {"a.", " The end"}};
    static const record split[] = {
        {"The answer is ", "the word"},
        {"Hello wor", "ld and more"},
        {"To be or  ", " not to be"},
        {"the th", "ing"},
        {"wo", "rd"},
        {"the ", "42"},
        {"th", "e"},
        {"a", "nd the"},
    };
    enum { CLEAN = sizeof clean / sizeof *clean, SPLIT = sizeof split / sizeof *split };
    static const char *const names[] = {"bytebpe-smollm",  "bytebpe-gpt2",      "bytebpe-llama3",
                                        "bytebpe-roberta", "spbpe-llama2",      "spbpe-gemma",
                                        "spbpe-mistral3",  "wordpiece-uncased", "wordpiece-cased"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(check_records(names[i], clean, CLEAN), 0);
        assert_true(check_records(names[i], split, SPLIT) > 0);
    }
}

/* Where no ids of its own have the answer's text (CLIP's tokens say where words end, and a prompt
   cut inside a word ends one), the first token after the border is read and not learned. */
static void a_token_that_cannot_be_written_is_not_learned(void **state)
{
    (void)state;
    subject s;
    heed_encoding alone = {0}, joint = {0};
    open_subject(&s, "bpe-clip", NULL,
                 "{\"prompt\": \"hello wor\", \"completion\": \"ld and more\"}\n");
    size_t read = encode(&s, "hello wor", HEED_ENCODE_SPECIAL, &alone),
           all = encode(&s, "hello world and more", HEED_ENCODE_SPECIAL, &joint);
    assert_int_equal(s.data->split, 1);
    size_t first = 0;
    while (first < s.data->stream.count && !s.data->stream.predicted[first]) first++;
    int32_t ids[64];
    assert_true(s.data->stream.count <= 64 && first < s.data->stream.count);
    assert_ok(heed_stream_read(&s.data->stream, 0, s.data->stream.count, ids, &error));
    assert_memory_equal(ids, joint.ids, all * sizeof *ids);
    heed_buffer text = {0};
    decode(&s, ids, first, &text);
    assert_non_null(
        strstr(text.data, "worl")); /* the first token after the border is not learned */
    assert_true(first > read - 1);
    heed_buffer_free(&text);
    heed_encoding_free(&alone);
    heed_encoding_free(&joint);
    close_subject(&s);
}

/* A conversation with two answers. */
static const char two_answers[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"the word\"}, "
    "{\"role\": \"assistant\", \"content\": \"the end\"}, "
    "{\"role\": \"user\", \"content\": \"a word\"}, {\"role\": "
    "\"assistant\", \"content\": \"word and more\"}]}\n";

/* A generation prompt that ends in a blank: each answer becomes a text of its own, after the ids
   that lead up to it. */
static void answers_follow_what_asks_for_them(void **state)
{
    (void)state;
    static const char template[] =
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}";
    subject s;
    open_subject(&s, "bytebpe-smollm", template, two_answers);
    assert_int_equal(s.data->split, 1);
    assert_int_equal(s.data->stream.texts, 2);
    check_text(&s, 0, "user: the word\nassistant: ", "user: the word\nassistant: the end\n", 0);
    check_text(&s, 1, "user: the word\nassistant: the end\nuser: a word\nassistant: ",
               "user: the word\nassistant: the end\nuser: a word\nassistant: word and more\n", 0);
    close_subject(&s);
}

/* With the usual templates nothing changes: all answers are learned in the one text of the
   conversation. */
static void usual_templates_have_clean_borders(void **state)
{
    (void)state;
    static const char template[] =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    subject s;
    open_subject(&s, "bytebpe-smollm", template, two_answers);
    assert_int_equal(s.data->split, 0);
    assert_int_equal(s.data->stream.texts, 1);
    close_subject(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(completions_follow_the_ids_of_their_prompts),
        cmocka_unit_test(a_token_that_cannot_be_written_is_not_learned),
        cmocka_unit_test(answers_follow_what_asks_for_them),
        cmocka_unit_test(usual_templates_have_clean_borders)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
