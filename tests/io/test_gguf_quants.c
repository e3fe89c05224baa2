/* Block formats against fixture gguf-quants: blocks made by ggml, their numbers by gguf-py. */
#include "io/safetensors.h"
#include "support/test.h"
#include "tensor/dtype.h"
#include <ctype.h>
#include <math.h>

enum { ROWS = 4, COLUMNS = 512, COUNT = ROWS * COLUMNS };

static const heed_stored_tensor *of_type(const heed_safetensors *file, heed_dtype dtype,
                                         const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", heed_dtypes[dtype].name, what);
    for (char *c = name; *c && *c != '.'; c++) *c = (char)toupper((unsigned char)*c);
    return heed_safetensors_find(file, name);
}

static double error_of(const float *values, const float *x)
{
    double sum = 0;
    for (int i = 0; i < COUNT; i++) sum += ((double)values[i] - x[i]) * ((double)values[i] - x[i]);
    return sqrt(sum / COUNT);
}

static heed_safetensors *open_oracle(void)
{
    heed_safetensors *file;
    assert_ok(heed_safetensors_open_whole(&file, HEED_FIXTURES "/gguf-quants/oracle.safetensors",
                                          &error));
    return file;
}

static void numbers_of_blocks_equal_the_oracle_to_the_bit(void **state)
{
    (void)state;
    heed_safetensors *file = open_oracle();
    static float values[COUNT], expected[COUNT];
    int formats = 0;
    for (int i = 0; i < HEED_DTYPE_COUNT; i++) {
        const heed_stored_tensor *raw = of_type(file, (heed_dtype)i, "raw"),
                                 *numbers = of_type(file, (heed_dtype)i, "dequant");
        if (!raw) {
            assert_false(heed_dtype_is_quantized((heed_dtype)i));
            continue;
        }
        assert_int_equal(raw->bytes, heed_dtype_bytes((heed_dtype)i, COUNT));
        heed_convert(values, HEED_F32, raw->data, (heed_dtype)i, COUNT);
        memcpy(expected, numbers->data, sizeof expected);
        for (int j = 0; j < COUNT; j++)
            if (values[j] != expected[j])
                fail_msg("%s: number %d is %.9g, expected %.9g", heed_dtypes[i].name, j, values[j],
                         expected[j]);
        formats++;
    }
    assert_int_equal(formats, 17);
    heed_safetensors_close(file);
}

static void encoding_loses_no_more_than_ggml(void **state)
{
    (void)state;
    heed_safetensors *file = open_oracle();
    static float x[COUNT], values[COUNT], theirs[COUNT];
    static uint8_t blocks[COUNT * 4];
    memcpy(x, heed_safetensors_find(file, "in.x")->data, sizeof x);
    for (int i = 0; i < HEED_DTYPE_COUNT; i++) {
        if (!heed_dtypes[i].encode) continue;
        memcpy(theirs, of_type(file, (heed_dtype)i, "dequant")->data, sizeof theirs);
        heed_convert(blocks, (heed_dtype)i, x, HEED_F32, COUNT);
        heed_convert(values, HEED_F32, blocks, (heed_dtype)i, COUNT);
        double own = error_of(values, x), other = error_of(theirs, x);
        print_message("%-7s rms error %.5f, ggml %.5f\n", heed_dtypes[i].name, own, other);
        if (!(own <= 1.02 * other))
            fail_msg("%s: rms error %.6f, ggml's %.6f", heed_dtypes[i].name, own, other);
    }
    heed_safetensors_close(file);
}

/* Blocks of zeros, of one number, of huge, tiny and unordered numbers: numbers come back within a
   step, nothing traps. */
static void odd_blocks_survive(void **state)
{
    (void)state;
    static float values[HEED_MAX_QBLOCK], back[HEED_MAX_QBLOCK];
    static uint8_t blocks[HEED_MAX_QBLOCK * 4];
    static const float scales[] = {0, 1, -1, 1e-30f, 6e4f, 3e38f, INFINITY, NAN};
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        for (size_t s = 0; heed_dtypes[i].encode && s < sizeof scales / sizeof *scales; s++) {
            for (int j = 0; j < HEED_MAX_QBLOCK; j++) values[j] = scales[s];
            heed_convert(blocks, (heed_dtype)i, values, HEED_F32, HEED_MAX_QBLOCK);
            heed_convert(back, HEED_F32, blocks, (heed_dtype)i, HEED_MAX_QBLOCK);
            for (int j = 0; s < 5 && j < HEED_MAX_QBLOCK; j++)
                assert_true(fabsf(back[j] - values[j]) <= 0.07f * fabsf(values[j]) + 1e-7f);
        }
}

static void parts_of_blocks_are_filled_with_zeros(void **state)
{
    (void)state;
    float values[40], back[64];
    uint8_t blocks[68];
    for (int i = 0; i < 40; i++) values[i] = (float)(i - 20);
    heed_convert(blocks, HEED_Q8_0, values, HEED_F32, 40);
    heed_convert(back, HEED_F32, blocks, HEED_Q8_0, 64);
    for (int i = 0; i < 64; i++) assert_true(fabsf(back[i] - (i < 40 ? values[i] : 0)) < 0.1f);
    float some[5];
    heed_convert(some, HEED_F32, blocks, HEED_Q8_0, 5);
    for (int i = 0; i < 5; i++) assert_true(some[i] == back[i]);
    uint8_t again[40]; /* from blocks to another kind of blocks */
    heed_convert(again, HEED_Q4_1, blocks, HEED_Q8_0, 64);
    heed_convert(back, HEED_F32, again, HEED_Q4_1, 64);
    for (int i = 0; i < 40; i++) assert_true(fabsf(back[i] - values[i]) < 1.3f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_blocks_equal_the_oracle_to_the_bit),
        cmocka_unit_test(encoding_loses_no_more_than_ggml), cmocka_unit_test(odd_blocks_survive),
        cmocka_unit_test(parts_of_blocks_are_filled_with_zeros)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
