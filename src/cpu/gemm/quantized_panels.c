/* quantized_panels.c: the packed panels of quantized weights (drawn in quantized.h): their size,
   how qblocks get into them, and how a row gets out. */
#include "base/memory.h"
#include "cpu/gemm/quantized.h"
#include "cpu/gemm/kernels.h"
#include "tensor/alignment.h"

#include <string.h>

/* Bytes of one row of W in a run, without its scales. */
static size_t run_bytes(const heed_qblock_traits *traits)
{
    return (size_t)traits->bits * HEED_RUN / 8;
}

/* Bytes of one row of W in a qblock of a panel. */
static size_t block_bytes(const heed_qblock_traits *traits)
{
    switch (traits->scales) {
    case HEED_SCALES_ONE: return 2 + run_bytes(traits);
    case HEED_SCALES_MINIMUM: return 4 + run_bytes(traits);
    case HEED_SCALES_RUNS: return 4 + 8 * (2 + run_bytes(traits));
    case HEED_SCALES_HALVES: return 2 + 8 * (2 + run_bytes(traits));
    }
    return 0;
}

size_t heed_qgemm_panel_stride(heed_isa isa, heed_dtype dtype, int64_t columns)
{
    return (size_t)columns / heed_dtypes[dtype].qblock * block_bytes(heed_qblock_traits_of(dtype)) *
           (size_t)heed_gemm_kernels_for(isa)->lanes;
}

bool heed_qgemm_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                            size_t *bytes)
{
    const size_t lanes = (size_t)heed_gemm_kernels_for(isa)->lanes;
    const heed_qblock_traits *traits = heed_qblock_traits_of(dtype);
    size_t padded, total;
    if (rows < 0 || columns < 0 || !heed_add_size((size_t)rows, lanes - 1, &padded)) return false;
    padded -= padded % lanes;
    if (!heed_multiply_size(padded, (size_t)columns / heed_dtypes[dtype].qblock, &total) ||
        !heed_multiply_size(total, block_bytes(traits), &total) ||
        !heed_add_size(total, HEED_ALIGNMENT - 1, &total))
        return false;
    *bytes = total - total % HEED_ALIGNMENT;
    return true;
}

/* Where the fields of one qblock of a panel stand: scales, minima, runs; bytes from run to run;
   bytes of scales before the values of a run. */
typedef struct {
    uint8_t *d, *m, *runs;
    size_t run_stride, bytes_at_run;
} block_place;

static block_place place_of(const heed_qblock_traits *traits, size_t lanes, uint8_t *block)
{
    block_place place = {.d = block, .m = block + 2 * lanes};
    bool two = traits->scales == HEED_SCALES_MINIMUM || traits->scales == HEED_SCALES_RUNS;
    bool within = traits->scales == HEED_SCALES_RUNS || traits->scales == HEED_SCALES_HALVES;
    place.runs = block + (two ? 4 : 2) * lanes;
    place.bytes_at_run = within ? 2 * lanes : 0;
    place.run_stride = place.bytes_at_run + run_bytes(traits) * lanes;
    return place;
}

/* The address of qblock `block` of the panel that holds row `row`. */
static uint8_t *block_start(const heed_gemm_panels *panels, const heed_qblock_traits *traits,
                            size_t lanes, int64_t row, int64_t block)
{
    int64_t blocks = panels->columns / (int64_t)heed_dtypes[panels->dtype].qblock,
            panel = row / (int64_t)lanes;
    return (uint8_t *)panels->data + (size_t)(panel * blocks + block) * block_bytes(traits) * lanes;
}

/* Writes the values q of one run into lane `lane`, over the bits that stand there. */
static void put_run(const heed_qblock_traits *traits, size_t lanes, size_t lane, const uint8_t *q,
                    uint8_t *run)
{
    const size_t vector = 4 * lanes;
    for (int g = 0; g < 8; g++)
        for (int b = 0; b < 4; b++) {
            uint8_t *at = run + 4 * lane + (size_t)b, value = q[4 * g + b];
            if (traits->bits == 8) {
                at[(size_t)g * vector] = value;
                continue;
            }
            uint8_t *low = at + (size_t)(g % 4) * vector;
            *low = g < 4 ? (uint8_t)((*low & 0xF0) | (value & 15))
                         : (uint8_t)((*low & 0x0F) | (value & 15) << 4);
            if (traits->bits == 5) {
                uint8_t *fifth = at + 4 * vector;
                *fifth = (uint8_t)((*fifth & ~(1 << g)) | value >> 4 << g);
            }
            if (traits->bits == 6) {
                uint8_t *high = at + (size_t)(4 + g / 4) * vector;
                *high = (uint8_t)((*high & ~(3 << g % 4 * 2)) | value >> 4 << g % 4 * 2);
            }
        }
}

/* Reads the values of one run out of lane `lane`. */
static void get_run(const heed_qblock_traits *traits, size_t lanes, size_t lane, const uint8_t *run,
                    uint8_t *q)
{
    const size_t vector = 4 * lanes;
    for (int g = 0; g < 8; g++)
        for (int b = 0; b < 4; b++) {
            const uint8_t *at = run + 4 * lane + (size_t)b;
            uint8_t value = traits->bits == 8 ? at[(size_t)g * vector]
                                              : at[(size_t)(g % 4) * vector] >> (g / 4 * 4) & 15;
            if (traits->bits == 5) value |= (uint8_t)((at[4 * vector] >> g & 1) << 4);
            if (traits->bits == 6)
                value |= (uint8_t)((at[(size_t)(4 + g / 4) * vector] >> (g % 4 * 2) & 3) << 4);
            q[4 * g + b] = value;
        }
}

/* Writes one qblock into lane `lane`: scales, minima and runs. */
static void put_block(const heed_qblock_traits *traits, size_t lanes, size_t lane,
                      const heed_qblock_parts *parts, uint8_t *block)
{
    block_place place = place_of(traits, lanes, block);
    memcpy(place.d + 2 * lane, &parts->d, 2);
    if (traits->scales == HEED_SCALES_MINIMUM || traits->scales == HEED_SCALES_RUNS)
        memcpy(place.m + 2 * lane, &parts->m, 2);
    for (size_t r = 0; r < heed_dtypes[traits->dtype].qblock / HEED_RUN; r++) {
        uint8_t *run = place.runs + r * place.run_stride;
        if (traits->scales == HEED_SCALES_RUNS) {
            run[lane] = parts->scale[r];
            run[lanes + lane] = parts->minimum[r];
        }
        if (traits->scales == HEED_SCALES_HALVES) {
            run[lane] = parts->scale[2 * r];
            run[lanes + lane] = parts->scale[2 * r + 1];
        }
        put_run(traits, lanes, lane, parts->q + HEED_RUN * r, run + place.bytes_at_run);
    }
}

void heed_qgemm_pack(const heed_gemm_panels *panels, int64_t first, int64_t count,
                     const void *source)
{
    const size_t lanes = (size_t)heed_gemm_kernels_for(panels->isa)->lanes;
    const heed_qblock_traits *traits = heed_qblock_traits_of(panels->dtype);
    const heed_dtype_info *type = &heed_dtypes[panels->dtype];
    const int64_t blocks = panels->columns / (int64_t)type->qblock;
    const heed_qblock_parts none = {0};
    for (int64_t row = first; row < first + count; row++)
        for (int64_t i = 0; i < blocks; i++) {
            heed_qblock_parts parts;
            traits->split((const uint8_t *)source +
                              (size_t)((row - first) * blocks + i) * type->bytes,
                          &parts);
            put_block(traits, lanes, (size_t)row % lanes, &parts,
                      block_start(panels, traits, lanes, row, i));
        }
    /* zeros in the lanes after the last row */
    for (int64_t row = first + count; row == panels->rows && row % (int64_t)lanes; row++)
        for (size_t lane = (size_t)row % lanes; lane < lanes; lane++)
            for (int64_t i = 0; i < blocks; i++)
                put_block(traits, lanes, lane, &none, block_start(panels, traits, lanes, row, i));
}

void heed_qgemm_gather(const heed_gemm_panels *panels, int64_t row, float *out)
{
    const size_t lanes = (size_t)heed_gemm_kernels_for(panels->isa)->lanes,
                 lane = (size_t)row % lanes;
    const heed_qblock_traits *traits = heed_qblock_traits_of(panels->dtype);
    const int64_t block = (int64_t)heed_dtypes[panels->dtype].qblock;
    for (int64_t i = 0; i < panels->columns / block; i++) {
        heed_qblock_parts parts = {0};
        block_place place = place_of(traits, lanes, block_start(panels, traits, lanes, row, i));
        memcpy(&parts.d, place.d + 2 * lane, 2);
        memcpy(&parts.m, place.m + 2 * lane, 2); /* not read for formats without minima */
        for (int r = 0; r < (int)block / HEED_RUN; r++) {
            const uint8_t *run = place.runs + (size_t)r * place.run_stride;
            heed_qblock_run w;
            if (traits->scales == HEED_SCALES_RUNS) {
                parts.scale[r] = run[lane];
                parts.minimum[r] = run[lanes + lane];
            }
            if (traits->scales == HEED_SCALES_HALVES) {
                parts.scale[2 * r] = run[lane];
                parts.scale[2 * r + 1] = run[lanes + lane];
            }
            get_run(traits, lanes, lane, run + place.bytes_at_run, parts.q + HEED_RUN * r);
            heed_qblock_run_read(traits, &parts, r, &w);
            /* the product is exact, so there is one rounding, as in decoding */
            for (int j = 0; j < HEED_RUN; j++) *out++ = w.d * (float)w.w[j] + w.m;
        }
    }
}
