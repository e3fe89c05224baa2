/* qblock_dot.c: unpacks qblocks and computes the reference of a quantized matmul (qblock_dot.h). */
#include "tensor/qblock_dot.h"

#include "tensor/qblock_internal.h"

static uint16_t get_bits(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* ---- unpacking qblocks; the file of each format describes its layout ---- */

/* Unpacks 16 bytes: low nibbles to q[0..15], high nibbles to q[16..31]. */
static void split_nibbles(const uint8_t *nibbles, uint8_t *q)
{
    for (int i = 0; i < 16; i++) {
        q[i] = nibbles[i] & 15;
        q[i + 16] = nibbles[i] >> 4;
    }
}

static void split_q4_0(const void *block, heed_qblock_parts *parts)
{
    const uint8_t *bytes = block;
    parts->d = get_bits(bytes);
    split_nibbles(bytes + 2, parts->q);
}

static void split_q4_1(const void *block, heed_qblock_parts *parts)
{
    const uint8_t *bytes = block;
    parts->d = get_bits(bytes);
    parts->m = get_bits(bytes + 2);
    split_nibbles(bytes + 4, parts->q);
}

static void split_q5_0(const void *block, heed_qblock_parts *parts)
{
    const uint8_t *bytes = block;
    parts->d = get_bits(bytes);
    split_nibbles(bytes + 6, parts->q);
    for (int i = 0; i < 32; i++) parts->q[i] |= (uint8_t)((bytes[2 + i / 8] >> i % 8 & 1) << 4);
}

static void split_q8_0(const void *block, heed_qblock_parts *parts)
{
    const uint8_t *bytes = block;
    parts->d = get_bits(bytes);
    for (int i = 0; i < 32; i++) parts->q[i] = bytes[2 + i] ^ 128;
}

static void split_q4_k(const void *block, heed_qblock_parts *parts)
{
    const uint8_t *bytes = block, *nibbles = bytes + 16;
    parts->d = get_bits(bytes);
    parts->m = get_bits(bytes + 2);
    for (int i = 0; i < 8; i++)
        heed_k_scale_minimum(bytes + 4, i, &parts->scale[i], &parts->minimum[i]);
    for (int i = 0; i < 256; i++)
        parts->q[i] = nibbles[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

static void split_q6_k(const void *block, heed_qblock_parts *parts)
{
    const uint8_t *low = block, *high = low + 128;
    parts->d = get_bits(low + 208);
    memcpy(parts->scale, low + 192, 16);
    for (int i = 0; i < 256; i++)
        parts->q[i] = (uint8_t)((low[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15) |
                                (high[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3) << 4);
}

const heed_qblock_traits heed_qblock_traits_table[HEED_QBLOCK_TRAITS] = {
    {HEED_Q4_0, 4, 8, HEED_SCALES_ONE, split_q4_0},
    {HEED_Q4_1, 4, 0, HEED_SCALES_MINIMUM, split_q4_1},
    {HEED_Q5_0, 5, 16, HEED_SCALES_ONE, split_q5_0},
    {HEED_Q8_0, 8, 128, HEED_SCALES_ONE, split_q8_0},
    {HEED_Q4_K, 4, 0, HEED_SCALES_RUNS, split_q4_k},
    {HEED_Q6_K, 6, 32, HEED_SCALES_HALVES, split_q6_k}};

const heed_qblock_traits *heed_qblock_traits_of(heed_dtype dtype)
{
    for (int i = 0; i < HEED_QBLOCK_TRAITS; i++)
        if (heed_qblock_traits_table[i].dtype == dtype) return &heed_qblock_traits_table[i];
    return NULL;
}

/* ---- the definition ---- */

void heed_qblock_run_read(const heed_qblock_traits *traits, const heed_qblock_parts *parts, int run,
                          heed_qblock_run *out)
{
    out->d = heed_f16_to_f32(parts->d);
    out->m = traits->scales == HEED_SCALES_MINIMUM ? heed_f16_to_f32(parts->m) : 0;
    if (traits->scales == HEED_SCALES_RUNS) {
        out->d *= (float)parts->scale[run]; /* The product of 11 and 6 bits is exact in f32. */
        out->m = -(heed_f16_to_f32(parts->m) * (float)parts->minimum[run]);
    }
    for (int i = 0; i < HEED_RUN; i++) {
        out->w[i] = parts->q[HEED_RUN * run + i] - traits->zero;
        if (traits->scales == HEED_SCALES_HALVES)
            out->w[i] *= (int8_t)parts->scale[2 * run + i / 16];
    }
}

void heed_q8_run_make(const float *values, const heed_qblock_traits *traits, heed_q8_run *run)
{
    uint32_t max = 0;
    memset(run, 0, sizeof *run);
    /* Magnitudes compare as their bits do, with NaN above infinity. */
    for (int i = 0; i < HEED_RUN; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        bits &= 0x7FFFFFFF;
        max = bits > max ? bits : max;
    }
    float magnitude;
    memcpy(&magnitude, &max, 4);
    if (magnitude < 0x1p-100f) return;
    if (max >= 0x7F800000) {
        run->dx = run->sum = NAN;
        return;
    }
    float reciprocal = 127 / magnitude, step = magnitude / 127;
    int32_t sum = 0;
    for (int i = 0; i < HEED_RUN; i++) {
        run->x[i] = (int8_t)rintf(values[i] * reciprocal);
        run->start[traits->scales == HEED_SCALES_HALVES ? i / 16 : 0] -= traits->zero * run->x[i];
        sum += run->x[i];
    }
    run->dx = heed_round_11_bits(step);
    run->sum = heed_round_11_bits(step * (float)sum);
}

void heed_qblock_sum_add(heed_qblock_sum *acc, const heed_qblock_traits *traits, const void *block,
                         const float *x)
{
    heed_qblock_parts parts;
    traits->split(block, &parts);
    for (int r = 0; r < (int)heed_dtypes[traits->dtype].qblock / HEED_RUN; r++) {
        heed_qblock_run w;
        heed_q8_run a;
        int32_t sum = 0;
        heed_qblock_run_read(traits, &parts, r, &w);
        heed_q8_run_make(x + HEED_RUN * r, traits, &a);
        for (int i = 0; i < HEED_RUN; i++) sum += w.w[i] * a.x[i];
        acc->sum = fmaf(w.d * a.dx, (float)sum, acc->sum);
        if (traits->scales == HEED_SCALES_MINIMUM || traits->scales == HEED_SCALES_RUNS)
            acc->sum = fmaf(w.m, a.sum, acc->sum);
    }
}

float heed_qblock_dot(const heed_qblock_traits *traits, const void *row, const float *x,
                      int64_t count)
{
    const heed_dtype_info *type = &heed_dtypes[traits->dtype];
    const uint8_t *block = row;
    heed_qblock_sum acc = {0};
    for (int64_t at = 0; at < count; at += (int64_t)type->qblock, block += type->bytes)
        heed_qblock_sum_add(&acc, traits, block, x + at);
    return acc.sum;
}
