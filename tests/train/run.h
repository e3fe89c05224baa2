/* run.h: small trainings for the tests of this module: data written into a scratch folder, options,
   comparison of what runs leave. */
#ifndef HEED_TESTS_TRAIN_RUN_H
#define HEED_TESTS_TRAIN_RUN_H

#include "base/buffer.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "support/test.h"
#include "train/trainer.h"
#include <math.h>

static inline heed_backend *backend_of(int threads)
{
    heed_backend *backend = NULL;
    heed_isa isa = HEED_ISA_GENERIC;
    assert_ok(heed_isa_choose(&isa, &error));
    assert_ok(heed_cpu_backend_new(&backend, threads, isa, &error));
    return backend;
}

/* `lines` lines of words from a small grammar, so that there is something to learn. */
static inline void words(heed_buffer *text, uint64_t seed, int lines, const char *before,
                         const char *after)
{
    static const char *const subjects[] = {"the cat", "a dog", "one bird", "my fish"},
                             *const predicates[] = {"sees", "likes", "hears"},
                             *const objects[] = {"the moon", "a tree", "no one", "rain",
                                                 "old songs"};
    heed_rng rng = {seed, 1, 0};
    for (int i = 0; i < lines; i++)
        heed_buffer_printf(text, "%s%s %s %s%s\n", before, subjects[heed_rng_below(&rng, 4)],
                           predicates[heed_rng_below(&rng, 3)], objects[heed_rng_below(&rng, 5)],
                           after);
}

/* Writes a data file of the kind that the name's ending says; the path is to be freed. */
static inline char *data_file(scratch *work, const char *name, uint64_t seed, int lines)
{
    heed_buffer text = {0};
    const char *ending = strrchr(name, '.');
    if (strcmp(ending, ".jsonl") == 0) words(&text, seed, lines, "{\"text\": \"", "\"}");
    else if (strcmp(ending, ".tsv") == 0) words(&text, seed, lines, "again\t", "!");
    else words(&text, seed, lines, "", ".");
    scratch_file(work, name, text.data, text.length);
    heed_buffer_free(&text);
    return strdup(work->path);
}

/* For a training that goes on as it was. */
static const heed_train_options no_changes = {0};

static inline heed_train_options small_options(const char *const *data, const char *out)
{
    heed_train_options o = {0};
    o.data = data;
    o.data_count = 1;
    o.out = out;
    o.layers = 2;
    o.d_model = 32;
    o.heads = 2;
    o.context = 24;
    o.batch_size = 3;
    o.max_steps = "12";
    o.seed = heed_int(7);
    return o;
}

/* The bytes of folder/name in both folders are equal. */
static inline void assert_same_file(const char *a, const char *b, const char *name)
{
    heed_buffer first = {0}, second = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", a, name);
    assert_ok(heed_file_read(path, 1 << 30, &first, &error));
    snprintf(path, sizeof path, "%s/%s", b, name);
    assert_ok(heed_file_read(path, 1 << 30, &second, &error));
    if (first.length != second.length || memcmp(first.data, second.data, first.length) != 0)
        fail_msg("%s differs between %s and %s", name, a, b);
    heed_buffer_free(&first);
    heed_buffer_free(&second);
}

static inline void assert_same_checkpoint(const char *a, const char *b)
{
    static const char *const names[] = {"config.json", "model.safetensors", "optimizer.safetensors",
                                        "trainer.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_same_file(a, b, names[i]);
}

#endif
