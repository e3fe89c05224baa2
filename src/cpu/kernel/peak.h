/* peak.h: loops that reach the peak of an instruction set on this machine. They are compiled into
   kernels_<isa>.c like the kernels. */
#include "cpu/kernel/kernel.h"
#include "cpu/peak.h"
#include "cpu/vector.h"

/* How many accumulators loops have. For multiply-adds there are as many as hide their latency on
   two ports and fit into 16 registers. For products of bytes only the last step depends on the one
   before, and it takes a cycle. */
enum { PEAK_ACCUMULATORS = 12, PEAK_BYTE_ACCUMULATORS = 4, PEAK_STREAMS = 8 };

/* For each instruction set: peak_dot, which adds the products of four bytes to each lane of 32
   bits, and how the loops compute. */
#if defined(__AVX512BW__)
#define PEAK_F32_HOW "vfmadd, 512 bits"
#define PEAK_INT8_HOW "vpmaddubsw, vpmaddwd, vpaddd, 512 bits: no vpdpbusd"
typedef __m512i peak_bytes;
HEED_INLINE peak_bytes peak_dot(peak_bytes sum, peak_bytes a, peak_bytes b)
{
    return _mm512_add_epi32(sum,
                            _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)));
}
#elif defined(__AVX2__)
#define PEAK_F32_HOW "vfmadd, 256 bits"
#define PEAK_INT8_HOW "vpmaddubsw, vpmaddwd, vpaddd, 256 bits: no vpdpbusd"
typedef __m256i peak_bytes;
HEED_INLINE peak_bytes peak_dot(peak_bytes sum, peak_bytes a, peak_bytes b)
{
    return _mm256_add_epi32(sum,
                            _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}
#else
#define PEAK_F32_HOW "emulated: a multiply-add rounded once, in portable C"
#define PEAK_INT8_HOW "emulated: bytes widened to 32 bits, in portable C"
typedef uint8_t peak_bytes __attribute__((vector_size(16)));
HEED_INLINE peak_bytes peak_dot(peak_bytes sum, peak_bytes a, peak_bytes b)
{
    heed_vu lanes = (heed_vu)sum;
    for (int n = 0; n < HEED_LANES; n++)
        for (int i = 0; i < 4; i++) lanes[n] += (uint32_t)a[4 * n + i] * b[4 * n + i];
    return (peak_bytes)lanes;
}
#endif
/* Makes the compiler assume that a value in a vector register changes here. */
#if defined(__x86_64__)
#define PEAK_OPAQUE(x) __asm__ volatile("" : "+x"(x))
#elif defined(__aarch64__)
#define PEAK_OPAQUE(x) __asm__ volatile("" : "+w"(x))
#else
#define PEAK_OPAQUE(x) __asm__ volatile("" : "+m"(x))
#endif

/* `rounds` times one multiply-add in each of PEAK_ACCUMULATORS independent vectors. Returns a
   number that depends on all of them, so that the loop is not dropped. */
static float peak_f32(int64_t rounds)
{
    heed_v accumulator[PEAK_ACCUMULATORS], factor = heed_v_set(0.999f), term = heed_v_set(0.001f);
    for (int i = 0; i < PEAK_ACCUMULATORS; i++) accumulator[i] = heed_v_set((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        HEED_UNROLL
        for (int i = 0; i < PEAK_ACCUMULATORS; i++)
            accumulator[i] = heed_v_fma(accumulator[i], factor, term);
    }
    for (int i = 1; i < PEAK_ACCUMULATORS; i++)
        accumulator[0] = heed_v_add(accumulator[0], accumulator[i]);
    return heed_v_sum(accumulator[0]);
}

/* `rounds` times products of bytes in each of the accumulators. */
static float peak_int8(int64_t rounds)
{
    const peak_bytes none = {0}, b = none + 5;
    peak_bytes accumulator[PEAK_BYTE_ACCUMULATORS], a = none + 3;
    HEED_UNROLL
    for (int i = 0; i < PEAK_BYTE_ACCUMULATORS; i++) accumulator[i] = none;
    for (int64_t r = 0; r < rounds; r++) {
        HEED_UNROLL
        for (int i = 0; i < PEAK_BYTE_ACCUMULATORS; i++) {
            accumulator[i] = peak_dot(accumulator[i], a, b);
            PEAK_OPAQUE(a); /* otherwise the product is made only once */
        }
    }
    HEED_UNROLL
    for (int i = 1; i < PEAK_BYTE_ACCUMULATORS; i++)
        accumulator[0] = accumulator[0] ^ accumulator[i];
    int32_t lane;
    memcpy(&lane, &accumulator[0], sizeof lane);
    return (float)lane;
}

/* Adds up `count` floats, as one run of addresses or as eight side by side. */
static float peak_read(const float *data, int64_t count, int streams)
{
    const int64_t run = streams > 1 ? count / PEAK_STREAMS : HEED_LANES;
    const int64_t step = streams > 1 ? HEED_LANES : PEAK_STREAMS * HEED_LANES;
    heed_v sum[PEAK_STREAMS];
    for (int i = 0; i < PEAK_STREAMS; i++) sum[i] = heed_v_zero();
    for (int64_t n = 0; n < count / (PEAK_STREAMS * HEED_LANES); n++, data += step) {
        HEED_UNROLL
        for (int i = 0; i < PEAK_STREAMS; i++) {
            if (streams > 1) __builtin_prefetch(data + i * run + 512); /* 2 KiB ahead */
            sum[i] = heed_v_add(sum[i], heed_v_load(data + i * run));
        }
    }
    for (int i = 1; i < PEAK_STREAMS; i++) sum[0] = heed_v_add(sum[0], sum[i]);
    return heed_v_sum(sum[0]);
}

#define PEAK_NAME(isa) PEAK_PASTE(isa)
#define PEAK_PASTE(isa) heed_peak_loops_##isa
const heed_peak_loops PEAK_NAME(HEED_KERNEL_ISA) = {
    .f32 = {peak_f32, 2.0 * PEAK_ACCUMULATORS *HEED_LANES, PEAK_F32_HOW},
    .int8 = {peak_int8, 2.0 * PEAK_BYTE_ACCUMULATORS * sizeof(peak_bytes), PEAK_INT8_HOW},
    .read = peak_read};
