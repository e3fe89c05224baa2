/* Computes the tables that follow from the configuration, and initial weights as the published
   families draw them. */
#include "base/rng.h"
#include "model/engine.h"
#include "model/weights_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void heed_weights_compute(heed_model *model)
{
    const heed_config *config = &model->config;
    for (int stack_id = HEED_STACK_ENCODER; stack_id <= HEED_STACK_DECODER; stack_id++) {
        int64_t head_width = heed_stack_by_id(config, (heed_stack_id)stack_id)->head_width;
        int32_t rotary = model->rotary[stack_id], local = model->rotary_local[stack_id];
        int32_t sinusoid = model->sinusoid[stack_id], slopes = model->slopes[stack_id];
        if (rotary >= 0)
            heed_rope_frequencies(&config->rope, head_width, 0, model->weights[rotary].data);
        if (local >= 0)
            heed_rope_frequencies(&config->rope_local, head_width, 0, model->weights[local].data);
        if (slopes >= 0)
            heed_alibi_slopes(model->weights[slopes].data, model->weights[slopes].rows,
                              config->alibi_most > 0 ? config->alibi_most : 8);
        if (sinusoid >= 0)
            heed_sinusoid_table(model->weights[sinusoid].data, config->context,
                                model->weights[sinusoid].columns,
                                (heed_sinusoid_order)config->sinusoid_order);
    }
}

static int64_t head_width_of(const heed_config *config, bool source)
{
    const heed_stack *stack = source ? &config->encoder : heed_config_main(config);
    return stack->head_width;
}

int64_t heed_model_rotary_pairs(const heed_model *model, bool source)
{
    const heed_config *config = &model->config;
    return heed_rope_channels(&config->rope, head_width_of(config, source)) / 2;
}

void heed_model_rotary_fill(const heed_model *model, bool source, int64_t length, int64_t rows,
                            float *frequencies)
{
    const heed_config *config = &model->config;
    int64_t pairs = heed_model_rotary_pairs(model, source);
    if (!frequencies || rows == 0) return;
    heed_rope_frequencies(&config->rope, head_width_of(config, source), length, frequencies);
    for (int64_t row = 1; row < rows; row++)
        memcpy(frequencies + row * pairs, frequencies, (size_t)pairs * sizeof *frequencies);
}

/* Returns the standard deviation of a weight's initial values. Source of scaled residuals: Radford
   et al. 2019, section 2.3. */
static double deviation(const heed_model *model, const heed_tensor *tensor)
{
    const heed_config *config = &model->config;
    uint8_t initial = tensor->use->initial;
    double scale = config->initializer_range;
    heed_stack_id stack_id = (heed_stack_id)tensor->place.stack_id;
    int64_t layers = heed_stack_runs(heed_stack_by_id(config, stack_id));
    if (initial == HEED_INITIAL_RESIDUAL &&
        config->family->initial == HEED_INITIAL_SCALED_RESIDUAL && layers > 0)
        scale /= sqrt(2.0 * (double)layers);
    return scale;
}

/* Returns the random stream of a tensor: a hash of its role, stack and layer, so that further
   tensors or roles change no other weight. */
static uint64_t stream_of(const heed_model *model, const heed_tensor *tensor)
{
    char name[64];
    uint64_t stream = heed_mix(tensor->place.stack_id, (uint64_t)tensor->place.layer);
    heed_role_name(&model->config, &tensor->place, tensor->use, name, sizeof name);
    for (const char *c = name; *c; c++) stream = heed_mix((uint8_t)*c, stream);
    return stream;
}

static void clear_row(const heed_tensor *tensor, int64_t row, float *values)
{
    for (int64_t i = 0; row >= 0 && row < tensor->rows && i < tensor->columns; i++)
        values[row * tensor->columns + i] = 0;
}

enum { DRAWN_AT_ONCE = 1 << 16 };

/* Draws the elements in the order on disk. */
static heed_status draw(heed_model *model, const heed_tensor *tensor, uint64_t seed, float *values,
                        heed_error *error)
{
    const heed_config *config = &model->config;
    uint8_t initial = tensor->use->initial;
    heed_rng rng = {.seed = seed, .stream = stream_of(model, tensor)};
    if (tensor->expert > 0) rng.stream = heed_mix(rng.stream, (uint64_t)tensor->expert);
    bool drawn = initial == HEED_INITIAL_NORMAL || initial == HEED_INITIAL_RESIDUAL ||
                 initial == HEED_INITIAL_EMBEDDING;
    bool xavier = drawn && config->family->initial == HEED_INITIAL_XAVIER && tensor->columns > 0;
    double scale = deviation(model, tensor);
    double bound = sqrt(6.0 / (double)(tensor->rows + tensor->columns + (tensor->columns == 0)));
    heed_status status = HEED_OK;
    for (size_t i = 0; i < tensor->elements && status == HEED_OK; i++) {
        if (i % DRAWN_AT_ONCE == 0)
            status = heed_cancel_check(model->cancel, "drawing the first weights", error);
        /* source: Glorot & Bengio 2010, eq. 16 */
        if (xavier) values[i] = (float)(bound * (2 * heed_rng_uniform(&rng) - 1));
        else if (drawn) values[i] = (float)(scale * heed_rng_normal(&rng));
        else values[i] = initial == HEED_INITIAL_ONE ? (float)(1 - config->norm_offset) : 0;
    }
    if (initial == HEED_INITIAL_EMBEDDING) clear_row(tensor, config->pad_id, values);
    return status;
}

heed_status heed_weights_initialize(heed_model *model, heed_tensor *tensor, uint64_t seed,
                                    heed_error *error)
{
    float *values = heed_allocate(tensor->elements ? tensor->elements : 1, sizeof *values);
    heed_status status = HEED_OK;
    if (!values) return heed_fail_memory(error, tensor->elements * sizeof *values, tensor->name);
    if (tensor->entry->flags & HEED_NAME_SINUSOIDS) {
        heed_sinusoid_table_fairseq(values, tensor->rows, tensor->columns);
        clear_row(tensor, model->config.pad_id, values);
    } else {
        status = draw(model, tensor, seed, values, error);
    }
    heed_stored_tensor drawn_values = {
        .name = tensor->name,
        .dtype = HEED_F32,
        .data = values,
        .bytes = tensor->elements * sizeof *values,
    };
    heed_stored_window window = {.tensor = &drawn_values};
    if (status == HEED_OK) status = heed_weights_fill(model, tensor, &window, error);
    free(values);
    return status;
}
