/* checkpoint_kill.h: a child process writes checkpoints in a loop and is killed at a random moment,
   again and again. */
#ifndef HEED_TESTS_CHECKPOINT_KILL_H
#define HEED_TESTS_CHECKPOINT_KILL_H

#include "base/clock.h"
#include "base/json.h"
#include "base/rng.h"
#include "train/checkpoint.h"
#include "io/weights.h"
#include "support/test.h"
#include <signal.h>
#include <sys/wait.h>

static const char *const private_files[] = {"state.safetensors", NULL};

/* A model folder whose every file says the step: 64 KiB of weights, a configuration and some state.
   Odd steps have a tokenizer too. */
static heed_status fill_step(void *context, const char *folder, heed_error *error)
{
    enum { COUNT = 16384 };
    int64_t step = *(int64_t *)context;
    static int32_t values[COUNT];
    for (int i = 0; i < COUNT; i++) values[i] = (int32_t)step;
    const int64_t shape[] = {COUNT}, one[] = {1};
    const heed_tensor_source weights = {"weight", HEED_I32, 1, shape, values},
                             state = {"step", HEED_I64, 1, one, &step};
    char path[600], text[64];
    HEED_TRY(heed_safetensors_write_folder(
        folder, &(heed_tensor_set){.tensors = &weights, .count = 1}, 0, error));
    snprintf(path, sizeof path, "%s/state.safetensors", folder);
    HEED_TRY(
        heed_safetensors_write(path, &(heed_tensor_set){.tensors = &state, .count = 1}, error));
    int length = snprintf(text, sizeof text, "{\"step\": %lld}\n", (long long)step);
    snprintf(path, sizeof path, "%s/config.json", folder);
    HEED_TRY(heed_file_write(path, text, (size_t)length, error));
    if (step % 2 == 0) return HEED_OK;
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    return heed_file_write(path, text, (size_t)length, error);
}

/* The step that a folder (a checkpoint, or RUN through its links) holds; fails the test unless all
   its files agree. */
static int64_t loaded_step(const char *folder)
{
    heed_weights_file *file = NULL;
    json_t *config = NULL;
    int64_t step = -1;
    char path[600];
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_ok(heed_json_read(&config, path, &error));
    assert_ok(heed_json_integer(config, "step", &step, path, &error));
    json_decref(config);
    assert_ok(heed_weights_file_open(&file, folder, &error));
    const heed_stored_tensor *tensor = heed_weights_file_find(file, "weight");
    static int32_t values[16384];
    assert_int_equal(tensor->bytes, sizeof values);
    assert_ok(heed_stored_read(tensor, 0, values, sizeof values, &error));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) assert_int_equal(values[i], step);
    heed_weights_file_close(file);
    return step;
}

/* Writes checkpoints from `step` on until killed; the step that the parent is promised goes through
   the pipe after each write. */
static void write_until_killed(const char *run, int64_t step, int promises)
{
    for (;; step++) {
        const heed_checkpoint_options options = {
            .best = step % 3 == 0, .keep = 2, .private_files = private_files};
        int rewrites = step % 4 == 0 ? 2 : 1; /* now and then the same step twice */
        while (rewrites--)
            if (heed_checkpoint_write(run, step, fill_step, &step, &options, NULL) != HEED_OK)
                _exit(1);
        if (write(promises, &step, sizeof step) != sizeof step) _exit(2);
    }
}

/* One child killed after `microseconds`; returns the newest step, which is at least what the child
   had promised. Steps begin at 1. */
static int64_t kill_once(const char *run, int64_t newest, long microseconds)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) write_until_killed(run, newest + 1, pipes[1]);
    close(pipes[1]);
    usleep((useconds_t)microseconds);
    assert_int_equal(kill(child, SIGKILL), 0);
    int outcome;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFSIGNALED(outcome)); /* it wrote without errors until the end */
    int64_t promised = newest, step = 0, after = 0;
    while (read(pipes[0], &step, sizeof step) == sizeof step) promised = step;
    close(pipes[0]);
    char *path = NULL;
    step = 0;
    assert_ok(heed_checkpoint_newest(run, &path, &step, &error));
    assert_true(step >= promised && step <= promised + 1);
    if (path) {
        assert_int_equal(loaded_step(path), step);
        /* RUN itself loads, at most one update late */
        if (promised > 0) assert_true(loaded_step(run) >= promised);
    }
    free(path);
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    assert_ok(heed_checkpoint_newest(run, &path, &after, &error));
    assert_true(after >= step && after <= promised + 1); /* a complete one takes its place */
    if (path) assert_int_equal(loaded_step(run), after);
    free(path);
    return after;
}

/* Kills within the time that three checkpoints take, whatever the disk. */
static inline void kill_many(const char *run, int times, uint64_t seed)
{
    heed_rng rng = {.seed = seed};
    int64_t newest = 1;
    const heed_checkpoint_options options = {.best = true, .private_files = private_files};
    assert_ok(heed_checkpoint_prepare(run, private_files, &error));
    double start = heed_clock_seconds();
    assert_ok(heed_checkpoint_write(run, newest, fill_step, &newest, &options, &error));
    uint64_t microseconds = 1000 + (uint64_t)(3e6 * (heed_clock_seconds() - start));
    for (int i = 0; i < times; i++)
        newest = kill_once(run, newest, (long)heed_rng_below(&rng, microseconds));
    assert_true(newest > 1);
}

#endif
