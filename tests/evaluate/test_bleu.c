/* BLEU against figures of sacrebleu 2.6.0: corpus_bleu(hypotheses, [references]) with its default
   settings. */
#include "evaluate/bleu.h"
#include "support/test.h"
#include <math.h>

typedef struct bleu_case {
    double score;
    int64_t hypothesis_length, reference_length;
    const char *hypotheses[4], *references[4];
} bleu_case;

static const bleu_case cases[] = {
    {100.00000000000004, 7, 7, {"the cat sat on the mat ."}, {"the cat sat on the mat ."}},
    {7.8098498423006371, 7, 6, {"the the the the the the the"}, {"the cat is on the mat"}},
    {41.882168504198276,
     15,
     15,
     {"It costs 3.50, i.e. 1,000 times more-or-less 5-6!"},
     {"It costs 3.5, e.g. 1,000 times more-or-less 5-7!"}},
    {100.00000000000004,
     9,
     9,
     {"A &quot;quoted&quot; &amp; &lt;b&gt; text"},
     {"A \"quoted\" & <b> text"}},
    {48.892302243490086,
     7,
     7,
     {"Ein Mann l\303\244uft \303\274ber die Stra\303\237e."},
     {"Ein Mann l\303\244uft \303\274ber eine Stra\303\237e."}},
    {0, 2, 3, {"two words"}, {"two words more"}},
    {0, 0, 2, {""}, {"something here"}},
    {0, 2, 0, {"something here"}, {""}},
    {0, 4, 3, {"no match at all"}, {"v\303\266llig anderes hier"}},
    {30.213753973567677, 5, 5, {"a b c d e"}, {"a b x d e"}},
    {85.151398163440945,
     17,
     16,
     {"Hello, world... <skipped>yes/no? (maybe) it's \342\200\234fine\342\200\235 \342\200\223 ok  "
      "\302\240 "},
     {"Hello , world .. yes / no ? ( maybe ) it's \342\200\234fine\342\200\235 \342\200\223 OK"}},
    {33.450758787950434,
     19,
     26,
     {"\346\227\245\346\234\254\350\252\236 \343\201\256 \346\226\207 \343\200\202",
      "Der alte Fischer flickt am Morgen seine gr\303\274nen Netze.",
      "Zwei B\303\244cker backen Brot."},
     {"\346\227\245\346\234\254\350\252\236 \343\201\256 \346\226\207 \343\201\247\343\201\231 "
      "\343\200\202",
      "Der alte Fischer flickt morgens am Kai seine gr\303\274nen Netze.",
      "Zwei B\303\244cker backen frisches Brot f\303\274r das ganze Dorf."}},
    {100.00000000000004,
     17,
     17,
     {"end-\nof line\nhere 5,a a,5 ,. ., 1.2.3 x.y"},
     {"endof line here 5 , a a , 5 , . . , 1.2.3 x . y"}},
    {47.236655274101487, 8, 14, {"a b c d", "e f g h"}, {"a b c d", "e f g h i j k l m n"}},
};

static heed_bleu score(const bleu_case *c)
{
    heed_bleu bleu = {0};
    for (int i = 0; i < 4 && c->hypotheses[i]; i++)
        assert_ok(heed_bleu_add(&bleu, c->hypotheses[i], strlen(c->hypotheses[i]), c->references[i],
                                strlen(c->references[i]), &error));
    heed_bleu_finish(&bleu);
    return bleu;
}

static void equals_sacrebleu(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        heed_bleu bleu = score(&cases[i]);
        if (fabs(bleu.score - cases[i].score) > 1e-9)
            fail_msg("case %zu: %.12f, sacrebleu says %.12f", i, bleu.score, cases[i].score);
        assert_int_equal(bleu.hypothesis_length, cases[i].hypothesis_length);
        assert_int_equal(bleu.reference_length, cases[i].reference_length);
    }
}

static void tokens_are_those_of_13a(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tokens;
    } texts[] = {
        {"", ""},
        {"   ", ""},
        {"a.b", "a . b"},
        {"1.5", "1.5"},
        {"1.", "1 ."},
        {".5", ". 5"},
        {"a,1", "a , 1"},
        {"1,a", "1 , a"},
        {"3-4", "3 - 4"},
        {"a-b", "a-b"},
        {"it's", "it's"},
        {"x&amp;lt;y", "x < y"},
        {"&amp;quot;", "& quot ;"},
        {"..", ". ."},
        {"a <skipped>b", "a b"},
        {"[x]{y}~|", "[ x ] { y } ~ |"},
        {"50%", "50 %"},
        {"\302\240a\342\200\203b\342\200\250", "a b"},
        {"na\303\257ve.", "na\303\257ve ."},
        {"\377", "\357\277\275"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        heed_buffer out = {0};
        heed_bleu_tokenize_13a(texts[i].text, strlen(texts[i].text), &out);
        assert_string_equal(out.data ? out.data : "", texts[i].tokens);
        heed_buffer_free(&out);
    }
}

static void nothing_added_scores_nothing(void **state)
{
    (void)state;
    heed_bleu bleu = {0};
    assert_true(heed_bleu_finish(&bleu) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_sacrebleu),
                                       cmocka_unit_test(tokens_are_those_of_13a),
                                       cmocka_unit_test(nothing_added_scores_nothing)};
    return cmocka_run_group_tests_name("bleu", tests, NULL, NULL);
}
