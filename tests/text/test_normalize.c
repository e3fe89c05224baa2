#include "text/normalize.h"

#include "base/utf8.h"
#include "base/unicode.h"
#include "tokenizer_support.h"

static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001B3u;
    return hash;
}

/* What a normalizer makes of a text; the caller frees the pieces. */
static heed_pieces normalized(const char *section, const char *text, size_t length, bool tracking)
{
    heed_pipeline pipeline = {0};
    heed_pieces pieces;
    json_t *json = NULL;
    assert_ok(heed_json_parse(&json, section, strlen(section), "test", &error));
    assert_ok(heed_pipeline_read(&pipeline, json, &heed_normalizer_section, "test", &error));
    assert_ok(heed_pieces_init(&pieces, text, length, tracking ? HEED_PIECES_TRACK : 0, &error));
    assert_ok(heed_pipeline_run(&pipeline, &pieces, &error));
    heed_pipeline_free(&pipeline);
    json_decref(json);
    return pieces;
}

static void expect(const char *section, const char *text, const char *wanted)
{
    heed_pieces pieces = normalized(section, text, strlen(text), true);
    if (pieces.length != strlen(wanted) ||
        (pieces.length && memcmp(pieces.bytes, wanted, pieces.length)))
        fail_msg("%s of \"%s\" is \"%.*s\", expected \"%s\"", section, text, (int)pieces.length,
                 pieces.bytes, wanted);
    heed_pieces_free(&pieces);
}

typedef struct {
    const char *type;
    size_t length;
    uint64_t hash;
} golden;

static void expect_hash(const heed_buffer *text, const golden *wanted, const char *what)
{
    char section[80];
    snprintf(section, sizeof section, "{\"type\": \"%s\"}", wanted->type);
    heed_pieces pieces = normalized(section, text->data, text->length, false);
    if (pieces.length != wanted->length || hash_of(pieces.bytes, pieces.length) != wanted->hash)
        fail_msg("%s of %s: %zu bytes, expected %zu; or another hash", wanted->type, what,
                 pieces.length, wanted->length);
    heed_pieces_free(&pieces);
}

static void put(heed_buffer *text, uint32_t c)
{
    char encoded[4];
    heed_buffer_append(text, encoded, heed_utf8_put(c, encoded));
}

/* Lengths and hashes of what the `tokenizers` library 0.23.3 returned for the same texts. */
static void every_character_alone(void **state)
{
    (void)state;
    static const golden wanted[] = {
        {"NFC", 5494437, 0x6308E40211C76AB0u},
        {"NFD", 5561946, 0x2B81FBAE8F5D05D5u},
        {"NFKC", 5492126, 0x1A922CB0E33749CEu},
        {"NFKD", 5559996, 0x3A165C4870B08742u},
        {"Lowercase", 5494633, 0x21FEC95B80184886u},
        {"StripAccents", 5487815, 0x5E23AE1A92241F98u},
        {"BertNormalizer", 5172581, 0x770DADA60DDD747Du},
        {"Nmt", 5494601, 0x01561C25EA26266Au},
    };
    heed_buffer text = {0};
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000) continue;
        if (c) put(&text, 'b');
        put(&text, c);
    }
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        expect_hash(&text, &wanted[i], "all characters apart");
    heed_buffer_free(&text);
}

static void every_character_beside_the_next(void **state)
{
    (void)state;
    static const golden up[] = {
        {"NFC", 4382370, 0x3FA98CA5ACC96B28u},
        {"NFD", 4449883, 0x8D47BC640592C31Bu},
        {"NFKC", 4380056, 0xD955F55FDED59E0Au},
        {"NFKD", 4447933, 0x1BA845D419BCFB8Cu},
    };
    static const golden down[] = {
        {"NFC", 4382374, 0x85DAA8F27694D3B3u},
        {"NFD", 4449883, 0x51BC3448E3DAFAFBu},
        {"NFKC", 4380063, 0x0C75877071D2274Bu},
        {"NFKD", 4447933, 0xF8D17C024C7596DAu},
    };
    heed_buffer ascending = {0}, descending = {0};
    for (uint32_t c = 0; c < 0x110000; c++)
        if (c < 0xD800 || c >= 0xE000) put(&ascending, c);
    for (uint32_t c = 0x110000; c-- > 0;)
        if (c < 0xD800 || c >= 0xE000) put(&descending, c);
    for (size_t i = 0; i < 4; i++) {
        expect_hash(&ascending, &up[i], "all characters in order");
        expect_hash(&descending, &down[i], "all characters in reverse");
    }
    heed_buffer_free(&ascending);
    heed_buffer_free(&descending);
}

static void letters_with_several_marks(void **state)
{
    (void)state;
    static const golden wanted[] = {
        {"NFC", 620314, 0x89BC91CD7F0D1AA4u},
        {"NFD", 687712, 0xEDA19538EA81DF92u},
        {"NFKC", 621034, 0x95145E71065ACB44u},
        {"NFKD", 688432, 0xB9F3C04B2624A372u},
    };
    static const uint32_t letters[12] = {'a',  'e',    'i',    'o',    'u',    'A',
                                         0xC5, 0x1ED9, 0xAC01, 0x1100, 0xAC00, 0xB15};
    static uint32_t marks[4000];
    size_t count = 0;
    heed_buffer text = {0};
    for (uint32_t c = 0; c < 0x110000; c++)
        if (heed_char_class(c) & HEED_CHAR_MARK) marks[count++] = c;
    assert_int_equal(count, 2501);
    for (size_t i = 0; i < 60000; i++) {
        put(&text, letters[i * 7 % 12]);
        for (size_t j = 0; j < i % 6; j++) put(&text, marks[(i * 31 + j * j * 17) % count]);
    }
    assert_int_equal(text.length, 618412);
    for (size_t i = 0; i < 4; i++) expect_hash(&text, &wanted[i], "letters with marks");
    heed_buffer_free(&text);
}

static void small_ones(void **state)
{
    (void)state;
    expect("{\"type\": \"Strip\"}", " \t a b\xE3\x80\x80", "a b");
    expect("{\"type\": \"Strip\", \"strip_left\": false, \"strip_right\": true}", " a ", " a");
    expect("{\"type\": \"Strip\"}", "   ", "");
    expect("{\"type\": \"Prepend\", \"prepend\": \"xy\"}", "ab", "xyab");
    expect("{\"type\": \"Replace\", \"pattern\": {\"String\": \"aa\"}, \"content\": \"b\"}",
           "aaaaa", "bba");
    expect("{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"[0-9]+\"}, \"content\": \"#\"}",
           "a12b3", "a#b#");
    expect("{\"type\": \"ByteLevel\"}", "a \xC3\xA9", "a\xC4\xA0\xC3\x83\xC2\xA9");
    expect("{\"type\": \"BertNormalizer\", \"lowercase\": false}", "\xC3\x89\x01\t\xE4\xB8\xAD",
           "\xC3\x89  \xE4\xB8\xAD ");
    expect("{\"type\": \"Sequence\", \"normalizers\": []}", "A", "A");
}

/* Every byte of the result knows where in the input it came from, also after marks that changed
   places. */
static void origins_follow(void **state)
{
    (void)state;
    heed_pieces pieces = normalized("{\"type\": \"NFC\"}", "e\xCC\x81x", 4, true);
    assert_int_equal(pieces.length, 3);
    heed_range composed = heed_pieces_origin(&pieces, 0, 2),
               after = heed_pieces_origin(&pieces, 2, 3);
    assert_true(composed.begin == 0 && composed.end == 1 && after.begin == 3 && after.end == 4);
    heed_pieces_free(&pieces);
    pieces = normalized(
        "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"\\\\s+\"}, \"content\": \" \"}",
        "a \t b", 5, true);
    composed = heed_pieces_origin(&pieces, 1, 2);
    assert_true(composed.begin == 3 && composed.end == 4);
    heed_pieces_free(&pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_alone), cmocka_unit_test(every_character_beside_the_next),
        cmocka_unit_test(letters_with_several_marks), cmocka_unit_test(small_ones),
        cmocka_unit_test(origins_follow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
