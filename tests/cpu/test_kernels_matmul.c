/* Kernels of matmuls against their references, on every instruction set: all orientations,
   epilogues, joins, norms, packed panels. What the sums keep to stands in test_gemm.c. */
#include "cpu/kernel_table.h"
#include "cpu/rules.h"

static void matmul_kernels(void **state)
{
    (void)state;
    const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
    const int64_t sizes[][3] = {
        {0, 5, 4}, {1, 33, 17}, {5, 16, 64}, {13, 70, 65}, {50, 129, 40}, {3, 7, 0},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 4; form++)
            for (int type = 0; type < 3; type++)
                for (int how = 0; how < 4; how++) {
                    const bool panels = how & 1;
                    heed_matmul_attributes attributes = {.transpose_a = form & 1,
                                                         .transpose_b = (form & 2) != 0,
                                                         .bf16_operands = (how & 2) != 0};
                    int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
                    bool transpose_a = form & 1, transpose_b = form & 2;
                    if (panels && transpose_a) continue;
                    if (transpose_a && type) continue;
                    kernel_case c = row_case("matmul", HEED_OP_MATMUL,
                                             transpose_a && !transpose_b ? k : m, &plain);
                    c.panels = panels;
                    c.panels_input = 1;
                    /* indexed by transpose_a and transpose_b; live are the rows of A, or of both */
                    const heed_shape a_shapes[2][2] = {{live_matrix(m, k), live_matrix(m, k)},
                                                       {live_matrix(k, m), heed_shape_2(k, m)}},
                                     b_shapes[2][2] = {{heed_shape_2(k, n), heed_shape_2(n, k)},
                                                       {live_matrix(k, n), heed_shape_2(n, k)}};
                    const heed_shape a_shape = a_shapes[transpose_a][transpose_b],
                                     b_shape = b_shapes[transpose_a][transpose_b];
                    heed_value b = transpose_a && !transpose_b
                                       ? floats(&c, "b", b_shape)
                                       : heed_constant(c.graph, "b", types[type], b_shape);
                    heed_emit(c.graph, HEED_OP_MATMUL, (heed_value[]){floats(&c, "a", a_shape), b},
                              2, &attributes, NULL);
                    run_case(c);
                }
}

static const char *const b_names[] = {"b0", "b1"};

/* So much to pack that threads share it, alone and joined. */
static void matmuls_packed_in_parts(void **state)
{
    (void)state;
    const int64_t m = 26, n = 300, k = 450;
    for (int type = 0; type < 2; type++) {
        const heed_dtype dtype = type ? HEED_BF16 : HEED_F32;
        kernel_case c = row_case("matmul", HEED_OP_MATMUL, m, &plain);
        heed_matmul_attributes attributes = {.transpose_b = true, .bf16_operands = true};
        heed_value a = floats(&c, "a", live(m, k)),
                   b = heed_constant(c.graph, "b", dtype, heed_shape_2(n, k));
        heed_emit(c.graph, HEED_OP_MATMUL, (heed_value[]){a, b}, 2, &attributes, NULL);
        run_case(c);
        c = row_case("fused matmul", HEED_OP_FUSED_MATMUL, m, &plain);
        heed_fused_matmul_attributes fused;
        memset(&fused, 0, sizeof fused);
        fused.joined = 2;
        fused.transpose_b = true;
        fused.bf16_operands = true;
        heed_value in[HEED_FUSED_INPUTS];
        for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
        in[HEED_FUSED_A] = floats(&c, "a", live(m, k));
        for (int i = 0; i < 2; i++)
            in[HEED_FUSED_B + i] = heed_constant(c.graph, b_names[i], dtype,
                                                 heed_shape_2(i ? 17 : n, k));
        in[HEED_FUSED_BIAS] = floats(&c, "bias", heed_shape_1(n));
        heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &fused, NULL);
        run_case(c);
    }
}

static void fused_matmul_kernels(void **state)
{
    (void)state;
    for (int variant = 0; variant < 128; variant++)
        for (int64_t rows = 1; rows <= 40; rows += rows == 1 ? 6 : 11) {
            const bool norm = variant & (8 | 32);
            if (norm && rows > HEED_CPU_FUSED_ROWS) continue; /* fusion makes no such node */
            kernel_case c = row_case("fused_matmul", HEED_OP_FUSED_MATMUL, rows, &plain);
            c.tolerance = 5e-6;
            heed_fused_matmul_attributes attributes;
            memset(&attributes, 0, sizeof attributes);
            bool gain = variant & 8;
            int64_t total = 0, k = 65, widths[] = {40, 16, 7};
            attributes.joined = 1 + variant % 3;
            attributes.transpose_b = !(variant & 16);
            attributes.activation = variant & 1 ? HEED_UNARY_GELU : HEED_UNARY_LINEAR;
            attributes.norm = variant & 8 ? HEED_FUSED_NORM_RMS : HEED_FUSED_NORM_NONE;
            if (variant & 32) attributes.norm = HEED_FUSED_NORM_LAYER;
            attributes.eps = 1e-5f;
            attributes.bf16_operands = variant >= 64;
            heed_value in[HEED_FUSED_INPUTS];
            for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
            in[HEED_FUSED_A] = floats(&c, "a", live(rows, k));
            for (int i = 0; i < attributes.joined; i++) {
                char name[2][24];
                snprintf(name[0], sizeof name[0], "b%d", i);
                snprintf(name[1], sizeof name[1], "bias%d", i);
                const heed_shape shape = attributes.transpose_b ? heed_shape_2(widths[i], k)
                                                                : heed_shape_2(k, widths[i]);
                in[HEED_FUSED_B + i] = heed_constant(c.graph, name[0],
                                                     variant & 2 ? HEED_BF16 : HEED_F32, shape);
                if (variant & 4)
                    in[HEED_FUSED_BIAS + i] = floats(&c, name[1], heed_shape_1(widths[i]));
                total += widths[i];
            }
            /* The last bit of a normalized value may decide how it is rounded. */
            if (attributes.bf16_operands && attributes.norm) c.tolerance = 1e-3;
            if (variant & 1) in[HEED_FUSED_GATE] = floats(&c, "gate", live(rows, total));
            if (variant & 4) in[HEED_FUSED_RESIDUAL] = floats(&c, "residual", live(rows, total));
            if (attributes.norm && gain)
                in[HEED_FUSED_NORM_GAIN] = floats(&c, "gain", heed_shape_1(k));
            if (attributes.norm == HEED_FUSED_NORM_LAYER && gain)
                in[HEED_FUSED_NORM_BIAS] = floats(&c, "shift", heed_shape_1(k));
            heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
            c.panels = variant & 2;
            c.panels_input = HEED_FUSED_B;
            c.panels_count = rows % 2 ? attributes.joined : 1; /* or panels and rows side by side */
            run_case(c);
        }
}

/* Weights in blocks: with one row, few and many; alone, joined, gated; with and without a norm.
   Without norm and activation the bits are those of the reference. */
static void quantized_matmul_kernels(void **state)
{
    (void)state;
    static const heed_dtype types[] = {HEED_Q4_0, HEED_Q4_1, HEED_Q5_0,
                                       HEED_Q8_0, HEED_Q4_K, HEED_Q6_K};
    static const int64_t rows[] = {0, 1, 5, 11, 66};
    for (int variant = 0; variant < 6 * 5 * 2; variant++) {
        /* many rows with a format of each kind of scales */
        if (variant / 6 % 5 == 4 && variant % 3) continue;
        const heed_dtype type = types[variant % 6];
        const int64_t n = rows[variant / 6 % 5],
                      k = type == HEED_Q4_K || type == HEED_Q6_K ? 256 : 64, width = 33;
        const bool gated = variant / 30;
        kernel_case c = row_case("quantized matmul", HEED_OP_MATMUL, n, &plain);
        c.panels = true;
        c.panels_input = 1;
        c.reference_bits = true;
        heed_matmul(c.graph, floats(&c, "a", live(n, k)),
                    heed_constant(c.graph, "b", type, heed_shape_2(width, k)), false, true);
        run_case(c);
        c = row_case("fused quantized matmul", HEED_OP_FUSED_MATMUL, n, &plain);
        heed_fused_matmul_attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.transpose_b = 1;
        attributes.joined = 2;
        attributes.gated = gated;
        attributes.activation = gated ? HEED_UNARY_SILU : HEED_UNARY_LINEAR;
        attributes.norm = gated ? HEED_FUSED_NORM_RMS : HEED_FUSED_NORM_NONE;
        attributes.eps = 1e-5f;
        c.panels = true;
        c.panels_input = HEED_FUSED_B;
        c.panels_count = 2;
        c.reference_bits = !gated;
        heed_value in[HEED_FUSED_INPUTS];
        for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
        in[HEED_FUSED_A] = floats(&c, "a", live(n, k));
        in[HEED_FUSED_B] = heed_constant(c.graph, "b", type, heed_shape_2(width, k));
        in[HEED_FUSED_B + 1] = heed_constant(c.graph, "b1", type,
                                             heed_shape_2(gated ? width : 7, k));
        in[HEED_FUSED_BIAS + 1] = floats(&c, "bias", heed_shape_1(gated ? width : 7));
        if (gated) in[HEED_FUSED_NORM_GAIN] = floats(&c, "gain", heed_shape_1(k));
        else in[HEED_FUSED_RESIDUAL] = floats(&c, "residual", live(n, width + 7));
        heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
        run_case(c);
    }
}

/* Gated matmuls of plain weights: the second is the gate of the first, found in the result. */
static void gated_matmul_kernels(void **state)
{
    (void)state;
    for (int variant = 0; variant < 16; variant++)
        for (int64_t rows = 1; rows <= 40; rows += rows == 1 ? 6 : 11) {
            if (variant & 2 && rows > HEED_CPU_FUSED_ROWS) continue; /* fusion makes no such node */
            kernel_case c = row_case("gated matmul", HEED_OP_FUSED_MATMUL, rows, &plain);
            heed_fused_matmul_attributes attributes;
            memset(&attributes, 0, sizeof attributes);
            attributes.transpose_b = !(variant & 1);
            attributes.joined = 2;
            attributes.gated = 1;
            attributes.activation = HEED_UNARY_SILU;
            attributes.norm = variant & 2 ? HEED_FUSED_NORM_RMS : HEED_FUSED_NORM_NONE;
            attributes.eps = 1e-5f;
            attributes.bf16_operands = variant >= 8;
            c.tolerance = attributes.bf16_operands && attributes.norm ? 1e-3 : 5e-6;
            c.panels = variant & 4;
            c.panels_input = HEED_FUSED_B;
            c.panels_count = 2;
            const int64_t k = 530, width = 35;
            heed_value in[HEED_FUSED_INPUTS];
            for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
            in[HEED_FUSED_A] = floats(&c, "a", live(rows, k));
            const heed_shape b_shape = attributes.transpose_b ? heed_shape_2(width, k)
                                                              : heed_shape_2(k, width);
            const heed_dtype dtype = attributes.bf16_operands ? HEED_BF16 : HEED_F32;
            for (int i = 0; i < 2; i++)
                in[HEED_FUSED_B + i] = heed_constant(c.graph, b_names[i], dtype, b_shape);
            in[HEED_FUSED_BIAS] = floats(&c, "bias", heed_shape_1(width));
            heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
            run_case(c);
        }
}

/* An accumulating matmul goes on from the sums of its state, in the state's own memory. */
static void accumulating_matmul(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        kernel_case c = row_case("accumulating", HEED_OP_FUSED_MATMUL, 30, &plain);
        heed_fused_matmul_attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.joined = 1;
        attributes.transpose_a = 1;
        heed_value in[HEED_FUSED_INPUTS];
        for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
        in[HEED_FUSED_A] = floats(&c, "a", live(30, 70));
        in[HEED_FUSED_B] = floats(&c, "b", live(30, 40));
        in[HEED_FUSED_STATE] = heed_state(c.graph, "state", HEED_F32, heed_shape_2(70, 40));
        heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        case_operands expected = case_operands_new(&c, 0, false),
                      all = case_operands_new(&c, 4, false);
        heed_runtime runtime = case_runtime(&c);
        heed_kernel_args args = case_args(&c, &expected, &runtime, (heed_isa)isa);
        heed_ops[c.op]->reference(&args);
        heed_operand own = all.operand[all.n_in];
        all.operand[all.n_in] = all.operand[HEED_FUSED_STATE];
        const heed_kernel *kernel = case_kernel(&c, &all, backend);
        assert_non_null(kernel);
        args = case_args(&c, &all, &runtime, (heed_isa)isa);
        args.state_in_place = true;
        case_run_kernel(kernel, args, 1, true);
        case_check_bits(&c, "accumulating in place", &all, &expected);
        case_check_fence(&c, &all, HEED_FUSED_STATE);
        all.operand[all.n_in] = own;
        case_operands_free(&all);
        case_operands_free(&expected);
        heed_cpu_backend_free(backend);
        heed_graph_free(c.graph);
    }
}

static void every_matmul_kernel_had_a_case(void **state)
{
    (void)state;
    every_kernel_had_a_case(KERNELS_MATMUL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matmul_kernels),
                                       cmocka_unit_test(matmuls_packed_in_parts),
                                       cmocka_unit_test(fused_matmul_kernels),
                                       cmocka_unit_test(quantized_matmul_kernels),
                                       cmocka_unit_test(gated_matmul_kernels),
                                       cmocka_unit_test(accumulating_matmul),
                                       cmocka_unit_test(every_matmul_kernel_had_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
