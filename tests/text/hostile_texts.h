/* hostile_texts.h: texts that a matcher, a normalizer or a merge loop may take quadratic time for.
   At 128 KiB the quick test would hang, at 10 MB the slow one; neither looks at a clock. */
#ifndef HEED_TESTS_TEXT_HOSTILE_TEXTS_H
#define HEED_TESTS_TEXT_HOSTILE_TEXTS_H

#include "tokenizer_support.h"

static const struct {
    const char *repeated, *end;
} hostile_texts[] = {
    {"a", ""},
    {"A", ""},
    {"7", ""},
    {" ", ""},
    {" ", "a"},
    {"\n", ""},
    {" \n", "x"},
    {"\t ", "'s"},
    {"'", ""},
    {"<", ""},
    {"<|endoftext", ""},
    {"\u0301", ""},
    {"e\u0301\u0323", ""},
    {"\u0301\u0323\u0316", "a"},
    {"\u4e2d", ""},
    {"\u1100\u1161\u11a8", ""},
    {"\xFF", ""},
    {"\xE4\xB8", ""},
    {"Aa", ""},
    {"\u02b0AAAAAAAAAAAAAAAAAAAA", ""},
    {"ab ab. 12 ", ""},
    {"\xF0\x9F\x98\x80", ""},
    {"[MASK", ""},
    {"\u3000", "\u3000x"},
};

/* What a fixture's tokenizer makes of every text, `bytes` long; byte-level ones must give the text
   back. */
static inline void survive_hostile_texts(const char *kind, size_t bytes, bool gives_back)
{
    char folder[512];
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    snprintf(folder, sizeof folder, "%s/tokenizers/%s", HEED_FIXTURES, kind);
    assert_ok(heed_tokenizer_load(&tokenizer, folder, &error));
    for (size_t i = 0; i < sizeof hostile_texts / sizeof *hostile_texts; i++) {
        heed_buffer text = {0}, decoded = {0};
        while (text.length < bytes) heed_buffer_text(&text, hostile_texts[i].repeated);
        heed_buffer_text(&text, hostile_texts[i].end);
        assert_ok(heed_tokenizer_encode(tokenizer, text.data, text.length,
                                        i % 4 == 0 ? HEED_ENCODE_OFFSETS : 0, &encoding, &error));
        assert_ok(heed_tokenizer_decode(tokenizer, encoding.ids, encoding.count, false, &decoded,
                                        &error));
        bool valid = (unsigned char)hostile_texts[i].repeated[0] != 0xFF &&
                     strcmp(hostile_texts[i].repeated, "\xE4\xB8");
        if (gives_back && valid &&
            (decoded.length != text.length || memcmp(decoded.data, text.data, text.length)))
            fail_msg("%s: text %zu is not given back", kind, i);
        heed_buffer_free(&text);
        heed_buffer_free(&decoded);
    }
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

/* The first `most` kinds; every stage that differs has its turn among the first seven. */
static inline void survive_kinds(size_t most, size_t bytes)
{
    static const struct {
        const char *name;
        bool gives_back;
    } kinds[] = {
        {"bytebpe-qwen2", false},
        {"bytebpe-gpt4o", true},
        {"wordpiece-uncased", false},
        {"bpe-clip", false},
        {"spbpe-gemma", false},
        {"unigram-t5", false},
        {"unigram-bytefallback", false},
        {"bytebpe-gpt2", true},
        {"bytebpe-llama3", true},
        {"bytebpe-smollm", true},
        {"bytebpe-bloom", true},
        {"bytebpe-whisper", true},
        {"bytebpe-roberta", true},
        {"wordpiece-cased", false},
        {"spbpe-mistral3", false},
        {"../tokenizer_classes/bytes-byt5", false},
        {"../tokenizer_classes/codepoints-canine", false},
        {"../tokenizer_classes/char-wav2vec2", false},
        {"../tokenizer_classes/char-esm", false},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && i < most; i++)
        survive_hostile_texts(kinds[i].name, bytes, kinds[i].gives_back);
}

#endif
