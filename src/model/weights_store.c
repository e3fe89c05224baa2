/* How weights are kept: their types and layouts, their memory, their bf16 working copies. */
#include "graph/attributes.h"
#include "model/weights_internal.h"
#include "tensor/alignment.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- types and layouts ---- */

/* A question to the backend: does it have a kernel for this op of two operands, one of them a
   weight in packed panels? */
typedef struct {
    heed_op_id op;
    const void *attributes;
    heed_operand in[2], out;
    int weight; /* index of the operand in panels */
    heed_layout layout;
} panel_question;

/* An f32, f16, bf16 or quantized matrix whose rows lie end to end. */
static heed_operand operand_of(heed_dtype dtype, heed_shape shape, int64_t columns)
{
    return (heed_operand){
        .present = true,
        .dtype = dtype,
        .shape = shape,
        .row_stride = columns,
    };
}

static heed_shape live_rows(int64_t columns)
{
    return heed_shape_live(HEED_EXTENT_ROWS, 64, columns);
}

/* Does the backend pack weights, and does it have a kernel that computes this op? */
static bool takes_panels(const heed_backend *backend, const panel_question *question)
{
    if (!backend->packing) return false;
    heed_runtime runtime = {0};
    heed_operand in[2] = {question->in[0], question->in[1]};
    heed_kernel_args args = {
        .op = heed_ops[question->op],
        .in = in,
        .out = &question->out,
        .n_in = 2,
        .n_out = 1,
        .attributes = question->attributes,
        .runtime = &runtime,
        .isa = backend->isa,
    };
    in[question->weight].layout = question->layout;
    return heed_backend_find(backend, question->op, &args) != NULL;
}

/* Does the backend have a matmul that reads this weight in this type from this layout? */
static bool multiplies_panels(const heed_model *model, const heed_weight *weight, heed_dtype dtype,
                              heed_layout layout, bool bf16_operands)
{
    if (!heed_weight_is_multiplied(&model->config, weight)) return false;
    int64_t columns = weight->columns;
    heed_operand x = operand_of(HEED_F32, live_rows(columns), columns);
    heed_operand w = operand_of(dtype, heed_shape_2(weight->rows, columns), columns);
    heed_matmul_attributes matmul = {.transpose_b = 1, .bf16_operands = bf16_operands};
    panel_question question = {.op = HEED_OP_MATMUL,
                               .attributes = &matmul,
                               .in = {x, w},
                               .out = operand_of(HEED_F32, live_rows(weight->rows), weight->rows),
                               .weight = 1,
                               .layout = layout};
    heed_expert_matmul_attributes experts = {.transpose_b = 1, .bf16_operands = bf16_operands};
    if (weight->experts) {
        int64_t each = weight->rows / weight->experts;
        question.op = HEED_OP_EXPERT_MATMUL;
        question.attributes = &experts;
        question.in[1].shape = heed_shape_of(3, (int64_t[]){weight->experts, each, columns});
        question.weight = HEED_EXPERT_WEIGHT;
    }
    return takes_panels(model->backend, &question);
}

/* Is this weight kept in packed panels? Its matmul must read them, and so must the gather of a tied
   embedding. */
static bool wants_panels(const heed_model *model, const heed_weight *weight, heed_dtype dtype)
{
    if (!model->backend || weight->tensor < 0 || model->tensors[weight->tensor].trained ||
        !multiplies_panels(model, weight, dtype, HEED_LAYOUT_PANELS, false))
        return false;
    if (!(weight->use->flags & HEED_USE_LOOKED_UP)) return true;
    /* A tied embedding is also gathered from the same panels. */
    int64_t columns = weight->columns;
    panel_question question = {
        .op = HEED_OP_GATHER,
        .in = {operand_of(dtype, heed_shape_2(weight->rows, columns), columns),
               operand_of(HEED_I32, live_rows(0), 1)},
        .out = operand_of(HEED_F32, live_rows(columns), columns),
        .weight = 0,
        .layout = HEED_LAYOUT_PANELS,
    };
    return takes_panels(model->backend, &question);
}

/* Does this weight have a bf16 working copy beside its rows? */
static bool wants_copy(const heed_model *model, const heed_weight *weight)
{
    if (!model->backend || !model->training || !model->bf16 || !weight->parameter ||
        weight->columns == 0)
        return false;
    return multiplies_panels(model, weight, HEED_BF16, HEED_LAYOUT_PANELS_BOTH, true);
}

/* Returns the type on disk, or f32 if the types of the experts differ. */
static heed_dtype stored_type(const heed_model *model, const heed_weight *weight)
{
    if (weight->tensor < 0) return HEED_F32;
    const heed_tensor *tensor = &model->tensors[weight->tensor];
    int64_t tensors = tensor->expert < 0 ? 1 : weight->experts;
    for (int64_t i = 1; i < tensors; i++)
        if (tensor[i].stored != tensor->stored) return HEED_F32;
    return tensor->stored;
}

/* Returns the type that a weight has for inference, if it is not trained. It is the stored type if
   graphs can compute with that, or what the options ask for matrices that a matmul reads. */
static heed_dtype wanted_type(const heed_model *model, const heed_weight *weight)
{
    heed_dtype stored = stored_type(model, weight);
    bool kept = stored == HEED_F16 || stored == HEED_BF16 || heed_dtype_is_quantized(stored);
    if (weight->columns == 0) return HEED_F32;
    if (weight->tensor >= 0 && model->tensors[weight->tensor].trained) return HEED_F32;
    if (!kept) stored = HEED_F32;
    if (!model->narrows || weight->tensor < 0 || !heed_weight_is_multiplied(&model->config, weight))
        return stored;
    heed_dtype wanted = heed_dtype_fit(model->narrow_dtype, weight->columns);
    if ((weight->use->flags & HEED_USE_LOOKED_UP) &&
        heed_dtype_width(wanted) < heed_dtype_width(HEED_Q8_0))
        wanted = heed_dtype_fit(HEED_Q8_0, weight->columns);
    return heed_dtype_width(wanted) < heed_dtype_width(stored) ? wanted : stored;
}

/* Returns the type in memory of a weight. Gradients do not pass quantized ones. */
static heed_dtype resident_type(const heed_model *model, const heed_weight *weight)
{
    heed_dtype wanted = wanted_type(model, weight), stored = stored_type(model, weight);
    if (!heed_dtype_is_quantized(wanted) || !heed_weights_passes_gradients(model, weight))
        return wanted;
    return heed_dtype_is_quantized(stored) ? HEED_F32 : stored;
}

/* Sets type, layout and bytes of a weight that has no memory yet. */
static heed_status choose_layout(const heed_model *model, heed_weight *weight, heed_error *error)
{
    int64_t matrices = heed_weight_matrices(weight);
    weight->dtype = resident_type(model, weight);
    weight->layout = wants_panels(model, weight, weight->dtype) ? HEED_LAYOUT_PANELS
                                                                : HEED_LAYOUT_ROWS;
    size_t elements = (size_t)(weight->rows * (weight->columns ? weight->columns : 1));
    weight->bytes = heed_dtype_bytes(weight->dtype, elements);
    if (weight->layout == HEED_LAYOUT_PANELS &&
        (!model->backend->packing->panel_bytes(model->backend, weight->dtype,
                                               weight->rows / matrices, weight->columns,
                                               &weight->bytes) ||
         !heed_multiply_size(weight->bytes, (size_t)matrices, &weight->bytes)))
        return heed_fail(error, HEED_E_SHAPE, "%s: %lld x %lld elements are too many", weight->name,
                         (long long)weight->rows, (long long)weight->columns);
    return HEED_OK;
}

float *heed_weights_training_memory(const heed_model *model, const heed_tensor *tensor,
                                    bool gradient)
{
    const heed_weight *stack = &model->weights[tensor->first_weight];
    if (tensor->expert > 0) {
        const heed_tensor *first = &model->tensors[stack->tensor];
        float *memory = gradient ? first->gradient : first->values;
        return memory ? memory + (size_t)tensor->expert * tensor->elements : NULL;
    }
    size_t elements = tensor->elements * (size_t)(tensor->expert == 0 ? stack->experts : 1);
    return heed_allocate_aligned(elements * sizeof(float) + 64);
}

/* Training: a weight consists of rows of its tensor's values. */
static heed_status allocate_tensor(heed_model *model, heed_tensor *tensor, heed_error *error)
{
    tensor->values = heed_weights_training_memory(model, tensor, false);
    if (!tensor->values)
        return heed_fail_memory(error, tensor->elements * sizeof(float), tensor->name);
    for (int32_t i = 0; i < tensor->weights && tensor->expert <= 0; i++) {
        heed_weight *weight = &model->weights[tensor->first_weight + i];
        int64_t width = weight->columns ? weight->columns : 1;
        weight->dtype = HEED_F32;
        weight->layout = HEED_LAYOUT_ROWS;
        weight->data = tensor->values + weight->first_row * width;
        weight->bytes = (size_t)(weight->rows * width) * sizeof(float);
    }
    return HEED_OK;
}

/* Allocates all weights at once. A single weight is too small for huge pages, and huge pages avoid
   most TLB misses of decoding. The first pass adds up the bytes, the second sets the pointers. */
static heed_status allocate_weights(heed_model *model, heed_error *error)
{
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        for (size_t i = 0; i < model->n_weights; i++) {
            heed_weight *weight = &model->weights[i];
            bool absent = weight->tensor >= 0 && model->tensors[weight->tensor].absent;
            if (absent || weight->data) continue;
            if (pass == 0) {
                HEED_TRY(choose_layout(model, weight, error));
                if (!heed_add_size(total, heed_align(weight->bytes), &total))
                    return heed_fail_memory(error, SIZE_MAX, "the weights");
                continue;
            }
            weight->data = model->memory + at;
            at += heed_align(weight->bytes);
        }
        if (pass == 0 && !(model->memory = heed_allocate_aligned(total + 64)))
            return heed_fail_memory(error, total, "the weights");
    }
    return HEED_OK;
}

/* Allocates the bf16 working copies of all matrices at once, for the same reason. */
static heed_status allocate_copies(heed_model *model, heed_error *error)
{
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0, bytes;
        for (size_t i = 0; i < model->n_weights; i++) {
            heed_weight *weight = &model->weights[i];
            if (!weight->data || !wants_copy(model, weight)) continue;
            if (!model->backend->packing->copy_bytes(model->backend,
                                                     weight->rows / heed_weight_matrices(weight),
                                                     weight->columns, &weight->copy_bytes) ||
                !heed_multiply_size(weight->copy_bytes, (size_t)heed_weight_matrices(weight),
                                    &bytes) ||
                !heed_add_size(at, bytes, &total))
                return heed_fail_memory(error, SIZE_MAX, "the bf16 working copies of the weights");
            if (pass == 1) weight->copy = model->copies + at;
            at = total;
        }
        if (pass == 0 && total > 0 && !(model->copies = heed_allocate_aligned(total)))
            return heed_fail_memory(error, total, "the bf16 working copies of the weights");
    }
    model->copies_bytes = total;
    return HEED_OK;
}

heed_status heed_weights_allocate(heed_model *model, heed_error *error)
{
    HEED_TRY(heed_weights_list_parameters(model, error));
    for (size_t i = 0; i < model->n_tensors; i++)
        if (model->tensors[i].trained && !model->tensors[i].absent)
            HEED_TRY(allocate_tensor(model, &model->tensors[i], error));
    HEED_TRY(allocate_weights(model, error));
    return allocate_copies(model, error);
}

/* ---- bf16 working copies ---- */

/* Returns the number of copies of a weight that this tensor holds: one, or one per expert. */
static size_t copies_in(const heed_tensor *tensor, const heed_weight *weight)
{
    if (!weight->copy) return 0;
    return tensor->expert >= 0 ? 1 : (size_t)heed_weight_matrices(weight);
}

size_t heed_weights_copy_count(const heed_model *model, const heed_tensor *tensor)
{
    size_t count = 0;
    for (int32_t i = 0; i < tensor->weights; i++)
        count += copies_in(tensor, &model->weights[tensor->first_weight + i]);
    return count;
}

heed_parameter_copy heed_weights_bf16(const heed_model *model, const heed_tensor *tensor, size_t at)
{
    const heed_weight *weight = &model->weights[tensor->first_weight];
    for (; at >= copies_in(tensor, weight); weight++) at -= copies_in(tensor, weight);
    const int64_t rows = weight->rows / heed_weight_matrices(weight);
    const size_t matrix = tensor->expert > 0 ? (size_t)tensor->expert : at;
    const int64_t first_row = tensor->expert >= 0 ? 0 : weight->first_row + (int64_t)at * rows;
    return (heed_parameter_copy){
        .begin = (size_t)(first_row * weight->columns),
        .packed = {.data = (char *)weight->copy + matrix * weight->copy_bytes,
                   .dtype = HEED_BF16,
                   .rows = rows,
                   .columns = weight->columns},
    };
}

void heed_weights_write_bf16(const heed_model *model, const heed_tensor *tensor)
{
    for (size_t i = 0, count = heed_weights_copy_count(model, tensor); i < count; i++) {
        const heed_parameter_copy copy = heed_weights_bf16(model, tensor, i);
        model->backend->packing->write_copy(model->backend, &copy.packed, 0, copy.packed.rows,
                                            tensor->values + copy.begin);
    }
}
