/* all-MiniLM-L6-v2 with its real weights: ids and sentence embeddings against those of
   sentence-transformers' model. The weights are fetched by tools/fetch_real_weights.py, which
   ./check --slow runs first; without them the test is skipped. */
#include "support/fixtures.h"
#include "cpu/backend.h"
#include "model/family.h"
#include "base/file.h"
#include "text/tokenizer.h"

enum { LONGEST = 256, ROOM = 16 }; /* tokens of a sentence, sentences */

static char folder[1024];

static bool find_weights(void)
{
    real_weights_path(folder, "minilm");
    char path[1100];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (heed_path_exists(path)) return true;
    print_message("SKIPPED: %s is not there; tools/fetch_real_weights.py fetches it\n", path);
    return false;
}

/* Ids and mask of all sentences, padded to the longest: (count,*length). The ids are those of the
   oracle. */
static size_t encode_sentences(const oracle *o, int64_t *length, int64_t *ids, int64_t *mask)
{
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encodings[ROOM] = {{0}};
    const json_t *sentences = json_object_get(o->json, "sentences"),
                 *expected = json_object_get(o->json, "ids");
    const heed_truncation cut = {.max_length = LONGEST};
    size_t count = json_array_size(sentences);
    assert_in_range(count, 1, ROOM);
    assert_ok(heed_tokenizer_load(&tokenizer, folder, &error));
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(sentences, i), *want = json_array_get(expected, i);
        const heed_encode_input input = {
            .first = {json_string_value(text), json_string_length(text)},
            .flags = HEED_ENCODE_SPECIAL,
            .truncation = &cut};
        assert_ok(heed_tokenizer_encode_pair(tokenizer, &input, &encodings[i], &error));
        assert_int_equal(encodings[i].count, json_array_size(want));
        for (size_t t = 0; t < encodings[i].count; t++)
            assert_int_equal(encodings[i].ids[t], json_integer_value(json_array_get(want, t)));
        if ((int64_t)encodings[i].count > *length) *length = (int64_t)encodings[i].count;
    }
    for (size_t i = 0; i < count; i++)
        for (int64_t t = 0; t < *length; t++) {
            bool real = t < (int64_t)encodings[i].count;
            ids[(int64_t)i * *length + t] = real ? encodings[i].ids[t] : 0;
            mask[(int64_t)i * *length + t] = real;
        }
    for (size_t i = 0; i < count; i++) heed_encoding_free(&encodings[i]);
    heed_tokenizer_free(tokenizer);
    return count;
}

static void compare_embeddings(const oracle *o, const heed_tensor_list *outputs, const char *isa)
{
    const heed_stored_tensor *want = heed_safetensors_find(o->file, "out.embedding");
    const heed_named_tensor *have = named(outputs, "out.sentence_embedding");
    assert_non_null(want);
    assert_non_null(have);
    double scale = 0, difference = 0;
    assert_int_equal(have->shape[0], want->shape[0]);
    assert_int_equal(have->shape[1], want->shape[1]);
    for (size_t at = 0; at < want->bytes / sizeof(float); at++) {
        float a;
        memcpy(&a, (const char *)want->data + at * sizeof a, sizeof a);
        scale = fmax(scale, fabs((double)a));
        double d = fabs((double)a - (double)((const float *)have->data)[at]);
        difference = d > difference || d != d ? d : difference;
    }
    print_message("%s: embeddings differ by %.2g, the largest is %.2g\n", isa, difference, scale);
    assert_true(difference <= 1e-5 * scale);
}

static void sentences_have_the_embeddings_of_the_published_model(void **state)
{
    (void)state;
    if (!find_weights()) skip();
    oracle o = oracle_open("real-minilm");
    static int64_t ids[ROOM * LONGEST], mask[ROOM * LONGEST];
    int64_t length;
    int64_t count = (int64_t)encode_sentences(&o, &length, ids, mask);
    /* clang-format off */
    const heed_named_tensor inputs[] = {
        {.name = (char *)"in.input_ids", .dtype = HEED_I64, .rank = 2, .shape = {count, length},
         .data = ids},
        {.name = (char *)"in.attention_mask", .dtype = HEED_I64, .rank = 2,
         .shape = {count, length}, .data = mask},
    };
    /* clang-format on */
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
        heed_backend *cpu = NULL;
        heed_model *model = NULL;
        heed_tensor_list outputs = {0};
        assert_ok(heed_cpu_backend_new(&cpu, 2, (heed_isa)isa, &error));
        assert_ok(heed_model_load(&model, folder, &(heed_model_options){.backend = cpu}, &error));
        assert_ok(heed_forward(model, cpu, &(heed_forward_inputs){inputs, 2},
                               &(heed_forward_options){0}, &outputs, &error));
        compare_embeddings(&o, &outputs, heed_isa_name((heed_isa)isa));
        heed_tensor_list_free(&outputs);
        heed_model_release(model);
        heed_cpu_backend_free(cpu);
    }
    oracle_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_have_the_embeddings_of_the_published_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
