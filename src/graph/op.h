/* op.h: the op record (all the compiler knows of an op), what a kernel is given, and what a kernel
   is. */
#ifndef HEED_GRAPH_OP_H
#define HEED_GRAPH_OP_H

#include "base/cpu.h"
#include "base/error.h"
#include <heed/graph.h>

enum { HEED_MAX_INPUTS = 16, HEED_MAX_OUTPUTS = 4 };

/* Ids of all ops, and the table of their records. */
typedef enum heed_op_id {
#define HEED_OP(symbol, name) HEED_OP_##symbol,
#include "graph/ops.def"
#undef HEED_OP
    HEED_OP_COUNT
} heed_op_id;

typedef struct heed_op heed_op;
extern const heed_op *const heed_ops[HEED_OP_COUNT];

/* How the elements of an operand lie in memory. PANELS are the backend's packed panels of a weight
   (N,K); PANELS_BOTH are these and, after them, the packed panels of its transpose, for matmuls
   that read it the other way round. */
typedef enum heed_layout {
    HEED_LAYOUT_ROWS,
    HEED_LAYOUT_PANELS,
    HEED_LAYOUT_PANELS_BOTH
} heed_layout;

/* One input or output of a running kernel. `shape` holds the live count in dim[0]. Rows (axis 0)
   lie row_stride elements apart; within a row the elements are contiguous. An optional operand that
   a step does not have is not `present`, and all of it is 0. */
typedef struct heed_operand {
    void *data; /* NULL while the plan is made: maximal shapes have no addresses */
    bool present;
    heed_dtype dtype;
    heed_layout layout;
    heed_shape shape;
    int64_t row_stride;
} heed_operand;

/* What changes between two runs beside the input buffers; one per run, shared by all kernels. */
typedef struct heed_runtime {
    /* live rows per extent; count[HEED_EXTENT_FIXED] is not used */
    int64_t count[HEED_EXTENT_COUNT];
    uint64_t seed, step; /* of the random ops */
} heed_runtime;

/* A rectangle of a matmul's output: rows [row, row + rows), columns [column, column + columns). */
typedef struct heed_tile {
    int64_t row, rows, column, columns;
} heed_tile;

/* A step as its kernel sees it: what is fixed while the step runs, and the same for all threads. */
typedef struct heed_kernel_args {
    const heed_op *op;
    const heed_operand *in, *out;
    int n_in, n_out;
    const void *attributes;
    const heed_runtime *runtime;
    heed_isa isa;
    void *shared;   /* as large as the kernel's shared() said; phases order access to it */
    void *prepared; /* as large as its prepared() said; what its prepare() left there */
    /* tile producers: whom to tell of finished tiles; NULL: nobody */
    const struct heed_tile_consumers *consumers;
    /* tile producers: tiles begin at multiples of so many columns, and end at such or with the
       row */
    int64_t tile_columns;
} heed_kernel_args;

/* One call of a kernel, by one thread: part `part` of the `parts` of a phase, or a tile. */
typedef struct heed_kernel_call {
    int phase; /* 0 .. phases-1 */
    int part, parts;
    void *scratch; /* this thread's, as large as the kernel's scratch() said */
    /* this thread's last part was one of this very phase, and scratch is as that left it */
    bool scratch_valid;
    const heed_tile *tile; /* tile consumers: what of output 0 to make; NULL: a part */
} heed_kernel_call;

/* A tile producer calls this once for every element of output 0, when a tile with it is finished. A
   tile consumer must not use the thread's scratch memory. */
void heed_tile_done(const struct heed_tile_consumers *consumers, heed_tile tile);

/* A fast kernel of one op. Kernels cannot fail. */
typedef struct heed_kernel {
    const char *name; /* "k_<op>_<types>" */
    heed_op_id op;
    /* NULL: always; looks at types, layouts, attributes and maximal shapes */
    bool (*fits)(const heed_kernel_args *);
    /* bytes per thread for the maximal shapes; NULL: none */
    size_t (*scratch)(const heed_kernel_args *);
    size_t (*shared)(const heed_kernel_args *); /* bytes shared by all threads; NULL: none */
    /* bytes of what every part would look up anew; NULL: none */
    size_t (*prepared)(const heed_kernel_args *);
    /* with `prepared`: writes it to args->prepared, once a run, when operands have their addresses
       and live counts but not yet their elements */
    void (*prepare)(const heed_kernel_args *);
    /* barriers stand between phases; 0 counts as 1 */
    int phases;
    /* or: from live shapes, at most what the maximal ones give; NULL: `phases` */
    int (*live_phases)(const heed_kernel_args *);
    /* independent parts of this phase, from live shapes, never from threads */
    int (*parts)(const heed_kernel_args *, int phase);
    /* with `parts`: do these maximal shapes always make a single one? NULL: no */
    bool (*small)(const heed_kernel_args *);
    /* its last phase tells of tiles cut at multiples of args->tile_columns; NULL: no */
    bool (*produces_tiles)(const heed_kernel_args *);
    /* it needs no scratch and can run on a tile, if the columns of the tile begin and end at
       multiples of this (a head); NULL or 0: it cannot */
    int64_t (*consumes_tiles)(const heed_kernel_args *);
    void (*run)(const heed_kernel_args *, const heed_kernel_call *);
} heed_kernel;

/* What an op does with its operands, beyond its inputs and outputs. */
enum {
    /* row i of a live output needs only row i of live inputs (and whole fixed ones) */
    HEED_OP_ROW_LOCAL = 1,
    HEED_OP_SEQUENCE_AWARE = 2, /* reads the sequence table */
    HEED_OP_RANDOM = 4,         /* draws random numbers */
    /* output 0 may overwrite input 0 of the same shape and type, element by element or row by
       row */
    HEED_OP_IN_PLACE = 8,
    HEED_OP_VIEW = 16, /* output 0 may be a view of input 0 */
    /* output 0 is the next version of the state in input `state_input`, if that is present */
    HEED_OP_WRITES_STATE = 32
};

/* Shape inference sees this. in_* have n_in entries; absent inputs have present = false. */
typedef struct heed_infer {
    const heed_op *op;
    const heed_graph *graph;
    int n_in;
    const heed_value *in;
    bool present[HEED_MAX_INPUTS];
    heed_shape shape[HEED_MAX_INPUTS];
    heed_dtype dtype[HEED_MAX_INPUTS];
    const void *attributes;
    heed_shape out_shape[HEED_MAX_OUTPUTS]; /* to fill */
    heed_dtype out_dtype[HEED_MAX_OUTPUTS]; /* preset to HEED_F32 */
} heed_infer;

/* What a step that runs costs, by its live operands: multiplications and additions, the type of
   number they are made in, bytes read and written. */
typedef enum heed_number {
    HEED_NUMBER_F32,
    HEED_NUMBER_BF16,
    HEED_NUMBER_INT8,
    HEED_NUMBERS
} heed_number;
typedef struct heed_cost {
    double flops, bytes;
    heed_number number;
} heed_cost;
/* That of a matmul with a right operand of this type: quantized types with traits are multiplied as
   int8, bf16 operands as bf16, all else as f32. */
heed_number heed_matmul_number(heed_dtype b, bool bf16);

typedef struct heed_node heed_node;

struct heed_op {
    const char *name;
    uint8_t in_min, in_max, n_out;
    uint8_t state_input; /* with HEED_OP_WRITES_STATE */
    uint16_t attribute_size;
    uint32_t flags;
    /* Finds every argument error (names op and shapes) and fills out_shape and out_dtype. */
    heed_status (*infer)(heed_infer *, heed_error *);
    /* Appends gradient nodes. dout[i] is HEED_NONE where nothing flows in; sets din[i] for every
       differentiable input that gets a gradient (preset to HEED_NONE); sums over uses are the
       gradient pass's business. NULL: see no_gradient. */
    heed_status (*gradient)(heed_graph *, const heed_node *, const heed_value *dout,
                            heed_value *din, heed_error *);
    const char *no_gradient; /* the reason, when gradient is NULL */
    /* whole op, one thread */
    void (*reference)(const heed_kernel_args *), (*reference64)(const heed_kernel_args *);
    /* NULL: bytes of operands, one operation an element */
    heed_cost (*cost)(const heed_kernel_args *);
};

/* Errors in infer: HEED_E_SHAPE "matmul: a (12,64) and b (32,48) do not fit: expected ..." style
   helpers. */
heed_status heed_infer_fail(const heed_infer *infer, heed_error *error, heed_status status,
                            const char *expected);
/* "(N:48,32)" into text; returns text. Live extents are shown by their letter. */
enum { HEED_SHAPE_TEXT = 96 };
const char *heed_shape_text(heed_shape shape, char text[HEED_SHAPE_TEXT]);
bool heed_shape_equal(heed_shape a, heed_shape b); /* rank, extent and dims */
int64_t heed_shape_elements(heed_shape shape);     /* product of dims; 1 for a scalar */
/* product of all dims but the first; 1 for rank <= 1 */
int64_t heed_shape_columns(heed_shape shape);
int64_t heed_shape_rows(heed_shape shape); /* dim[0]; 1 for a scalar */

/* An operand that may be absent; NULL if it is. */
static inline const heed_operand *heed_optional(const heed_kernel_args *args, int i)
{
    return i < args->n_in && args->in[i].present ? &args->in[i] : NULL;
}

/* Extent of the last axis; 1 for a scalar. */
static inline int64_t heed_width(const heed_operand *operand)
{
    return operand->shape.rank ? operand->shape.dim[operand->shape.rank - 1] : 1;
}

#endif
