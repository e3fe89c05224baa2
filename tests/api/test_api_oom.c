/* Every allocation of the public tasks fails in turn: each answers HEED_E_NOMEM and leaves nothing
   allocated. Training has a test of its own (train/test_trainer_oom.c). */
#include <heed/heed.h>

#include "support/fail_alloc.h"
#include "support/test.h"

typedef struct setting {
    heed_context *context;
    heed_transformer *model;
    const char *folder;
    scratch *work;
    char text_file[512], out_file[512];
} setting;

static heed_status contexts(void *context, heed_error *error)
{
    (void)context;
    heed_context *made = NULL;
    heed_status status = heed_context_new(&made, &(heed_context_options){.threads = 1}, error);
    heed_context_free(made);
    return status;
}

static heed_status load(void *context, heed_error *error)
{
    const setting *s = context;
    heed_transformer *model = NULL;
    heed_status status = heed_transformer_load(&model, s->context, s->folder, NULL, error);
    if (status == HEED_OK && !heed_transformer_tokenizer(model, error)) status = error->status;
    heed_transformer_free(model);
    return status;
}

static heed_status describe(void *context, heed_error *error)
{
    const setting *s = context;
    char *json = NULL;
    heed_status status = heed_describe(s->context, s->folder, &json, error);
    heed_free(json);
    return status;
}

static heed_status describe_machine(void *context, heed_error *error)
{
    const setting *s = context;
    char *json = NULL;
    heed_status status = heed_describe(s->context, NULL, &json, error);
    heed_free(json);
    return status;
}

static heed_status tokenize(void *context, heed_error *error)
{
    const setting *s = context;
    heed_tokenizer *tokenizer = NULL;
    heed_tokens tokens = {0};
    char *text = NULL;
    size_t length = 0;
    heed_status status = heed_tokenizer_load(&tokenizer, s->folder, error);
    if (status == HEED_OK)
        status = heed_tokenize(
            tokenizer, "Hello world", 11,
            &(heed_tokenize_options){.pair = "and again", .pair_length = 9, .offsets = true},
            &tokens, error);
    if (status == HEED_OK)
        status = heed_detokenize(tokenizer, &tokens, true, &text, &length, error);
    heed_free(text);
    heed_tokens_free(&tokens);
    heed_tokenizer_free(tokenizer);
    return status;
}

static heed_status train_tokenizer(void *context, heed_error *error)
{
    setting *s = context;
    const char *files[] = {s->text_file};
    const heed_tokenizer_plan plan = {
        .kind = "bpe", .files = files, .file_count = 1, .vocab_size = 270};
    return heed_train_tokenizer(&plan, s->work->folder, NULL, error);
}

static heed_status generate(void *context, heed_error *error)
{
    const setting *s = context;
    static const int32_t ids[] = {5, 6, 7};
    const heed_prompt prompts[] = {{.text = "Hello world", .length = 11}, {.ids = ids, .count = 3}};
    static const char *const stop[] = {"\n\n"};
    const heed_generation_options how = {
        .max_new_tokens = heed_int(3),
        .log_probabilities = heed_int(2),
        .seed = heed_int(1),
        .temperature = heed_real(1),
        .returned = 2,
        .stop = stop,
        .stop_count = 1,
    };
    heed_results results;
    heed_status status = heed_transformer_generate(s->model, &(heed_prompts){prompts, 2}, &how,
                                                   NULL, &results, error);
    heed_results_free(&results);
    return status;
}

static heed_status score(void *context, heed_error *error)
{
    const setting *s = context;
    const char *files[] = {s->text_file};
    heed_evaluation evaluation;
    const heed_score_task task = {.files = files, .file_count = 1, .max_tokens = 60};
    return heed_transformer_score(s->model, &task, NULL, &evaluation, error);
}

static heed_status translate(void *context, heed_error *error)
{
    const setting *s = context;
    const heed_generation_options how = {.max_new_tokens = heed_int(2), .truncate = true};
    const heed_bleu_task task = {
        .source = s->text_file, .reference = s->text_file, .generation = &how};
    heed_evaluation evaluation;
    HEED_TRY(heed_transformer_translate(s->model, s->text_file, s->out_file, &how, NULL, error));
    return heed_transformer_bleu(s->model, &task, NULL, &evaluation, error);
}

static heed_status forward(void *context, heed_error *error)
{
    const setting *s = context;
    const heed_forward_task task = {
        .model = s->folder,
        .input = HEED_FIXTURES "/gpt2/oracle.safetensors",
        .output = s->out_file,
        .gradients = true,
    };
    return heed_forward_files(s->context, &task, error);
}

static void every_task_survives(void **state)
{
    (void)state;
    scratch work;
    setting s = {.folder = HEED_FIXTURES "/gpt2", .work = &work};
    static const struct {
        const char *name;
        fail_alloc_scenario *run;
        long least;
    } tasks[] = {
        {"context", contexts, 2},
        {"load", load, 200},
        {"describe a model", describe, 200},
        {"describe the machine", describe_machine, 20},
        {"tokenize", tokenize, 50},
        {"train a tokenizer", train_tokenizer, 50},
        {"generate", generate, 100},
        {"score", score, 50},
        {"translate", translate, 50},
        {"forward", forward, 200},
    };
    scratch_make(&work);
    snprintf(s.text_file, sizeof s.text_file, "%s",
             scratch_file(&work, "text.txt", "Hello world,\nhello words.\n", 26));
    snprintf(s.out_file, sizeof s.out_file, "%s", scratch_path(&work, "out"));
    assert_ok(heed_context_new(&s.context, &(heed_context_options){.threads = 1}, &error));
    assert_ok(heed_transformer_load(&s.model, s.context, s.folder, NULL, &error));
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        print_message("%s\n", tasks[i].name);
        if (fail_alloc_each(tasks[i].run, &s) < tasks[i].least)
            fail_msg("%s: too few allocations failed", tasks[i].name);
    }
    heed_transformer_free(s.model);
    heed_context_free(s.context);
    scratch_remove(&work);
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_task_survives)};
    return cmocka_run_group_tests_name("api_oom", tests, NULL, NULL);
}
