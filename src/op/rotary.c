/* Rotary position embedding.

   rotary_table
   Formula:  factor * cos(position * frequency), then factor * sin(position * frequency)
   Inputs:   positions (N) i32
             frequencies (W/2) f32, or (N,W/2) if each row has its own
   Output:   table (N,W) f32
   Gradient: none: positions are integers, frequencies are not trained

   rotary
   Formula:  in every head the pairs (a,b) of channels (i, i + W/2), or (2i, 2i+1) if interleaved,
             become (a cos - b sin, b cos + a sin); channels from W on stay as they are
   Inputs:   x (N,heads*E) f32
             table (N,W) f32, W even and at most E
   Output:   y (N,heads*E) f32
   Options:  inverse turns the other way
   Gradient: rotary with inverse: the transposed matrix

   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for a count of heads that does not divide the
             columns
   Source:   Su et al. 2021, "RoFormer", eq. 34 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(rotary_table);
HEED_REFERENCE(rotary);

void REAL(heed_rotary_table_reference)(const heed_kernel_args *args)
{
    const heed_operand *positions = &args->in[0], *frequencies = &args->in[1], *y = &args->out[0];
    real factor = (real)((const heed_rotary_table_attributes *)args->attributes)->factor;
    bool by_row = frequencies->shape.rank == 2;
    int64_t half = y->shape.dim[1] / 2;
    for (int64_t i = 0; i < y->shape.dim[0]; i++)
        for (int64_t j = 0; j < half; j++) {
            real angle = (real)*REAL(integers)(positions, i) *
                         (by_row ? REAL(row)(frequencies, i)[j] : *REAL(row)(frequencies, j));
            REAL(row)(y, i)[j] = R(cos)(angle) * factor;
            REAL(row)(y, i)[half + j] = R(sin)(angle) * factor;
        }
}

void REAL(heed_rotary_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *table = &args->in[1], *y = &args->out[0];
    const heed_rotary_attributes *attributes = args->attributes;
    int64_t columns = x->shape.dim[1], half = table->shape.dim[1] / 2,
            width = columns / attributes->heads;
    for (int64_t i = 0; i < x->shape.dim[0]; i++) {
        const real *from = REAL(row)(x, i), *turn = REAL(row)(table, i);
        real *to = REAL(row)(y, i);
        for (int64_t head = 0; head < columns; head += width) {
            for (int64_t j = 0; j < half; j++) {
                const int64_t first = head + (attributes->interleaved ? 2 * j : j);
                const int64_t second = first + (attributes->interleaved ? 1 : half);
                real a = from[first], b = from[second], cosine = turn[j],
                     sine = attributes->inverse ? -turn[half + j] : turn[half + j];
                to[first] = a * cosine - b * sine;
                to[second] = b * cosine + a * sine;
            }
            for (int64_t j = 2 * half; j < width; j++) to[head + j] = from[head + j];
        }
    }
}

#if !HEED_REAL_DOUBLE
static heed_status infer_table(heed_infer *infer, heed_error *error)
{
    heed_shape positions = infer->shape[0], frequencies = infer->shape[1];
    if (infer->dtype[0] != HEED_I32 || infer->dtype[1] != HEED_F32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "positions of i32 and frequencies of f32");
    bool shared = frequencies.rank == 1 && frequencies.extent == HEED_EXTENT_FIXED,
         by_row = frequencies.rank == 2 && heed_same_rows(positions, frequencies);
    if (positions.rank != 1 || (!shared && !by_row))
        return heed_infer_fail(
            infer, error, HEED_E_SHAPE,
            "positions (N) and frequencies (E/2), or (N,E/2) with the same rows");
    infer->out_shape[0] = heed_shape_2(positions.dim[0], 2 * frequencies.dim[shared ? 0 : 1]);
    infer->out_shape[0].extent = positions.extent;
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[0], table = infer->shape[1];
    int64_t heads = ((const heed_rotary_attributes *)infer->attributes)->heads;
    HEED_TRY(heed_check_f32(infer, error));
    if (x.rank != 2 || table.rank != 2 || !heed_same_rows(x, table))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "x (N,heads*E) and a table (N,W) with the same rows");
    if (heads < 1 || x.dim[1] % heads)
        return heed_infer_fail(infer, error, HEED_E_ARG,
                               "a count of heads that divides the columns of x");
    if (table.dim[1] % 2 || table.dim[1] > x.dim[1] / heads)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "a table of even width, not wider than a head");
    infer->out_shape[0] = x;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_rotary_attributes attributes = *(const heed_rotary_attributes *)node->attributes;
    attributes.inverse = !attributes.inverse;
    din[0] = heed_emit(graph, HEED_OP_ROTARY, (heed_value[]){dout[0], node->in[1]}, 2, &attributes,
                       NULL);
    return HEED_OK;
}

heed_value heed_rotary_table(heed_graph *graph, heed_value positions, heed_value frequencies,
                             float factor)
{
    heed_rotary_table_attributes attributes = {.factor = factor};
    return heed_emit(graph, HEED_OP_ROTARY_TABLE, (heed_value[]){positions, frequencies}, 2,
                     &attributes, NULL);
}

heed_value heed_rotary(heed_graph *graph, heed_value x, heed_value table, int heads,
                       bool interleaved)
{
    heed_rotary_attributes attributes = {.heads = heads, .interleaved = interleaved};
    return heed_emit(graph, HEED_OP_ROTARY, (heed_value[]){x, table}, 2, &attributes, NULL);
}

const heed_op heed_op_rotary_table = {
    .name = "rotary_table",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_rotary_table_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer_table,
    .no_gradient = "positions are integers and frequencies are not trained",
    HEED_REFERENCES(rotary_table)};
const heed_op heed_op_rotary = {
    .name = "rotary",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_rotary_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(rotary),
};
#endif
