/* heed/dtype.h: the types of elements of tensors. */
#ifndef HEED_DTYPE_H
#define HEED_DTYPE_H

typedef enum heed_dtype {
    HEED_F32,
    HEED_F64,
    HEED_F16,
    HEED_BF16,
    HEED_I64,
    HEED_I32,
    HEED_I16,
    HEED_I8,
    HEED_U8,
    HEED_BOOL,
    /* quantized types, in which a block of numbers shares scales, as GGUF files store them */
    HEED_Q4_0,
    HEED_Q4_1,
    HEED_Q5_0,
    HEED_Q5_1,
    HEED_Q8_0,
    HEED_Q2_K,
    HEED_Q3_K,
    HEED_Q4_K,
    HEED_Q5_K,
    HEED_Q6_K,
    HEED_IQ4_NL,
    HEED_IQ4_XS,
    HEED_TQ1_0,
    HEED_TQ2_0,
    HEED_MXFP4,
    HEED_DTYPE_COUNT
} heed_dtype;

#endif
