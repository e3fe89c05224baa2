/* Layers, fronts and stacks that no published family of the fixtures has: macaron layers, layers
   that share weights, stacks of different widths, token rows of their own width. Gradients are
   compared with central differences in double. */
#include "model/build.h"
#include "support/evaluate.h"

enum { ROWS = 5, SOURCE = 7, SEQUENCES = 2, VOCABULARY = 11 };

static const heed_backend reference = {.name = "reference"};

#define COMMON                                                           \
    "\"model_type\": \"heed\", \"vocab_size\": 11, \"hidden_size\": 8, " \
    "\"max_position_embeddings\": 16, \"initializer_range\": 0.4, \"tie_word_embeddings\": true"
#define DECODER(extra)                                                     \
    "{" COMMON ", \"decoder_layers\": 2, \"decoder_attention_heads\": 2, " \
    "\"decoder_intermediate_size\": 12" extra "}"
#define ENCODER(extra)                                                                       \
    "{" COMMON ", \"arrangement\": \"encoder\", \"causal\": false, \"encoder_layers\": 4, "  \
    "\"encoder_attention_heads\": 2, \"encoder_intermediate_size\": 12, \"architectures\": " \
    "[\"HeedForMaskedLM\"]" extra "}"
#define BOTH(extra)                                                                           \
    "{" COMMON ", \"arrangement\": \"encoder-decoder\", \"encoder_layers\": 2, "              \
    "\"encoder_attention_heads\": 2, \"encoder_intermediate_size\": 12, \"decoder_layers\": " \
    "2, \"decoder_attention_heads\": 2, \"decoder_intermediate_size\": 12" extra "}"

static heed_status read_config(heed_config *config, const char *text, heed_error *error)
{
    json_t *json = NULL;
    heed_status status = heed_json_parse(&json, text, strlen(text), "config.json", error);
    if (status == HEED_OK) status = heed_config_read(config, json, "config.json", error);
    json_decref(json);
    return status;
}

static heed_model *new_model(const char *text, const heed_backend *backend)
{
    heed_config config;
    heed_model *model = NULL;
    heed_error error = {0};
    if (read_config(&config, text, &error) != HEED_OK) fail_msg("%s\n%s", text, error.message);
    assert_ok(heed_model_new_random(
        &model, &config, &(heed_model_options){.backend = backend, .training = true, .seed = 3},
        &error));
    return model;
}

/* ---- a loss in double ---- */

/* A program of a model that computes its loss, and the gradient of every parameter. */
typedef struct {
    heed_model *model;
    heed_graph *graph;
    evaluation e;
    heed_value loss, wrt[256], dwrt[256];
    int count;
    size_t n_forward;
} scored;

static bool named(const heed_graph *graph, heed_value value, const char *name)
{
    return graph->values[value].name && strcmp(graph->values[value].name, name) == 0;
}

/* Writes what an input holds: two sequences, of which the second begins in the middle. */
static void fill_input(const scored *s, heed_value value)
{
    const char *name = s->graph->values[value].name;
    bool source = strncmp(name, "source_", 7) == 0, cross = strcmp(name, "cross_sequences") == 0;
    int64_t rows = source ? SOURCE : ROWS, half = rows / 2, keys = source || cross ? SOURCE : ROWS;
    if (source) name += 7;
    for (int64_t at = 0; at < evaluate_count(&s->e, value); at++) {
        int64_t row = at < half ? at : at - half;
        double number = 0;
        if (strcmp(name, "ids") == 0) number = (double)((3 * at + 2) % VOCABULARY);
        if (strcmp(name, "labels") == 0) number = (double)((5 * at + 1) % VOCABULARY);
        if (strcmp(name, "rows") == 0) number = (double)at;
        if (strcmp(name, "positions") == 0) number = (double)row;
        if (strcmp(name, "loss_scale") == 0) number = 1.0 / ROWS;
        if (strcmp(name, "token_scale") == 0) number = at % 3 == 1 ? 0 : 1.3;
        evaluate_set(&s->e, value, at, number);
    }
    if (!strstr(name, "sequences")) return;
    const int64_t fields[SEQUENCES][4] = {{0, half, 0, keys / 2},
                                          {half, rows - half, keys / 2, keys - keys / 2}};
    for (int i = 0; i < SEQUENCES; i++)
        for (int field = 0; field < 4; field++)
            evaluate_set(&s->e, value, i * HEED_SEQUENCE_FIELDS + field, (double)fields[i][field]);
}

/* Writes a weight as the model has it. */
static void fill_weight(const scored *s, heed_value value)
{
    for (size_t w = 0; w < s->model->n_weights; w++) {
        const heed_weight *weight = &s->model->weights[w];
        if (!named(s->graph, value, weight->name)) continue;
        for (int64_t at = 0; at < evaluate_count(&s->e, value); at++)
            evaluate_set(&s->e, value, at, (double)((const float *)weight->data)[at]);
    }
}

static scored score(heed_model *model)
{
    scored s = {.model = model, .graph = heed_graph_new()};
    heed_program_spec spec = {.purpose = HEED_PURPOSE_LOSS,
                              .rows = ROWS,
                              .source_rows = SOURCE,
                              .sequences = SEQUENCES,
                              .gathered = ROWS};
    heed_runtime runtime = {0};
    runtime.count[HEED_EXTENT_ROWS] = runtime.count[HEED_EXTENT_GATHERED] = ROWS;
    runtime.count[HEED_EXTENT_SOURCE_ROWS] = SOURCE;
    runtime.count[HEED_EXTENT_SEQUENCES] = SEQUENCES;
    assert_non_null(s.graph);
    assert_ok(heed_build_graph(s.graph, model, &spec, NULL, &error));
    for (size_t i = 0; i < s.graph->n_outputs; i++)
        if (strcmp(s.graph->output_names[i], "loss") == 0) s.loss = s.graph->outputs[i];
    for (size_t i = 0; i < s.graph->n_externals; i++)
        if (s.graph->values[s.graph->externals[i]].kind == HEED_VALUE_PARAMETER)
            s.wrt[s.count++] = s.graph->externals[i];
    assert_true(s.loss > 0 && s.count > 0 && s.count < 256);
    s.n_forward = s.graph->n_nodes;
    assert_ok(heed_graph_gradient(s.graph, s.loss, s.wrt, s.count, s.dwrt, &error));
    s.e = evaluate_new(s.graph, true, runtime);
    for (size_t v = 1; v < s.graph->n_values; v++)
        if (s.graph->values[v].kind == HEED_VALUE_INPUT) fill_input(&s, (heed_value)v);
    for (size_t i = 0; i < s.graph->n_externals; i++) fill_weight(&s, s.graph->externals[i]);
    evaluate_run(&s.e, s.graph->n_nodes);
    return s;
}

static void scored_free(scored *s)
{
    evaluate_free(&s->e);
    heed_graph_free(s->graph);
    heed_model_release(s->model);
}

/* Returns the loss if an element of a parameter were another number. */
static double loss_at(const scored *s, heed_value parameter, int64_t at, double number)
{
    double kept = evaluate_get(&s->e, parameter, at);
    evaluate_set(&s->e, parameter, at, number);
    evaluate_run(&s->e, s->n_forward);
    evaluate_set(&s->e, parameter, at, kept);
    return evaluate_get(&s->e, s->loss, 0);
}

static double largest_of(const scored *s, heed_value value)
{
    double largest = 0;
    for (int64_t at = 0; at < evaluate_count(&s->e, value); at++)
        largest = fmax(largest, fabs(evaluate_get(&s->e, value, at)));
    return largest;
}

/* Compares some elements of the gradient of a parameter with differences of fourth order. */
static void check_gradient(const scored *s, int which, const char *text)
{
    heed_value parameter = s->wrt[which], gradient = s->dwrt[which];
    const double h = 2e-4;
    if (gradient <= 0) fail_msg("%s\n%s has no gradient", text, s->graph->values[parameter].name);
    double largest = largest_of(s, gradient);
    int64_t count = evaluate_count(&s->e, parameter), step = count / 5 + 1;
    for (int64_t at = 0; at < count; at += step) {
        double x = evaluate_get(&s->e, parameter, at), found = evaluate_get(&s->e, gradient, at);
        double inner = loss_at(s, parameter, at, x + h) - loss_at(s, parameter, at, x - h);
        double outer = loss_at(s, parameter, at, x + 2 * h) - loss_at(s, parameter, at, x - 2 * h);
        double expected = (8 * inner - outer) / (12 * h);
        if (!(fabs(found - expected) <= 1e-7 * largest + 1e-10))
            fail_msg("%s\n%s, element %lld: gradient %.12g, by differences %.12g", text,
                     s->graph->values[parameter].name, (long long)at, found, expected);
    }
}

static const char *const models[] = {
    DECODER(", \"residual\": \"macaron\""),
    DECODER(", \"residual\": \"macaron\", \"norm_place\": \"sandwich\", \"residual_scale\": 0.7, "
            "\"mlp_bias\": true, \"norm\": \"layer\", \"norm_bias\": true"),
    DECODER(", \"decoder_layers\": 3, \"decoder_own_layers\": 1, \"norm_place\": \"post\""),
    /* as ALBERT: groups of two layers, token rows projected last, with a bias */
    ENCODER(", \"encoder_own_layers\": 2, \"encoder_group_layers\": 2, \"embedding_width\": 6, "
            "\"embedding_order\": \"projected_last\", \"embedding_projection_bias\": true, "
            "\"lm_head_transform\": true, \"lm_head_bias\": true, \"position\": \"learned\", "
            "\"embedding_norm\": true"),
    /* a projection between equal widths */
    ENCODER(", \"embedding_projected\": true, \"embedding_order\": \"projected_last\""),
    /* as ModernBERT and ESM */
    ENCODER(", \"first_norm_absent\": true, \"sliding_window\": 2"),
    ENCODER(", \"mask_scaling\": true, \"mask_token_id\": 4"),
    BOTH(", \"encoder_hidden_size\": 12, \"encoder_intermediate_size\": 20"),
    BOTH(", \"encoder_hidden_size\": 6, \"source_vocab_size\": 11, \"residual\": \"macaron\", "
         "\"position\": \"sinusoidal\", \"encoder_own_layers\": 1, \"decoder_own_layers\": 1"),
};

static void gradients_agree_with_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        scored s = score(new_model(models[i], &reference));
        for (int which = 0; which < s.count; which++) check_gradient(&s, which, models[i]);
        scored_free(&s);
    }
}

/* ---- what lists of slots mean ---- */

/* Returns the weight of a role at a place; the model has it. */
static heed_weight *weight_at(heed_model *model, heed_slot_id slot, heed_role role, int64_t layer)
{
    heed_weight_place place = {HEED_STACK_DECODER, (uint8_t)slot, layer, layer};
    int32_t at = heed_weights_find(model, &place, role);
    assert_true(at >= 0);
    return &model->weights[at];
}

static void copy_weight(heed_weight *to, const heed_weight *from, float factor)
{
    assert_true(to->bytes == from->bytes);
    for (size_t i = 0; i < to->bytes / sizeof(float); i++)
        ((float *)to->data)[i] = factor * ((const float *)from->data)[i];
}

/* A macaron layer whose first feed-forward adds nothing, and whose second one gives twice as much,
   is a serial layer. */
static void macaron_layers_add_half_of_each_feed_forward(void **state)
{
    (void)state;
    heed_model *serial = new_model(DECODER(""), &reference);
    heed_model *macaron = new_model(DECODER(", \"residual\": \"macaron\""), &reference);
    for (size_t w = 0; w < serial->n_weights; w++) {
        const heed_weight *from = &serial->weights[w];
        int32_t at = from->use
                         ? heed_weights_find(macaron, &from->place, (heed_role)from->use->role)
                         : -1;
        if (!from->use) continue;
        assert_true(at >= 0);
        copy_weight(&macaron->weights[at], from,
                    from->use->role == HEED_ROLE_DOWN_WEIGHT ? 2.0f : 1.0f);
    }
    for (int64_t layer = 0; layer < 2; layer++) {
        heed_weight *down = weight_at(macaron, HEED_SLOT_FFN_BEFORE, HEED_ROLE_DOWN_WEIGHT, layer);
        memset(down->data, 0, down->bytes);
    }
    scored a = score(serial), b = score(macaron);
    assert_float_equal(evaluate_get(&a.e, a.loss, 0), evaluate_get(&b.e, b.loss, 0), 1e-13);
    scored_free(&a);
    scored_free(&b);
}

/* Returns the gradient of a weight of the decoder. */
static heed_value gradient_of(const scored *s, heed_slot_id slot, heed_role role, int64_t layer)
{
    const char *name = weight_at(s->model, slot, role, layer)->name;
    for (int i = 0; i < s->count; i++)
        if (named(s->graph, s->wrt[i], name)) return s->dwrt[i];
    fail_msg("%s is no parameter", name);
    return HEED_NONE;
}

/* Layers that share weights compute what equal layers compute, and the gradient is the sum of
   theirs. */
static void shared_layers_are_equal_layers(void **state)
{
    (void)state;
    enum { LAYERS = 3 };
    static const struct {
        heed_slot_id slot;
        heed_role role;
    } compared[] = {{HEED_SLOT_ATTENTION, HEED_ROLE_QUERY_WEIGHT},
                    {HEED_SLOT_ATTENTION, HEED_ROLE_NORM_GAIN},
                    {HEED_SLOT_FFN, HEED_ROLE_DOWN_WEIGHT}};
    heed_model *own = new_model(DECODER(", \"decoder_layers\": 3"), &reference);
    heed_model *shared = new_model(DECODER(", \"decoder_layers\": 3, \"decoder_own_layers\": 1"),
                                   &reference);
    assert_true(heed_model_parameter_count(shared) < heed_model_parameter_count(own) / 2);
    size_t kept;
    heed_model_keeps(shared, HEED_KEEP_SELF, &kept);
    assert_int_equal(kept, 2 * LAYERS); /* keys and values, of each run of a layer */
    for (size_t w = 0; w < own->n_weights; w++) {
        heed_weight *to = &own->weights[w];
        if (!to->use) continue;
        heed_weight_place place = to->place;
        place.layer = 0;
        int32_t from = heed_weights_find(shared, &place, (heed_role)to->use->role);
        assert_true(from >= 0);
        copy_weight(to, &shared->weights[from], 1);
    }
    scored a = score(own), b = score(shared);
    assert_float_equal(evaluate_get(&a.e, a.loss, 0), evaluate_get(&b.e, b.loss, 0), 1e-14);
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        heed_value sum = gradient_of(&b, compared[i].slot, compared[i].role, 0);
        for (int64_t at = 0; at < evaluate_count(&b.e, sum); at++) {
            double expected = 0;
            for (int64_t layer = 0; layer < LAYERS; layer++)
                expected += evaluate_get(
                    &a.e, gradient_of(&a, compared[i].slot, compared[i].role, layer), at);
            assert_float_equal(evaluate_get(&b.e, sum, at), expected, 1e-12);
        }
    }
    scored_free(&a);
    scored_free(&b);
}

static const char *const layer_orders[] = {
#define HEED_LAYER_ORDER(symbol, name, list) name,
#include "model/layer_orders.def"
#undef HEED_LAYER_ORDER
};

/* An encoder-decoder of any order of layers either trains its encoder or is refused by name. */
static void decoders_of_every_order_read_the_encoder(void **state)
{
    (void)state;
    int refused = 0;
    for (size_t i = 0; i < sizeof layer_orders / sizeof *layer_orders; i++) {
        char text[1024], message[128];
        heed_config config;
        heed_error error = {0};
        snprintf(text, sizeof text, BOTH(", \"residual\": \"%s\""), layer_orders[i]);
        snprintf(message, sizeof message,
                 "residual is \"%s\", and layers of this order have no cross-attention",
                 layer_orders[i]);
        heed_status status = read_config(&config, text, &error);
        if (status == HEED_OK) {
            scored s = score(new_model(text, &reference));
            for (int which = 0; which < s.count; which++)
                if (s.dwrt[which] <= 0)
                    fail_msg("%s: %s has no gradient", layer_orders[i],
                             s.graph->values[s.wrt[which]].name);
            scored_free(&s);
        } else {
            assert_fails(HEED_E_UNSUPPORTED, message, read_config(&config, text, &error));
            refused++;
        }
    }
    assert_int_equal(refused, 2); /* those with attention and feed-forward side by side */
}

/* Groups follow each other, and the layers of a group run one after the other. */
static void runs_of_shared_layers_follow_the_groups(void **state)
{
    (void)state;
    static const int64_t expected[12] = {0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3};
    heed_stack stack = {.layers = 6, .own_layers = 2, .group_layers = 2};
    assert_int_equal(heed_stack_runs(&stack), 12);
    assert_int_equal(heed_stack_own_layers(&stack), 4);
    for (int64_t run = 0; run < 12; run++)
        assert_int_equal(heed_stack_layer_of(&stack, run), expected[run]);
    /* three groups do not divide seven layers */
    static const int64_t uneven[7] = {0, 0, 0, 1, 1, 2, 2};
    stack = (heed_stack){.layers = 7, .own_layers = 3};
    for (int64_t run = 0; run < 7; run++)
        assert_int_equal(heed_stack_layer_of(&stack, run), uneven[run]);
    stack = (heed_stack){.layers = 3};
    for (int64_t run = 0; run < 3; run++) assert_int_equal(heed_stack_layer_of(&stack, run), run);
}

/* Layers of an encoder that have the window rotate by its own base. A window that is wider than the
   text hides nothing. */
static void windows_of_encoders_have_a_rotary_base(void **state)
{
    (void)state;
    heed_model *one = new_model(ENCODER(", \"rope_parameters\": {\"rope_type\": \"default\", "
                                        "\"rope_theta\": 100.0}"),
                                &reference);
    heed_model *two = new_model(
        ENCODER(", \"sliding_window\": 9, \"rope_parameters\": {\"full_attention\": "
                "{\"rope_type\": \"default\", \"rope_theta\": 7.0}, \"sliding_attention\": "
                "{\"rope_type\": \"default\", \"rope_theta\": 100.0}}"),
        &reference);
    assert_true(two->rotary_local[HEED_STACK_ENCODER] >= 0);
    scored a = score(one), b = score(two);
    assert_float_equal(evaluate_get(&a.e, a.loss, 0), evaluate_get(&b.e, b.loss, 0), 1e-14);
    scored_free(&a);
    scored_free(&b);
}

/* ---- rows ---- */

/* A sequence of 5 tokens, one of them a mask, and one of 2 masks: factors are 0 for masks and 0.88
   over the share of other tokens else. */
static void token_rows_are_scaled_by_the_share_of_masks(void **state)
{
    (void)state;
    static const int32_t ids[7] = {1, 4, 2, 3, 5, 4, 4};
    static const double factors[7] = {1.1, 0, 1.1, 1.1, 1.1, 0, 0};
    heed_model *model = new_model(ENCODER(", \"mask_scaling\": true, \"mask_token_id\": 4"),
                                  &reference);
    heed_engine *engine = NULL;
    heed_batch batch = {0};
    heed_runtime runtime = {0};
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_FORWARD, .rows = 7, .sequences = 2, .gathered = 7};
    assert_ok(heed_engine_new(&engine, model, &reference, &error));
    for (int64_t first = 0, count = 5; first < 7; first += count, count = 2) {
        heed_batch_rows text;
        assert_ok(heed_batch_sequence(&batch, HEED_MAIN_STACK, count, &text, &error));
        memcpy(text.ids, ids + first, (size_t)count * sizeof *ids);
    }
    batch.count[HEED_EXTENT_GATHERED] = 7;
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_ok(heed_engine_feed(engine, &batch, &runtime, &error));
    const float *found = heed_engine_fed(engine, "token_scale");
    assert_non_null(found);
    for (int i = 0; i < 7; i++) assert_float_equal(found[i], factors[i], 1e-6);
    heed_batch_free(&batch);
    heed_engine_free(engine);
    heed_model_release(model);
}

/* ---- files ---- */

static void written_models_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        scratch folder;
        heed_error error = {0};
        heed_model *model = new_model(models[i], &reference), *back = NULL;
        scratch_make(&folder);
        assert_ok(heed_model_save(model, folder.folder, HEED_F32, &error));
        if (heed_model_load(&back, folder.folder,
                            &(heed_model_options){.backend = &reference, .training = true},
                            &error) != HEED_OK)
            fail_msg("%s\n%s", models[i], error.message);
        assert_int_equal(back->n_weights, model->n_weights);
        for (size_t w = 0; w < model->n_weights; w++) {
            assert_string_equal(back->weights[w].name, model->weights[w].name);
            assert_int_equal(back->weights[w].bytes, model->weights[w].bytes);
            assert_memory_equal(back->weights[w].data, model->weights[w].data,
                                model->weights[w].bytes);
        }
        heed_model_release(model);
        heed_model_release(back);
        scratch_remove(&folder);
    }
}

static void wrong_sizes_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        heed_status status;
        const char *part;
    } cases[] = {
        {DECODER(", \"decoder_layers\": 0"), HEED_E_FORMAT,
         "the number of layers is 0; expected 1 to 4096"},
        {ENCODER(", \"encoder_layers\": 0"), HEED_E_FORMAT, "the number of layers is 0"},
        {BOTH(", \"encoder_layers\": 0"), HEED_E_FORMAT, "the number of layers is 0"},
        {DECODER(", \"decoder_own_layers\": 3"), HEED_E_FORMAT,
         "the number of layers with weights of their own is 3; expected 0 to 2"},
        {DECODER(", \"decoder_group_layers\": 4000"), HEED_E_FORMAT,
         "the number of layers in a group is 4000; expected 0 to 2048"},
        {DECODER(", \"decoder_own_layers\": -1"), HEED_E_FORMAT, "decoder_own_layers is -1"},
        {DECODER(", \"decoder_own_layers\": \"all\""), HEED_E_FORMAT, "decoder_own_layers"},
        {BOTH(", \"encoder_hidden_size\": 7"), HEED_E_FORMAT,
         "the width 7 does not divide by 2 heads"},
        {BOTH(", \"decoder_hidden_size\": 2000000"), HEED_E_FORMAT, "the width is 2000000"},
        {ENCODER(", \"encoder_hidden_size\": \"wide\""), HEED_E_FORMAT, "encoder_hidden_size"},
        {DECODER(", \"residual\": \"circular\""), HEED_E_UNSUPPORTED, "residual is \"circular\""},
        {ENCODER(", \"embedding_order\": \"projected_last\", \"embedding_width\": 6"),
         HEED_E_UNSUPPORTED, "hidden states are 8 wide and token rows 6"},
        {ENCODER(", \"mask_scaling\": true"), HEED_E_FORMAT,
         "mask_token_id is 0; expected 1 to 10"},
        {ENCODER(", \"mask_scaling\": true, \"mask_token_id\": 11"), HEED_E_FORMAT,
         "mask_token_id is 11"},
        {ENCODER(", \"first_norm_absent\": true, \"norm_place\": \"post\""), HEED_E_UNSUPPORTED,
         "first_norm_absent is true"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_config config;
        assert_fails(cases[i].status, cases[i].part, read_config(&config, cases[i].text, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(macaron_layers_add_half_of_each_feed_forward),
        cmocka_unit_test(shared_layers_are_equal_layers),
        cmocka_unit_test(decoders_of_every_order_read_the_encoder),
        cmocka_unit_test(runs_of_shared_layers_follow_the_groups),
        cmocka_unit_test(windows_of_encoders_have_a_rotary_base),
        cmocka_unit_test(token_rows_are_scaled_by_the_share_of_masks),
        cmocka_unit_test(written_models_read_back),
        cmocka_unit_test(wrong_sizes_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
