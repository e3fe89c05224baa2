/* What heed_forward answers to inputs that no model takes: the name of the input, what it holds,
   what was expected. */
#include "cpu/backend.h"
#include "support/fixtures.h"

#include <math.h>

enum { MOST = 5, ELEMENTS = 256 };

typedef struct {
    const char *name;
    heed_dtype dtype;
    int rank;
    int64_t shape[3];
    double fill;
} given;
typedef struct {
    const char *fixture;
    given inputs[MOST];
    heed_status status;
    const char *part;
} wrong_call;

/* clang-format off */
#define IDS(...) {"in.input_ids", HEED_I64, 2, {2, 3}, __VA_ARGS__}
#define ROWS(name, tokens) {"in." name, HEED_F32, 3, {2, tokens, 32}, 0.5}
#define MASK(name, tokens, fill) {"in." name, HEED_U8, 2, {2, tokens}, fill}
/* clang-format on */

static const wrong_call calls[] = {
    {"gpt2", {{"in.labels", HEED_I64, 2, {2, 3}, 1}}, HEED_E_ARG, "\"in.input_ids\" is missing"},
    {"gpt2",
     {IDS(1), {"in.inputs", HEED_I64, 2, {2, 3}, 1}},
     HEED_E_ARG,
     "\"in.inputs\" is not known to models of type gpt2"},
    {"gpt2",
     {{"in.input_ids", HEED_F16, 2, {2, 3}, 0}},
     HEED_E_DTYPE,
     "expected i64, i32, u8 or f32"},
    {"gpt2",
     {{"in.input_ids", HEED_F32, 2, {2, 3}, 1}},
     HEED_E_SHAPE,
     "expected integers (batch, tokens)"},
    {"gpt2",
     {{"in.input_ids", HEED_I64, 1, {3}, 1}},
     HEED_E_SHAPE,
     "expected integers (batch, tokens)"},
    {"gpt2",
     {{"in.input_ids", HEED_I64, 3, {2, 3, 1}, 1}},
     HEED_E_SHAPE,
     "expected integers (batch, tokens)"},
    {"gpt2",
     {IDS(321)},
     HEED_E_ARG,
     "in.input_ids: 321 at sequence 0, token 0; the vocabulary has 0 to 320"},
    {"gpt2", {IDS(-1)}, HEED_E_ARG, "in.input_ids: -1 at sequence 0, token 0"},
    {"gpt2",
     {{"in.input_ids", HEED_I64, 2, {1, 60}, 1}},
     HEED_E_ARG,
     "48 at sequence 0, token 48; the table of positions has 0 to 47"},
    {"gpt2", {{"in.input_ids", HEED_I64, 2, {1LL << 31, 0}, 1}}, HEED_E_ARG, "at most 2^30"},
    {"gpt2",
     {IDS(1), MASK("attention_mask", 4, 1)},
     HEED_E_SHAPE,
     "\"in.attention_mask\" has another shape than the tokens, which are (2,3)"},
    {"gpt2",
     {IDS(1), {"in.position_ids", HEED_I64, 2, {2, 3}, 48}},
     HEED_E_ARG,
     "in.position_ids: 48"},
    {"gpt2",
     {IDS(1), {"in.position_ids", HEED_I64, 2, {3, 2}, 1}},
     HEED_E_SHAPE,
     "in.position_ids"},
    {"gpt2",
     {IDS(1), {"in.token_type_ids", HEED_I64, 2, {2, 3}, 0}},
     HEED_E_UNSUPPORTED,
     "in.token_type_ids"},
    {"gpt2", {IDS(1), {"in.labels", HEED_I64, 2, {2, 4}, 1}}, HEED_E_SHAPE, "in.labels"},
    {"gpt2", {IDS(1), {"in.labels", HEED_I64, 2, {2, 3}, 321}}, HEED_E_ARG, "in.labels: 321"},
    {"gpt2", {IDS(1), {"in.labels", HEED_F32, 2, {2, 3}, NAN}}, HEED_E_ARG, "in.labels"},
    {"gpt2",
     {IDS(1), {"in.cotangent.nothing", HEED_F32, 3, {2, 3, 321}, 1}},
     HEED_E_ARG,
     "nothing"},
    {"gpt2",
     {IDS(1), {"in.cotangent.logits", HEED_F32, 3, {2, 3, 320}, 1}},
     HEED_E_SHAPE,
     "in.cotangent.logits"},
    {"bert",
     {IDS(1), {"in.token_type_ids", HEED_I64, 2, {2, 3}, 3}},
     HEED_E_ARG,
     "in.token_type_ids: 3"},
    {"bert-seqcls",
     {IDS(1), {"in.labels", HEED_I64, 1, {3}, 0}},
     HEED_E_SHAPE,
     "expected one label for each of 2 sequences"},
    {"bert-seqcls", {IDS(1), {"in.labels", HEED_I64, 1, {2}, 77}}, HEED_E_ARG, "in.labels: 77"},
    {"bert-multilabel",
     {IDS(1), {"in.labels", HEED_F32, 2, {2, 1}, 1}},
     HEED_E_SHAPE,
     "numbers for each of 2 sequences"},
    {"bert",
     {IDS(1),
      {"in.labels", HEED_I64, 2, {2, 3}, 1},
      {"in.next_sentence_label", HEED_I64, 1, {2}, 2}},
     HEED_E_ARG,
     "in.next_sentence_label: 2"},
    {"bert-tokcls", {IDS(1), {"in.labels", HEED_I64, 2, {2, 3}, 99}}, HEED_E_ARG, "in.labels: 99"},
    {"bert-qa",
     {IDS(1),
      {"in.start_positions", HEED_I64, 1, {1}, 1},
      {"in.end_positions", HEED_I64, 1, {2}, 1}},
     HEED_E_SHAPE,
     "\"in.start_positions\": expected one label for each of 2 sequences"},
    {"bert-multichoice", {IDS(1)}, HEED_E_SHAPE, "expected integers (batch, choices, tokens)"},
    {"bert-multichoice",
     {{"in.input_ids", HEED_I64, 3, {1, 2, 3}, 1}, {"in.labels", HEED_I64, 1, {1}, 2}},
     HEED_E_ARG,
     "in.labels: 2"},
    {"marian", {IDS(1)}, HEED_E_ARG, "\"in.decoder_input_ids\" is missing"},
    {"marian",
     {IDS(1), {"in.decoder_input_ids", HEED_I64, 2, {1, 3}, 1}},
     HEED_E_SHAPE,
     "2 source sequences, 1 target"},
    {"marian", {IDS(1), {"in.labels", HEED_I64, 2, {2, 3}, 5000}}, HEED_E_ARG, "5000"},
    {"torch-transformer", {ROWS("src", 3)}, HEED_E_ARG, "\"in.tgt\" is missing"},
    {"torch-transformer",
     {ROWS("src", 3), {"in.tgt", HEED_F32, 3, {2, 3, 31}, 0}},
     HEED_E_SHAPE,
     "expected f32 (batch, tokens, width)"},
    {"torch-transformer",
     {ROWS("src", 3), ROWS("tgt", 2), MASK("memory_key_padding_mask", 4, 0)},
     HEED_E_SHAPE,
     "in.memory_key_padding_mask"},
    /* PyTorch takes a mask of its own for what the target sees; heed has one for both. */
    {"torch-transformer",
     {ROWS("src", 3), ROWS("tgt", 2), MASK("memory_key_padding_mask", 3, 1)},
     HEED_E_UNSUPPORTED,
     "differs from in.src_key_padding_mask"},
    {"torch-transformer",
     {ROWS("src", 3), ROWS("tgt", 2), MASK("src_key_padding_mask", 3, 1),
      MASK("memory_key_padding_mask", 3, 0)},
     HEED_E_UNSUPPORTED,
     "differs"},
    {"torch-transformer",
     {ROWS("src", 3), ROWS("tgt", 2), MASK("src_key_padding_mask", 3, 0),
      MASK("memory_key_padding_mask", 3, 0)},
     HEED_OK,
     ""}};

static void set(void *data, heed_dtype dtype, size_t at, double value)
{
    switch (dtype) {
    case HEED_I64: ((int64_t *)data)[at] = (int64_t)value; break;
    case HEED_F32: ((float *)data)[at] = (float)value; break;
    case HEED_U8: ((uint8_t *)data)[at] = (uint8_t)value; break;
    default: break; /* of a type that is refused before anything is read */
    }
}

/* Makes the tensors of a call in `memory`; returns how many. */
static size_t make_inputs(const given *from, heed_named_tensor *inputs)
{
    static int64_t memory[MOST][ELEMENTS * 8];
    size_t count = 0;
    for (; count < MOST && from[count].name; count++) {
        const given *g = &from[count];
        inputs[count] = (heed_named_tensor){
            .name = (char *)g->name, .dtype = g->dtype, .rank = g->rank, .data = memory[count]};
        size_t elements = 1;
        for (int j = 0; j < g->rank; j++)
            elements *= (size_t)(inputs[count].shape[j] = g->shape[j]);
        assert_true(elements <= ELEMENTS * 8);
        for (size_t i = 0; i < elements; i++) set(memory[count], g->dtype, i, g->fill);
    }
    return count;
}

static void check_call(const wrong_call *call)
{
    heed_named_tensor inputs[MOST];
    size_t count = make_inputs(call->inputs, inputs);
    heed_backend reference = {.name = "reference"};
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    heed_error found = {0};
    char path[512];
    fixture_path(path, call->fixture, "");
    assert_ok(heed_model_load(&model, path, &(heed_model_options){.backend = &reference}, &error));
    heed_status status = heed_forward(model, &reference, &(heed_forward_inputs){inputs, count},
                                      &(heed_forward_options){0}, &outputs, &found);
    if (status != call->status || !strstr(found.message, call->part))
        fail_msg("%s, %s: expected %s with \"%s\", found %s: %s", call->fixture,
                 call->inputs[0].name, heed_status_name(call->status), call->part,
                 heed_status_name(status), found.message);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
}

/* Inputs that the model does not use, and the names that the notes tell, each after a blank. */
typedef struct {
    const char *fixture;
    given inputs[MOST];
    const char *told;
} idle_call;

#define PLAIN(name)                        \
    {                                      \
        "in." name, HEED_I64, 2, {2, 3}, 1 \
    }

static const idle_call idle[] = {
    {"gpt2", {IDS(1), PLAIN("labels"), PLAIN("position_ids"), PLAIN("attention_mask")}, ""},
    {"gpt2", {IDS(1), PLAIN("decoder_attention_mask")}, " in.decoder_attention_mask"},
    {"gpt2", {IDS(1), PLAIN("start_positions")}, " in.start_positions"},
    {"bloom", {IDS(1), PLAIN("position_ids")}, " in.position_ids"},
    {"marian",
     {IDS(1), PLAIN("labels"), PLAIN("position_ids"), PLAIN("token_type_ids")},
     " in.position_ids in.token_type_ids"},
    {"marian", {IDS(1), PLAIN("decoder_input_ids"), PLAIN("labels")}, ""},
    {"bert-qa", {IDS(1), {"in.start_positions", HEED_I64, 1, {2}, 1}}, " in.start_positions"},
    {"torch-transformer",
     {ROWS("src", 3), ROWS("tgt", 2), MASK("attention_mask", 3, 1)},
     " in.attention_mask"},
};

/* Collects the quoted name of a note. */
static void take_note(void *argument, const char *text)
{
    const char *name = strchr(text, '"') + 1;
    strcat(argument, " ");
    strncat(argument, name, (size_t)(strchr(name, '"') - name));
}

static void inputs_that_a_model_does_not_use_are_told(void **state)
{
    (void)state;
    heed_backend reference = {.name = "reference"};
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        heed_named_tensor inputs[MOST];
        size_t count = make_inputs(idle[i].inputs, inputs);
        heed_model *model = NULL;
        heed_tensor_list outputs = {0};
        char path[512], told[256] = "";
        heed_forward_options options = {.note = take_note, .note_argument = told};
        fixture_path(path, idle[i].fixture, "");
        assert_ok(
            heed_model_load(&model, path, &(heed_model_options){.backend = &reference}, &error));
        assert_ok(heed_forward(model, &reference, &(heed_forward_inputs){inputs, count}, &options,
                               &outputs, &error));
        if (strcmp(told, idle[i].told) != 0)
            fail_msg("%s: told \"%s\", expected \"%s\"", idle[i].fixture, told, idle[i].told);
        heed_tensor_list_free(&outputs);
        heed_model_release(model);
    }
}

static void wrong_inputs_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) check_call(&calls[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_inputs_are_named),
                                       cmocka_unit_test(inputs_that_a_model_does_not_use_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
