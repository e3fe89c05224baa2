/* One holder at a time, in this process and in others; a holder that was killed holds nothing. */
#include "base/lock.h"

#include "support/one_file.h"
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void a_second_holder_is_refused(void **state)
{
    (void)state;
    heed_error error = {0};
    heed_lock first, second;
    char process[32];
    assert_int_equal(heed_lock_take(&first, path, "the folder is in use", &error), HEED_OK);
    assert_int_equal(heed_lock_take(&second, path, "the folder is in use", &error), HEED_E_ARG);
    assert_int_equal(second.descriptor, -1);
    snprintf(process, sizeof process, "process %ld:", (long)getpid());
    assert_non_null(strstr(error.message, "the folder is in use by "));
    assert_non_null(strstr(error.message, process));
    heed_lock_free(&second);
    heed_lock_free(&first);
    heed_lock_free(&first);
    error = (heed_error){0};
    assert_int_equal(heed_lock_take(&second, path, "", &error), HEED_OK);
    heed_lock_free(&second);
}

static void a_killed_holder_holds_nothing(void **state)
{
    (void)state;
    heed_error error = {0};
    heed_lock lock;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        heed_lock held;
        bool ok = heed_lock_take(&held, path, "", NULL) == HEED_OK && write(ready[1], "x", 1) == 1;
        while (ok) pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(heed_lock_take(&lock, path, "the folder is in use", &error), HEED_E_ARG);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    error = (heed_error){0};
    /* the file still names the dead process */
    assert_int_equal(heed_lock_take(&lock, path, "", &error), HEED_OK);
    heed_lock_free(&lock);
    close(ready[0]);
    close(ready[1]);
}

/* What somebody else calls so, or a link, is neither written nor followed. */
static void the_files_of_others_stay(void **state)
{
    (void)state;
    static const char *const texts[] = {"a user's notes", "12 of them", "1234567890123456789012345",
                                        "\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        heed_error error = {0};
        heed_lock lock;
        char found[64] = "";
        FILE *file = fopen(path, "w");
        assert_true(file && fputs(texts[i], file) >= 0 && fclose(file) == 0);
        assert_int_equal(heed_lock_take(&lock, path, "", &error), HEED_E_ARG);
        assert_non_null(strstr(error.message, "not a lock of heed's"));
        assert_int_equal(lock.descriptor, -1);
        file = fopen(path, "r");
        assert_true(file && fread(found, 1, sizeof found - 1, file) == strlen(texts[i]));
        fclose(file);
        assert_string_equal(found, texts[i]);
    }
    char link[64];
    heed_lock lock;
    assert_int_equal(truncate(path, 0), 0);
    snprintf(link, sizeof link, "%s.link", path);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(heed_lock_take(&lock, link, "", NULL), HEED_E_IO);
    unlink(link);
}

static void a_lock_that_cannot_be_made_says_why(void **state)
{
    (void)state;
    heed_error error = {0};
    heed_lock lock;
    assert_int_equal(heed_lock_take(&lock, "/tmp/no/such/folder/lock", "", &error), HEED_E_IO);
    assert_non_null(strstr(error.message, "/tmp/no/such/folder/lock"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_second_holder_is_refused),
                                       cmocka_unit_test(a_killed_holder_holds_nothing),
                                       cmocka_unit_test(the_files_of_others_stay),
                                       cmocka_unit_test(a_lock_that_cannot_be_made_says_why)};
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
