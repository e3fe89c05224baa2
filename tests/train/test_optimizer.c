/* The optimizers and clipping against torch.optim (fixture optim); bits over threads; state through
   a file. */
#include "train/optimizer.h"

#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "cpu/gemm/gemm.h"
#include "support/test.h"
#include <math.h>

enum { A = 30, B = 5 };

static const heed_backend plain_backend = {.name = "test"};

typedef struct pair {
    float a[A], b[B], da[A], db[B];
} pair;

static const int64_t shape_a[] = {6, 5}, shape_b[] = {5};

static void read_tensor(const heed_safetensors *file, const char *name, float *values, size_t count)
{
    const heed_stored_tensor *tensor = heed_safetensors_find(file, name);
    if (tensor == NULL) fail_msg("no tensor %s", name);
    assert_int_equal(tensor->bytes, count * sizeof(float));
    memcpy(values, tensor->data, tensor->bytes);
}

static heed_optimizer *pair_optimizer(pair *p, const heed_optimizer_options *options)
{
    heed_optimizer_tensor tensors[] = {
        {"a", 2, shape_a, p->a, p->da, true, NULL, 0},
        {"b", 1, shape_b, p->b, p->db, true, NULL, 0},
    };
    heed_optimizer *opt = NULL;
    assert_ok(heed_optimizer_new(&opt, options, tensors, 2, &plain_backend, &error));
    return opt;
}

static void compare(const char *what, int step, const float *found, const float *expected, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(found[i] - expected[i]) <= 3e-7f * fmaxf(1, fabsf(expected[i]))))
            fail_msg("%s, update %d, element %d: expected %.9g, found %.9g", what, step, i,
                     expected[i], found[i]);
}

/* Options of one entry of the fixture; false for rules that heed does not have. */
static bool options_of(heed_optimizer_options *o, const char *name, const json_t *entry)
{
    static const struct {
        const char *name;
        heed_optimizer_kind kind;
    } rows[] = {
        {"sgd", HEED_OPTIMIZER_SGD},          {"sgd_mom", HEED_OPTIMIZER_SGD},
        {"sgd_nesterov", HEED_OPTIMIZER_SGD}, {"adam", HEED_OPTIMIZER_ADAM},
        {"adamw", HEED_OPTIMIZER_ADAMW},      {"amsgrad", HEED_OPTIMIZER_ADAMW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name) != 0) continue;
        *o = heed_optimizer_default(rows[i].kind);
        /* torch's default, where the entry says none */
        if (rows[i].kind == HEED_OPTIMIZER_ADAMW) o->weight_decay = 0.01;
        assert_ok(heed_json_number(entry, "weight_decay", &o->weight_decay, name, &error));
        assert_ok(heed_json_number(entry, "momentum", &o->momentum, name, &error));
        assert_ok(heed_json_number(entry, "dampening", &o->dampening, name, &error));
        assert_ok(heed_json_number(entry, "eps", &o->eps, name, &error));
        assert_ok(heed_json_boolean(entry, "nesterov", &o->nesterov, name, &error));
        assert_ok(heed_json_boolean(entry, "amsgrad", &o->amsgrad, name, &error));
        json_t *betas = json_object_get(entry, "betas");
        if (betas != NULL) {
            o->beta1 = json_number_value(json_array_get(betas, 0));
            o->beta2 = json_number_value(json_array_get(betas, 1));
        }
        return true;
    }
    return false;
}

static void test_fixture(void **state)
{
    (void)state;
    json_t *oracle = NULL, *entry;
    heed_safetensors *file = NULL;
    assert_ok(heed_json_read(&oracle, HEED_FIXTURES "/optim/oracle.json", &error));
    assert_ok(
        heed_safetensors_open_whole(&file, HEED_FIXTURES "/optim/oracle.safetensors", &error));
    const char *name;
    int checked = 0;
    json_object_foreach(json_object_get(oracle, "optimizers"), name, entry)
    {
        heed_optimizer_options options;
        if (!options_of(&options, name, entry)) continue;
        pair p;
        read_tensor(file, "in.a", p.a, A);
        read_tensor(file, "in.b", p.b, B);
        heed_optimizer *opt = pair_optimizer(&p, &options);
        for (int step = 0; step < 6; step++, checked++) {
            char key[64];
            float expected[A];
            snprintf(key, sizeof key, "in.grad.a.%d", step);
            read_tensor(file, key, p.da, A);
            snprintf(key, sizeof key, "in.grad.b.%d", step);
            read_tensor(file, key, p.db, B);
            heed_optimizer_step(opt, json_number_value(json_object_get(entry, "lr")), 1);
            snprintf(key, sizeof key, "%s.a.%d", name, step);
            read_tensor(file, key, expected, A);
            compare(key, step, p.a, expected, A);
            snprintf(key, sizeof key, "%s.b.%d", name, step);
            read_tensor(file, key, expected, B);
            compare(key, step, p.b, expected, B);
            for (int i = 0; i < A; i++) assert_true(p.da[i] == 0);
        }
        heed_optimizer_free(opt);
    }
    assert_int_equal(checked, 6 * 6);
    heed_safetensors_close(file);
    json_decref(oracle);
}

static void test_clipping(void **state)
{
    (void)state;
    heed_safetensors *file = NULL;
    assert_ok(
        heed_safetensors_open_whole(&file, HEED_FIXTURES "/optim/oracle.safetensors", &error));
    float x[12] = {0}, y[7] = {0}, dx[12], dy[7], expected[12], norm;
    int64_t n = 12, m = 7;
    read_tensor(file, "clip.in.0", dx, 12);
    read_tensor(file, "clip.in.1", dy, 7);
    read_tensor(file, "clip.norm", &norm, 1);
    heed_optimizer_tensor tensors[] = {
        {"x", 1, &n, x, dx, false, NULL, 0},
        {"y", 1, &m, y, dy, false, NULL, 0},
    };
    heed_optimizer_options options = heed_optimizer_default(HEED_OPTIMIZER_SGD);
    heed_optimizer *opt = NULL;
    assert_ok(heed_optimizer_new(&opt, &options, tensors, 2, &plain_backend, &error));
    double found = heed_optimizer_norm(opt);
    assert_true(fabs(found - norm) < 1e-6 * norm);
    /* from zero, a step of 1 leaves minus the clipped gradient */
    heed_optimizer_step(opt, 1, heed_clip_factor(found, 1.5));
    for (int i = 0; i < 12; i++) x[i] = -x[i];
    for (int i = 0; i < 7; i++) y[i] = -y[i];
    read_tensor(file, "clip.out.0", expected, 12);
    compare("clip.out.0", 0, x, expected, 12);
    read_tensor(file, "clip.out.1", expected, 7);
    compare("clip.out.1", 0, y, expected, 7);
    assert_true(heed_clip_factor(1.0, 1.5) == 1 && heed_clip_factor(100, 0) == 1);
    dx[3] = NAN;
    assert_false(isfinite(heed_optimizer_norm(opt)));
    heed_optimizer_free(opt);
    heed_safetensors_close(file);
}

/* A tensor of several blocks and a short tail. */
enum { LARGE = 3 * 16384 + 77 };
static const int64_t large_shape[] = {LARGE};

static double train_large(float *value, float *gradient, const heed_backend *backend)
{
    heed_rng rng = {7, 1, 0};
    for (int i = 0; i < LARGE; i++) value[i] = (float)heed_rng_normal(&rng);
    heed_optimizer_options options = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    options.weight_decay = 0.1;
    heed_optimizer_tensor tensor = {"large", 1, large_shape, value, gradient, true, NULL, 0};
    heed_optimizer *opt = NULL;
    assert_ok(heed_optimizer_new(&opt, &options, &tensor, 1, backend, &error));
    double norm = 0;
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < LARGE; i++) gradient[i] = (float)heed_rng_normal(&rng);
        norm = heed_optimizer_norm(opt);
        heed_optimizer_step(opt, 0.01, heed_clip_factor(norm, 1));
    }
    heed_optimizer_free(opt);
    return norm;
}

static void test_threads_and_instructions_give_equal_bits(void **state)
{
    (void)state;
    float *one = malloc(LARGE * 4), *many = malloc(LARGE * 4), *gradient = malloc(LARGE * 4);
    double norm = train_large(one, gradient, &plain_backend);
    for (heed_isa isa = HEED_ISA_GENERIC; isa <= heed_isa_detect(); isa++)
        for (int threads = 1; threads <= 4; threads++) {
            heed_backend *backend = NULL;
            assert_ok(heed_cpu_backend_new(&backend, threads, isa, &error));
            double again = train_large(many, gradient, backend);
            assert_memory_equal(&norm, &again, sizeof norm);
            assert_memory_equal(one, many, LARGE * 4);
            heed_cpu_backend_free(backend);
        }
    free(one);
    free(many);
    free(gradient);
}

/* Matrices in a tensor, with elements before, between and after that have no copy. */
typedef struct matrix {
    size_t begin;
    int64_t rows, columns;
} matrix;
static const matrix matrices[] = {
    {7, 1, 1}, {8, 33, 37}, {1500, 64, 300}, {21000, 3, 9001}, {48003, 100, 2}};
enum { MATRICES = sizeof matrices / sizeof *matrices, COPIED = 48003 + 200 + 11 };

/* Both panels of a copy hold the rounded elements of its rows, which begin at `value`. */
static void check_copy(heed_isa isa, const heed_packed_weight *copy, const float *value)
{
    size_t first = 0, bytes = 0;
    float row[9001];
    assert_true(heed_gemm_copy_bytes(isa, copy->rows, copy->columns, &first, &bytes));
    const heed_gemm_panels own = {copy->data, isa, HEED_BF16, copy->rows, copy->columns};
    const heed_gemm_panels turned = {(char *)copy->data + first, isa, HEED_BF16, copy->columns,
                                     copy->rows};
    for (int64_t i = 0; i < copy->rows; i++) {
        heed_gemm_gather(&own, i, row);
        for (int64_t j = 0; j < copy->columns; j++) {
            const float expected = heed_round_operand(value[i * copy->columns + j]);
            if (memcmp(&expected, &row[j], 4) != 0)
                fail_msg("row %d, column %d of a copy: expected %.9g, found %.9g", (int)i, (int)j,
                         expected, row[j]);
        }
    }
    for (int64_t j = 0; j < copy->columns; j++) {
        heed_gemm_gather(&turned, j, row);
        for (int64_t i = 0; i < copy->rows; i++) {
            const float expected = heed_round_operand(value[i * copy->columns + j]);
            if (memcmp(&expected, &row[i], 4) != 0)
                fail_msg("column %d, row %d of a copy: expected %.9g, found %.9g", (int)j, (int)i,
                         expected, row[i]);
        }
    }
}

/* Updates with copies: into `value`, which the copies follow. */
static void train_copied(const heed_backend *backend, heed_optimizer_kind kind, float *value,
                         float *gradient)
{
    heed_rng rng = {9, 1, 0};
    heed_parameter_copy copies[MATRICES];
    int64_t shape = COPIED;
    for (int i = 0; i < MATRICES; i++) {
        size_t bytes = 0;
        assert_true(
            backend->packing->copy_bytes(backend, matrices[i].rows, matrices[i].columns, &bytes));
        copies[i] = (heed_parameter_copy){
            matrices[i].begin,
            {heed_allocate_aligned(bytes), HEED_BF16, matrices[i].rows, matrices[i].columns}};
        assert_non_null(copies[i].packed.data);
        memset(copies[i].packed.data, 0x5A, bytes);
    }
    for (int i = 0; i < COPIED; i++)
        value[i] = i % 5 == 0 ? 1e-39f * (float)heed_rng_normal(&rng)
                              : (float)heed_rng_normal(&rng);
    heed_optimizer_options options = heed_optimizer_default(kind);
    heed_optimizer_tensor tensor = {"copied", 1, &shape, value, gradient, true, copies, MATRICES};
    heed_optimizer *opt = NULL;
    assert_ok(heed_optimizer_new(&opt, &options, &tensor, 1, backend, &error));
    for (int step = 0; step < 2; step++) {
        for (int i = 0; i < COPIED; i++)
            gradient[i] = i % 5 == 0 ? 0 : (float)heed_rng_normal(&rng);
        heed_optimizer_step(opt, 0.01, 1);
        for (int i = 0; i < MATRICES; i++)
            check_copy(backend->isa, &copies[i].packed, value + copies[i].begin);
    }
    heed_optimizer_free(opt);
    for (int i = 0; i < MATRICES; i++) heed_free_aligned(copies[i].packed.data);
}

static void test_copies_follow_every_update(void **state)
{
    (void)state;
    float *one = malloc(COPIED * 4), *many = malloc(COPIED * 4), *gradient = malloc(COPIED * 4);
    for (int kind = 0; kind < HEED_OPTIMIZER_COUNT; kind++) {
        heed_backend *generic = NULL;
        assert_ok(heed_cpu_backend_new(&generic, 1, HEED_ISA_GENERIC, &error));
        train_copied(generic, (heed_optimizer_kind)kind, one, gradient);
        heed_cpu_backend_free(generic);
        for (heed_isa isa = HEED_ISA_GENERIC; isa <= heed_isa_detect(); isa++)
            for (int threads = 1; threads <= 3; threads++) {
                heed_backend *backend = NULL;
                assert_ok(heed_cpu_backend_new(&backend, threads, isa, &error));
                train_copied(backend, (heed_optimizer_kind)kind, many, gradient);
                assert_memory_equal(one, many, COPIED * 4);
                heed_cpu_backend_free(backend);
            }
    }
    free(one);
    free(many);
    free(gradient);
}

static void gradients_of_step(pair *p, int step)
{
    heed_rng rng = {3, (uint64_t)step, 0};
    for (int i = 0; i < A; i++) p->da[i] = (float)heed_rng_normal(&rng);
    for (int i = 0; i < B; i++) p->db[i] = (float)heed_rng_normal(&rng);
}

static void test_state_through_a_file(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    heed_optimizer_options sgd = heed_optimizer_default(HEED_OPTIMIZER_SGD), plain = sgd,
                           adam = heed_optimizer_default(HEED_OPTIMIZER_ADAMW);
    sgd.momentum = 0.9;
    adam.amsgrad = true;
    const heed_optimizer_options *all[] = {&sgd, &plain, &adam};
    for (int k = 0; k < 3; k++) {
        pair whole = {.a = {1, 2, 3}}, parted = whole;
        heed_optimizer *opt = pair_optimizer(&whole, all[k]);
        for (int step = 0; step < 5; step++) {
            gradients_of_step(&whole, step);
            heed_optimizer_step(opt, 0.1, 1);
        }
        heed_optimizer_free(opt);
        opt = pair_optimizer(&parted, all[k]);
        for (int step = 0; step < 3; step++) {
            gradients_of_step(&parted, step);
            heed_optimizer_step(opt, 0.1, 1);
        }
        assert_ok(heed_optimizer_save(opt, scratch_path(&work, "o.safetensors"), &error));
        heed_optimizer_free(opt);
        opt = pair_optimizer(&parted, all[k]);
        assert_ok(heed_optimizer_load(opt, work.path, 3, &error));
        assert_int_equal(heed_optimizer_steps(opt), 3);
        for (int step = 3; step < 5; step++) {
            gradients_of_step(&parted, step);
            heed_optimizer_step(opt, 0.1, 1);
        }
        assert_memory_equal(whole.a, parted.a, sizeof whole.a);
        assert_memory_equal(whole.b, parted.b, sizeof whole.b);
        heed_optimizer_free(opt);
    }
    /* o.safetensors now holds the state of `adam`, which no other rule takes */
    pair p = {0};
    heed_optimizer *opt = pair_optimizer(&p, &sgd);
    assert_fails(HEED_E_FORMAT, "momentum_buffer.a is missing",
                 heed_optimizer_load(opt, work.path, 3, &error));
    heed_optimizer_free(opt);
    adam.amsgrad = false;
    opt = pair_optimizer(&p, &adam);
    assert_fails(HEED_E_FORMAT, "6 tensors, expected 4",
                 heed_optimizer_load(opt, work.path, 3, &error));
    heed_optimizer_free(opt);
    int64_t other = 31;
    heed_optimizer_tensor tensor = {"a", 1, &other, p.a, p.da, true, NULL, 0};
    assert_ok(heed_optimizer_new(&opt, &adam, &tensor, 1, &plain_backend, &error));
    assert_fails(HEED_E_FORMAT, "exp_avg.a", heed_optimizer_load(opt, work.path, 3, &error));
    heed_optimizer_free(opt);
    scratch_remove(&work);
}

static void test_errors(void **state)
{
    (void)state;
    heed_optimizer_kind kind;
    assert_fails(HEED_E_ARG, "adamw, adam, sgd", heed_optimizer_by_name(&kind, "lion", &error));
    assert_ok(heed_optimizer_by_name(&kind, "sgd", &error));
    assert_string_equal(heed_optimizer_name(kind), "sgd");
    heed_optimizer_options adam = heed_optimizer_default(HEED_OPTIMIZER_ADAMW),
                           sgd = heed_optimizer_default(HEED_OPTIMIZER_SGD), o;
    heed_optimizer *opt;
    o = adam;
    o.beta2 = 1;
    assert_fails(HEED_E_ARG, "betas",
                 heed_optimizer_new(&opt, &o, NULL, 0, &plain_backend, &error));
    o = adam;
    o.eps = NAN;
    assert_fails(HEED_E_ARG, "eps", heed_optimizer_new(&opt, &o, NULL, 0, &plain_backend, &error));
    o = adam;
    o.weight_decay = -1;
    assert_fails(HEED_E_ARG, "weight decay",
                 heed_optimizer_new(&opt, &o, NULL, 0, &plain_backend, &error));
    o = sgd;
    o.momentum = 1;
    assert_fails(HEED_E_ARG, "momentum",
                 heed_optimizer_new(&opt, &o, NULL, 0, &plain_backend, &error));
    o = sgd;
    o.nesterov = true;
    assert_fails(HEED_E_ARG, "Nesterov",
                 heed_optimizer_new(&opt, &o, NULL, 0, &plain_backend, &error));
    assert_null(opt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixture),
        cmocka_unit_test(test_clipping),
        cmocka_unit_test(test_threads_and_instructions_give_equal_bits),
        cmocka_unit_test(test_copies_follow_every_update),
        cmocka_unit_test(test_state_through_a_file),
        cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
