/* program.h: the tables of the inputs (program.def) and outputs that programs have. batch.h makes
   what inputs are filled from, feed.h fills them. */
#ifndef HEED_MODEL_PROGRAM_H
#define HEED_MODEL_PROGRAM_H

#include <heed/graph.h>
#include <stdbool.h>

/* The stack that reads an input: the encoder of an encoder-decoder is the source stack; any other
   stack is the main one. */
typedef enum heed_input_stack {
    HEED_MAIN_STACK,
    HEED_SOURCE_STACK,
    HEED_INPUT_STACKS
} heed_input_stack;

/* What the rows of an input are. */
typedef enum heed_input_extent {
    HEED_INPUT_OF_STACK_ROWS,      /* rows of its stack: N, or S for the source */
    HEED_INPUT_OF_STACK_SEQUENCES, /* B; each stack has such an input */
    HEED_INPUT_OF_ROWS,            /* N */
    HEED_INPUT_OF_SOURCE_ROWS,     /* S */
    HEED_INPUT_OF_SEQUENCES,       /* B */
    HEED_INPUT_OF_GATHERED,        /* R */
    HEED_INPUT_OF_SHAPED           /* the program gives the shape */
} heed_input_extent;

typedef enum heed_input_id {
#define HEED_INPUT(symbol, name, dtype, extent, columns, absent) HEED_INPUT_##symbol,
#include "model/program.def"
#undef HEED_INPUT
    HEED_INPUTS
} heed_input_id;

enum { HEED_INPUT_ANY = -1 }; /* columns that the program chooses */

typedef struct heed_input_kind {
    const char
        *names[HEED_INPUT_STACKS]; /* the second is NULL unless each stack has such an input */
    heed_dtype dtype;
    uint8_t extent;  /* heed_input_extent */
    int64_t columns; /* 0: one value a row */
} heed_input_kind;

extern const heed_input_kind heed_input_kinds[HEED_INPUTS];

/* Returns the name of an input of a stack: "ids" or "source_ids". */
const char *heed_input_name(heed_input_id id, heed_input_stack stack);
/* Finds the input of this name; false if program.def does not have it. */
bool heed_input_find(const char *name, heed_input_id *id, heed_input_stack *stack);
/* Finds the stacks whose rows are the queries and the keys of an output (B,H,T,S) of attention
   weights; false for another output, whose rows are those of its extent. */
bool heed_output_find_weights(const char *name, heed_input_stack *queries, heed_input_stack *keys);
/* Returns the extent of the rows of a stack. */
heed_extent heed_stack_extent(heed_input_stack stack);

#endif
