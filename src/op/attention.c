/* Scaled dot-product attention, every sequence by itself.
   Formula:  for query i of a sequence and head h, with key/value head g = h / (H / K):
               s(j) = scale * q(i,h).k(j,g)                                score of key j
               s(j) = cap * tanh(s(j) / cap)                               if there is a soft cap
               s(j) += alibi_scale * slope(h) * (index of j - index of i)  if there are slopes
               Z    = sum over j of exp(s(j)) + exp(sink(h))               second term: if sinks
               y(i,h) = sum over j, ascending, of m(j) exp(s(j)) v(j,g) / Z
             j runs over the keys that i sees; m is dropout: 0 or 1 / (1 - rate).
             A key is seen if its mask index is not negative, is not above the query's (causal), and
             lies within the window.
   Inputs:   by the places in graph/attributes.h:
             q (N,H*E) f32
             k, v (S,K*E) f32 dense rows, or a cache of pages: f32, f16, bf16, or i8 as (S,K*(E+4))
               (tensor/scaled_rows.h); only with a page table is another type than f32 allowed
             sequences (B,8) i32
             query index (N) i32, optional
             key index (S) i32, optional
             page table (rows,pages) i32, optional
             slopes (H) f32, optional
             sinks (H) f32, optional
   Outputs:  y (N,H*E) f32: 0 for a query that sees no key and for a row of no sequence
             lse (N,H) f32: log Z, for the gradient; 0 where y is 0, but the sink for a query that
               sees no key if there are sinks
             weights (B,H,T,S) f32: before dropout, 0 where nothing is seen; (0) unless asked for
   Options:  masked_mean: a query that sees no key has equal scores for all keys of its sequence, as
               where masking adds one large negative number to every score
             bf16 operands (the precision pass): q, k, v and dy are rounded to bf16 before they are
               multiplied. Kernels may round the weights, and ds of the gradient, likewise: a weight
               is then off by 2^-9 of itself at most.
   Gradient: attention_backward (op/attention_backward.c); that of the sinks is made of other ops
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for options out of range
   Source:   Vaswani et al. 2017, eq. 1; Ainslie et al. 2023 (grouped heads); Press et al. 2022
             (ALiBi); Gemma 2, 2024 (soft cap); Xiao et al. 2024 and gpt-oss, 2025 (sinks) */
#include "op/attention.h"
#include "op/check.h"

HEED_REFERENCE(attention);

/* Query i of a sequence, one of its heads, and the key/value head that the head reads. */
typedef struct {
    const heed_attention_sequence *sequence;
    const real *q;
    int64_t i, head, group;
} REAL(one_query);

/* The score of the query against key j, which stands in row `at` of k. */
static inline real REAL(score_of)(const REAL(one_query) * query, const heed_operand *k, int64_t j,
                                  int64_t at)
{
    const heed_attention_sequence *sequence = query->sequence;
    return REAL(heed_attention_score)(sequence->attributes, query->q, k, at, query->group) +
           REAL(heed_attention_bias)(sequence, query->head, query->i, j, at);
}

/* y, lse and weights of one query and head. Scores are computed twice, for their maximum and for
   the sums, so that none needs to be stored. */
static inline void REAL(attend)(const heed_kernel_args *args,
                                const heed_attention_sequence *sequence, int64_t i, int64_t head,
                                real *weights, int64_t max_keys)
{
    const heed_attention_attributes *attributes = sequence->attributes;
    const heed_operand *k = &args->in[HEED_ATTENTION_K], *v = &args->in[HEED_ATTENTION_V];
    int64_t row = sequence->fields.query_start + i, width = attributes->head_width;
    int64_t from = head * width, group = head / (attributes->heads / attributes->kv_heads);
    const REAL(one_query)
        query = {sequence, REAL(row)(&args->in[HEED_ATTENTION_Q], row) + from, i, head, group};
    real *y = REAL(row)(&args->out[0], row) + from;
    real sink = sequence->sinks ? *REAL(row)(sequence->sinks, head) : -INFINITY, max = sink;
    bool nothing = sink == -INFINITY;
    for (int64_t j = 0; j < sequence->fields.keys; j++) {
        int64_t at = heed_attention_visible_row(sequence, i, j);
        real score = at < 0 ? -INFINITY : REAL(score_of)(&query, k, j, at);
        max = score > max ? score : max;
        nothing = nothing && score == -INFINITY; /* NaN is not -inf: it spreads */
    }
    const bool fully_masked = heed_attention_is_fully_masked(sequence, i);
    if (nothing && !fully_masked) return;
    if (fully_masked) max = 0;
    real sum = sequence->sinks ? R(exp)(sink - max) : 0;
    REAL(heed_attention_dropout) dropout = REAL(heed_attention_dropout_of)(args, sequence, head, i);
    for (int64_t j = 0; j < sequence->fields.keys; j++) {
        int64_t at = fully_masked ? heed_attention_key_row(sequence, j)
                                  : heed_attention_visible_row(sequence, i, j);
        real kept = REAL(heed_attention_dropout_at)(&dropout, j);
        if (at < 0) continue;
        real weight = fully_masked ? 1 : R(exp)(REAL(score_of)(&query, k, j, at) - max);
        sum += weight;
        for (int64_t e = 0; e < width; e++)
            y[e] = R(fma)(
                weight * kept,
                REAL(operand)(REAL(heed_attention_key_element)(attributes, v, at, group, e),
                              attributes->bf16_operands),
                y[e]);
        if (weights && j < max_keys) weights[j] = weight;
    }
    if (sum == 0) return; /* fully masked, and the sequence has no key */
    for (int64_t e = 0; e < width; e++) y[e] /= sum;
    for (int64_t j = 0; weights && j < sequence->fields.keys && j < max_keys; j++)
        weights[j] /= sum;
    REAL(row)(&args->out[1], row)[head] = max + R(log)(sum);
}

void REAL(heed_attention_reference)(const heed_kernel_args *args)
{
    const heed_attention_attributes *attributes = args->attributes;
    const heed_operand *weights = attributes->want_weights ? &args->out[2] : NULL;
    REAL(clear)(&args->out[0]);
    REAL(clear)(&args->out[1]);
    if (weights) REAL(clear)(weights);
    for (int64_t b = 0; b < args->in[HEED_ATTENTION_SEQUENCES].shape.dim[0]; b++) {
        heed_attention_sequence sequence = heed_attention_sequence_of(args, b);
        for (int64_t head = 0; head < attributes->heads; head++)
            for (int64_t i = 0; i < sequence.fields.queries; i++) {
                bool wanted = weights && i < attributes->max_queries;
                real *row = wanted ? REAL(row)(weights, b) +
                                         (head * attributes->max_queries + i) * attributes->max_keys
                                   : NULL;
                REAL(attend)(args, &sequence, i, head, row, attributes->max_keys);
            }
    }
}

#if !HEED_REAL_DOUBLE
#include "op/attention_check_internal.h"

heed_status heed_attention_check(const heed_infer *infer, heed_error *error)
{
    const heed_attention_attributes *a = infer->attributes;
    if (a->heads < 1 || a->kv_heads < 1 || a->heads % a->kv_heads ||
        a->heads > HEED_RANDOM_PLANES || a->head_width < 1)
        return heed_infer_fail(
            infer, error, HEED_E_ARG,
            "1 to 4096 heads, a multiple of the key/value heads, and a head width of at least 1");
    if (!(a->dropout >= 0 && a->dropout < 1) || a->stream < 0 || a->stream >= HEED_RANDOM_STREAMS ||
        a->window < 0 || !(a->soft_cap >= 0) || !isfinite(a->scale))
        return heed_infer_fail(
            infer, error, HEED_E_ARG,
            "dropout in [0, 1), window and soft cap of at least 0, a finite scale");
    if (HEED_ATTENTION_SLOPES < infer->n_in && infer->present[HEED_ATTENTION_SLOPES] &&
        !(a->alibi_scale > 0 && isfinite(a->alibi_scale)))
        return heed_infer_fail(infer, error, HEED_E_ARG, "an ALiBi scale above 0 for the slopes");
    heed_dtype kept = infer->n_in > HEED_ATTENTION_PAGE_TABLE &&
                              infer->present[HEED_ATTENTION_PAGE_TABLE]
                          ? infer->dtype[HEED_ATTENTION_K]
                          : HEED_F32;
    if (!heed_dtype_keeps_keys(kept) || infer->dtype[HEED_ATTENTION_K] != kept ||
        infer->dtype[HEED_ATTENTION_V] != kept)
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "k and v of f32; with a page table both of f32, f16, bf16 or i8");
    for (int i = 0; i < infer->n_in; i++)
        if (i != HEED_ATTENTION_K && i != HEED_ATTENTION_V && infer->present[i] &&
            infer->dtype[i] != (i >= HEED_ATTENTION_SEQUENCES && i <= HEED_ATTENTION_PAGE_TABLE
                                    ? HEED_I32
                                    : HEED_F32))
            return heed_infer_fail(infer, error, HEED_E_DTYPE,
                                   "q, slopes and sinks of f32; tables and indices of i32");
    heed_shape q = infer->shape[HEED_ATTENTION_Q], k = infer->shape[HEED_ATTENTION_K];
    if (q.rank != 2 || k.rank != 2 || q.dim[1] != (int64_t)a->heads * a->head_width ||
        k.dim[1] !=
            (int64_t)a->kv_heads * (a->head_width + (kept == HEED_I8 ? HEED_SCALE_BYTES : 0)) ||
        !heed_shape_equal(k, infer->shape[HEED_ATTENTION_V]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "q (N,heads*width), k and v (S,kv_heads*width)");
    if (!heed_is_sequence_table(infer, HEED_ATTENTION_SEQUENCES))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a sequence table (B,8)");
    for (int i = HEED_ATTENTION_QUERY_INDEX; i <= HEED_ATTENTION_KEY_INDEX; i++)
        if (infer->present[i] &&
            (infer->shape[i].rank != 1 ||
             !heed_same_rows(infer->shape[i], i == HEED_ATTENTION_QUERY_INDEX ? q : k)))
            return heed_infer_fail(infer, error, HEED_E_SHAPE,
                                   "a query index (N) and a key index (S)");
    if (infer->present[HEED_ATTENTION_PAGE_TABLE] &&
        (infer->shape[HEED_ATTENTION_PAGE_TABLE].rank != 2 || k.extent != HEED_EXTENT_FIXED ||
         k.dim[0] % HEED_PAGE_POSITIONS))
        return heed_infer_fail(
            infer, error, HEED_E_SHAPE,
            "with a page table (rows,pages): caches k and v of whole pages of 64 rows");
    for (int i = HEED_ATTENTION_SLOPES; i <= HEED_ATTENTION_SINKS && i < infer->n_in; i++)
        if (infer->present[i] && !heed_shape_equal(infer->shape[i], heed_shape_1(a->heads)))
            return heed_infer_fail(infer, error, HEED_E_SHAPE, "slopes and sinks (heads)");
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    const heed_attention_attributes *attributes = infer->attributes;
    HEED_TRY(heed_attention_check(infer, error));
    if (attributes->want_weights && (attributes->max_queries < 0 || attributes->max_keys < 0))
        return heed_infer_fail(infer, error, HEED_E_ARG, "extents T and S of the weights");
    heed_shape q = infer->shape[HEED_ATTENTION_Q],
               sequences = infer->shape[HEED_ATTENTION_SEQUENCES];
    infer->out_shape[0] = q;
    infer->out_shape[1] = heed_shape_2(q.dim[0], attributes->heads);
    infer->out_shape[1].extent = q.extent;
    infer->out_shape[2] = heed_shape_1(0);
    if (!attributes->want_weights) return HEED_OK;
    infer->out_shape[2] = heed_shape_of(4,
                                        (int64_t[]){sequences.dim[0], attributes->heads,
                                                    attributes->max_queries, attributes->max_keys});
    infer->out_shape[2].extent = sequences.extent;
    if (!heed_shape_is_valid(infer->out_shape[2]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "weights (B,H,T,S) that can be counted");
    return HEED_OK;
}

/* d sink = - sum over rows of exp(sink - lse) * (dy.y): a larger sink takes weight away from all
   keys alike. */
static heed_value sink_gradient(heed_graph *graph, const heed_node *node, heed_value dy)
{
    const heed_attention_attributes *attributes = node->attributes;
    heed_value share = heed_unary(
        graph, HEED_UNARY_EXP,
        heed_scale(graph,
                   heed_subtract(graph, node->out[1], heed_node_input(node, HEED_ATTENTION_SINKS)),
                   -1, 0));
    heed_shape y = heed_value_shape(graph, dy),
               heads = heed_shape_of(
                   3, (int64_t[]){y.dim[0], attributes->heads, attributes->head_width});
    heads.extent = y.extent;
    heed_value dp = heed_reshape(graph, heed_multiply(graph, dy, node->out[0]), heads);
    dp = heed_reduce(graph, HEED_REDUCE_SUM, dp, -1, false);
    return heed_scale(
        graph, heed_reduce(graph, HEED_REDUCE_SUM, heed_multiply(graph, share, dp), 0, false), -1,
        0);
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    if (dout[1] != HEED_NONE || dout[2] != HEED_NONE)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "attention: a gradient reaches the %s; only y passes it on",
                         dout[2] != HEED_NONE ? "weights" : "logarithms of the sums");
    heed_value in[HEED_ATTENTION_BACKWARD_INPUTS], out[HEED_MAX_OUTPUTS];
    for (int i = 0; i < HEED_ATTENTION_INPUTS; i++) in[i] = heed_node_input(node, i);
    in[HEED_ATTENTION_Y] = node->out[0];
    in[HEED_ATTENTION_LSE] = node->out[1];
    in[HEED_ATTENTION_DY] = dout[0];
    heed_emit(graph, HEED_OP_ATTENTION_BACKWARD, in, HEED_ATTENTION_BACKWARD_INPUTS,
              node->attributes, out);
    for (int i = 0; i < 3; i++) din[i] = out[i];
    if (heed_node_input(node, HEED_ATTENTION_SINKS) != HEED_NONE)
        din[HEED_ATTENTION_SINKS] = sink_gradient(graph, node, dout[0]);
    return HEED_OK;
}

/* The number of pairs of a query and a key that it sees, by their positions alone. */
static double visible_pairs(const heed_attention_attributes *attributes,
                            const heed_sequence *sequence)
{
    double pairs = 0;
    for (int64_t i = 0; i < sequence->queries; i++) {
        int64_t seen = sequence->keys;
        if (attributes->causal && sequence->first_index + i + 1 < seen)
            seen = sequence->first_index + i + 1;
        if (attributes->causal && attributes->window > 0 && attributes->window < seen)
            seen = attributes->window;
        pairs += (double)seen;
    }
    return pairs;
}

/* Two matmuls of every query with every key that it sees; keys and values are read once for each
   sequence. */
static heed_cost cost(const heed_kernel_args *args)
{
    const heed_attention_attributes *attributes = args->attributes;
    const double width = (double)attributes->heads * attributes->head_width,
                 kv_width = (double)attributes->kv_heads * attributes->head_width;
    const double element = heed_dtype_width(args->in[HEED_ATTENTION_K].dtype);
    heed_cost cost = {.number = heed_matmul_number(HEED_F32, attributes->bf16_operands)};
    for (int64_t b = 0; b < args->in[HEED_ATTENTION_SEQUENCES].shape.dim[0]; b++) {
        heed_sequence fields = heed_attention_sequence_of(args, b).fields;
        cost.flops += 4 * width * visible_pairs(attributes, &fields);
        cost.bytes += 2 * element * kv_width * (double)fields.keys +
                      2 * sizeof(float) * width * (double)fields.queries;
    }
    return cost;
}

/* Sets heads, their width and the scale of scores from the options; q has `columns` columns. An
   option that is 0 or not set gets its default. */
static void set_heads(heed_attention_attributes *attributes, const heed_attention_options *options,
                      int64_t columns)
{
    attributes->heads = options->heads != 0 ? options->heads : 1;
    attributes->kv_heads = options->kv_heads != 0 ? options->kv_heads : attributes->heads;
    attributes->head_width = options->head_width;
    if (options->head_width == 0) attributes->head_width = (int32_t)(columns / attributes->heads);
    const double width = attributes->head_width;
    attributes->scale = (float)heed_real_or(options->scale, 1 / sqrt(width));
}

heed_value heed_attention(heed_graph *graph, const heed_attention_inputs *inputs,
                          const heed_attention_options *options, heed_value *weights)
{
    heed_attention_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    set_heads(&attributes, options, heed_shape_columns(heed_value_shape(graph, inputs->q)));
    attributes.causal = options->causal;
    attributes.window = options->window;
    if (inputs->slopes != HEED_NONE) {
        attributes.alibi_scale = options->alibi_scale != 0 ? options->alibi_scale : 1;
        attributes.alibi_bf16 = options->alibi_bf16;
    }
    attributes.dropout = options->dropout;
    attributes.soft_cap = options->soft_cap;
    attributes.stream = options->dropout > 0 ? heed_graph_stream(graph) : 0;
    attributes.want_weights = options->want_weights;
    /* with a sink, a query that sees no key gives its whole weight to it */
    attributes.masked_mean = options->masked_mean && inputs->sinks == HEED_NONE;
    if (options->want_weights) {
        attributes.max_queries = options->max_queries;
        attributes.max_keys = options->max_keys;
    }
    heed_value in[HEED_ATTENTION_INPUTS] = {
        inputs->q,          inputs->k,           inputs->v,
        inputs->sequences,  inputs->query_index, inputs->key_index,
        inputs->page_table, inputs->slopes,      inputs->sinks};
    heed_value out[HEED_MAX_OUTPUTS],
        y = heed_emit(graph, HEED_OP_ATTENTION, in, HEED_ATTENTION_INPUTS, &attributes, out);
    if (weights) *weights = y > 0 ? HEED_NONE : HEED_BAD;
    if (weights && y > 0 && options->want_weights) *weights = out[2];
    return y;
}

const heed_op heed_op_attention = {
    .name = "attention",
    .in_min = 4,
    .in_max = HEED_ATTENTION_INPUTS,
    .n_out = 3,
    .attribute_size = sizeof(heed_attention_attributes),
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(attention),
    .cost = cost,
};
#endif
