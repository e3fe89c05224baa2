/* Our side of bench/compare_matmuls.py: matmuls for a worker that is asked line by line.
     bench_matmuls [threads]
   Requests are JSON objects on stdin, each answered by one on stdout:
     {"do": "load", "m", "n", "k", "b": "f32"|"f16"|"bf16", "layout": "panels"|"rows", "rounded",
      "gradient": "input"|"weight", "copies", "folder"}
         makes the matmul of folder/a.bin and folder/b.bin (f32), writes folder/c.bin, and keeps it.
         a (M,K), W (N,K), c = a W^T; for the gradient to the input W is (K,N) and c = a W; for
         that to the weight a is (K,M), W (K,N) and c = a^T W. Panels are packed beforehand, rows
         by the matmul. With `copies` it walks through so many copies of W, so that they come from
         memory.
     {"do": "time", "seconds"}
         runs it for so long; {"seconds": median of one matmul} */
#include "base/clock.h"
#include "base/memory.h"
#include "base/pool.h"
#include "cpu/gemm/gemm.h"
#include "tensor/alignment.h"
#include "tensor/dtype.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TIMES = 100000, PACKING_PARTS = 32 };

typedef struct {
    heed_pool *pool;
    heed_isa isa;
    heed_gemm gemm;
    float *a, *c;
    char *b, *scratch, *packed;
    size_t b_bytes, copies, scratch_bytes;
    int parts;
    atomic_int next, next_packing;
    uint64_t runs;
} matmul;

static void fail(const char *what)
{
    fprintf(stderr, "bench_matmuls: %s\n", what);
    exit(1);
}

static void *must(void *pointer)
{
    if (!pointer) fail("out of memory");
    return pointer;
}

static float *read_floats(const char *folder, const char *name, int64_t count)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    float *values = must(heed_allocate_aligned((size_t)count * sizeof *values + 64));
    FILE *file = fopen(path, "rb");
    if (!file || fread(values, sizeof *values, (size_t)count, file) != (size_t)count) fail(path);
    fclose(file);
    return values;
}

static void write_floats(const char *folder, const char *name, const float *values, int64_t count)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(values, sizeof *values, (size_t)count, file) != (size_t)count ||
        fclose(file))
        fail(path);
}

static void run_parts(void *argument, int thread, int threads)
{
    matmul *p = argument;
    if (p->gemm.prepacked) {
        for (int part; (part = atomic_fetch_add_explicit(&p->next_packing, 1,
                                                         memory_order_relaxed)) < PACKING_PARTS;)
            heed_gemm_prepack(&p->gemm, p->isa, part, PACKING_PARTS);
        if (threads > 1) heed_pool_barrier(p->pool);
    }
    for (int part;
         (part = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->parts;)
        heed_gemm_run(&p->gemm, p->isa, part, p->parts,
                      p->scratch + p->scratch_bytes * (size_t)thread);
}

static void run_once(matmul *p)
{
    p->gemm.b = p->b + p->b_bytes * (size_t)(p->runs++ % p->copies);
    atomic_store(&p->next, 0);
    atomic_store(&p->next_packing, 0);
    heed_pool_run(p->pool, run_parts, p);
}

static void release(matmul *p)
{
    heed_free_aligned(p->a);
    heed_free_aligned(p->b);
    heed_free_aligned(p->c);
    heed_free_aligned(p->scratch);
    heed_free_aligned(p->packed);
    p->a = p->c = NULL;
    p->b = p->scratch = p->packed = NULL;
}

/* W (rows,columns) in its layout, `copies` times. */
static void lay_out(matmul *p, float *w, int64_t rows, int64_t columns, bool panels)
{
    const heed_dtype dtype = p->gemm.b_dtype;
    p->b_bytes = (size_t)(rows * columns) * heed_dtypes[dtype].bytes;
    if (panels && !heed_gemm_panel_bytes(p->isa, dtype, rows, columns, &p->b_bytes))
        fail("too large");
    p->b_bytes = heed_align(p->b_bytes);
    p->b = must(heed_allocate_aligned(p->b_bytes * p->copies + 64));
    for (size_t copy = 0; copy < p->copies; copy++) {
        void *to = p->b + copy * p->b_bytes;
        heed_gemm_panels target = {
            .data = to, .isa = p->isa, .dtype = dtype, .rows = rows, .columns = columns};
        if (panels) heed_gemm_pack(&target, 0, rows, &(heed_pack_source){w, HEED_F32, columns, 1});
        else heed_convert(to, dtype, w, HEED_F32, (size_t)(rows * columns));
    }
    heed_free_aligned(w);
}

static heed_gemm_b_kind kind_of(bool panels, bool to_input, bool to_weight)
{
    if (panels) return to_input ? HEED_GEMM_B_PANELS_TRANSPOSED : HEED_GEMM_B_PANELS;
    return to_input || to_weight ? HEED_GEMM_B_NN : HEED_GEMM_B_NT;
}

static json_t *load(matmul *p, json_t *request)
{
    json_int_t m, n, k, copies = 1;
    const char *type, *layout, *folder, *gradient = "";
    int rounded = 0;
    if (json_unpack(request, "{s:I, s:I, s:I, s:s, s:s, s:s, s?b, s?s, s?I}", "m", &m, "n", &n, "k",
                    &k, "b", &type, "layout", &layout, "folder", &folder, "rounded", &rounded,
                    "gradient", &gradient, "copies", &copies))
        fail("a request that is not understood");
    release(p);
    heed_dtype dtype;
    if (!heed_dtype_by_name(type, &dtype) || copies < 1) fail("an unknown type");
    const bool panels = !strcmp(layout, "panels"), to_input = !strcmp(gradient, "input"),
               to_weight = !strcmp(gradient, "weight");
    p->copies = (size_t)copies;
    p->runs = 0;
    p->gemm = (heed_gemm){
        .m = m,
        .n = n,
        .k = k,
        .a_stride = k,
        .a_transposed = to_weight,
        .b_dtype = dtype,
        .b_kind = kind_of(panels, to_input, to_weight),
        .c_stride = n,
        .bf16_operands = rounded,
    };
    if (to_weight) p->gemm.a_stride = m;
    const bool weight_rows_are_k = to_input || to_weight;
    const int64_t rows = weight_rows_are_k ? k : n, columns = k + n - rows;
    p->gemm.b_stride = columns;
    p->a = read_floats(folder, "a.bin", m * k);
    p->c = must(heed_allocate_aligned((size_t)(m * n) * sizeof(float) + 64));
    p->gemm.a = p->a;
    p->gemm.c = p->c;
    lay_out(p, read_floats(folder, "b.bin", n * k), rows, columns, panels);
    p->gemm.prepacked = rounded; /* as plans do it */
    size_t a_bytes, b_bytes;
    heed_gemm_prepack_bytes(&p->gemm, p->isa, &a_bytes, &b_bytes);
    p->packed = must(heed_allocate_aligned(a_bytes + b_bytes + 64));
    p->gemm.packed_a = p->packed;
    p->gemm.packed_b = p->packed + a_bytes;
    p->parts = heed_gemm_parts(&p->gemm, p->isa);
    p->scratch_bytes = (heed_gemm_scratch(&p->gemm, p->isa) + 4095) / 4096 * 4096 + 64;
    p->scratch = must(heed_allocate_aligned(p->scratch_bytes * (size_t)heed_pool_threads(p->pool)));
    run_once(p);
    write_floats(folder, "c.bin", p->c, m * n);
    return json_pack("{s:i, s:I}", "parts", p->parts, "bytes", (json_int_t)p->b_bytes);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static json_t *time_it(matmul *p, json_t *request)
{
    double seconds = json_number_value(json_object_get(request, "seconds"));
    double *times = must(malloc(MOST_TIMES * sizeof *times));
    if (!p->a) fail("nothing is loaded");
    int count = 0;
    run_once(p);
    for (const double begin = heed_clock_seconds();
         count < 3 || (count < MOST_TIMES && heed_clock_seconds() - begin < seconds);) {
        const double start = heed_clock_seconds();
        run_once(p);
        times[count++] = heed_clock_seconds() - start;
    }
    qsort(times, (size_t)count, sizeof *times, by_value);
    json_t *answer = json_pack("{s:f, s:i}", "seconds", times[count / 2], "count", count);
    free(times);
    return answer;
}

/* NULL for a request that is none of the two. */
static json_t *answer_to(matmul *p, json_t *request)
{
    const char *what = json_string_value(json_object_get(request, "do"));
    if (what && !strcmp(what, "load")) return load(p, request);
    if (what && !strcmp(what, "time")) return time_it(p, request);
    return NULL;
}

int main(int argc, char **argv)
{
    matmul p = {0};
    heed_error error = {0};
    if (heed_isa_choose(&p.isa, &error) ||
        heed_pool_new(&p.pool, heed_thread_count(argc > 1 ? atoi(argv[1]) : 0), &error))
        fail(error.message);
    printf("{\"isa\": \"%s\", \"threads\": %d}\n", heed_isa_name(p.isa), heed_pool_threads(p.pool));
    fflush(stdout);
    char line[8192];
    while (fgets(line, sizeof line, stdin)) {
        json_t *request = json_loads(line, 0, NULL);
        json_t *answer = answer_to(&p, request);
        if (!answer) fail("a request that is not understood");
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(answer);
        json_decref(request);
    }
    release(&p);
    heed_pool_free(p.pool);
    return 0;
}
