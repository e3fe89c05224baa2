/* kinds.h: the enumerated choices that every Transformer here is made of
   (docs/architecture.md, invariant 7). A family picks one of each. */
#ifndef HEED_NN_KINDS_H
#define HEED_NN_KINDS_H

typedef enum heed_norm_kind { HEED_NORM_LAYER, HEED_NORM_RMS, HEED_NORM_KINDS } heed_norm_kind;

/* Where a sublayer f (attention, feed-forward) is normalized; x is the residual stream. */
typedef enum heed_norm_place {
    HEED_NORM_PRE,      /* x + f(norm(x)), and a norm after the last layer */
    HEED_NORM_POST,     /* norm(x + f(x)) */
    HEED_NORM_SANDWICH, /* x + norm(f(norm(x))) */
    HEED_NORM_OUTPUT,   /* x + norm(f(x)) */
    HEED_NORM_STREAM,   /* n + f(n) with n = norm(x) */
    HEED_NORM_PLACES
} heed_norm_place;

/* Where token rows that are narrower than the model are projected to its width. */
typedef enum heed_embedding_order {
    HEED_EMBEDDING_PROJECTED_FIRST, /* project, then add types and positions, then the norm (OPT) */
    HEED_EMBEDDING_PROJECTED_LAST,  /* add, normalize, then project (ALBERT, ELECTRA) */
    HEED_EMBEDDING_ORDERS
} heed_embedding_order;

/* How a model knows the positions of tokens. */
typedef enum heed_position_kind {
    HEED_POSITION_NONE,
    HEED_POSITION_LEARNED,    /* a row of a trained table is added to the embedding */
    HEED_POSITION_SINUSOIDAL, /* a row of a computed table is added */
    HEED_POSITION_ROTARY,     /* queries and keys are rotated */
    HEED_POSITION_ALIBI,      /* scores fall with the distance, at a slope for each head */
    HEED_POSITION_KINDS
} heed_position_kind;

/* Order of the channels of the sinusoidal table. */
typedef enum heed_sinusoid_order {
    HEED_SINUSOID_HALVES,      /* all sines, then all cosines */
    HEED_SINUSOID_INTERLEAVED, /* sine, cosine, sine, cosine ... */
    HEED_SINUSOID_ORDERS
} heed_sinusoid_order;

/* How the frequencies of rotary positions are stretched beyond the original context. */
typedef enum heed_rope_kind {
    HEED_ROPE_DEFAULT,
    HEED_ROPE_LINEAR,
    HEED_ROPE_LLAMA3,
    HEED_ROPE_YARN,
    HEED_ROPE_DYNAMIC,
    HEED_ROPE_LONGROPE,
    HEED_ROPE_KINDS
} heed_rope_kind;

/* How a row's router logits become experts and weights. */
typedef enum heed_router_kind {
    HEED_ROUTER_SOFTMAX_TOP, /* softmax over all experts, then the largest weights */
    HEED_ROUTER_TOP_SOFTMAX, /* the largest logits, then softmax over these */
    HEED_ROUTER_KINDS
} heed_router_kind;

/* Norms of queries and keys before their matmul. */
typedef enum heed_qk_norm {
    HEED_QK_NORM_NONE,
    HEED_QK_NORM_HEAD,       /* each head by itself, one gain for all of them */
    HEED_QK_NORM_ALL,        /* all channels of a row at once */
    HEED_QK_NORM_HEAD_GAINS, /* each head by itself, with a gain of its own */
    HEED_QK_NORM_KINDS
} heed_qk_norm;

#endif
