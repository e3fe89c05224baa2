/* Attention, forward and forward + backward, in GFLOP/s: lengths 512 to 8192, head widths 64 and
   128, with and without the causal mask (which counts half the work), operands f32 or rounded to
   bf16.
     bench_attention [-t threads] [-s seconds a line] [-l length] [-w width]
                     [-m causal|none] [-p f32|bf16]
   With -f FILE it is one side of a comparison: FILE holds q, k, v and dy, each (length, heads *
   width) f32; every line of stdin, {"repeats": N}, is answered by {"seconds": of N runs}; at the
   end of stdin y, dq, dk and dv are written after them. -b 1: with the backward pass. HEED_ISA
   chooses the instruction set. */
#include "base/clock.h"
#include "base/rng.h"
#include "cpu/backend.h"
#include "graph/attributes.h"
#include "graph/plan.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 2, MAX_ROUNDS = 200 };

typedef struct {
    int64_t length;
    int width;
    bool causal, backward, bf16;
} line;

typedef struct {
    int threads, width, backward;
    double seconds;
    int64_t length;
    const char *mask, *precision, *file;
} settings;

/* Seconds: of the processor when there is one thread, so that other programs count less; of the
   clock otherwise. */
static double seconds_now(int threads)
{
    if (threads > 1) return heed_clock_seconds();
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static heed_graph *graph_of(const line *l)
{
    heed_graph *graph = heed_graph_new();
    heed_shape shape = heed_shape_live(HEED_EXTENT_ROWS, l->length, HEADS * l->width);
    heed_value in[HEED_ATTENTION_BACKWARD_INPUTS], out[HEED_MAX_OUTPUTS],
        gradient[HEED_MAX_OUTPUTS];
    for (int i = 0; i < HEED_ATTENTION_BACKWARD_INPUTS; i++) in[i] = HEED_NONE;
    in[HEED_ATTENTION_Q] = heed_input(graph, "q", HEED_F32, shape);
    in[HEED_ATTENTION_K] = heed_input(graph, "k", HEED_F32, shape);
    in[HEED_ATTENTION_V] = heed_input(graph, "v", HEED_F32, shape);
    in[HEED_ATTENTION_SEQUENCES] = heed_input(
        graph, "sequences", HEED_I32,
        heed_shape_live(HEED_EXTENT_SEQUENCES, 1, HEED_SEQUENCE_FIELDS));
    heed_attention_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.heads = attributes.kv_heads = HEADS;
    attributes.head_width = l->width;
    attributes.causal = l->causal;
    attributes.scale = 1 / sqrtf((float)l->width);
    attributes.bf16_operands = l->bf16;
    heed_emit(graph, HEED_OP_ATTENTION, in, HEED_ATTENTION_INPUTS, &attributes, out);
    heed_output(graph, "y", out[0]);
    if (!l->backward) return graph;
    in[HEED_ATTENTION_Y] = out[0];
    in[HEED_ATTENTION_LSE] = out[1];
    in[HEED_ATTENTION_DY] = heed_input(graph, "dy", HEED_F32, shape);
    heed_emit(graph, HEED_OP_ATTENTION_BACKWARD, in, HEED_ATTENTION_BACKWARD_INPUTS, &attributes,
              gradient);
    heed_output(graph, "dq", gradient[0]);
    heed_output(graph, "dk", gradient[1]);
    heed_output(graph, "dv", gradient[2]);
    return graph;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    const line *l;
    heed_graph *graph;
    heed_plan *plan;
    heed_workspace *workspace;
    heed_runtime runtime;
    heed_error error;
} session;

static const char *const inputs[] = {"q", "k", "v", "dy"}, *const outputs[] = {"y", "dq", "dk",
                                                                               "dv"};

static int64_t elements_of(const line *l)
{
    return l->length * HEADS * l->width;
}

static bool begin(session *s, const line *l, const heed_backend *backend)
{
    *s = (session){
        .l = l,
        .graph = graph_of(l),
        .workspace = heed_workspace_new(),
        .runtime = {.count = {[HEED_EXTENT_ROWS] = l->length, [HEED_EXTENT_SEQUENCES] = 1}}};
    if (heed_plan_new(s->graph, backend, NULL, &s->plan, &s->error) != HEED_OK ||
        heed_workspace_reserve(s->workspace, s->plan, &s->error) != HEED_OK)
        return false;
    int32_t *sequence = heed_plan_input(s->plan, s->workspace, "sequences");
    sequence[HEED_SEQUENCE_QUERY_LENGTH] = sequence[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)l->length;
    return true;
}

static void end(session *s)
{
    if (s->error.status != HEED_OK) fprintf(stderr, "%s\n", s->error.message);
    heed_workspace_free(s->workspace);
    heed_plan_free(s->plan);
    heed_graph_free(s->graph);
}

/* Seconds of one run; negative after an error. */
static double run(session *s, int threads)
{
    double start = seconds_now(threads);
    if (heed_plan_run(s->plan, s->workspace, &(heed_binding){0}, &s->runtime, NULL, &s->error) !=
        HEED_OK)
        return -1;
    return seconds_now(threads) - start;
}

/* Median seconds of a run; negative after an error, which is printed. */
static double time_line(const line *l, const heed_backend *backend, int threads, double seconds)
{
    session s;
    double times[MAX_ROUNDS], result = -1;
    int rounds = 0;
    if (begin(&s, l, backend)) {
        heed_rng rng = {.seed = 1};
        for (int i = 0; i < (l->backward ? 4 : 3); i++) {
            float *data = heed_plan_input(s.plan, s.workspace, inputs[i]);
            for (int64_t j = 0; j < elements_of(l); j++) data[j] = (float)heed_rng_normal(&rng);
        }
        for (double spent = 0; rounds < MAX_ROUNDS && (spent < seconds || rounds < 3); rounds++) {
            if ((times[rounds] = run(&s, threads)) < 0) break;
            spent += times[rounds];
        }
        qsort(times, (size_t)rounds, sizeof *times, by_value);
        if (s.error.status == HEED_OK) result = times[rounds / 2];
    }
    end(&s);
    return result;
}

/* One side of a comparison; the exit status. */
static int serve(const settings *x, const heed_backend *backend)
{
    line l = {x->length, x->width, !strcmp(x->mask, "causal"), x->backward != 0,
              !strcmp(x->precision, "bf16")};
    session s;
    FILE *file = fopen(x->file, "r+b");
    size_t n = (size_t)elements_of(&l);
    bool fine = begin(&s, &l, backend) && file;
    for (int i = 0; fine && i < (l.backward ? 4 : 3); i++)
        fine = fread(heed_plan_input(s.plan, s.workspace, inputs[i]), sizeof(float), n, file) == n;
    if (fine) {
        printf("{}\n");
        fflush(stdout);
    }
    for (char request[256]; fine && fgets(request, sizeof request, stdin);) {
        double seconds = 0, one;
        int repeats = 1;
        sscanf(request, "{\"repeats\": %d", &repeats);
        for (; fine && repeats > 0; repeats--, seconds += one) fine = (one = run(&s, 2)) >= 0;
        if (fine) {
            printf("{\"seconds\": %.9f}\n", seconds);
            fflush(stdout);
        }
    }
    if (fine) fseek(file, (long)(4 * n * sizeof(float)), SEEK_SET);
    for (int i = 0; fine && i < (l.backward ? 4 : 1); i++) {
        heed_operand out;
        fine = heed_plan_output(s.plan, s.workspace, outputs[i], &out, &s.error) == HEED_OK &&
               fwrite(out.data, sizeof(float), n, file) == n;
    }
    if (file) fclose(file);
    end(&s);
    if (!fine) fprintf(stderr, "bench_attention: cannot work on %s\n", x->file);
    return !fine;
}

static settings settings_of(int argc, char **argv)
{
    settings x = {.seconds = 0.5, .mask = "", .precision = ""};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        switch (argv[i][0] == '-' ? argv[i][1] : 0) {
        case 't': x.threads = atoi(value); break;
        case 's': x.seconds = atof(value); break;
        case 'l': x.length = atoll(value); break;
        case 'w': x.width = atoi(value); break;
        case 'b': x.backward = atoi(value); break;
        case 'm': x.mask = value; break;
        case 'p': x.precision = value; break;
        case 'f': x.file = value; break;
        default: fprintf(stderr, "bench_attention: unknown option %s\n", argv[i]);
        }
    }
    return x;
}

static const char *const mask_names[] = {"none", "causal"}, *const precision_names[] = {"f32",
                                                                                        "bf16"};

static void print_line(const settings *x, const heed_backend *backend, line l)
{
    double work = 4.0 * (double)l.length * (double)l.length * l.width * HEADS / (l.causal ? 2 : 1),
           forward = time_line(&l, backend, x->threads, x->seconds);
    l.backward = true;
    double both = time_line(&l, backend, x->threads, x->seconds);
    printf("%8lld %6d %7s %5s %9.1f %9.1f\n", (long long)l.length, l.width, mask_names[l.causal],
           precision_names[l.bf16], work / forward / 1e9, 3.5 * work / both / 1e9);
    fflush(stdout);
}

/* Was a line with this mask and precision asked for? */
static bool is_wanted(const settings *x, line l)
{
    const bool own_mask = !*x->mask || !strcmp(x->mask, mask_names[l.causal]);
    return own_mask && (!*x->precision || !strcmp(x->precision, precision_names[l.bf16]));
}

/* All lines that were asked for: lengths and widths double up to the last. */
static void print_lines(const settings *x, const heed_backend *backend)
{
    int first_width = 64, last_width = 128;
    int64_t first = 512, last = 8192;
    if (x->width) first_width = last_width = x->width;
    if (x->length) first = last = x->length;
    for (int bf16 = 0; bf16 <= 1; bf16++)
        for (int width = first_width; width <= last_width; width *= 2)
            for (int causal = 1; causal >= 0; causal--)
                for (int64_t length = first; length <= last; length *= 2) {
                    const line l = {length, width, causal, false, bf16};
                    if (is_wanted(x, l)) print_line(x, backend, l);
                }
}

int main(int argc, char **argv)
{
    settings x = settings_of(argc, argv);
    heed_error error = {0};
    heed_isa isa;
    heed_backend *backend = NULL;
    if (heed_isa_choose(&isa, &error) != HEED_OK ||
        heed_cpu_backend_new(&backend, x.threads, isa, &error) != HEED_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    x.threads = backend->pool ? heed_pool_threads(backend->pool) : 1;
    if (x.file) {
        int status = serve(&x, backend);
        heed_cpu_backend_free(backend);
        return status;
    }
    char name[128];
    heed_cpu_name(name, sizeof name);
    printf("%s, %s, %d threads, %d heads; GFLOP/s, medians\n%8s %6s %7s %5s %9s %9s\n", name,
           heed_isa_name(isa), x.threads, (int)HEADS, "length", "width", "mask", "", "forward",
           "both");
    print_lines(&x, backend);
    heed_cpu_backend_free(backend);
    return 0;
}
