#include "checkpoint_kill.h"

static void two_hundred_kills_leave_a_loadable_checkpoint(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    kill_many(scratch_path(&work, "run"), 200, 2);
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_kills_leave_a_loadable_checkpoint)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
