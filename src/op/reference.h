/* reference.h: one kernel body, compiled twice. CMake compiles every file of src/op with
   HEED_REAL_DOUBLE=0 (float: also the record) and again with HEED_REAL_DOUBLE=1 (double: only the
   kernels). In a double-precision plan every f32 value holds doubles. */
#ifndef HEED_OP_REFERENCE_H
#define HEED_OP_REFERENCE_H

#include "graph/attributes.h"
#include "graph/ir.h"
#include "graph/op.h"
#include "tensor/qblock_dot.h"
#include "tensor/dtype.h"
#include <math.h>

#if HEED_REAL_DOUBLE
typedef double real;
#define REAL(name) name##_f64
#define R(function) function
#else
typedef float real;
#define REAL(name) name##_f32
#define R(function) function##f
#endif

/* Row i of an operand whose elements are `real`, or of an i32 operand. */
static inline real *REAL(row)(const heed_operand *operand, int64_t i)
{
    return (real *)operand->data + i * operand->row_stride;
}

static inline const int32_t *REAL(integers)(const heed_operand *operand, int64_t i)
{
    return (const int32_t *)operand->data + i * operand->row_stride;
}

/* Element `at` of an operand in the order of its rows laid end to end. */
static inline real *REAL(flat)(const heed_operand *operand, int64_t at)
{
    int64_t columns = heed_shape_columns(operand->shape);
    return columns ? (real *)operand->data + at / columns * operand->row_stride + at % columns
                   : operand->data;
}

/* Writes zeros into all live rows. */
static inline void REAL(clear)(const heed_operand *operand)
{
    int64_t columns = heed_shape_columns(operand->shape);
    for (int64_t i = 0; i < heed_shape_rows(operand->shape); i++)
        for (int64_t j = 0; j < columns; j++) REAL(row)(operand, i)[j] = 0;
}

/* Row i of a quantized weight, whose qblocks lie end to end along it. */
static inline const char *REAL(qblocks)(const heed_operand *operand, int64_t i)
{
    return (const char *)operand->data +
           heed_dtype_bytes(operand->dtype, (size_t)(i * operand->row_stride));
}

/* Element (i, j) of a weight in rows, whatever its type. */
static inline real REAL(element)(const heed_operand *operand, int64_t i, int64_t j)
{
    int64_t at = i * operand->row_stride + j;
    const heed_dtype_info *type = &heed_dtypes[operand->dtype];
    if (type->decode) {
        float values[HEED_MAX_QBLOCK];
        type->decode(REAL(qblocks)(operand, i) + (size_t)j / type->qblock * type->bytes, values);
        return values[(size_t)j % type->qblock];
    }
    switch (operand->dtype) {
    case HEED_F16: return heed_f16_to_f32(((const uint16_t *)operand->data)[at]);
    case HEED_BF16: return heed_bf16_to_f32(((const uint16_t *)operand->data)[at]);
    default: return ((const real *)operand->data)[at];
    }
}

/* An operand of a matmul, rounded to bf16 if the attributes of the matmul say so. A double is
   rounded to float first, as by `cast`. */
static inline real REAL(operand)(real value, bool bf16)
{
    return bf16 ? (real)heed_round_operand((float)value) : value;
}

/* The traits by which a matmul multiplies qblocks as integers (tensor/qblock_dot.h). Only frozen
   weights have them, and only in single precision; NULL: multiply element by element. */
static inline const heed_qblock_traits *REAL(integers_of)(const heed_operand *b)
{
    return sizeof(real) == sizeof(float) ? heed_qblock_traits_of(b->dtype) : NULL;
}

/* The reference kernels of an op named so that its record finds both; declare them with
   HEED_REFERENCE before the record. */
#define HEED_REFERENCE(name)                                    \
    void heed_##name##_reference_f32(const heed_kernel_args *); \
    void heed_##name##_reference_f64(const heed_kernel_args *)
#define HEED_REFERENCES(name) \
    .reference = heed_##name##_reference_f32, .reference64 = heed_##name##_reference_f64

#endif
