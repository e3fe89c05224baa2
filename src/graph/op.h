/* op.h: the op record, which is all that the compiler knows of an op; what a kernel is given; and
   what a kernel is. */
#ifndef HEED_GRAPH_OP_H
#define HEED_GRAPH_OP_H

#include "base/cpu.h"
#include "base/error.h"
#include <heed/graph.h>

/* The most inputs and outputs of a node. */
enum { HEED_MAX_INPUTS = 32, HEED_MAX_OUTPUTS = 6 };

/* Ids of all ops, and the table of their records. */
typedef enum heed_op_id {
#define HEED_OP(symbol, name) HEED_OP_##symbol,
#include "graph/ops.def"
#undef HEED_OP
    HEED_OP_COUNT
} heed_op_id;

typedef struct heed_op heed_op;
extern const heed_op *const heed_ops[HEED_OP_COUNT];

/* How the elements of an operand lie in memory:
     ROWS         row after row, row_stride elements apart
     PANELS       the packed panels of a weight (N,K), in the order of the backend
     PANELS_BOTH  these panels, and after them the packed panels of the transpose, for matmuls that
                  read the weight the other way round */
typedef enum heed_layout {
    HEED_LAYOUT_ROWS,
    HEED_LAYOUT_PANELS,
    HEED_LAYOUT_PANELS_BOTH
} heed_layout;

/* One input or output of a running kernel. shape.dim[0] holds the live count. Rows (axis 0) lie
   row_stride elements apart; elements of a row are contiguous. An optional operand that the step
   does not have is not `present`, and all its fields are 0. */
typedef struct heed_operand {
    void *data; /* NULL while the plan is made, when there are maximal shapes but no addresses */
    bool present;
    heed_dtype dtype;
    heed_layout layout;
    heed_shape shape;
    int64_t row_stride;
} heed_operand;

/* What changes from run to run beside the inputs. There is one for each run, which all kernels
   share. */
typedef struct heed_runtime {
    /* the live count of each extent; count[HEED_EXTENT_FIXED] is not used */
    int64_t count[HEED_MAX_EXTENTS];
    uint64_t seed, step; /* seed and step of the random ops */
} heed_runtime;

/* A rectangle: rows [row, row + rows), columns [column, column + columns). A tile producer reports
   rectangles of its output 0. A tile consumer is given a rectangle of its own output 0, or, if it
   writes a state, of the rows that it is to write there. */
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
    /* ops that write a state: output 0 lies where the state lies, so that its elements are there
       already; plans lay it so */
    bool state_in_place;
    /* shared memory, as large as shared() of the kernel said; phases order access to it */
    void *shared;
    void *prepared; /* as large as prepared() of the kernel said; holds what its prepare() wrote */
    /* tile producers: the consumers of finished tiles; NULL: there are none */
    const struct heed_tile_consumers *consumers;
    /* tile producers: tiles begin at multiples of this many columns, and end at such or at the end
       of the row */
    int64_t tile_columns;
} heed_kernel_args;

/* One call of a kernel, on one thread: part `part` of the `parts` of a phase, or one tile. */
typedef struct heed_kernel_call {
    int phase; /* 0 .. phases-1 */
    int part, parts;
    void *scratch; /* the memory of this thread, as large as scratch() of the kernel said */
    /* the last part on this thread was of the same step and phase, and scratch is as it left it */
    bool scratch_valid;
    /* tile consumers: the rectangle to compute; NULL: a part, as usual */
    const heed_tile *tile;
} heed_kernel_call;

/* A tile producer calls this once per finished tile, on the thread that finished it; its tiles
   cover output 0 exactly once. The consumers run within the call and must not use the scratch
   memory of the thread. */
void heed_tile_done(const struct heed_tile_consumers *consumers, heed_tile tile);

/* A fast kernel of one op. Kernels cannot fail. */
typedef struct heed_kernel {
    const char *name; /* "k_<op>" or "k_<op>_<variant>" */
    heed_op_id op;
    /* number of phases, with a barrier between them; 0 counts as 1 */
    int phases;

    /* ---- asked when the plan is made, with maximal shapes and without addresses ---- */

    /* does the kernel take these types, layouts, attributes and maximal shapes? NULL: any */
    bool (*fits)(const heed_kernel_args *);
    /* bytes of scratch memory of each thread; NULL: none */
    size_t (*scratch)(const heed_kernel_args *);
    /* bytes of memory that all threads share; NULL: none */
    size_t (*shared)(const heed_kernel_args *);
    /* bytes of what all parts of a run have in common, such as descriptions of matmuls; NULL:
       none */
    size_t (*prepared)(const heed_kernel_args *);
    /* with `parts`: is there always a single part, up to these maximal shapes? NULL: no */
    bool (*single_part)(const heed_kernel_args *);
    /* can its last phase report tiles that end at multiples of args->tile_columns? NULL: no */
    bool (*produces_tiles)(const heed_kernel_args *);
    /* the columns (a head) at whose multiples a tile must begin and end; NULL or 0: only on tiles
       of whole rows, if the op is row-local (regions.c). A kernel that runs on tiles has one phase
       and uses neither scratch nor shared memory. */
    int64_t (*consumes_tiles)(const heed_kernel_args *);

    /* ---- asked when the plan is made, with maximal shapes, and again in each run ---- */

    /* if not NULL: the number of phases by these shapes, instead of `phases`; in a run at most that
       of the maximal shapes */
    int (*live_phases)(const heed_kernel_args *);

    /* ---- called in a run, with live shapes ---- */

    /* with `prepared`: writes that to args->prepared, once a run, when operands have addresses and
       live counts but not yet their elements */
    void (*prepare)(const heed_kernel_args *);
    /* number of independent parts of this phase, by live shapes and never by threads; NULL: the
       plan cuts output rows */
    int (*parts)(const heed_kernel_args *, int phase);
    void (*run)(const heed_kernel_args *, const heed_kernel_call *);
} heed_kernel;

/* How an op treats its operands. */
enum {
    /* row i of a live output depends on row i of the live inputs alone, and on fixed inputs as a
       whole */
    HEED_OP_ROW_LOCAL = 1,
    /* output 0 may overwrite input 0 of the same shape and type, element by element or row by
       row */
    HEED_OP_IN_PLACE = 2,
    HEED_OP_VIEW = 4, /* output 0 may be a view of input 0 */
    /* output 0 is the next version of the state in input `state_input`, if that is present */
    HEED_OP_WRITES_STATE = 8
};

/* What shape inference is given, and what it fills. The arrays have n_in entries; absent inputs
   have present = false. */
typedef struct heed_infer {
    const heed_op *op;
    const heed_graph *graph;
    int n_in;
    const heed_value *in;
    bool present[HEED_MAX_INPUTS];
    heed_shape shape[HEED_MAX_INPUTS];
    heed_dtype dtype[HEED_MAX_INPUTS];
    const void *attributes;
    heed_shape out_shape[HEED_MAX_OUTPUTS]; /* filled by shape inference */
    heed_dtype out_dtype[HEED_MAX_OUTPUTS]; /* filled likewise; preset to HEED_F32 */
} heed_infer;

/* What a step costs, by its live operands: multiplications and additions, the type of number that
   they are made in, bytes read and written. */
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
/* The number type of a matmul with a right operand of this type: int8 for quantized types with
   traits, bf16 for bf16 operands, otherwise f32. */
heed_number heed_matmul_number(heed_dtype b, bool bf16);

typedef struct heed_node heed_node;

struct heed_op {
    const char *name;
    uint8_t in_min, in_max, n_out;
    uint8_t state_input; /* with HEED_OP_WRITES_STATE: the input that is the state */
    uint16_t attribute_size;
    uint32_t flags;
    /* Checks all arguments (errors name the op and shapes) and fills out_shape and out_dtype. */
    heed_status (*infer)(heed_infer *, heed_error *);
    /* Appends gradient nodes. dout[i] is the gradient of output i, or HEED_NONE if none flows in.
       Sets din[i], preset to HEED_NONE, for each input that gets a gradient. The gradient pass sums
       over uses. NULL: see no_gradient. */
    heed_status (*gradient)(heed_graph *, const heed_node *, const heed_value *dout,
                            heed_value *din, heed_error *);
    const char *no_gradient; /* why there is no gradient, if it is NULL */
    /* compute the whole op on one thread, in float and in double */
    void (*reference)(const heed_kernel_args *), (*reference64)(const heed_kernel_args *);
    /* NULL: the bytes of the operands, and no operations */
    heed_cost (*cost)(const heed_kernel_args *);
};

/* Records an error of shape inference: "matmul: a (12,64) and b (32,48) do not fit: expected ...".
   Returns the status. */
heed_status heed_infer_fail(const heed_infer *infer, heed_error *error, heed_status status,
                            const char *expected);
/* Writes a shape like "(N:48,32)" to text and returns text. A live extent is shown by its
   letter in the graph. */
enum { HEED_SHAPE_TEXT = 96 };
const char *heed_shape_text(const heed_graph *graph, heed_shape shape, char text[HEED_SHAPE_TEXT]);
bool heed_shape_equal(heed_shape a, heed_shape b); /* compares rank, extent and dims */
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
