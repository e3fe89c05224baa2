/* Attention in portable C. */
#define HEED_KERNEL_ISA generic
#include "cpu/kernel/attention_forward.h"
#include "cpu/kernel/attention_backward.h"
