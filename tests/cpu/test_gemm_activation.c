#include "cpu/gemm_case.h"

/* The activations as seen through a matmul with an empty sum: C = f(0 + bias). */
enum { COUNT = 20003 };

static void apply(heed_isa isa, int kind, const float *x, float *y, int64_t count)
{
    heed_gemm gemm = {.m = 1, .n = count, .c = y, .c_stride = count, .bias = x, .activation = kind};
    run_all(&gemm, isa, heed_gemm_parts(&gemm, isa), 0);
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double gelu(double x)
{
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
}
static double clip(double x, double low, double high)
{
    if (x < low) return low;
    return x > high ? high : x;
}

static double hardswish(double x)
{
    if (x <= -3) return 0;
    return x >= 3 ? x : x * (x + 3) / 6;
}

static const char *const names[] = {
#define HEED_UNARY(symbol, name, formula, derivative) name,
#include <heed/unaries.def>
#undef HEED_UNARY
};

static double expected(int kind, double x)
{
    switch (kind) {
    case HEED_UNARY_LINEAR: return x;
    case HEED_UNARY_RELU: return x > 0 ? x : 0;
    case HEED_UNARY_RELU2: return x > 0 ? x * x : 0;
    case HEED_UNARY_RELU6: return clip(x, 0, 6);
    case HEED_UNARY_LEAKY_RELU: return x > 0 ? x : 0.01 * x;
    case HEED_UNARY_GELU: return gelu(x);
    case HEED_UNARY_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case HEED_UNARY_GELU_FAST:
        return 0.5 * x * (1 + tanh(x * 0.7978845608 * (1 + 0.044715 * x * x)));
    case HEED_UNARY_GELU_10: return clip(gelu(x), -10, 10);
    case HEED_UNARY_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case HEED_UNARY_SILU: return x / (1 + exp(-x));
    case HEED_UNARY_MISH: return x * tanh(softplus(x));
    case HEED_UNARY_LAPLACE:
        return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * 1.41421356237309504880)));
    case HEED_UNARY_HARDSWISH: return hardswish(x);
    case HEED_UNARY_TANH: return tanh(x);
    case HEED_UNARY_SIGMOID: return 1 / (1 + exp(-x));
    case HEED_UNARY_EXP: return exp(x);
    case HEED_UNARY_LOG: return log(x);
    case HEED_UNARY_SQRT: return sqrt(x);
    case HEED_UNARY_RSQRT: return 1 / sqrt(x);
    case HEED_UNARY_SQUARE: return x * x;
    case HEED_UNARY_ABS: return fabs(x);
    case HEED_UNARY_NEGATE: return -x;
    case HEED_UNARY_SOFTPLUS: return softplus(x);
    case HEED_UNARY_SQRT_SOFTPLUS: return sqrt(softplus(x));
    default:
        fail_msg("no formula for \"%s\": add a case with that of include/heed/unaries.def to "
                 "expected() in tests/cpu/test_gemm_activation.c",
                 names[kind]);
        return 0;
    }
}

/* Units in the last place of f32 at `exact`. */
static double ulp(double exact)
{
    int exponent;
    frexp(exact, &exponent);
    return ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

/* The primitives promise two units in the last place, what is built of them an error relative to
   max(1, |y|). */
static bool is_close(int kind, float got, double want)
{
    if (isnan(want) || isinf((float)want)) return same_bits(got, (float)want);
    const bool primitive = kind == HEED_UNARY_EXP || kind == HEED_UNARY_TANH ||
                           kind == HEED_UNARY_LOG;
    const double allowed = primitive ? 2 * ulp(want) : 3e-6 * fmax(1, fabs(want));
    return fabs(got - want) <= allowed;
}

/* Arguments of all sizes and the awkward ones. */
static void arguments(float *x)
{
    static const float special[] = {0,         -0.0f,    INFINITY, -INFINITY, NAN,        1,
                                    -1,        3,        -3,       6,         88.722839f, 88.72284f,
                                    -87.5f,    -103.97f, -103.98f, -200,      200,        0x1p-149f,
                                    0x1p-126f, 0.625f,   3.95f,    3e38f,     -3e38f,     20};
    for (int i = 0; i < COUNT; i++) {
        static const float scales[] = {1, 10, 110};
        const float scale = scales[random_below(3)];
        x[i] = random_float() * scale;
    }
    memcpy(x, special, sizeof special);
}

static void activations_are_accurate_and_alike_everywhere(void **state)
{
    (void)state;
    guarded x = guarded_new(COUNT * 4), y = guarded_new(COUNT * 4), first = guarded_new(COUNT * 4);
    arguments(x.data);
    for (int kind = 0; kind < HEED_UNARY_COUNT; kind++) {
        for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++) {
            apply((heed_isa)isa, kind, x.data, isa ? y.data : first.data, COUNT);
            for (int i = 0; i < COUNT; i++) {
                float at = 0 + ((float *)x.data)[i],
                      got = ((float *)(isa ? y.data : first.data))[i];
                if (isa) {
                    assert_true(same_bits(got, ((float *)first.data)[i]));
                    continue;
                }
                double want = expected(kind, at);
                /* NaN only where the formula has NaN; max(x, 0) may swallow one */
                if (isnan(at) || isinf(at)) {
                    if (isnan(want)) assert_true(isnan(got));
                    else if (!isnan(at)) assert_true(got == (float)want || fabs(got - want) < 1e-6);
                    continue;
                }
                if (!is_close(kind, got, want))
                    fail_msg("%s of %.9g: %.9g, expected %.9g (%.2f ulp)", names[kind], at, got,
                             want, fabs(got - want) / ulp(want));
            }
        }
    }
    guarded_free(&x);
    guarded_free(&y);
    guarded_free(&first);
}

/* An element's result does not depend on where in a vector, or in a tail, it stands. */
static void position_does_not_matter(void **state)
{
    (void)state;
    guarded x = random_floats(131), whole = guarded_new(131 * 4), piece = guarded_new(131 * 4);
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (int kind = 0; kind < HEED_UNARY_COUNT; kind++) {
            apply((heed_isa)isa, kind, x.data, whole.data, 131);
            for (int first = 0; first < 131; first += 3)
                for (int count = 1; count <= 131 - first && count < 40; count += 5) {
                    apply((heed_isa)isa, kind, (float *)x.data + first, piece.data, count);
                    for (int i = 0; i < count; i++)
                        assert_true(
                            same_bits(((float *)piece.data)[i], ((float *)whole.data)[first + i]));
                }
        }
    guarded_free(&x);
    guarded_free(&whole);
    guarded_free(&piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_are_accurate_and_alike_everywhere),
        cmocka_unit_test(position_does_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
