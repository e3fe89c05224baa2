#include "base/cpu.h"

#include "support/test.h"

static void the_environment_lowers_the_level(void **state)
{
    (void)state;
    heed_isa best = heed_isa_detect(), chosen = HEED_ISA_COUNT;
    unsetenv("HEED_ISA");
    assert_ok(heed_isa_choose(&chosen, &error));
    assert_int_equal(chosen, best);
    setenv("HEED_ISA", "", 1);
    assert_ok(heed_isa_choose(&chosen, &error));
    assert_int_equal(chosen, best);
    for (int level = 0; level < HEED_ISA_COUNT; level++) {
        setenv("HEED_ISA", heed_isa_name((heed_isa)level), 1);
        if (level <= (int)best) {
            assert_ok(heed_isa_choose(&chosen, &error));
            assert_int_equal(chosen, level);
        } else
            assert_fails(HEED_E_ARG, "this machine supports at most",
                         heed_isa_choose(&chosen, &error));
    }
    setenv("HEED_ISA", "sse9", 1);
    assert_fails(HEED_E_ARG, "HEED_ISA=sse9: expected generic, avx2 or avx512",
                 heed_isa_choose(&chosen, &error));
    unsetenv("HEED_ISA");
    if (heed_isa_has_bf16() || heed_isa_has_vnni()) assert_true(best >= HEED_ISA_AVX2);
}

static void threads_come_from_wish_environment_or_machine(void **state)
{
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    assert_int_equal(heed_thread_count(3), 3);
    assert_int_equal(heed_thread_count(100000), 256);
    int machine = heed_thread_count(0);
    assert_true(machine >= 1 && machine <= 256);
    assert_int_equal(heed_thread_count(-5), machine);
    setenv("OMP_NUM_THREADS", "5", 1);
    assert_int_equal(heed_thread_count(0), 5);
    assert_int_equal(heed_thread_count(2), 2);
    setenv("OMP_NUM_THREADS", "400", 1);
    assert_int_equal(heed_thread_count(0), 256);
    unsetenv("OMP_NUM_THREADS");
}

/* The rule of OpenMP: one positive integer or a list of them, with blanks around. */
static void thread_lists_are_those_of_openmp(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int first;
    } right[] = {
        {"1", 1},
        {"4,2", 4},
        {" 3 ", 3},
        {"\t5\n", 5},
        {" 6 , 2 , 1 ", 6},
        {"007", 7},
        {"2147483647", 2147483647},
    };
    static const char *const wrong[] = {"",      " ",    "many",        "-1",
                                        "0",     "0,4",  "4,0",         "4,",
                                        ",4",    "4,,2", "4 2",         "4,abc",
                                        "3500m", "1.0",  "1e3",         "+4",
                                        "0x4",   "4;2",  "99999999999", "99999999999999999999"};
    heed_threads threads;
    unsetenv("OMP_NUM_THREADS");
    int machine = heed_thread_count(0), first = 0;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_true(heed_thread_list_read(right[i].text, &first));
        assert_int_equal(first, right[i].first);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (heed_thread_list_read(wrong[i], &first))
            fail_msg("\"%s\" was taken for %d", wrong[i], first);
        setenv("OMP_NUM_THREADS", wrong[i], 1);
        heed_threads_choose(&threads, 0);
        assert_int_equal(threads.wished, machine);
        assert_non_null(strstr(threads.note, wrong[i]));
        heed_threads_choose(&threads, 2);
        assert_string_equal(threads.note, "");
        assert_int_equal(threads.why, HEED_THREADS_ASKED);
    }
    setenv("OMP_NUM_THREADS", "3,2", 1);
    heed_threads_choose(&threads, 0);
    assert_int_equal(threads.wished, 3);
    assert_int_equal(threads.why, HEED_THREADS_ENVIRONMENT);
    unsetenv("OMP_NUM_THREADS");
}

static void sizes_of_the_machine_make_sense(void **state)
{
    (void)state;
    const size_t l2 = heed_cache_level_bytes(2), l3 = heed_cache_level_bytes(3);
    assert_true(heed_processor_count() >= 1);
    assert_true(l2 % 1024 == 0 && l3 % 1024 == 0 && l2 < (size_t)1 << 32 && l3 < (size_t)1 << 40);
    assert_int_equal(heed_cache_level_bytes(9), 0);
}

static void the_processor_has_a_name(void **state)
{
    (void)state;
    char name[128] = "", small[4];
    heed_cpu_name(name, sizeof name);
    assert_true(strlen(name) > 0 && !strchr(name, '\n'));
    heed_cpu_name(small, sizeof small);
    assert_true(strlen(small) < sizeof small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_lowers_the_level),
        cmocka_unit_test(threads_come_from_wish_environment_or_machine),
        cmocka_unit_test(thread_lists_are_those_of_openmp),
        cmocka_unit_test(the_processor_has_a_name),
        cmocka_unit_test(sizes_of_the_machine_make_sense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
