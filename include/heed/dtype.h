/* heed/dtype.h: element types. */
#ifndef HEED_DTYPE_H
#define HEED_DTYPE_H

typedef enum heed_dtype {
    HEED_F32, HEED_F64, HEED_F16, HEED_BF16, HEED_I64, HEED_I32, HEED_I16, HEED_I8, HEED_U8, HEED_BOOL,
    HEED_DTYPE_COUNT
} heed_dtype;

#endif
