/* Translation of lines and files with the fixture marian and a vocabulary of numbered words. */
#include "generate/translate.h"
#include "generate/support.h"

/* Words "w0" ... "w120"; a source ends in id 0, as Marian's do. */
static heed_tokenizer *numbered_words(void)
{
    heed_buffer json = {0};
    heed_tokenizer *tokenizer = NULL;
    heed_buffer_text(&json, "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 0, \"content\": "
                            "\"w0\", \"single_word\": false, \"lstrip\": false,"
                            "\"rstrip\": false, \"normalized\": false, \"special\": true}], "
                            "\"normalizer\": null, \"pre_tokenizer\":"
                            "{\"type\": \"WhitespaceSplit\"}, \"post_processor\": {\"type\": "
                            "\"TemplateProcessing\", \"single\":"
                            "[{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"SpecialToken\": "
                            "{\"id\": \"w0\", \"type_id\": 0}}], \"pair\":"
                            "[{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": "
                            "{\"id\": \"B\", \"type_id\": 1}}], \"special_tokens\":"
                            "{\"w0\": {\"id\": \"w0\", \"ids\": [0], \"tokens\": [\"w0\"]}}}, "
                            "\"decoder\": null, \"model\":"
                            "{\"type\": \"WordLevel\", \"unk_token\": \"w1\", \"vocab\": {");
    for (int i = 0; i < 121; i++) heed_buffer_printf(&json, "%s\"w%d\": %d", i ? ", " : "", i, i);
    heed_buffer_text(&json, "}}}");
    assert_ok(heed_tokenizer_from_json(&tokenizer, json.data, json.length, "words", &error));
    heed_buffer_free(&json);
    return tokenizer;
}

static const char *const lines[] = {"w5 w6 w7",       "",   "w40 w41 w42 w43 w44 w45",
                                    "  \t",           "w9", "w40 w41 w42 w43 w44 w45",
                                    "w77 w34 w38 w12"};
enum { LINES = sizeof lines / sizeof lines[0] };

/* What generation gives for one line alone. */
static void translate_one(const fixture *f, heed_session *session, const heed_tokenizer *tokenizer,
                          const char *line, heed_buffer *text)
{
    heed_encoding encoding = {0};
    heed_generation generation;
    assert_ok(heed_tokenizer_encode(tokenizer, line, strlen(line), HEED_ENCODE_SPECIAL, &encoding,
                                    &error));
    heed_ids source = {encoding.ids, (int64_t)encoding.count};
    assert_ok(heed_generate(&(heed_generator){session, tokenizer, &f->settings}, &source, 1, NULL,
                            &generation, &error));
    heed_buffer_text(text, generation.items[0].text);
    heed_generation_free(&generation);
    heed_encoding_free(&encoding);
}

typedef struct watched {
    size_t calls, last;
} watched;
static void watch(void *argument, size_t done, size_t total)
{
    watched *w = argument;
    w->calls++;
    w->last = done;
    assert_true(done <= total);
}

static void lines_come_in_the_order_given(void **state)
{
    (void)state;
    fixture f = fixture_open("marian", 1);
    heed_tokenizer *tokenizer = numbered_words();
    f.settings.max_new_tokens = 12;
    for (int64_t beams = 1; beams <= 3; beams += 2) {
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 6});
        heed_text texts[LINES];
        heed_translation translation;
        watched w = {0};
        f.settings.beams = beams;
        for (int i = 0; i < LINES; i++) texts[i] = (heed_text){lines[i], strlen(lines[i])};
        heed_translation_events events = {.progress = watch, .argument = &w};
        assert_ok(heed_translate_lines(&(heed_generator){session, tokenizer, &f.settings}, texts,
                                       LINES, &events, &translation, &error));
        assert_int_equal(translation.count, LINES);
        assert_true(w.calls == 5 && w.last == 5);
        for (int i = 0; i < LINES; i++) {
            heed_buffer alone = {0};
            if (i != 1 && i != 3) translate_one(&f, session, tokenizer, lines[i], &alone);
            assert_string_equal(translation.lines[i], alone.data ? alone.data : "");
            heed_buffer_free(&alone);
        }
        assert_true(translation.tokens > 0);
        heed_translation_free(&translation);
        heed_session_free(session);
    }
    heed_tokenizer_free(tokenizer);
    fixture_close(&f);
}

static void files_are_written_whole(void **state)
{
    (void)state;
    fixture f = fixture_open("marian", 1);
    heed_tokenizer *tokenizer = numbered_words();
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    heed_translation translation;
    scratch folder;
    heed_buffer text = {0}, wanted = {0};
    char in[512], out[512];
    static const char source[] = "w5 w6 w7\r\n\nw9 w10";
    scratch_make(&folder);
    snprintf(in, sizeof in, "%s", scratch_file(&folder, "in.txt", source, sizeof source - 1));
    snprintf(out, sizeof out, "%s", scratch_path(&folder, "out.txt"));
    assert_ok(heed_translate_file(&(heed_generator){session, tokenizer, &f.settings}, in, out, NULL,
                                  &translation, &error));
    translate_one(&f, session, tokenizer, "w5 w6 w7", &wanted);
    heed_buffer_text(&wanted, "\n\n");
    translate_one(&f, session, tokenizer, "w9 w10", &wanted);
    heed_buffer_text(&wanted, "\n");
    assert_ok(heed_file_read(out, 1 << 20, &text, &error));
    assert_string_equal(text.data, wanted.data);
    heed_translation_free(&translation);

    assert_fails(HEED_E_IO, "nowhere",
                 heed_translate_file(&(heed_generator){session, tokenizer, &f.settings}, "/nowhere",
                                     out, NULL, &translation, &error));
    heed_translation_free(&translation);
    scratch_file(&folder, "in.txt", "", 0);
    assert_ok(heed_translate_file(&(heed_generator){session, tokenizer, &f.settings}, in, out, NULL,
                                  &translation, &error));
    assert_int_equal(translation.count, 0);
    heed_buffer_clear(&text);
    assert_ok(heed_file_read(out, 1 << 20, &text, &error));
    assert_int_equal(text.length, 0);
    heed_translation_free(&translation);
    heed_buffer_free(&text);
    heed_buffer_free(&wanted);
    scratch_remove(&folder);
    heed_session_free(session);
    heed_tokenizer_free(tokenizer);
    fixture_close(&f);
}

static void long_lines_are_refused_or_cut(void **state)
{
    (void)state;
    fixture f = fixture_open("marian", 1); /* 40 positions */
    heed_tokenizer *tokenizer = numbered_words();
    heed_session *session = fixture_session(&f, NULL);
    heed_buffer line = {0};
    for (int i = 0; i < 50; i++) heed_buffer_printf(&line, "w%d ", 3 + i);
    heed_text text = {line.data, line.length};
    heed_translation translation;
    assert_fails(HEED_E_ARG, "51 tokens",
                 heed_translate_lines(&(heed_generator){session, tokenizer, &f.settings}, &text, 1,
                                      NULL, &translation, &error));
    heed_translation_free(&translation);
    f.settings.truncate = true;
    f.settings.max_new_tokens = 3;
    assert_ok(heed_translate_lines(&(heed_generator){session, tokenizer, &f.settings}, &text, 1,
                                   NULL, &translation, &error));
    assert_int_equal(translation.cut_sources, 1);
    heed_translation_free(&translation);
    heed_buffer_free(&line);
    heed_session_free(session);
    heed_tokenizer_free(tokenizer);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_come_in_the_order_given),
                                       cmocka_unit_test(files_are_written_whole),
                                       cmocka_unit_test(long_lines_are_refused_or_cut)};
    return cmocka_run_group_tests_name("translate", tests, NULL, NULL);
}
