/* build.h: builds the graph of a model from its configuration and a purpose. */
#ifndef HEED_MODEL_BUILD_H
#define HEED_MODEL_BUILD_H

#include "nn/attention.h"
#include "graph/ir.h"
#include "model/engine.h"
#include "model/head/head.h"
#include "model/weights_internal.h"

/* What one stack, the encoder or the decoder, reads. An absent input is HEED_NONE, which is 0. */
typedef struct heed_stack_inputs {
    heed_stack_id stack_id;
    heed_input_stack stack;                 /* which inputs of program.def are its own */
    const char *hidden, *attentions, *last; /* names of outputs */
    bool causal;
    heed_value sequences, query_index, key_index, samples, positions, rotary, rotary_local, slopes;
} heed_stack_inputs;

struct heed_build {
    heed_graph *graph;
    const heed_model *model;
    const heed_config *config;
    const heed_program_spec *spec;
    /* names of outputs that have a cotangent input, ending in NULL; or NULL */
    const char *const *cotangents;
    heed_value *weights, *gradients;   /* by index of the weight; HEED_NONE if there is none */
    heed_value *kept[HEED_KEEP_SIDES]; /* by index in heed_model_keeps */
    /* attention weights of the only stack, by run; NULL unless a head reads them */
    heed_value *attention_weights;
    heed_stack_inputs main, source;
    heed_value memory; /* (S,D): last hidden states of the encoder */
    heed_value cross_sequences, cross_page_table, cross_slots, page_table, slots;
    /* terms of the loss, each (1), weighted and scaled; after them those of cotangents */
    heed_value *terms;
    int n_terms, terms_capacity;
    heed_loss_terms scored; /* the terms that the heads have */
    /* sums of the terms before scaling, for the output loss_terms */
    heed_value sums[HEED_MAX_LOSS_TERMS];
    int n_sums;
    /* what heads share; HEED_NONE until one of them needs it */
    heed_value loss_scale, seen_rows, pooled_samples, mean_row, pooled;
    /* (N,1): 1 for rows that count in the load balance of the experts, else 0; HEED_NONE if nothing
       is balanced */
    heed_value counted;
    /* (X): how often each expert was chosen, and its router probabilities, both summed over counted
       rows and layers */
    heed_value load, share;
    int64_t routed_layers; /* layers with experts that are built so far */
};

/* Builds the graph. Externals are declared in a fixed order:
   1. every weight that is there;
   2. the bf16 working copies of those that have one;
   3. for TRAIN the gradient of every parameter that is there;
   4. for DECODE what layers keep of a sequence, for ENCODE and DECODE what they keep of its source
      (heed_model_keeps). */
heed_status heed_build_graph(heed_graph *graph, const heed_model *model,
                             const heed_program_spec *spec, const char *const *cotangents,
                             heed_error *error);
/* Builds the graph and compiles it for exactly this spec, not for its bucket. The caller frees the
   plan. */
heed_status heed_build_plan(const heed_model *model, const heed_backend *backend,
                            const heed_program_spec *spec, const char *const *cotangents,
                            heed_plan **plan, heed_error *error);
/* Writes the pointers of all externals to `data` in that order; `kept` holds those of what layers
   keep, by side and index. `data` has room for heed_build_external_count pointers. */
size_t heed_build_external_count(const heed_model *model, const heed_program_spec *spec);
void heed_build_bind(const heed_model *model, const heed_program_spec *spec,
                     void *const *const kept[HEED_KEEP_SIDES], void **data);

/* ---- what build.c, build_stack.c and build_head.c ask for ---- */
/* Returns a weight, or HEED_NONE if the model has none in this role. */
heed_value heed_build_weight_at(const heed_build *b, const heed_weight_place *place,
                                heed_role role);
heed_nn_linear heed_build_linear_at(const heed_build *b, const heed_weight_place *place,
                                    heed_role weight, heed_role bias);
/* Returns a norm, whose bias has the role after `gain`. */
heed_nn_norm heed_build_norm_at(const heed_build *b, const heed_weight_place *place,
                                heed_role gain);
/* The same for weights outside of layers. */
heed_value heed_build_weight(const heed_build *b, heed_stack_id stack_id, heed_role role);
heed_nn_linear heed_build_linear(const heed_build *b, heed_stack_id stack_id, heed_role weight,
                                 heed_role bias);
heed_nn_norm heed_build_norm(const heed_build *b, heed_stack_id stack_id, heed_role gain);
/* Returns the inputs of the stack at this place. */
const heed_stack_inputs *heed_build_inputs_at(const heed_build *b, const heed_weight_place *place);
heed_value heed_build_token_table(const heed_build *b, heed_stack_id stack_id);
/* Declares an input of program.def, with the spec's maximum of rows; `inputs` is the stack that
   reads it, or NULL for an input that belongs to no stack. `columns` is read if program.def says
   ANY. */
heed_value heed_build_input(const heed_build *b, const heed_stack_inputs *inputs, heed_input_id id,
                            int64_t columns);
/* A bit for an input of program.def. */
#define HEED_READS(symbol) (UINT64_C(1) << HEED_INPUT_##symbol)
/* Returns the state in which the sublayer at a place keeps this array; HEED_NONE if this program
   has none. */
heed_value heed_build_kept(const heed_build *b, const heed_weight_place *place, heed_keep_side side,
                           const char *name);
/* Returns the spec's maximum of rows of an extent. */
int64_t heed_build_rows(const heed_build *b, heed_extent extent);
/* Declares an input of program.def in a shape of the program's own. */
heed_value heed_build_input_shaped(const heed_build *b, const char *name, heed_shape shape);
/* Returns the rate of a dropout for this purpose. If `overridden`, spec->dropout replaces the
   model's rate. */
double heed_build_rate(const heed_build *b, double rate, bool overridden);
bool heed_build_drops(const heed_build *b);
/* Makes a value an output; if the output has a cotangent input, adds their dot product to the
   loss. */
void heed_build_publish(heed_build *b, heed_value value, const char *format, ...) HEED_PRINTF(3, 4);

/* Builds a stack from its embedding to the last norm; returns (rows,D). */
heed_value heed_build_stack(heed_build *b, const heed_stack_inputs *inputs);
/* Writes what the layers of the decoder keep of the encoder's result into their caches (ENCODE). */
void heed_build_fill(heed_build *b);
/* Builds the heads over x (N,D), their outputs and the terms of their losses. */
void heed_build_head(heed_build *b, heed_value x);
/* Adds a term (1), weighted and scaled, to the loss. */
void heed_build_add_term(heed_build *b, heed_value term);
/* Returns whether the load balance of the experts is a term of this program's loss. */
bool heed_build_balances(const heed_build *b);

#endif
