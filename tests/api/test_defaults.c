/* {0} is a valid value of every options struct and means all defaults; where 0 is a choice too, it
   differs from what is not set. */
#include <heed/heed.h>

#include "api/transformer.h"
#include "support/chain_model.h"
#include "support/test.h"
#include <jansson.h>

static scratch work;
static heed_context *context;
static heed_transformer *model; /* of the chain model: "ABC" is followed by "XYZ" and an end */
static char folder[512], text_file[512], out[512];

static void path_in(char path[512], const char *name)
{
    snprintf(path, 512, "%s", scratch_path(&work, name));
}

static int start(void **state)
{
    (void)state;
    static const char *const scripts[] = {"ABCXYZ$"};
    const chain_model chain = {
        .scripts = scripts,
        .script_count = 1,
        .template = "{% for m in messages %}{{ m.content }}{% endfor %}",
        .generation = "{\"do_sample\": true, \"temperature\": 0.5, \"top_k\": 7, \"top_p\": 0.75, "
                      "\"min_p\": 0.125, \"typical_p\": 0.75, \"epsilon_cutoff\": 0.25, "
                      "\"eta_cutoff\": 0.25, \"repetition_penalty\": 2, \"length_penalty\": 2, "
                      "\"presence_penalty\": 2, \"frequency_penalty\": 2, "
                      "\"no_repeat_ngram_size\": 3, \"min_new_tokens\": 2, \"max_new_tokens\": 9, "
                      "\"num_beams\": 1, \"num_return_sequences\": 1, \"eos_token_id\": 257}",
    };
    scratch_make(&work);
    path_in(folder, "model");
    path_in(out, "out");
    snprintf(text_file, sizeof text_file, "%s", scratch_file(&work, "t.txt", "ABCXYZ\nABC\n", 11));
    assert_true(chain_model_write(folder, &chain));
    assert_ok(heed_context_new(&context, &(heed_context_options){0}, &error));
    assert_ok(heed_transformer_load(&model, context, folder, &(heed_load_options){0}, &error));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    heed_transformer_free(model);
    heed_context_free(context);
    scratch_remove(&work);
    return 0;
}

/* ---- every task ---- */

static void texts_and_ids(void **state)
{
    (void)state;
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(model, NULL);
    heed_tokens tokens = {0}, same = {0};
    char *text = NULL;
    size_t length = 0;
    assert_ok(heed_tokenize(tokenizer, "ABC", 3, &(heed_tokenize_options){0}, &tokens, &error));
    assert_ok(heed_tokenize(tokenizer, "ABC", 3, NULL, &same, &error));
    assert_int_equal(tokens.count, 3);
    assert_memory_equal(tokens.ids, same.ids, 3 * sizeof *tokens.ids);
    assert_null(tokens.offsets);
    assert_ok(heed_detokenize(tokenizer, &tokens, false, &text, &length, &error));
    assert_string_equal(text, "ABC");
    heed_free(text);
    heed_tokens_free(&tokens);
    heed_tokens_free(&same);
    const char *files[] = {text_file};
    heed_tokenizer_plan plan = {0};
    assert_fails(HEED_E_ARG, "name the files", heed_train_tokenizer(&plan, out, NULL, &error));
    plan.files = files;
    plan.file_count = 1;
    assert_ok(heed_train_tokenizer(&plan, scratch_path(&work, "letters"), &length, &error));
    assert_true(length >= 6);
}

static void generation(void **state)
{
    (void)state;
    const heed_prompt prompt = {.text = "ABC", .length = 3};
    const heed_prompts prompts = {&prompt, 1};
    heed_results results;
    char *notes = NULL;
    assert_ok(heed_transformer_generate(model, &prompts, &(heed_generation_options){0}, NULL,
                                        &results, &error));
    assert_int_equal(results.count, 1);
    assert_false(results.items[0].score.set);
    assert_null(results.items[0].log_probabilities);
    heed_results_free(&results);
    assert_ok(heed_transformer_generate(model, &prompts, NULL, NULL, &results, &error));
    heed_results_free(&results);
    const heed_generation_options zero = {.log_probabilities = heed_int(0),
                                          .temperature = heed_real(0)};
    assert_ok(heed_transformer_generate(model, &prompts, &zero, NULL, &results, &error));
    assert_true(results.items[0].score.set);
    assert_non_null(results.items[0].log_probabilities);
    assert_null(results.items[0].likely);
    assert_non_null(results.prompts[0].log_probabilities);
    heed_results_free(&results);
    assert_ok(heed_transformer_idle_options(model, &(heed_generation_options){0}, &notes, &error));
    heed_free(notes);
}

static void conversations(void **state)
{
    (void)state;
    heed_chat *chat = NULL;
    heed_turn turn;
    heed_generation_options none = {0}, in_force;
    assert_ok(heed_chat_new(&chat, model, &(heed_chat_options){0}, &error));
    assert_ok(heed_chat_settings(chat, &none, &in_force, &error));
    assert_true(in_force.temperature.set && in_force.temperature.value == 0.5);
    assert_false(in_force.seed.set || in_force.max_new_tokens.set);
    assert_ok(heed_chat_say(chat, "ABC", &none, &(heed_hooks){0}, &turn, &error));
    heed_free(turn.text);
    heed_chat_free(chat);
}

static void scores(void **state)
{
    (void)state;
    heed_evaluation evaluation;
    heed_choice_score score;
    heed_score_task task = {0};
    heed_bleu_task bleu = {0};
    heed_choice_task choices = {0};
    const char *files[] = {text_file};
    assert_fails(HEED_E_ARG, "name files",
                 heed_transformer_score(model, &task, NULL, &evaluation, &error));
    assert_false(evaluation.nll.set || evaluation.perplexity.set || evaluation.bleu.set);
    task.files = files;
    task.file_count = 1;
    assert_ok(heed_transformer_score(model, &task, NULL, &evaluation, &error));
    assert_true(evaluation.nll.set && evaluation.perplexity.set && !evaluation.bleu.set);
    assert_fails(HEED_E_ARG, "name their file",
                 heed_transformer_choose(model, &choices, NULL, &score, &error));
    assert_fails(HEED_E_ARG, "name the sources",
                 heed_transformer_bleu(model, &bleu, NULL, &evaluation, &error));
    bleu.source = text_file;
    bleu.reference = text_file;
    assert_ok(heed_transformer_bleu(model, &bleu, NULL, &evaluation, &error));
    assert_true(evaluation.bleu.set && !evaluation.nll.set);
    assert_ok(heed_transformer_translate(model, text_file, out, NULL, NULL, &error));
}

static void files(void **state)
{
    (void)state;
    heed_forward_task forward = {0};
    heed_conversion conversion = {0};
    char *notes = NULL, *json = NULL;
    assert_fails(HEED_E_ARG, "name", heed_forward_files(context, &forward, &error));
    assert_fails(HEED_E_ARG, "name", heed_convert_model(&conversion, &notes, &error));
    forward.model = HEED_FIXTURES "/gpt2";
    forward.input = HEED_FIXTURES "/gpt2/oracle.safetensors";
    forward.output = out;
    assert_ok(heed_forward_files(context, &forward, &error));
    conversion.model = folder;
    conversion.out = scratch_path(&work, "converted");
    assert_ok(heed_convert_model(&conversion, &notes, &error));
    heed_free(notes);
    assert_ok(heed_describe(context, folder, &json, &error));
    heed_free(json);
}

static void speed(void **state)
{
    (void)state;
    heed_speed result;
    heed_speed_task task = {0};
    assert_ok(heed_transformer_bench(model, &task, &result, &error));
    assert_true(result.prefill.measured && result.decode.measured && !result.has_peak);
    assert_false(result.prefill.compute_share.set);
    task.count = heed_int(0);
    task.rounds = 1;
    assert_ok(heed_transformer_bench(model, &task, &result, &error));
    assert_true(result.prefill.measured && !result.decode.measured);
    task.endless = true;
    assert_fails(HEED_E_ARG, "endless", heed_transformer_bench(model, &task, &result, &error));
}

/* ---- 0 as a choice ---- */

/* Members of the options, and of the settings that they become. An error is another answer than
   the default too. */
static const struct {
    const char *name;
    size_t option, setting;
    bool real;
} numbers[] = {
#define INT(option, setting)                                   \
    {                                                          \
#option, offsetof(heed_generation_options, option),    \
            offsetof(heed_generation_settings, setting), false \
    }
#define REAL(option, setting)                                 \
    {                                                         \
#option, offsetof(heed_generation_options, option),   \
            offsetof(heed_generation_settings, setting), true \
    }
    INT(max_new_tokens, max_new_tokens),
    INT(min_new_tokens, min_new_tokens),
    INT(top_k, top_k),
    INT(no_repeat_ngram, no_repeat_ngram),
    INT(log_probabilities, log_probabilities),
    REAL(top_p, top_p),
    REAL(min_p, min_p),
    REAL(typical_p, typical_p),
    REAL(epsilon_cutoff, epsilon_cutoff),
    REAL(eta_cutoff, eta_cutoff),
    REAL(repeat_penalty, repetition_penalty),
    REAL(length_penalty, length_penalty),
    REAL(presence_penalty, presence_penalty),
    REAL(frequency_penalty, frequency_penalty),
#undef INT
#undef REAL
};

static void zero_is_a_choice_of_generation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        heed_generation_options none = {0}, zero = {0};
        heed_generation_settings usual, chosen;
        void *option = (char *)&zero + numbers[i].option;
        heed_error problem = {0};
        if (numbers[i].real) *(heed_optional_real *)option = heed_real(0);
        else *(heed_optional_int *)option = heed_int(0);
        assert_ok(heed_transformer_settings(model, &none, &usual, &error));
        heed_status status = heed_transformer_settings(model, &zero, &chosen, &problem);
        if (status != HEED_OK) assert_int_equal(status, HEED_E_ARG);
        else if (numbers[i].real) {
            assert_true(*(double *)((char *)&usual + numbers[i].setting) != 0);
            assert_true(*(double *)((char *)&chosen + numbers[i].setting) == 0);
        } else {
            assert_true(*(int64_t *)((char *)&usual + numbers[i].setting) != 0);
            assert_true(*(int64_t *)((char *)&chosen + numbers[i].setting) == 0);
        }
        heed_generation_settings_free(&usual);
        heed_generation_settings_free(&chosen);
    }
    heed_generation_options zero = {.temperature = heed_real(0), .seed = heed_int(0)};
    heed_generation_settings usual, chosen;
    assert_ok(heed_transformer_settings(model, NULL, &usual, &error));
    assert_ok(heed_transformer_settings(model, &zero, &chosen, &error));
    assert_true(usual.sample && usual.seed != 0);
    assert_true(!chosen.sample && chosen.seed == 0);
    heed_generation_settings_free(&usual);
    heed_generation_settings_free(&chosen);
}

/* One number of RUN/run.json. */
static double option_of(const char *run, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/run.json", run);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    double value = json_number_value(json_object_get(json, name));
    json_decref(json);
    return value;
}

/* Options whose default is not 0; train/test_options goes through all of them. */
static void zero_is_a_choice_of_training(void **state)
{
    (void)state;
    static const char *const names[] = {"eval_steps",    "save_steps",   "seed",
                                        "dropout",       "weight_decay", "adam_beta1",
                                        "max_grad_norm", "adam_beta2"};
    const char *data[] = {text_file};
    char usual[512], chosen[512];
    heed_train_options o = {0};
    heed_train_report report;
    path_in(usual, "usual");
    path_in(chosen, "chosen");
    assert_fails(HEED_E_ARG, "no data", heed_train(context, &o, NULL, &report, &error));
    o.data = data;
    o.data_count = 1;
    o.out = usual;
    o.context = 8; /* the text is short */
    assert_ok(heed_train(context, &o, NULL, &report, &error));
    assert_true(report.loss.set && !report.eval_loss.set && !report.best_step.set);
    o.eval_steps = o.save_steps = o.seed = heed_int(0);
    o.dropout = o.weight_decay = o.max_grad_norm = heed_real(0);
    o.adam_beta1 = o.adam_beta2 = heed_real(0);
    o.out = chosen;
    assert_ok(heed_train(context, &o, NULL, &report, &error));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (option_of(usual, names[i]) == 0) fail_msg("%s: 0 by default", names[i]);
        if (option_of(chosen, names[i]) != 0) fail_msg("%s: not the 0 chosen", names[i]);
    }
    heed_train_options changes = {0};
    assert_ok(heed_resume_training(context, usual, &changes, NULL, &report, &error));
    assert_ok(heed_resume_training(context, usual, NULL, NULL, &report, &error));
    changes.seed = heed_int(0);
    assert_fails(HEED_E_ARG, "--seed 0: the run was started with 1",
                 heed_resume_training(context, usual, &changes, NULL, &report, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_ids),
        cmocka_unit_test(generation),
        cmocka_unit_test(conversations),
        cmocka_unit_test(scores),
        cmocka_unit_test(files),
        cmocka_unit_test(speed),
        cmocka_unit_test(zero_is_a_choice_of_generation),
        cmocka_unit_test(zero_is_a_choice_of_training),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
