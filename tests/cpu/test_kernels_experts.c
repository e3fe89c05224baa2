/* Kernels of experts (choice, dispatch, matmuls by expert) against their references, on every
   instruction set. */
#include "cpu/kernel_table.h"

enum { MOST_EXPERTS = 8, MOST_SLOTS = 4096 };
/* skew: rows prefer expert 0 ... */
typedef struct {
    int choices;
    int64_t experts, rows;
    int skew;
} expert_data;

/* The first of the choices of a row; they are distinct, and now and then there is none. */
static int64_t chosen(const expert_data *d, int64_t row, int64_t j)
{
    int64_t first = d->skew && row % 5 ? 0 : (row * 7 + row / 3) % d->experts;
    return row % 11 == 10 ? -1 : (first + j) % d->experts;
}

/* Integers of a case's inputs: choices, or what expert_permutation makes of them. */
static double expert_element(const kernel_case *c, int input, int64_t row, int64_t column,
                             heed_rng *rng)
{
    const expert_data *d = c->data;
    heed_value value = case_node(c)->in[input];
    const char *name = c->graph->values[value].name;
    if (c->graph->values[value].dtype != HEED_I32) return heed_rng_normal(rng);
    if (!strcmp(name, "choices")) return (double)chosen(d, row, column);
    int64_t starts[MOST_EXPERTS + 2] = {0}, places[MOST_SLOTS], pairs = d->rows * d->choices;
    for (int64_t p = 0; p < pairs; p++) {
        int64_t x = chosen(d, p / d->choices, p % d->choices);
        for (int64_t e = (x < 0 ? d->experts : x) + 1; e <= d->experts + 1; e++) starts[e]++;
    }
    if (!strcmp(name, "offsets")) return (double)starts[row];
    for (int64_t p = 0; p < pairs; p++) {
        int64_t x = chosen(d, p / d->choices, p % d->choices),
                to = starts[x < 0 ? d->experts : x]++;
        if (!strcmp(name, "order")) places[to] = p;
        else places[p] = to;
    }
    return (double)places[row * d->choices + column];
}

static kernel_case expert_case(const char *name, heed_op_id op, const expert_data *d)
{
    kernel_case c = row_case(name, op, d->rows, &plain);
    c.element = expert_element;
    c.data = d;
    return c;
}

static heed_expert_permutation given_order(kernel_case *c, const expert_data *d)
{
    return (heed_expert_permutation){
        .permutation = integers(c, "order", live(d->rows, d->choices)),
        .inverse = integers(c, "place", live(d->rows, d->choices)),
        .offsets = integers(c, "offsets", heed_shape_1(d->experts + 1))};
}

static const expert_data expert_sizes[] = {
    {1, 1, 0, 0},  {1, 1, 1, 0},  {2, 3, 1, 0}, {2, 3, 9, 0},
    {4, 8, 33, 0}, {2, 8, 60, 1}, {8, 8, 7, 0}, {1, 5, 200, 1},
};

enum { EXPERT_SIZES = sizeof expert_sizes / sizeof *expert_sizes };

static void expert_row_kernels(void **state)
{
    (void)state;
    for (int i = 0; i < EXPERT_SIZES; i++)
        for (int j = 0; j < COLUMNS_COUNT; j++)
            for (int weighted = 0; weighted < 2; weighted++) {
                const expert_data *d = &expert_sizes[i];
                int64_t D = some_columns[j];
                kernel_case c = expert_case("expert_dispatch", HEED_OP_EXPERT_DISPATCH, d);
                heed_expert_permutation order = given_order(&c, d);
                heed_value weights = weighted ? floats(&c, "weights", live(d->rows, d->choices))
                                              : HEED_NONE;
                heed_expert_dispatch(c.graph, floats(&c, "x", live(d->rows, D)), &order, weights);
                run_case(c);
                c = expert_case("expert_combine", HEED_OP_EXPERT_COMBINE, d);
                order = given_order(&c, d);
                weights = weighted ? floats(&c, "weights", live(d->rows, d->choices)) : HEED_NONE;
                heed_expert_combine(c.graph, floats(&c, "x", live3(d->rows, d->choices, D)), &order,
                                    weights);
                run_case(c);
                if (weighted) continue;
                c = expert_case("expert_dot", HEED_OP_EXPERT_DOT, d);
                order = given_order(&c, d);
                heed_emit(c.graph, HEED_OP_EXPERT_DOT,
                          (heed_value[]){floats(&c, "x", live3(d->rows, d->choices, D)),
                                         floats(&c, "z", live(d->rows, D)), order.inverse},
                          3, NULL, NULL);
                c.absolute = 1e-6;
                run_case(c);
                c = expert_case("expert_sum", HEED_OP_EXPERT_SUM, d);
                order = given_order(&c, d);
                heed_emit(
                    c.graph, HEED_OP_EXPERT_SUM,
                    (heed_value[]){floats(&c, "x", live3(d->rows, d->choices, D)), order.offsets},
                    2, NULL, NULL);
                run_case(c);
            }
    FOR_SIZES(rows, columns)
    for (int64_t count = 1; count <= columns && count <= 8; count += 3) {
        heed_value index, x;
        kernel_case c = row_case("top_k", HEED_OP_TOP_K, rows, specials[(size_t)count % 4]);
        heed_top_k(c.graph, floats(&c, "x", live(rows, columns)), count, &index);
        run_case(c);
        c = row_case("top_k_backward", HEED_OP_TOP_K_BACKWARD, rows, &plain);
        x = floats(&c, "x", live(rows, columns));
        differentiate(&c, heed_top_k(c.graph, x, count, &index), &x, 1);
        run_case(c);
    }
}

static void expert_matmul_kernels(void **state)
{
    (void)state;
    const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
    const int64_t widths[][2] = {{1, 1}, {33, 17}, {64, 40}, {7, 130}, {300, 257}};
    for (int i = 0; i < EXPERT_SIZES; i++)
        for (int w = 0; w < 5; w++)
            for (int variant = 0; variant < 16; variant++) {
                const expert_data *d = &expert_sizes[i];
                int64_t O = widths[w][0], K = widths[w][1];
                bool transposed = !(variant & 2), fused = variant & 4;
                if (w == 4 && (i != 5 || (variant & 6))) continue;
                kernel_case c = expert_case("expert_matmul", HEED_OP_EXPERT_MATMUL, d);
                c.panels = variant & 1;
                c.panels_input = HEED_EXPERT_WEIGHT;
                c.tolerance = 5e-6;
                heed_expert_matmul_attributes attributes = {
                    .transpose_b = transposed,
                    .activation = fused ? HEED_UNARY_SILU : HEED_UNARY_LINEAR,
                    .bf16_operands = (w + i) % 2,
                };
                heed_expert_outer_attributes outer_attributes = {.bf16_operands = (w + i) % 2};
                heed_value in[HEED_EXPERT_INPUTS] = {
                    floats(&c, "x", live3(d->rows, d->choices, K)),
                    heed_constant(c.graph, "w", types[(variant + i) % 3],
                                  heed_shape_of(3, transposed ? (int64_t[]){d->experts, O, K}
                                                              : (int64_t[]){d->experts, K, O})),
                    integers(&c, "offsets", heed_shape_1(d->experts + 1)), HEED_NONE, HEED_NONE};
                if (variant & 8)
                    in[HEED_EXPERT_BIAS] = floats(&c, "bias", heed_shape_2(d->experts, O));
                if (fused) in[HEED_EXPERT_GATE] = floats(&c, "gate", live3(d->rows, d->choices, O));
                heed_emit(c.graph, HEED_OP_EXPERT_MATMUL, in, HEED_EXPERT_INPUTS, &attributes,
                          NULL);
                run_case(c);
                if (variant >= 2) continue;
                c = expert_case("expert_outer", HEED_OP_EXPERT_OUTER, d);
                heed_value outer[4] = {floats(&c, "a", live3(d->rows, d->choices, O)),
                                       floats(&c, "b", live3(d->rows, d->choices, K)),
                                       integers(&c, "offsets", heed_shape_1(d->experts + 1)),
                                       HEED_NONE};
                if (variant)
                    outer[HEED_EXPERT_OUTER_STATE] = heed_state(
                        c.graph, "state", HEED_F32,
                        heed_shape_of(3, (int64_t[]){d->experts, O, K}));
                heed_emit(c.graph, HEED_OP_EXPERT_OUTER, outer, 4, &outer_attributes, NULL);
                run_case(c);
            }
}

/* A slot's bits are those of a plain matmul of its row with its expert's weights, whatever else is
   in the batch. */
static void experts_have_the_bits_of_plain_matmuls(void **state)
{
    (void)state;
    expert_data d = {2, 3, 40, 1};
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        kernel_case c = expert_case("experts", HEED_OP_EXPERT_MATMUL, &d),
                    one = row_case("one", HEED_OP_MATMUL, 1, &plain);
        heed_expert_permutation order = given_order(&c, &d);
        heed_expert_matmul(
            c.graph, floats(&c, "x", live3(40, 2, 70)),
            heed_constant(c.graph, "w", HEED_F32, heed_shape_of(3, (int64_t[]){3, 50, 70})),
            HEED_NONE, &order);
        heed_matmul(one.graph, floats(&one, "x", live(1, 70)),
                    heed_constant(one.graph, "w", HEED_F32, heed_shape_2(50, 70)), false, true);
        case_operands all = case_operands_new(&c, 0, false),
                      single = case_operands_new(&one, 0, false);
        heed_runtime runtime = case_runtime(&c);
        const heed_kernel *kernel = case_kernel(&c, &all, backend),
                          *plain_kernel = case_kernel(&one, &single, backend);
        case_run_kernel(kernel, case_args(&c, &all, &runtime, (heed_isa)isa), 1, true);
        const int32_t *offsets = all.operand[HEED_EXPERT_OFFSETS].data;
        for (int64_t e = 0; e < 3; e++)
            for (int64_t s = offsets[e]; s < offsets[e + 1]; s++) {
                memcpy(single.operand[0].data, (float *)all.operand[0].data + s * 70,
                       70 * sizeof(float));
                memcpy(single.operand[1].data, (float *)all.operand[1].data + e * 50 * 70,
                       50 * 70 * sizeof(float));
                case_run_kernel(plain_kernel, case_args(&one, &single, &runtime, (heed_isa)isa), 1,
                                false);
                assert_memory_equal(single.operand[2].data,
                                    (float *)all.operand[all.n_in].data + s * 50,
                                    50 * sizeof(float));
            }
        case_operands_free(&all);
        case_operands_free(&single);
        heed_graph_free(c.graph);
        heed_graph_free(one.graph);
        heed_cpu_backend_free(backend);
    }
}

static void every_experts_kernel_had_a_case(void **state)
{
    (void)state;
    every_kernel_had_a_case(KERNELS_EXPERTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(expert_row_kernels),
                                       cmocka_unit_test(expert_matmul_kernels),
                                       cmocka_unit_test(experts_have_the_bits_of_plain_matmuls),
                                       cmocka_unit_test(every_experts_kernel_had_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
