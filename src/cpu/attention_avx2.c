/* Attention on AVX2. */
#define HEED_KERNEL_ISA avx2
#include "cpu/kernel/attention_forward.h"
#include "cpu/kernel/attention_backward.h"
