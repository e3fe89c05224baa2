/* Products and row kernels on avx2. */
#define HEED_KERNEL_ISA avx2
#include "cpu/kernel/clamped_swiglu.h"
#include "cpu/kernel/elementwise.h"
#include "cpu/kernel/expert_product.h"
#include "cpu/kernel/expert_rows.h"
#include "cpu/kernel/linear_loss.h"
#include "cpu/kernel/norm.h"
#include "cpu/kernel/peak.h"
#include "cpu/kernel/product.h"
#include "cpu/kernel/reduce.h"
#include "cpu/kernel/rotary.h"
#include "cpu/kernel/rows.h"
#include "cpu/kernel/softmax.h"
