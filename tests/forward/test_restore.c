/* Which outputs come back to the padded layout: those of the extents that a call knows. Others are
   refused by their name, never read out of bounds. */
#include "forward/forward_internal.h"
#include "graph/plan.h"
#include "support/fixtures.h"

enum { B = 2, T = 3, ROWS = 5, COLUMNS = 4 }; /* the last token of sequence 1 is masked */

static const int64_t ids[B * T] = {1, 2, 3, 4, 5, 6};
static const uint8_t mask[B * T] = {1, 1, 1, 1, 1, 0};

typedef struct {
    heed_model *model;
    heed_forward_call call;
} opened;

static heed_backend reference = {.name = "reference"};

static void open_call(opened *o)
{
    static const heed_named_tensor inputs[] = {{.name = (char *)"in.input_ids",
                                                .dtype = HEED_I64,
                                                .rank = 2,
                                                .shape = {B, T},
                                                .data = ids},
                                               {.name = (char *)"in.attention_mask",
                                                .dtype = HEED_U8,
                                                .rank = 2,
                                                .shape = {B, T},
                                                .data = mask}};
    static const heed_forward_inputs given = {inputs, 2};
    char path[512];
    fixture_path(path, "gpt2", "");
    assert_ok(
        heed_model_load(&o->model, path, &(heed_model_options){.backend = &reference}, &error));
    o->call = (heed_forward_call){
        .model = o->model, .config = heed_model_config(o->model), .inputs = &given};
    assert_ok(heed_forward_open(&o->call, &error));
    assert_int_equal(o->call.main.rows.count, ROWS);
}

static void close_call(opened *o)
{
    heed_forward_close(&o->call);
    heed_model_release(o->model);
}

/* Runs a graph whose one output is its input plus 0, filled with 1, 2, 3 ..., and restores it. */
static heed_status restore(const opened *o, const char *name, heed_shape shape,
                           heed_tensor_list *outputs, heed_error *found)
{
    heed_runtime runtime = {0};
    heed_plan *plan = NULL;
    heed_graph *graph = heed_graph_new();
    heed_extent_new(graph, 'C', HEED_EXTENT_ROWS, 2); /* the first after those of graph.h */
    heed_workspace *workspace = heed_workspace_new();
    runtime.count[HEED_EXTENT_ROWS] = runtime.count[HEED_EXTENT_GATHERED] = ROWS;
    runtime.count[HEED_EXTENT_SEQUENCES] = B;
    runtime.count[HEED_EXTENT_SOURCE_ROWS] = ROWS;
    heed_output(graph, name, heed_scale(graph, heed_input(graph, "x", HEED_F32, shape), 1, 0));
    assert_ok(heed_plan_new(graph, &reference, &(heed_plan_options){0}, &plan, &error));
    assert_ok(heed_workspace_reserve(workspace, plan, &error));
    float *x = heed_plan_input(plan, workspace, "x");
    for (int64_t i = 0; i < heed_shape_elements(shape); i++) x[i] = (float)(i + 1);
    assert_ok(heed_plan_run(plan, workspace, &(heed_binding){0}, &runtime, NULL, &error));
    heed_status status = heed_forward_restore(&o->call, plan, workspace, true, outputs, found);
    heed_plan_free(plan);
    heed_graph_free(graph);
    heed_workspace_free(workspace);
    return status;
}

/* The output has this rank, and these values at some places. */
static void assert_restored(const opened *o, heed_shape shape, int rank, int64_t elements,
                            const float *first)
{
    heed_tensor_list outputs = {0};
    assert_ok(restore(o, "y", shape, &outputs, &error));
    assert_int_equal(outputs.count, 1);
    assert_string_equal(outputs.items[0].name, "out.y");
    assert_int_equal(outputs.items[0].rank, rank);
    assert_int_equal(heed_tensor_elements(&outputs.items[0]), elements);
    for (int i = 0; i < 4; i++)
        assert_true(((const float *)outputs.items[0].data)[elements - 4 + i] == first[i]);
    heed_tensor_list_free(&outputs);
}

static void known_extents_come_back(void **state)
{
    (void)state;
    static const float masked[] = {0, 0, 0, 0}, by_sequence[] = {5, 6, 7, 8},
                       fixed[] = {3, 4, 5, 6};
    opened o = {0};
    open_call(&o);
    assert_restored(&o, heed_shape_live(HEED_EXTENT_ROWS, ROWS, COLUMNS), 3, B * T * COLUMNS,
                    masked);
    assert_restored(&o, heed_shape_live(HEED_EXTENT_GATHERED, ROWS, COLUMNS), 3, B * T * COLUMNS,
                    masked);
    assert_restored(&o, heed_shape_live(HEED_EXTENT_SEQUENCES, B, COLUMNS), 2, B * COLUMNS,
                    by_sequence);
    assert_restored(&o, heed_shape_2(3, 2), 2, 6, fixed);
    assert_restored(&o, heed_shape_1(6), 1, 6, fixed);
    close_call(&o);
}

static void assert_refused(const opened *o, const char *name, heed_shape shape)
{
    heed_tensor_list outputs = {0};
    heed_error found = {0};
    assert_int_equal(restore(o, name, shape, &outputs, &found), HEED_E_UNSUPPORTED);
    if (!strstr(found.message, name)) fail_msg("\"%s\" does not name %s", found.message, name);
    assert_int_equal(outputs.count, 0);
    heed_tensor_list_free(&outputs);
}

static void other_outputs_are_refused_by_name(void **state)
{
    (void)state;
    opened o = {0};
    heed_tensor_list outputs = {0};
    heed_shape weights = heed_shape_of(4, (const int64_t[]){B, 2, T, T});
    heed_shape heads = heed_shape_of(3, (const int64_t[]){ROWS, 2, COLUMNS});
    weights.extent = HEED_EXTENT_SEQUENCES;
    heads.extent = HEED_EXTENT_ROWS;
    open_call(&o);
    assert_ok(restore(&o, "attentions.0", weights, &outputs, &error));
    assert_refused(&o, "heat", weights);
    assert_refused(&o, "heads", heads);
    assert_refused(&o, "pieces", heed_shape_live(HEED_EXTENT_COUNT, 2 * ROWS, COLUMNS));
    /* gpt2 has no source */
    assert_refused(&o, "memory", heed_shape_live(HEED_EXTENT_SOURCE_ROWS, ROWS, COLUMNS));
    heed_tensor_list_free(&outputs);
    close_call(&o);
}

static void weights_know_their_stacks(void **state)
{
    (void)state;
    heed_input_stack queries, keys;
    assert_true(heed_output_find_weights("cross_attentions.11", &queries, &keys));
    assert_int_equal(queries, HEED_MAIN_STACK);
    assert_int_equal(keys, HEED_SOURCE_STACK);
    assert_true(heed_output_find_weights("encoder_attentions.0", &queries, &keys));
    assert_int_equal(queries, HEED_SOURCE_STACK);
    assert_false(heed_output_find_weights("attentions", &queries, &keys));
    assert_false(heed_output_find_weights("cross_attention.0", &queries, &keys));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_extents_come_back),
        cmocka_unit_test(other_outputs_are_refused_by_name),
        cmocka_unit_test(weights_know_their_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
