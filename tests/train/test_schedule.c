/* The schedules against the rates that transformers computes (fixture optim), and their errors. */
#include "train/schedule.h"

#include "base/json.h"
#include "support/test.h"
#include <math.h>

static heed_schedule schedule_of(const char *name, const json_t *entry)
{
    heed_schedule_kind kind = HEED_SCHEDULE_COUNT;
    assert_ok(heed_schedule_by_name(&kind, name, &error));
    assert_string_equal(heed_schedule_name(kind), name);
    heed_schedule s = heed_schedule_default(kind);
    static const struct {
        const char *key;
        size_t offset;
    } numbers[] = {
        {"base_lr", offsetof(heed_schedule, rate)},
        {"num_cycles", offsetof(heed_schedule, cycles)},
        {"lr_end", offsetof(heed_schedule, end)},
        {"power", offsetof(heed_schedule, power)},
        {"min_lr_rate", offsetof(heed_schedule, minimum)},
        {"min_lr_ratio", offsetof(heed_schedule, minimum)},
    };
    static const struct {
        const char *key;
        size_t offset;
    } integers[] = {
        {"warmup", offsetof(heed_schedule, warmup)},
        {"total", offsetof(heed_schedule, total)},
        {"num_decay_steps", offsetof(heed_schedule, decay)},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_ok(heed_json_number(entry, numbers[i].key,
                                   (double *)((char *)&s + numbers[i].offset), name, &error));
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_ok(heed_json_integer(entry, integers[i].key,
                                    (int64_t *)((char *)&s + integers[i].offset), name, &error));
    return s;
}

static void test_fixture(void **state)
{
    (void)state;
    json_t *oracle = NULL;
    assert_ok(heed_json_read(&oracle, HEED_FIXTURES "/optim/oracle.json", &error));
    json_t *schedules = json_object_get(oracle, "schedules"), *entry;
    assert_int_equal(json_object_size(schedules), 8);
    const char *name;
    size_t compared = 0;
    json_object_foreach(schedules, name, entry)
    {
        heed_schedule s = schedule_of(name, entry);
        assert_ok(heed_schedule_check(&s, &error));
        json_t *rates = json_object_get(entry, "lr");
        for (size_t step = 0; step < json_array_size(rates); step++, compared++) {
            double expected = json_number_value(json_array_get(rates, step)),
                   found = heed_schedule_rate(&s, (int64_t)step);
            if (fabs(found - expected) > 2e-16 * fmax(1, fabs(expected)))
                fail_msg("%s, step %zu: expected %.17g, found %.17g", name, step, expected, found);
        }
    }
    assert_int_equal(compared, 8 * 32);
    json_decref(oracle);
}

static void test_plain_rules(void **state)
{
    (void)state;
    heed_schedule s = heed_schedule_default(HEED_SCHEDULE_CONSTANT);
    s.rate = 0.25;
    s.total = 10;
    s.warmup = 4;
    /* as in transformers, "constant" has no warm-up */
    assert_true(heed_schedule_rate(&s, 0) == 0.25);
    s = heed_schedule_default(HEED_SCHEDULE_INVERSE_SQRT);
    s.rate = 1;
    s.total = 10;
    /* without warm-up the time scale is 10,000 */
    assert_true(heed_schedule_rate(&s, 30000) == 0.5);
    s = heed_schedule_default(HEED_SCHEDULE_COSINE);
    s.rate = 1;
    s.total = 1;
    assert_true(heed_schedule_rate(&s, 0) == 1 && heed_schedule_rate(&s, 1) == 0);
    s = heed_schedule_default(HEED_SCHEDULE_WARMUP_STABLE_DECAY);
    s.rate = 1;
    s.total = 4;
    s.decay = 4;
    assert_true(heed_schedule_rate(&s, 0) == 1 && heed_schedule_rate(&s, 4) == 0 &&
                fabs(heed_schedule_rate(&s, 2) - 0.5) < 1e-15);
}

static void test_errors(void **state)
{
    (void)state;
    heed_schedule_kind kind;
    assert_fails(HEED_E_ARG, "warmup_stable_decay", heed_schedule_by_name(&kind, "cosin", &error));
    heed_schedule good = heed_schedule_default(HEED_SCHEDULE_POLYNOMIAL), s;
    good.rate = 0.1;
    good.total = 10;
    assert_ok(heed_schedule_check(&good, &error));
    s = good;
    s.rate = NAN;
    assert_fails(HEED_E_ARG, "learning rate", heed_schedule_check(&s, &error));
    s = good;
    s.rate = -1;
    assert_fails(HEED_E_ARG, "learning rate", heed_schedule_check(&s, &error));
    s = good;
    s.total = 0;
    assert_fails(HEED_E_ARG, "steps", heed_schedule_check(&s, &error));
    s = good;
    s.warmup = -1;
    assert_fails(HEED_E_ARG, "warm-up -1", heed_schedule_check(&s, &error));
    s = good;
    s.end = 0.2;
    assert_fails(HEED_E_ARG, "last learning rate", heed_schedule_check(&s, &error));
    s = good;
    s.minimum = 2;
    assert_fails(HEED_E_ARG, "lowest", heed_schedule_check(&s, &error));
    s = good;
    s.power = INFINITY;
    assert_fails(HEED_E_ARG, "power", heed_schedule_check(&s, &error));
    good.kind = HEED_SCHEDULE_WARMUP_STABLE_DECAY;
    s = good;
    s.decay = 6;
    s.warmup = 5;
    assert_fails(HEED_E_ARG, "do not fit", heed_schedule_check(&s, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixture),
                                       cmocka_unit_test(test_plain_rules),
                                       cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
