/* peak.h: two loops that show what an instruction set can reach on this machine. Compiled into kernels_<isa>.c like the kernels. */
#include "cpu/kernel/kernel.h"
#include "cpu/peak.h"
#include "cpu/vector.h"

enum { PEAK_CHAINS = 12 }; /* as many as hide the latency of a multiply-add on two ports, and fit into 16 registers */

/* `rounds` times one multiply-add in each of PEAK_CHAINS independent vectors. The result keeps the loop from being dropped. */
static float peak_fma(int64_t rounds)
{
    heed_v chain[PEAK_CHAINS], factor = heed_v_set(0.999f), term = heed_v_set(0.001f);
    for (int i = 0; i < PEAK_CHAINS; i++) chain[i] = heed_v_set((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        HEED_UNROLL
        for (int i = 0; i < PEAK_CHAINS; i++) chain[i] = heed_v_fma(chain[i], factor, term);
    }
    for (int i = 1; i < PEAK_CHAINS; i++) chain[0] = heed_v_add(chain[0], chain[i]);
    return heed_v_sum(chain[0]);
}

/* Reads `count` floats, a multiple of 8 * HEED_LANES. */
static float peak_read(const float *data, int64_t count)
{
    heed_v sum[8];
    for (int i = 0; i < 8; i++) sum[i] = heed_v_zero();
    for (int64_t at = 0; at < count; at += 8 * HEED_LANES) {
        HEED_UNROLL
        for (int i = 0; i < 8; i++) sum[i] = heed_v_add(sum[i], heed_v_load(data + at + i * HEED_LANES));
    }
    for (int i = 1; i < 8; i++) sum[0] = heed_v_add(sum[0], sum[i]);
    return heed_v_sum(sum[0]);
}

#define PEAK_NAME(isa) PEAK_PASTE(isa)
#define PEAK_PASTE(isa) heed_peak_loops_##isa
const heed_peak_loops PEAK_NAME(HEED_KERNEL_ISA) = {peak_fma, peak_read, 2.0 * PEAK_CHAINS * HEED_LANES};
