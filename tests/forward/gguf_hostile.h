/* gguf_hostile.h: models of every architecture as GGUF files to be damaged, and what a load may
   answer: an error that names what is wrong, or a model that runs. */
#ifndef HEED_TESTS_FORWARD_GGUF_HOSTILE_H
#define HEED_TESTS_FORWARD_GGUF_HOSTILE_H

#include "cpu/backend.h"
#include "io/gguf.h"
#include "model/family.h"
#include "support/changed.h"

static heed_backend *cpu;

static inline int make_backend(void **state)
{
    (void)state;
    heed_error error = {0};
    return heed_cpu_backend_new(&cpu, 1, heed_isa_detect(), &error);
}

static inline int free_backend(void **state)
{
    (void)state;
    heed_cpu_backend_free(cpu);
    return 0;
}

/* A clear error, or a correct load, which must then run. */
static inline bool loads_or_tells(const char *path, heed_error *problem)
{
    static int64_t ids[] = {1, 5, 3};
    const heed_named_tensor inputs[] = {
        {.name = (char *)"in.input_ids",
         .dtype = HEED_I64,
         .rank = 2,
         .shape = {1, 3},
         .data = ids},
    };
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    heed_error other = {0};
    *problem = (heed_error){0};
    heed_status status = heed_model_load(&model, path, &(heed_model_options){.backend = cpu},
                                         problem);
    assert_true(status == problem->status && (status == HEED_OK) == (model != NULL) &&
                (status == HEED_OK || problem->message[0]));
    if (model && heed_forward(model, cpu, &(heed_forward_inputs){inputs, 1},
                              &(heed_forward_options){0}, &outputs, &other) != HEED_OK)
        assert_true(other.message[0]);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    return status == HEED_OK;
}

/* ---- a model of every architecture ---- */

typedef struct {
    const char *fixture, *changes;
} model_case;

static const model_case models[] = {
    {"llama", "{}"},         {"llama-rope-yarn", "{}"}, {"llama-rope-llama3", "{}"},
    {"mistral", "{}"},       {"mixtral", "{}"},         {"gpt2", "{}"},
    {"qwen2", "{}"},         {"qwen3", "{}"},           {"qwen2_moe", "{\"mlp_only_layers\": []}"},
    {"qwen3_moe", "{}"},     {"olmo2", "{}"},           {"gemma", "{}"},
    {"gemma2", "{}"},        {"gemma3", "{}"},          {"phi", "{\"qk_layernorm\": false}"},
    {"phi3-longrope", "{}"}, {"cohere-qk-norm", "{}"},  {"starcoder2", "{}"},
    {"gpt_neox", "{}"},      {"gpt_bigcode", "{}"},     {"bloom", "{}"},
    {"mpt-clip", "{}"},      {"falcon", "{}"},          {"falcon-groups", "{}"},
    {"gpt_oss", "{}"}};
enum { MODELS = sizeof models / sizeof *models };

/* A file of that model, and what is in it. */
typedef struct {
    scratch work;
    heed_gguf *file;
    const heed_family *family;
    heed_tensor_source *tensors; /* one place more than there are */
    size_t count;
    int64_t layers;
    char path[512]; /* for the files made from it */
} subject;

static inline void open_subject(subject *s, const model_case *of)
{
    heed_model *model = changed_model(of->fixture, of->changes);
    scratch_make(&s->work);
    assert_ok(
        heed_model_save_gguf(model, scratch_path(&s->work, "whole.gguf"), HEED_F32, NULL, &error));
    assert_ok(heed_gguf_open_whole(&s->file, scratch_path(&s->work, "whole.gguf"), &error));
    s->family = heed_model_config(model)->family;
    s->layers = heed_model_config(model)->decoder.layers;
    s->count = heed_gguf_count(s->file);
    s->tensors = calloc(s->count + 1, sizeof *s->tensors);
    assert_true(s->tensors != NULL && s->layers >= 2);
    for (size_t i = 0; i < s->count; i++) {
        const heed_stored_tensor *from = heed_gguf_at(s->file, i);
        s->tensors[i] = (heed_tensor_source){
            .name = from->name,
            .dtype = from->dtype,
            .rank = from->rank,
            .shape = from->shape,
            .data = from->data,
        };
    }
    snprintf(s->path, sizeof s->path, "%s", scratch_path(&s->work, "hostile.gguf"));
    heed_model_release(model);
}

static inline void close_subject(subject *s)
{
    heed_gguf_close(s->file);
    free(s->tensors);
    scratch_remove(&s->work);
}

static inline void write_subject(const subject *s, const heed_gguf_entries *entries, size_t tensors)
{
    heed_tensor_set set = {.tensors = s->tensors, .count = tensors};
    assert_ok(heed_gguf_write(s->path, entries, &set, &error));
}

/* All entries but one; `without` may be NULL. */
static inline void put_others(const subject *s, const char *without, heed_gguf_entries *entries)
{
    for (size_t i = 0; i < heed_gguf_entry_count(s->file); i++)
        if (!without || strcmp(heed_gguf_entry_at(s->file, i)->key, without) != 0)
            heed_gguf_put_entry(entries, heed_gguf_entry_at(s->file, i));
}

/* Files written, and how many of them load. */
typedef struct {
    int files, loaded;
} tally;

#endif
