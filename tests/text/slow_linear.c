#include "hostile_texts.h"

static void ten_megabytes(void **state)
{
    (void)state;
    survive_kinds(7, 10000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ten_megabytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
