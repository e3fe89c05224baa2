/* The backend as a whole: threads do not change bits, sessions on several threads share one pool,
   and what a machine lacks is refused. */
#include "cpu/backend.h"

#include "graph/sample.h"
#include <pthread.h>

static heed_backend *backend_new(int threads, heed_isa isa)
{
    heed_backend *backend = NULL;
    heed_error error = {0};
    if (heed_cpu_backend_new(&backend, threads, isa, &error) != HEED_OK)
        fail_msg("%s", error.message);
    return backend;
}

static heed_plan *plan_new(const sample *s, const heed_backend *backend)
{
    heed_error error = {0};
    heed_plan *plan = NULL;
    if (heed_plan_new(s->graph, backend, NULL, &plan, &error) != HEED_OK)
        fail_msg("%s", error.message);
    return plan;
}

/* The elements of an output one after the other; to be freed. */
static float *output_of(const heed_plan *plan, const heed_workspace *workspace, const char *name,
                        size_t *count)
{
    heed_operand x;
    assert_int_equal(heed_plan_output(plan, workspace, name, &x, NULL), HEED_OK);
    int64_t rows = heed_shape_rows(x.shape), columns = heed_shape_columns(x.shape);
    float *elements = malloc((size_t)(rows * columns + 1) * sizeof *elements);
    assert_non_null(elements);
    for (int64_t i = 0; i < rows; i++)
        memcpy(elements + i * columns, (float *)x.data + i * x.row_stride,
               (size_t)columns * sizeof *elements);
    *count = (size_t)(rows * columns);
    return elements;
}

static void assert_same_output(const char *name, int threads, const heed_plan *a,
                               const heed_workspace *wa, const heed_plan *b,
                               const heed_workspace *wb)
{
    size_t n, m;
    float *x = output_of(a, wa, name, &n), *y = output_of(b, wb, name, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++)
        if (memcmp(&x[i], &y[i], sizeof *x))
            fail_msg("%s, element %zu: %.9g with one thread, %.9g with %d", name, i, x[i], y[i],
                     threads);
    free(x);
    free(y);
}

/* Logits, loss and gradients, those of a training step with dropout, recomputation and accumulation
   included. */
static void threads_do_not_change_bits(void **state)
{
    (void)state;
    static const int lengths[] = {70, 1, 33, 2, 100, 64}, threads[] = {2, 3, 7};
    enum { COUNT = sizeof lengths / sizeof *lengths };
    /* clang-format off */
    static const sample_options kinds[] = {
        {.rows = 512, .sequences = 8, .constant = true},
        {.rows = 512, .sequences = 8, .gradients = true, .dropout = 0.2f},
        {.rows = 512, .sequences = 8, .gradients = true, .accumulate = true, .checkpoints = true,
         .dropout = 0.2f},
    };
    /* clang-format on */
    for (int isa = HEED_ISA_GENERIC; isa <= (int)heed_isa_detect(); isa++)
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                heed_backend *alone = backend_new(1, (heed_isa)isa),
                             *many = backend_new(threads[t], (heed_isa)isa);
                heed_workspace *wa = heed_workspace_new(), *wb = heed_workspace_new();
                heed_error error = {0};
                sample a, b;
                sample_build(&a, &kinds[kind]);
                sample_build(&b, &kinds[kind]);
                heed_plan *pa = plan_new(&a, alone), *pb = plan_new(&b, many);
                for (int run = 0; run < 2; run++) {
                    assert_int_equal(
                        sample_run(&a, pa, wa, (sample_batch){lengths, COUNT}, NULL, &error),
                        HEED_OK);
                    assert_int_equal(
                        sample_run(&b, pb, wb, (sample_batch){lengths, COUNT}, NULL, &error),
                        HEED_OK);
                }
                assert_same_output("logits", threads[t], pa, wa, pb, wb);
                assert_same_output("loss", threads[t], pa, wa, pb, wb);
                for (int i = 0; kinds[kind].gradients && i < a.n_weights; i++) {
                    char name[32];
                    snprintf(name, sizeof name, "gradient.%d", i);
                    size_t bytes = (size_t)heed_shape_elements(
                                       heed_value_shape(a.graph, a.weights[i])) *
                                   sizeof(float);
                    if (!kinds[kind].accumulate)
                        assert_same_output(name, threads[t], pa, wa, pb, wb);
                    else assert_memory_equal(a.states[i], b.states[i], bytes);
                }
                heed_plan_free(pa);
                heed_plan_free(pb);
                heed_workspace_free(wa);
                heed_workspace_free(wb);
                sample_free(&a);
                sample_free(&b);
                heed_cpu_backend_free(alone);
                heed_cpu_backend_free(many);
            }
}

enum { SESSIONS = 4, RUNS = 12 };
typedef struct session {
    const sample *s;
    const heed_plan *plan;
    int lengths[2];
    float *expected;
    size_t count;
    int wrong;
} session;

/* Each has a workspace of its own; the plan, the weights and the pool are everybody's. */
static void *run_often(void *argument)
{
    session *own = argument;
    heed_workspace *workspace = heed_workspace_new();
    for (int run = 0; run < RUNS; run++) {
        heed_error error = {0};
        size_t count = 0;
        heed_status status = sample_run(own->s, own->plan, workspace,
                                        (sample_batch){own->lengths, 2}, NULL, &error);
        float *found = output_of(own->plan, workspace, "logits", &count);
        own->wrong += status != HEED_OK || count != own->count ||
                      memcmp(found, own->expected, count * sizeof *found) != 0;
        free(found);
    }
    heed_workspace_free(workspace);
    return NULL;
}

static void sessions_queue_on_one_pool(void **state)
{
    (void)state;
    sample s;
    sample_build(&s, &(sample_options){.rows = 128, .sequences = 2, .constant = true});
    heed_isa isa = HEED_ISA_GENERIC;
    heed_error error = {0};
    assert_int_equal(heed_isa_choose(&isa, &error), HEED_OK);
    heed_backend *backend = backend_new(3, isa);
    heed_plan *plan = plan_new(&s, backend);
    session sessions[SESSIONS];
    pthread_t threads[SESSIONS];
    for (int i = 0; i < SESSIONS; i++) {
        heed_workspace *workspace = heed_workspace_new();
        sessions[i] = (session){.s = &s, .plan = plan, .lengths = {5 + 19 * i, 64 - 7 * i}};
        assert_int_equal(
            sample_run(&s, plan, workspace, (sample_batch){sessions[i].lengths, 2}, NULL, &error),
            HEED_OK);
        sessions[i].expected = output_of(plan, workspace, "logits", &sessions[i].count);
        heed_workspace_free(workspace);
    }
    for (int i = 0; i < SESSIONS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_often, &sessions[i]), 0);
    for (int i = 0; i < SESSIONS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal(sessions[i].wrong, 0);
        free(sessions[i].expected);
    }
    heed_plan_free(plan);
    heed_cpu_backend_free(backend);
    sample_free(&s);
}

static void what_the_machine_lacks_is_refused(void **state)
{
    (void)state;
    heed_backend *backend = NULL;
    heed_error error = {0};
    heed_cpu_backend_free(NULL);
    assert_int_equal(heed_cpu_backend_new(&backend, 1, (heed_isa)(heed_isa_detect() + 1), &error),
                     HEED_E_ARG);
    assert_true(backend == NULL && strstr(error.message, "this machine has no "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_do_not_change_bits),
                                       cmocka_unit_test(sessions_queue_on_one_pool),
                                       cmocka_unit_test(what_the_machine_lacks_is_refused)};
    return cmocka_run_group_tests_name("backend", tests, NULL, NULL);
}
