#include "text/pattern.h"

#include "base/utf8.h"
#include "tokenizer_support.h"

/* Matches as "[a][b]", what lies between them as it is. */
static void mark(void *context, size_t begin, size_t end, bool is_match)
{
    heed_buffer **buffers = context;
    heed_buffer *out = buffers[0], *text = buffers[1];
    if (is_match) heed_buffer_byte(out, '[');
    heed_buffer_append(out, text->data + begin, end - begin);
    if (is_match) heed_buffer_byte(out, ']');
}

static heed_buffer marked(const heed_pattern *pattern, heed_buffer *text)
{
    heed_buffer out = {0};
    heed_buffer *buffers[2] = {&out, text};
    heed_buffer_append(&out, "", 0);
    assert_ok(heed_pattern_scan(pattern, text->data, text->length, mark, buffers, &error));
    return out;
}

static void expect(const char *regex, bool is_regex, const char *text, const char *wanted)
{
    heed_pattern *pattern = NULL;
    heed_buffer input = {0};
    heed_buffer_text(&input, text);
    assert_ok(heed_pattern_new(&pattern, regex, strlen(regex), is_regex, "test", &error));
    heed_buffer out = marked(pattern, &input);
    assert_string_equal(out.data, wanted);
    heed_buffer_free(&out);
    heed_buffer_free(&input);
    heed_pattern_free(pattern);
}

static const char llama3[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,"
                             "3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
                             "\\s+(?!\\S)|\\s+";
static const char qwen2[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                            "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
                            "\\s+(?!\\S)|\\s+";
static const char gpt4o[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'"
    "s|'t|'re|'ve|'m|'ll|'d)?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'"
    "s|'t|'re|'ve|'m|'ll|'d)?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char clip[] = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
static const char clip_special[] = "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|["
                                   "\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
static const char bloom[] = " ?[^(\\s|[.,!?\u2026\u3002,\u3001\u0964\u06d4\u060c])]+";
static const char tekken[] =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{"
    "N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char *const shipped[] = {
    heed_gpt2_pattern,
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    llama3,
    qwen2,
    gpt4o,
    tekken,
    clip,
    clip_special,
    bloom};

static uint32_t draw(uint32_t *random, uint32_t bound)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % bound;
}

/* Parts of texts: letters, marks, digits, spaces, contractions, signs. */
static const char *const parts[] = {"a",
                                    "b",
                                    "Z",
                                    "\u00e9",
                                    "\u0130",
                                    "\u0301",
                                    "\u093c",
                                    "\u4e2d",
                                    "\u02b0",
                                    "\u01c5",
                                    "1",
                                    "\u0663",
                                    "\u00bd",
                                    " ",
                                    "  ",
                                    "\t",
                                    "\n",
                                    "\r",
                                    "\u00a0",
                                    "\u3000",
                                    "\xC2\x85",
                                    "'",
                                    "'s",
                                    "'S",
                                    "'ll",
                                    "'Ve",
                                    "'\u017f",
                                    ".",
                                    "!",
                                    ",",
                                    "\u3002",
                                    "(",
                                    "|",
                                    "/",
                                    "-",
                                    "\xF0\x9F\x98\x80",
                                    "<|startoftext|>",
                                    "<|end",
                                    "\u200d",
                                    "\u2026"};

/* The hand-written matcher and PCRE2 on the same expression, which a group around it hides from the
   matcher's table. */
static void shipped_patterns_agree_with_pcre2(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++) {
        heed_pattern *ours = NULL, *theirs = NULL;
        char grouped[1024];
        int length = snprintf(grouped, sizeof grouped, "(?:%s)", shipped[i]);
        assert_non_null(heed_word_rules_find(shipped[i], strlen(shipped[i])));
        assert_null(heed_word_rules_find(grouped, (size_t)length));
        assert_ok(heed_pattern_new(&ours, shipped[i], strlen(shipped[i]), true, "test", &error));
        assert_ok(heed_pattern_new(&theirs, grouped, (size_t)length, true, "test", &error));
        for (int round = 0; round < 3000; round++) {
            heed_buffer text = {0};
            for (uint32_t n = 1 + draw(&random, 14); n > 0; n--)
                heed_buffer_text(&text, parts[draw(&random, sizeof parts / sizeof *parts)]);
            heed_buffer a = marked(ours, &text), b = marked(theirs, &text);
            if (strcmp(a.data, b.data))
                fail_msg("%s on \"%s\": %s, PCRE2: %s", shipped[i], text.data, a.data, b.data);
            heed_buffer_free(&a);
            heed_buffer_free(&b);
            heed_buffer_free(&text);
        }
        heed_pattern_free(ours);
        heed_pattern_free(theirs);
    }
}

static void words_as_published(void **state)
{
    (void)state;
    expect(heed_gpt2_pattern, true, "Hello  world's 123 a\n\n b",
           "[Hello][ ][ world]['s][ 123][ a][\n\n][ b]");
    expect(llama3, true, "Hello  world'S 12345 a\n\n b ",
           "[Hello][ ][ world]['S][ ][123][45][ a][\n\n][ b][ ]");
    expect(qwen2, true, "x12\ty...\n\nz", "[x][1][2][\ty][...\n\n][z]");
    expect(gpt4o, true, "camelCase HTTPServer's A/\n", "[camel][Case][ HTTPServer's][ A][/\n]");
    expect(clip, true, "a b1 c's!!", "[a] [b][1] [c]['s][!!]");
    expect(bloom, true, "Hi, you (there).", "[Hi],[ you] ([there]).");
}

static void literals(void **state)
{
    (void)state;
    expect("aa", false, "aaaaab", "[aa][aa]ab");
    expect(".", false, "a.b", "a[.]b");
    expect("x", false, "", "");
    expect("", false, "ab", "[]a[]b[]");
}

static void oniguruma_syntax(void **state)
{
    (void)state;
    expect("\\h+", true, "xyz12fg", "xyz[12f]g");
    expect("[^a-c[0-2]]", true, "a0x3", "a0[x][3]");
    expect("[\\s\\d]+", true, "a 1\u0663\u00a0b", "a[ 1\u0663\u00a0]b");
    expect("\\w", true, "\u00b2-\u203f", "[\u00b2]-[\u203f]");
    /* inside a class Latin-1's superscripts are no word characters */
    expect("[\\w]", true, "\u00b2-\u203f", "\u00b2-[\u203f]");
    expect("[[:punct:]]", true, "a+\u20ac.b", "a[+][\u20ac][.]b");
    expect("^b$", true, "a\nb\nc", "a\n[b]\nc"); /* lines, not the text */
    expect("(?m:a.b)", true, "a\nb", "[a\nb]");
    expect("a{,2}b", true, "aaab", "a[aab]");
    expect("\\u00e9", true, "\u00e9", "[\u00e9]");
    expect("a*", true, "baac", "[]b[aa]c[]");
    expect("\\b", true, "ab", "[]ab[]");
}

static heed_status make(const char *regex, heed_error *error)
{
    heed_pattern *pattern = NULL;
    heed_status status = heed_pattern_new(&pattern, regex, strlen(regex), true, "f.json", error);
    heed_pattern_free(pattern);
    return status;
}

static void ignore(void *context, size_t begin, size_t end, bool is_match)
{
    (void)context;
    (void)begin;
    (void)end;
    (void)is_match;
}

/* Expressions that cannot be compiled or run away are errors, not crashes. */
static void bad_expressions(void **state)
{
    (void)state;
    assert_fails(HEED_E_UNSUPPORTED, "f.json: regular expression", make("(", &error));
    assert_fails(HEED_E_UNSUPPORTED, "f.json: regular expression", make("a**", &error));
    assert_fails(HEED_E_UNSUPPORTED, "f.json: regular expression", make("\\", &error));
    assert_fails(HEED_E_UNSUPPORTED, "without its closing bracket", make("[a-", &error));
    assert_fails(HEED_E_UNSUPPORTED, "negated class inside", make("[a[^b]]", &error));
    assert_fails(HEED_E_UNSUPPORTED, "negated shorthand", make("[\\W]", &error));
    char *deep = malloc(100001);
    memset(deep, '[', 50000);
    memset(deep + 50000, ']', 50000);
    deep[100000] = 0;
    assert_fails(HEED_E_UNSUPPORTED, "f.json", make(deep, &error));
    deep[60000] = 0;
    assert_fails(HEED_E_UNSUPPORTED, "f.json", make(deep, &error));
    memset(deep, '(', 60000);
    assert_fails(HEED_E_UNSUPPORTED, "f.json", make(deep, &error));
    free(deep);
    heed_pattern *pattern = NULL;
    assert_ok(heed_pattern_new(&pattern, "(a|aa)+[b-c]", 12, true, "f.json", &error));
    char text[64];
    memset(text, 'a', sizeof text);
    assert_fails(HEED_E_UNSUPPORTED, "cannot be matched",
                 heed_pattern_scan(pattern, text, sizeof text, ignore, NULL, &error));
    heed_pattern_free(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_patterns_agree_with_pcre2), cmocka_unit_test(words_as_published),
        cmocka_unit_test(literals), cmocka_unit_test(oniguruma_syntax),
        cmocka_unit_test(bad_expressions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
