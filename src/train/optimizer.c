#include "train/optimizer.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "graph/observer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Elements of a span, which has one partial sum of the norm. A piece, which is updated by one call,
   has about as many. */
enum { SPAN = 16384 };

typedef struct span {
    uint32_t tensor;
    uint32_t count;
    size_t begin;
} span;

/* Adjacent elements of a tensor. A piece that has a bf16 working copy consists of whole rows, from
   `row` of the copy on. `before` is the number of elements of all pieces before it. */
typedef struct piece {
    size_t tensor, begin, count, before;
    const heed_parameter_copy *copy;
    int64_t row;
} piece;

struct heed_optimizer {
    heed_optimizer_options options;
    heed_optimizer_tensor *tensors;
    size_t count;
    span *spans;
    size_t span_count;
    double *sums; /* sum of squares of each span */
    piece *pieces;
    size_t piece_count;
    size_t copied;   /* elements that have a bf16 working copy */
    float *state;    /* slot after slot; in a slot the tensors lie end to end */
    size_t *offset;  /* offset of each tensor within a slot */
    size_t elements; /* elements of a slot */
    const heed_backend *backend;
    const heed_update_table *updates;
    int64_t steps;
};

static const struct {
    const char *name;
    int slots;
    const char *slot[HEED_OPTIMIZER_MAX_SLOTS];
} rules[HEED_OPTIMIZER_COUNT] = {
    [HEED_OPTIMIZER_ADAMW] = {"adamw", 2, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}},
    [HEED_OPTIMIZER_ADAM] = {"adam", 2, {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}},
    [HEED_OPTIMIZER_SGD] = {"sgd", 0, {"momentum_buffer"}},
};

heed_optimizer_options heed_optimizer_default(heed_optimizer_kind kind)
{
    return (heed_optimizer_options){.kind = kind, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
}

const char *heed_optimizer_name(heed_optimizer_kind kind)
{
    return rules[kind].name;
}

heed_status heed_optimizer_by_name(heed_optimizer_kind *kind, const char *name, heed_error *error)
{
    for (int i = 0; i < HEED_OPTIMIZER_COUNT; i++)
        if (strcmp(rules[i].name, name) == 0) {
            *kind = (heed_optimizer_kind)i;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_ARG, "optimizer '%s' is not known; there are adamw, adam, sgd",
                     name);
}

int heed_optimizer_slots(const heed_optimizer_options *o)
{
    bool optional = o->kind == HEED_OPTIMIZER_SGD ? o->momentum != 0 : o->amsgrad;
    return rules[o->kind].slots + optional;
}

static bool is_share(double value)
{
    return value >= 0 && value < 1;
}

static heed_status check_options(const heed_optimizer_options *o, heed_error *error)
{
    if (!(isfinite(o->weight_decay) && o->weight_decay >= 0))
        return heed_fail(error, HEED_E_ARG, "weight decay %g: expected a number of at least 0",
                         o->weight_decay);
    if (o->kind == HEED_OPTIMIZER_SGD) {
        if (!is_share(o->momentum) || !isfinite(o->dampening))
            return heed_fail(error, HEED_E_ARG,
                             "momentum %g, dampening %g: expected a momentum in [0, 1)",
                             o->momentum, o->dampening);
        if (o->nesterov && (o->momentum == 0 || o->dampening != 0))
            return heed_fail(error, HEED_E_ARG,
                             "Nesterov's momentum needs a momentum above 0 and no dampening");
        return HEED_OK;
    }
    if (!is_share(o->beta1) || !is_share(o->beta2))
        return heed_fail(error, HEED_E_ARG, "betas %g and %g: expected numbers in [0, 1)", o->beta1,
                         o->beta2);
    if (!(isfinite(o->eps) && o->eps >= 0))
        return heed_fail(error, HEED_E_ARG, "eps %g: expected a number of at least 0", o->eps);
    return HEED_OK;
}

static size_t elements_of(const heed_optimizer_tensor *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->rank; i++) count *= (size_t)tensor->shape[i];
    return count;
}

static void list_spans(heed_optimizer *opt)
{
    span *next = opt->spans;
    for (size_t t = 0; t < opt->count; t++)
        for (size_t begin = 0, n = elements_of(&opt->tensors[t]); begin < n; begin += SPAN) {
            uint32_t count = (uint32_t)(n - begin < SPAN ? n - begin : SPAN);
            *next++ = (span){.tensor = (uint32_t)t, .count = count, .begin = begin};
        }
}

/* Cuts `whole` into pieces of about SPAN elements, multiples of `multiple`, and adds them to the
   list. While opt->pieces is NULL, it only counts them. */
static void cut_into_pieces(heed_optimizer *opt, piece whole, size_t multiple)
{
    const size_t each = SPAN > multiple ? SPAN / multiple * multiple : multiple;
    for (size_t at = 0; at < whole.count; at += each, opt->piece_count++) {
        if (opt->pieces == NULL) continue;
        piece *p = &opt->pieces[opt->piece_count];
        *p = whole;
        p->begin += at;
        p->count = whole.count - at < each ? whole.count - at : each;
        if (p->copy != NULL) p->row = (int64_t)(at / (size_t)p->copy->packed.columns);
        p->before = opt->piece_count > 0 ? p[-1].before + p[-1].count : 0;
    }
}

/* Lists the pieces of all tensors. A matrix with a copy is cut at rows that the backend packs
   together; the elements between such matrices may be cut anywhere. */
static void list_pieces(heed_optimizer *opt)
{
    opt->piece_count = opt->copied = 0;
    for (size_t t = 0; t < opt->count; t++) {
        const heed_optimizer_tensor *tensor = &opt->tensors[t];
        size_t at = 0;
        for (size_t i = 0; i < tensor->copy_count; i++) {
            const heed_parameter_copy *copy = &tensor->copies[i];
            const size_t count = (size_t)(copy->packed.rows * copy->packed.columns);
            cut_into_pieces(opt, (piece){.tensor = t, .begin = at, .count = copy->begin - at}, 1);
            cut_into_pieces(
                opt, (piece){.tensor = t, .begin = copy->begin, .count = count, .copy = copy},
                (size_t)(opt->backend->packing->rows_at_once(opt->backend) * copy->packed.columns));
            at = copy->begin + count;
            opt->copied += count;
        }
        cut_into_pieces(opt, (piece){.tensor = t, .begin = at, .count = elements_of(tensor) - at},
                        1);
    }
}

/* Copies the list of tensors and cuts them into spans and pieces. */
static heed_status take_tensors(heed_optimizer *opt, const heed_optimizer_tensor *tensors,
                                size_t count, heed_error *error)
{
    opt->count = count;
    opt->tensors = heed_allocate(count, sizeof *tensors);
    opt->offset = heed_allocate(count, sizeof *opt->offset);
    if (opt->tensors == NULL || opt->offset == NULL)
        return heed_fail_memory(error, count * sizeof *tensors, "the optimizer's tensors");
    for (size_t t = 0; t < count; t++) {
        size_t n = elements_of(&tensors[t]);
        opt->tensors[t] = tensors[t];
        opt->offset[t] = opt->elements;
        opt->elements += n;
        opt->span_count += (n + SPAN - 1) / SPAN;
    }
    opt->spans = heed_allocate(opt->span_count, sizeof *opt->spans);
    opt->sums = heed_allocate(opt->span_count, sizeof *opt->sums);
    list_pieces(opt);
    opt->pieces = heed_allocate(opt->piece_count, sizeof *opt->pieces);
    if (opt->spans == NULL || opt->sums == NULL || opt->pieces == NULL)
        return heed_fail_memory(error, opt->piece_count * sizeof *opt->pieces,
                                "the optimizer's tensors");
    list_spans(opt);
    list_pieces(opt);
    return HEED_OK;
}

/* Allocates the state of the rule, which is zero at first. */
static heed_status make_state(heed_optimizer *opt, heed_error *error)
{
    size_t bytes = 0, slots = (size_t)heed_optimizer_slots(&opt->options);
    bool fits = heed_multiply_size(opt->elements, sizeof(float) * slots, &bytes);
    if (fits && bytes == 0) return HEED_OK;
    if (fits) opt->state = heed_allocate_aligned(bytes);
    return opt->state != NULL ? HEED_OK : heed_fail_memory(error, bytes, "the optimizer's state");
}

heed_status heed_optimizer_new(heed_optimizer **optimizer, const heed_optimizer_options *options,
                               const heed_optimizer_tensor *tensors, size_t count,
                               const heed_backend *backend, heed_error *error)
{
    *optimizer = NULL;
    HEED_TRY(check_options(options, error));
    heed_optimizer *opt = heed_allocate(1, sizeof *opt);
    if (opt == NULL) return heed_fail_memory(error, sizeof *opt, "the optimizer");
    opt->options = *options;
    opt->backend = backend;
    opt->updates = backend->updates != NULL ? backend->updates : &heed_update_generic;
    heed_status status = take_tensors(opt, tensors, count, error);
    if (status == HEED_OK) status = make_state(opt, error);
    if (status == HEED_OK) *optimizer = opt;
    else heed_optimizer_free(opt);
    return status;
}

void heed_optimizer_free(heed_optimizer *opt)
{
    if (opt == NULL) return;
    heed_free_aligned(opt->state);
    free(opt->tensors);
    free(opt->offset);
    free(opt->spans);
    free(opt->pieces);
    free(opt->sums);
    free(opt);
}

int64_t heed_optimizer_steps(const heed_optimizer *opt)
{
    return opt->steps;
}

/* Runs a job, of which each thread does a contiguous share. A profile shows it as `name` and as
   moving so many bytes. */
static void run_shares(const heed_optimizer *opt, heed_pool_job *job, void *argument,
                       const char *name, double bytes)
{
    const heed_observer *observer = opt->backend->observer;
    double began = heed_clock_seconds();
    if (opt->backend->pool != NULL) heed_pool_run(opt->backend->pool, job, argument);
    else job(argument, 0, 1);
    if (observer != NULL)
        heed_observer_add(observer, &(heed_profile_line){.op = "optimizer",
                                                         .kernel = name,
                                                         .seconds = heed_clock_seconds() - began,
                                                         .runs = 1,
                                                         .bytes = bytes});
}

/* ---- norm ---- */

/* Computes the sums of squares of a thread's share of the spans. */
static void norm_job(void *argument, int thread, int threads)
{
    const heed_optimizer *opt = argument;
    size_t begin = opt->span_count * (size_t)thread / (size_t)threads;
    size_t end = opt->span_count * (size_t)(thread + 1) / (size_t)threads;
    for (size_t i = begin; i < end; i++) {
        const span *s = &opt->spans[i];
        opt->sums[i] = opt->updates->square_sum(opt->tensors[s->tensor].gradient + s->begin,
                                                s->count);
    }
}

double heed_optimizer_norm(const heed_optimizer *opt)
{
    run_shares(opt, norm_job, (void *)opt, "gradient_norm", sizeof(float) * (double)opt->elements);
    double sum = 0;
    for (size_t i = 0; i < opt->span_count; i++) sum += opt->sums[i];
    return sqrt(sum);
}

double heed_clip_factor(double norm, double limit)
{
    if (limit <= 0) return 1;
    double factor = limit / (norm + 1e-6);
    return factor < 1 ? factor : 1;
}

/* ---- update ---- */

typedef struct update_job_argument {
    const heed_optimizer *opt;
    heed_update update;
    int slots;
} update_job_argument;

/* Returns the first piece of a thread's share. All shares have about as many elements. */
static size_t first_piece(const heed_optimizer *opt, int thread, int threads)
{
    const size_t wanted = opt->elements / (size_t)threads * (size_t)thread;
    size_t low = 0, high = opt->piece_count;
    if (thread == threads) return high;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (opt->pieces[middle].before < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* Updates a thread's share of the pieces. A piece with a copy is rounded into it at once, while its
   elements are in the cache. */
static void update_job(void *argument, int thread, int threads)
{
    const update_job_argument *job = argument;
    const heed_optimizer *opt = job->opt;
    for (size_t i = first_piece(opt, thread, threads), end = first_piece(opt, thread + 1, threads);
         i < end; i++) {
        const piece *p = &opt->pieces[i];
        const heed_optimizer_tensor *tensor = &opt->tensors[p->tensor];
        double decay = tensor->decay ? opt->options.weight_decay : 0;
        float *slot[HEED_OPTIMIZER_MAX_SLOTS] = {NULL};
        for (int s = 0; s < job->slots; s++)
            slot[s] = opt->state + (size_t)s * opt->elements + opt->offset[p->tensor] + p->begin;
        opt->updates->rule[opt->options.kind](&job->update, decay, tensor->value + p->begin,
                                              tensor->gradient + p->begin, slot, p->count);
        if (p->copy == NULL) continue;
        const heed_packed_weight *copy = &p->copy->packed;
        opt->backend->packing->write_copy(opt->backend, copy, p->row,
                                          (int64_t)p->count / copy->columns,
                                          tensor->value + p->begin);
    }
}

void heed_optimizer_step(heed_optimizer *opt, double rate, double factor)
{
    opt->steps++;
    update_job_argument job = {
        opt, {&opt->options, rate, (float)factor, opt->steps}, heed_optimizer_slots(&opt->options)};
    /* value, gradient and state are read and written; a copy has two panels of 2 bytes */
    const double numbers = 2 * (2 + job.slots);
    run_shares(opt, update_job, &job, rules[opt->options.kind].name,
               sizeof(float) * (numbers * (double)opt->elements + (double)opt->copied));
}

/* ---- state on disk ---- */

/* Receives the name and elements of a state tensor. */
typedef heed_status state_visit(void *context, const char *name,
                                const heed_optimizer_tensor *tensor, float *data,
                                heed_error *error);

static heed_status visit_state(const heed_optimizer *opt, state_visit *visit, void *context,
                               heed_error *error)
{
    heed_buffer name = {0};
    heed_status status = HEED_OK;
    int slots = heed_optimizer_slots(&opt->options);
    for (int s = 0; s < slots && status == HEED_OK; s++)
        for (size_t t = 0; t < opt->count && status == HEED_OK; t++) {
            heed_buffer_clear(&name);
            heed_buffer_printf(&name, "%s.%s", rules[opt->options.kind].slot[s],
                               opt->tensors[t].name);
            float *data = opt->state + (size_t)s * opt->elements + opt->offset[t];
            if (name.failed)
                status = heed_fail_memory(error, 256, "names of the optimizer's state");
            else status = visit(context, name.data, &opt->tensors[t], data, error);
        }
    heed_buffer_free(&name);
    return status;
}

typedef struct state_list {
    heed_tensor_source *tensors;
    size_t count;
    heed_arena *names;
} state_list;

static heed_status list_tensor(void *context, const char *name, const heed_optimizer_tensor *tensor,
                               float *data, heed_error *error)
{
    state_list *list = context;
    char *copy = heed_arena_string(list->names, name);
    if (copy == NULL)
        return heed_fail_memory(error, strlen(name) + 1, "names of the optimizer's state");
    list->tensors[list->count++] = (heed_tensor_source){copy, HEED_F32, tensor->rank, tensor->shape,
                                                        data};
    return HEED_OK;
}

heed_status heed_optimizer_save(const heed_optimizer *opt, const char *path, heed_error *error)
{
    size_t count = opt->count * (size_t)heed_optimizer_slots(&opt->options);
    state_list list = {.tensors = heed_allocate(count + 1, sizeof *list.tensors),
                       .names = heed_arena_new()};
    heed_status status = HEED_OK;
    if (list.tensors == NULL || list.names == NULL)
        status = heed_fail_memory(error, count * sizeof *list.tensors,
                                  "the list of the optimizer's state");
    if (status == HEED_OK) status = visit_state(opt, list_tensor, &list, error);
    if (status == HEED_OK)
        status = heed_safetensors_write(
            path, &(heed_tensor_set){.tensors = list.tensors, .count = list.count}, error);
    heed_arena_free(list.names);
    free(list.tensors);
    return status;
}

static heed_status read_tensor(void *context, const char *name, const heed_optimizer_tensor *tensor,
                               float *data, heed_error *error)
{
    const heed_stored_tensor *stored = heed_safetensors_find(context, name);
    if (stored == NULL)
        return heed_fail(error, HEED_E_FORMAT,
                         "tensor %s is missing: the state is of another model or optimizer", name);
    if (stored->dtype != HEED_F32 || stored->rank != tensor->rank ||
        (tensor->rank > 0 &&
         memcmp(stored->shape, tensor->shape, (size_t)tensor->rank * sizeof *tensor->shape) != 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "tensor %s: expected F32 in the shape of the model's %s", name,
                         tensor->name);
    HEED_TRY(heed_stored_read(stored, 0, data, stored->bytes, error));
    for (size_t i = 0; i < stored->bytes / sizeof *data; i++)
        if (!isfinite(data[i]))
            return heed_fail(
                error, HEED_E_FORMAT,
                "tensor %s holds NaN or infinity at element %zu; resume from an older checkpoint",
                name, i);
    return HEED_OK;
}

heed_status heed_optimizer_load(heed_optimizer *opt, const char *path, int64_t steps,
                                heed_error *error)
{
    heed_safetensors *file = NULL;
    HEED_TRY(heed_safetensors_open(&file, path, error));
    size_t expected = opt->count * (size_t)heed_optimizer_slots(&opt->options);
    heed_status status = visit_state(opt, read_tensor, file, error);
    if (status != HEED_OK) heed_error_prefix(error, "%s", path);
    else if (heed_safetensors_count(file) != expected)
        status = heed_fail(
            error, HEED_E_FORMAT,
            "%s: %zu tensors, expected %zu: the state is of another model or optimizer", path,
            heed_safetensors_count(file), expected);
    else status = heed_safetensors_check_unchanged(file, error);
    heed_safetensors_close(file);
    if (status == HEED_OK) opt->steps = steps;
    return status;
}
