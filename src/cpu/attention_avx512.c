/* Attention on AVX-512. */
#define HEED_KERNEL_ISA avx512
#include "cpu/kernel/attention_forward.h"
#include "cpu/kernel/attention_backward.h"
