/* Steps that consume the tiles of a matmul: the bits are those of the same steps, each by itself,
   whatever the rows, the heads, the cache, the types, the threads and the instruction set; and that
   they do so is seen in the regions of the plan. */
#include "cpu/backend.h"
#include "graph/attributes.h"
#include "graph/plan_internal.h"
#include "support/sanitized.h"
#include "support/test.h"

#include "base/memory.h"
#include "tensor/dtype.h"

typedef struct layer {
    int64_t rows, live, depth, heads, kv_heads, width; /* rows at most, and of the run */
    heed_dtype weights, cache;
    bool norms, interleaved, bias, bf16_operands;
} layer;

enum { MOST_BOUND = 20, CACHE_ROWS = 300 };

/* A graph and what it is bound to. */
typedef struct bound_memory {
    heed_graph *graph;
    void *data[MOST_BOUND];
    size_t bytes[MOST_BOUND], count;
    size_t caches[2];            /* which of them */
    const heed_backend *backend; /* for the layout of weights */
} bound_memory;

static void *bind(bound_memory *b, size_t bytes)
{
    assert_true(b->count < MOST_BOUND);
    void *memory = heed_allocate_aligned(bytes + 64);
    assert_non_null(memory);
    memset(memory, 0, bytes + 64);
    b->data[b->count] = memory;
    b->bytes[b->count++] = bytes;
    return memory;
}

/* Even in -0.35 .. 0.35, from a linear congruence: millions of them are wanted. */
static float *random_floats(size_t count, uint64_t stream)
{
    float *x = heed_allocate(count + 1, sizeof *x);
    assert_non_null(x);
    uint32_t at = (uint32_t)stream * 2654435761u + 5;
    for (size_t i = 0; i < count; i++, at = at * 1664525u + 1013904223u)
        x[i] = ((float)(at >> 8) * 0x1p-24f - 0.5f) * 0.7f;
    return x;
}

/* A weight (rows, columns) in panels of its type. */
static heed_value weight(bound_memory *b, const char *name, heed_dtype dtype, int64_t rows,
                         int64_t columns)
{
    size_t bytes;
    float *x = random_floats((size_t)(rows * columns), b->count);
    const size_t row_bytes = heed_dtype_bytes(dtype, (size_t)columns);
    char *stored = heed_allocate((size_t)rows, row_bytes);
    assert_non_null(stored);
    for (int64_t i = 0; i < rows; i++)
        heed_convert(stored + (size_t)i * row_bytes, dtype, x + i * columns, HEED_F32,
                     (size_t)columns);
    assert_true(b->backend->packing->panel_bytes(b->backend, dtype, rows, columns, &bytes));
    const heed_packed_weight panels = {bind(b, bytes), dtype, rows, columns};
    b->backend->packing->pack_rows(b->backend, &panels, 0, rows,
                                   &(heed_pack_source){stored, dtype, columns, 1});
    free(stored);
    free(x);
    heed_value w = heed_constant(b->graph, name, dtype, heed_shape_2(rows, columns));
    heed_value_set_layout(b->graph, w, HEED_LAYOUT_PANELS);
    return w;
}

static heed_value vector(bound_memory *b, const char *name, int64_t columns)
{
    float *x = random_floats((size_t)columns, b->count);
    memcpy(bind(b, (size_t)columns * sizeof *x), x, (size_t)columns * sizeof *x);
    free(x);
    return heed_constant(b->graph, name, HEED_F32, heed_shape_1(columns));
}

/* A matmul that is read twice, by a sum with what it reads itself, which nothing may overwrite
   meanwhile; a gated matmul, scaled. */
static void build_more(bound_memory *b, const layer *l, heed_value x, heed_value u)
{
    heed_graph *graph = b->graph;
    heed_value t = heed_unary(graph, HEED_UNARY_TANH, x),
               samples = heed_input(graph, "samples", HEED_I32,
                                    heed_shape_live(HEED_EXTENT_ROWS, l->rows, 2));
    heed_value p = heed_matmul(graph, t, weight(b, "square", l->weights, l->depth, l->depth), false,
                               true);
    heed_output(graph, "dropped", heed_dropout(graph, p, samples, 0.3f));
    heed_output(graph, "sum", heed_add(graph, t, p));
    heed_value gate = heed_unary(
        graph, HEED_UNARY_SILU,
        heed_matmul(graph, u, weight(b, "gate", l->weights, 224, l->depth), false, true));
    heed_value gated = heed_multiply(
        graph, gate,
        heed_matmul(graph, u, weight(b, "other", l->weights, 224, l->depth), false, true));
    heed_output(graph, "gated", heed_scale(graph, gated, 0.7, 0.1));
}

/* q, k and v of one layer, turned, k and v written into caches; the choice of experts; a
   feed-forward whose first half is read twice. */
static void build(bound_memory *b, const layer *l)
{
    static const char *const names[] = {"q", "k", "v"},
                             *const biases[] = {"q.bias", "k.bias", "v.bias"},
                             *const gains[] = {"q.gain", "k.gain"};
    heed_graph *graph = b->graph;
    const int64_t runs = l->cache == HEED_I8 ? l->kv_heads * 4 : 0;
    heed_value x = heed_input(graph, "x", HEED_F32,
                              heed_shape_live(HEED_EXTENT_ROWS, l->rows, l->depth));
    heed_value z = heed_input(graph, "z", HEED_F32, heed_value_shape(graph, x)),
               u = heed_input(graph, "u", HEED_F32, heed_value_shape(graph, x));
    heed_value table = heed_input(graph, "table", HEED_F32,
                                  heed_shape_live(HEED_EXTENT_ROWS, l->rows, l->width / 2 / 2 * 2));
    heed_value slots = heed_input(graph, "slots", HEED_I32,
                                  heed_shape_live(HEED_EXTENT_ROWS, l->rows, 0)),
               part[3];
    for (int i = 0; i < 3; i++) {
        const int64_t heads = i ? l->kv_heads : l->heads, columns = heads * l->width;
        part[i] = heed_matmul(graph, x, weight(b, names[i], l->weights, columns, l->depth), false,
                              true);
        if (l->bias) part[i] = heed_add(graph, part[i], vector(b, biases[i], columns));
        if (i < 2 && l->norms) {
            heed_shape cut = heed_shape_of(3, (int64_t[]){l->rows, heads, l->width}),
                       whole = heed_value_shape(graph, part[i]);
            cut.extent = HEED_EXTENT_ROWS;
            part[i] = heed_rms_norm(graph, heed_reshape(graph, part[i], cut),
                                    vector(b, gains[i], l->width), 1e-5f, 0);
            part[i] = heed_reshape(graph, part[i], whole);
        }
        if (i < 2) part[i] = heed_rotary(graph, part[i], table, (int)heads, l->interleaved);
    }
    for (int i = 1; i < 3; i++) {
        heed_shape shape = heed_shape_2(CACHE_ROWS, l->kv_heads * l->width + runs);
        heed_value cache = heed_state(graph, i == 1 ? "keys" : "values", l->cache, shape);
        b->caches[i - 1] = b->count;
        bind(b, (size_t)(shape.dim[0] * shape.dim[1]) * heed_dtypes[l->cache].bytes);
        heed_cache_write(graph, cache, part[i], slots);
    }
    heed_output(graph, "queries", part[0]);
    heed_value index,
        chosen = heed_top_k(
            graph,
            heed_softmax(graph, heed_matmul(graph, z, weight(b, "router", HEED_F32, 40, l->depth),
                                            false, true)),
            3, &index);
    heed_output(graph, "chosen", heed_softmax(graph, chosen));
    heed_output(graph, "index", index);
    heed_value half = heed_matmul(graph, u, weight(b, "up", l->weights, 160, l->depth), false,
                                  true);
    heed_output(
        graph, "half",
        heed_add(graph, heed_scale(graph, heed_unary(graph, HEED_UNARY_GELU, half), 0.5, 0), half));
    build_more(b, l, x, u);
    if (l->bf16_operands) assert_ok(heed_pass_precision(graph, &error));
}

static void fill(const heed_plan *plan, heed_workspace *workspace, const layer *l)
{
    static const char *const inputs[] = {"x", "z", "u"};
    float *x = random_floats((size_t)(l->live * l->depth), 77),
          *table = random_floats((size_t)(l->live * l->width), 78);
    for (int i = 0; i < 3; i++)
        memcpy(heed_plan_input(plan, workspace, inputs[i]), x,
               (size_t)(l->live * l->depth) * sizeof *x);
    memcpy(heed_plan_input(plan, workspace, "table"), table,
           (size_t)(l->live * (l->width / 2 / 2 * 2)) * sizeof *table);
    int32_t *slots = heed_plan_input(plan, workspace, "slots");
    int32_t *samples = heed_plan_input(plan, workspace, "samples");
    for (int64_t i = 0; i < 2 * l->live; i++) samples[i] = (int32_t)i;
    /* 11 and 300 have no common divisor */
    for (int64_t i = 0; i < l->live; i++)
        slots[i] = i % 7 == 5 ? -1 : (int32_t)((i * 11) % CACHE_ROWS);
    free(x);
    free(table);
}

/* Outputs and caches of a run, one after the other. */
static void run(bound_memory *b, const layer *l, const heed_backend *backend, bool alone,
                heed_buffer *result, int *consumers)
{
    static const char *const outputs[] = {"queries", "chosen", "index", "half",
                                          "dropped", "sum",    "gated"};
    heed_plan *plan = NULL;
    heed_workspace *workspace = heed_workspace_new();
    heed_runtime runtime = {.count = {[HEED_EXTENT_ROWS] = l->live}};
    for (int i = 0; i < 2; i++) memset(b->data[b->caches[i]], 0, b->bytes[b->caches[i]]);
    assert_ok(
        heed_plan_new(b->graph, backend, &(heed_plan_options){.keep_all = alone}, &plan, &error));
    assert_ok(heed_workspace_reserve(workspace, plan, &error));
    fill(plan, workspace, l);
    assert_ok(
        heed_plan_run(plan, workspace, &(heed_binding){b->data, b->count}, &runtime, NULL, &error));
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        heed_operand y;
        assert_ok(heed_plan_output(plan, workspace, outputs[i], &y, &error));
        const size_t columns = (size_t)heed_shape_columns(y.shape);
        for (int64_t r = 0; r < heed_shape_rows(y.shape); r++)
            heed_buffer_append(result, (const float *)y.data + r * y.row_stride,
                               columns * sizeof(float));
    }
    for (int i = 0; i < 2; i++)
        heed_buffer_append(result, b->data[b->caches[i]], b->bytes[b->caches[i]]);
    *consumers = 0;
    for (size_t g = 0; g < plan->n_regions; g++)
        *consumers += plan->regions[g].produces_tiles ? plan->regions[g].count - 1 : 0;
    heed_plan_free(plan);
    heed_workspace_free(workspace);
}

static heed_backend *backend_new(int threads, int isa)
{
    heed_backend *backend = NULL;
    assert_ok(heed_cpu_backend_new(&backend, threads, (heed_isa)isa, &error));
    return backend;
}

/* The layer by itself step for step, and bound_memory with 1 to 3 threads; returns how many steps
   bound_memory. */
static int compare(const layer *l, int isa)
{
    heed_backend *alone = backend_new(1, isa);
    bound_memory b = {.graph = heed_graph_new(), .backend = alone};
    heed_buffer expected = {0};
    int consumers, none;
    build(&b, l);
    run(&b, l, alone, true, &expected, &none);
    assert_int_equal(none, 0);
    for (int threads = 1; threads <= 3; threads++) {
        heed_backend *many = backend_new(threads, isa);
        heed_buffer found = {0};
        run(&b, l, many, false, &found, &consumers);
        assert_int_equal(found.length, expected.length);
        if (memcmp(found.data, expected.data, found.length))
            fail_msg("%lld rows, heads %lld/%lld of %lld, weights %s, cache %s, %s, %d threads: "
                     "other bits",
                     (long long)l->live, (long long)l->heads, (long long)l->kv_heads,
                     (long long)l->width, heed_dtypes[l->weights].name, heed_dtypes[l->cache].name,
                     heed_isa_name((heed_isa)isa), threads);
        heed_buffer_free(&found);
        heed_cpu_backend_free(many);
    }
    for (size_t i = 0; i < b.count; i++) heed_free_aligned(b.data[i]);
    heed_buffer_free(&expected);
    heed_graph_free(b.graph);
    heed_cpu_backend_free(alone);
    return consumers;
}

static void following_does_not_change_bits(void **state)
{
    (void)state;
    /* rows at most, live */
    static const int64_t rows[][2] = {{1, 1}, {4, 3}, {16, 16}, {256, 201}},
                         depths[] = {256, 256, 1100};
    static const struct {
        int64_t heads, kv_heads, width;
    } shapes[] = {{9, 3, 64}, {4, 4, 32}, {2, 1, 80}, {3, 3, 24}, {2, 2, 128}};
    static const heed_dtype weights[] = {HEED_F32, HEED_Q4_0, HEED_BF16, HEED_Q8_0},
                            caches[] = {HEED_F32, HEED_I8, HEED_BF16, HEED_F16};
    int number = 0;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                for (size_t w = 0; w < sizeof weights / sizeof *weights; w++, number++) {
                    if (number % (HEED_SANITIZED ? 29 : 11)) continue;
                    layer l = {rows[r][0],
                               rows[r][1],
                               heed_dtype_is_quantized(weights[w]) ? 256 : depths[number / 11 % 3],
                               shapes[s].heads,
                               shapes[s].kv_heads,
                               shapes[s].width,
                               weights[w],
                               caches[(w + s) % 4],
                               .norms = number % 2 == 0,
                               .interleaved = number % 4 == 1,
                               .bias = number % 8 < 4,
                               .bf16_operands = weights[w] == HEED_F32 && number % 3};
                    compare(&l, isa);
                }
}

/* Slices, turned, written; an activation, its scale and the sum; the choice of experts; what is
   dropped and added; the scale of a gated matmul; and norms of q and k between two views each. */
static void steps_follow(void **state)
{
    (void)state;
    const int best = (int)heed_isa_detect();
    layer l = {.rows = 1,
               .live = 1,
               .depth = 256,
               .heads = 9,
               .kv_heads = 3,
               .width = 64,
               .weights = HEED_Q4_0,
               .cache = HEED_F32,
               .bias = true};
    const int few = compare(&l, best);
    assert_int_equal(few, 3 + 4 + 3 + 3 + 2 + 1);
    l.norms = true;
    assert_int_equal(compare(&l, best), few + 2 * 3);
    l.rows = 512;
    l.live = 290; /* fewer than the caches have rows: slots differ */
    assert_int_equal(compare(&l, best), few + 2 * 3);
    l.rows = 4;
    l.live = 4;
    l.depth = 8192; /* the router is cut by columns, and stays so */
    assert_int_equal(compare(&l, best), few + 2 * 3 - 3);
}

enum { SQUARE = 64 };

/* Multiplies x by the state "keys" and writes the result into that state (`same`) or another one;
   returns how many steps consume tiles. */
static int write_matmul(bool same, bool alone, const heed_backend *backend, heed_buffer *result)
{
    bound_memory b = {.graph = heed_graph_new(), .backend = backend};
    const heed_shape square = heed_shape_2(SQUARE, SQUARE);
    heed_value x = heed_input(b.graph, "x", HEED_F32,
                              heed_shape_live(HEED_EXTENT_ROWS, SQUARE, SQUARE)),
               slots = heed_input(b.graph, "slots", HEED_I32,
                                  heed_shape_live(HEED_EXTENT_ROWS, SQUARE, 0));
    heed_value states[2];
    for (int i = 0; i < 2; i++) {
        float *values = random_floats(SQUARE * SQUARE, (uint64_t)i);
        states[i] = heed_state(b.graph, i ? "values" : "keys", HEED_F32, square);
        memcpy(bind(&b, SQUARE * SQUARE * sizeof(float)), values, SQUARE * SQUARE * sizeof(float));
        free(values);
    }
    heed_value y = heed_matmul(b.graph, x, states[0], false, true);
    heed_cache_write(b.graph, states[same ? 0 : 1], y, slots);
    heed_plan *plan = NULL;
    heed_workspace *workspace = heed_workspace_new();
    heed_runtime runtime = {.count = {[HEED_EXTENT_ROWS] = SQUARE}};
    assert_ok(
        heed_plan_new(b.graph, backend, &(heed_plan_options){.keep_all = alone}, &plan, &error));
    assert_ok(heed_workspace_reserve(workspace, plan, &error));
    float *values = random_floats(SQUARE * SQUARE, 77);
    memcpy(heed_plan_input(plan, workspace, "x"), values, SQUARE * SQUARE * sizeof(float));
    free(values);
    int32_t *slot = heed_plan_input(plan, workspace, "slots");
    for (int32_t i = 0; i < SQUARE; i++) slot[i] = (i * 11) % SQUARE;
    assert_ok(
        heed_plan_run(plan, workspace, &(heed_binding){b.data, b.count}, &runtime, NULL, &error));
    int consumers = 0;
    for (size_t g = 0; g < plan->n_regions; g++)
        consumers += plan->regions[g].produces_tiles ? plan->regions[g].count - 1 : 0;
    heed_buffer_append(result, b.data[same ? 0 : 1], SQUARE * SQUARE * sizeof(float));
    heed_plan_free(plan);
    heed_workspace_free(workspace);
    for (size_t i = 0; i < b.count; i++) heed_free_aligned(b.data[i]);
    heed_graph_free(b.graph);
    return consumers;
}

/* A write consumes the tiles of a matmul, but not if it overwrites what the matmul still reads. */
static void tiles_do_not_overwrite_what_their_producer_reads(void **state)
{
    (void)state;
    heed_backend *backend = backend_new(1, (int)heed_isa_detect());
    for (int same = 0; same < 2; same++) {
        heed_buffer expected = {0}, found = {0};
        write_matmul(same, true, backend, &expected);
        assert_int_equal(write_matmul(same, false, backend, &found), same ? 0 : 1);
        assert_memory_equal(found.data, expected.data, expected.length);
        heed_buffer_free(&expected);
        heed_buffer_free(&found);
    }
    heed_cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(following_does_not_change_bits), cmocka_unit_test(steps_follow),
        cmocka_unit_test(tiles_do_not_overwrite_what_their_producer_reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
