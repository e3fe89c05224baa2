/* Kernels that sum along rows (norms, softmax, losses, reductions) against their references, at
   awkward sizes, on every instruction set. */
#include "cpu/kernel_table.h"

/* By kind of norm (RMS, layer) and what is computed: the norm, dx, the gradient of the gain. */
static const heed_op_id norm_ops[2][3] = {
    {HEED_OP_RMS_NORM, HEED_OP_RMS_NORM_BACKWARD, HEED_OP_NORM_GAIN_BACKWARD},
    {HEED_OP_LAYER_NORM, HEED_OP_LAYER_NORM_BACKWARD, HEED_OP_NORM_GAIN_BACKWARD},
};

static void norm_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int form = 0; form < 6; form++) {
        bool layer = form<3, gain = form % 3> 0, bias = form == 2;
        for (int backward = 0; backward < 3; backward++) {
            const heed_op_id op = norm_ops[layer][backward];
            if (backward == 2 && !gain) continue;
            kernel_case c = row_case("norm", op, rows, &plain);
            c.tolerance = 5e-6;
            /* of one column nothing is left but rounding */
            c.absolute = columns == 1 ? 1e-3 : 1e-6;
            bool three = form == 1;
            heed_value x = floats(&c, "x", three ? live3(rows, 2, columns) : live(rows, columns));
            heed_value g = HEED_NONE, b = HEED_NONE;
            if (gain) g = floats(&c, "gain", heed_shape_1(columns));
            if (bias) b = floats(&c, "bias", heed_shape_1(columns));
            const float offset = form == 5;
            heed_value y = layer ? heed_layer_norm(c.graph, x, g, b, 1e-5f)
                                 : heed_rms_norm(c.graph, x, g, 1e-6f, offset);
            if (backward)
                differentiate(&c, heed_multiply(c.graph, y, y), (heed_value[]){x, g}, gain ? 2 : 1);
            run_case(c);
        }
    }
    kernel_case c = row_case("norm of many rows", HEED_OP_NORM_GAIN_BACKWARD, 1000, &plain);
    heed_value x = floats(&c, "x", live(1000, 300)), gain = floats(&c, "gain", heed_shape_1(300)),
               y = heed_layer_norm(c.graph, x, gain, HEED_NONE, 1e-5f);
    differentiate(&c, heed_multiply(c.graph, y, y), (heed_value[]){x, gain}, 2);
    c.tolerance = 1e-5;
    run_case(c);
}

static void softmax_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int special = 0; special < 4; special++)
        for (int backward = 0; backward < 2; backward++) {
            row_data data = *specials[special];
            data.limit = columns;
            data.scale = 3;
            kernel_case c = row_case(
                "softmax", backward ? HEED_OP_SOFTMAX_BACKWARD : HEED_OP_SOFTMAX, rows, &data);
            heed_value x = floats(&c, "x",
                                  special == 0 ? live3(rows, 2, columns) : live(rows, columns)),
                       y = heed_softmax(c.graph, x);
            if (backward) differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            run_case(c);
            if (special == 2) continue;
            c = row_case("cross entropy",
                         backward ? HEED_OP_CROSS_ENTROPY_BACKWARD : HEED_OP_CROSS_ENTROPY, rows,
                         &data);
            c.absolute = 1e-6;
            x = floats(&c, "x", heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, columns));
            heed_value labels = integers(&c, "labels",
                                         heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, 0));
            y = heed_cross_entropy(c.graph, x, labels, special == 1 ? 0 : 0.1f);
            if (backward) differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            run_case(c);
        }
    kernel_case all_nan = row_case("softmax of NaNs", HEED_OP_SOFTMAX, 3,
                                   &(row_data){.scale = NAN});
    heed_softmax(all_nan.graph, floats(&all_nan, "x", live(3, 21)));
    run_case(all_nan);
    kernel_case c = row_case("a large vocabulary", HEED_OP_CROSS_ENTROPY, 3,
                             &(row_data){.limit = 250000});
    heed_cross_entropy(c.graph, floats(&c, "x", heed_shape_live(HEED_EXTENT_GATHERED, 4, 250001)),
                       integers(&c, "labels", heed_shape_live(HEED_EXTENT_GATHERED, 4, 0)), 0);
    run_case(c);
}

typedef struct {
    int64_t rows, width, vocabulary;
    bool bias, backward, half;
} loss_form;

/* Losses of rows and their gradients to x, weight and bias. */
static void linear_loss_case(loss_form of, const row_data *data)
{
    const int64_t rows = of.rows, width = of.width, vocabulary = of.vocabulary;
    const bool bias = of.bias, backward = of.backward, half = of.half;
    kernel_case c = row_case("losses without logits",
                             backward ? HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD
                                      : HEED_OP_LINEAR_CROSS_ENTROPY,
                             rows, data);
    c.tolerance = 1e-5;
    c.absolute = 1e-6;
    heed_shape shape = heed_shape_2(rows + 2, width);
    shape.extent = HEED_EXTENT_GATHERED;
    heed_value x[3] = {floats(&c, "x", shape),
                       heed_input(c.graph, "weight", half ? HEED_BF16 : HEED_F32,
                                  heed_shape_2(vocabulary, width))};
    x[2] = bias ? floats(&c, "bias", heed_shape_1(vocabulary)) : HEED_NONE;
    heed_value labels = integers(&c, "labels", heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, 0));
    heed_value y = heed_linear_cross_entropy(c.graph, x[0], x[1], x[2], labels, bias ? 0.1f : 0);
    if (half) assert_int_equal(heed_pass_precision(c.graph, NULL), HEED_OK);
    if (half) { /* the last bit of a gradient may decide how it is rounded */
        c.tolerance = 3e-3;
        c.absolute = 2e-3;
    }
    if (backward) differentiate(&c, heed_multiply(c.graph, y, y), x, bias ? 3 : 2);
    run_case(c);
}

static void linear_loss_kernels(void **state)
{
    (void)state;
    /* the last in two chunks */
    static const int64_t sizes[][3] = {
        {0, 3, 5}, {1, 1, 1}, {7, 16, 33}, {65, 40, 70}, {13, 0, 4}, {1030, 2, 3},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 8; form++) {
            row_data data = {.limit = sizes[i][2], .scale = 0.5};
            linear_loss_case(
                (loss_form){sizes[i][0], sizes[i][1], sizes[i][2], form & 1, form & 2, form & 4},
                &data);
        }
    linear_loss_case((loss_form){7, 16, 33, true, true, false},
                     &(row_data){.limit = 33, .special = NAN});
}

static void reduce_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int kind = HEED_REDUCE_SUM; kind <= HEED_REDUCE_MEAN; kind++)
        for (int axis = 0; axis < 5; axis++)
            for (int backward = 0; backward < 2; backward++) {
                const heed_op_id op = backward ? HEED_OP_REDUCE_BACKWARD : HEED_OP_REDUCE;
                kernel_case c = row_case("reduce", op, rows, axis == 1 ? &with_nan : &plain);
                c.absolute = 1e-6;
                heed_value x = floats(&c, "x",
                                      axis >= 2 ? live3(rows, 5, columns) : live(rows, columns));
                heed_value y = heed_reduce(c.graph, (heed_reduce_kind)kind, x,
                                           axis >= 2 ? axis - 2 : axis, axis == 1);
                if (backward) {
                    heed_value loss = y, dx;
                    while (heed_value_shape(c.graph, loss).rank > 0)
                        loss = heed_scale(
                            c.graph, heed_reduce(c.graph, HEED_REDUCE_SUM, loss, 0, false), 1, 0);
                    heed_error error = {0};
                    if (heed_graph_gradient(c.graph, loss, &x, 1, &dx, &error) != HEED_OK)
                        fail_msg("%s", error.message);
                }
                run_case(c);
            }
    const int64_t lengths[] = {0, 1, 5, 130, 1000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int kind = HEED_REDUCE_SUM; kind <= HEED_REDUCE_MEAN; kind++) {
            kernel_case c = row_case("reduce a vector", HEED_OP_REDUCE, lengths[i], &plain);
            c.absolute = 1e-6;
            heed_reduce(c.graph, (heed_reduce_kind)kind, floats(&c, "x", live(lengths[i], 0)), 0,
                        false);
            run_case(c);
        }
}

/* Losses in chunks whose gradient of the weight goes on from the sums of a state: the bits of the
   plain matmuls of all rows at once. */
static void loss_gradients_continue_a_state(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        row_data data = {.limit = 3, .scale = 0.5};
        kernel_case c = row_case("losses into a state", HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD, 1030,
                                 &data);
        c.tolerance = 1e-5;
        c.absolute = 1e-5;
        heed_value in[HEED_LINEAR_LOSS_INPUTS] =
            {floats(&c, "x", heed_shape_live(HEED_EXTENT_GATHERED, 1030, 2)),
             floats(&c, "weight", heed_shape_2(3, 2)),
             integers(&c, "labels", heed_shape_live(HEED_EXTENT_GATHERED, 1030, 0)),
             HEED_NONE,
             floats(&c, "drow", heed_shape_live(HEED_EXTENT_GATHERED, 1030, 0)),
             heed_state(c.graph, "state", HEED_F32, heed_shape_2(3, 2))},
                   out[4];
        heed_linear_loss_attributes attributes = {0};
        heed_emit(c.graph, HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD, in, HEED_LINEAR_LOSS_INPUTS,
                  &attributes, out);
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        case_operands expected = case_operands_new(&c, 0, false),
                      all = case_operands_new(&c, 4, false);
        heed_runtime runtime = case_runtime(&c);
        for (int i = 0; i < 2; i++) { /* in place in both */
            case_operands *one = i ? &all : &expected;
            one->operand[one->n_in] = one->operand[HEED_LINEAR_LOSS_STATE];
        }
        heed_kernel_args args = case_args(&c, &expected, &runtime, (heed_isa)isa);
        heed_ops[c.op]->reference(&args);
        const heed_kernel *kernel = case_kernel(&c, &all, backend);
        assert_non_null(kernel);
        case_run_kernel(kernel, case_args(&c, &all, &runtime, (heed_isa)isa), 1, true);
        for (int64_t i = 0; i < 6; i++) {
            const heed_operand *a = &expected.operand[HEED_LINEAR_LOSS_STATE],
                               *b = &all.operand[HEED_LINEAR_LOSS_STATE];
            double wanted = ((const float *)a->data)[i / 2 * a->row_stride + i % 2],
                   found = ((const float *)b->data)[i / 2 * b->row_stride + i % 2];
            if (fabs(wanted - found) > 1e-4 * fabs(wanted) + 1e-4)
                fail_msg("gradient of the weight: %g, expected %g", found, wanted);
        }
        case_check_fence(&c, &all, HEED_LINEAR_LOSS_STATE);
        case_operands_free(&all);
        case_operands_free(&expected);
        heed_cpu_backend_free(backend);
        heed_graph_free(c.graph);
    }
}

static void every_rows_kernel_had_a_case(void **state)
{
    (void)state;
    every_kernel_had_a_case(KERNELS_ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(norm_kernels),
                                       cmocka_unit_test(softmax_kernels),
                                       cmocka_unit_test(linear_loss_kernels),
                                       cmocka_unit_test(reduce_kernels),
                                       cmocka_unit_test(loss_gradients_continue_a_state),
                                       cmocka_unit_test(every_rows_kernel_had_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
