/* engine.h: runs a model on behalf of one thread. An engine builds graphs from the configuration,
   compiles them, caches the plans by power-of-two bucket, and has one workspace. Generation,
   evaluation and training all go through here.

   A run:
     heed_engine_prepare(engine, &spec, error)          finds or builds the plan and its memory
     heed_engine_feed(engine, &batch, &runtime, error)  fills its inputs, which do not survive the
                                                        next prepare
     heed_engine_run(engine, &runtime, error)
     heed_engine_output(engine, "logits", &y, error)

   program.def lists the inputs of all programs. An encoder-only model has no source rows: its rows
   are N, in FORWARD, LOSS and TRAIN.

   Outputs
     logits                  (R,V); (B,C) for sequence heads, (R,C) token classes
     prediction_logits       (R,V)
     seq_relationship_logits (B,2); sop_logits of the order of sentences
     start_logits            (N,1)      of a question head, and end_logits
     last_hidden_state       (N,D)
     hidden_states.I         (N,D)      with spec.hidden_states; in encoder-decoders
                                        decoder_hidden_states.I (N,D), encoder_hidden_states.I (S,D)
                                        and encoder_last_hidden_state, or memory (float inputs)
     pooler_output, mean_pooled, sentence_embedding (B,D) of an encoder without a head
     attentions.I            (B,H,T,S)  with spec.attentions; in encoder-decoders
                                        encoder_attentions.I, decoder_attentions.I,
                                        cross_attentions.I
     router_logits.I         (N,X)      of layers with experts, if config.json asks for them
     loss                    (1)        sum of the scaled terms
     loss_terms              (terms)    their unscaled sums
     nll                     (R)        of each row, in nats (LOSS, TRAIN) */
#ifndef HEED_MODEL_ENGINE_H
#define HEED_MODEL_ENGINE_H

#include "graph/plan.h"
#include "model/batch.h"
#include "model/head/head.h"
#include "model/keep.h"
#include "model/model.h"

typedef enum heed_purpose {
    HEED_PURPOSE_FORWARD, /* the whole model over given rows; flags choose the outputs */
    HEED_PURPOSE_LOSS,    /* FORWARD and the loss, without dropout */
    /* loss and gradients, with dropout; gradients are added to the parameters' gradient memory */
    HEED_PURPOSE_TRAIN,
    /* the encoder of an encoder-decoder; the keys and values of cross attention go into the cross
       caches */
    HEED_PURPOSE_ENCODE,
    /* rows whose keys and values go into the caches: prefill, decoding or a mixture of both;
       outputs are the logits of the gathered rows */
    HEED_PURPOSE_DECODE
} heed_purpose;

/* Zero-initialize it. Fields that a purpose does not use stay 0. Maxima are rounded up to powers of
   two. */
typedef struct heed_program_spec {
    int32_t purpose;                /* heed_purpose */
    bool hidden_states, attentions; /* FORWARD: adds these outputs */
    /* query_index and key_index are given, for masks with holes, left padding and query-only
       rows */
    bool indexed;
    /* a row that sees no key attends to its whole sequence equally, instead of to nothing (slow) */
    bool masked_mean;
    bool checkpointing; /* TRAIN: keeps only the results of layers and recomputes the rest */
    /* TRAIN, LOSS: the logits of tokens are no output and need not be stored */
    bool losses_only;
    bool bf16;      /* TRAIN, LOSS: matmuls read bf16 operands */
    bool no_passes; /* compiles without passes: the plan that all passes are tested against */
    /* TRAIN: if < 0, the rates of config.json; else the rate for embeddings, attention, residuals
       and classifiers; 0: no dropout */
    float dropout;
    /* LOSS, TRAIN with a sequence classifier: a heed_problem; 0: as config.json says */
    int32_t problem;
    float label_smoothing;                          /* TRAIN, LOSS */
    int64_t rows, source_rows, sequences, gathered; /* maxima of N, S, B and R */
    /* FORWARD with attentions: T and S of the weights (source: keys of the cross attention);
       question and choice: T of the grid */
    int64_t queries, keys;
    /* DECODE, ENCODE: number of 64-position pages in each cache */
    int64_t cache_pages, cross_pages;
    int64_t table_rows, table_columns; /* DECODE: shape of the page tables */
} heed_program_spec;

typedef struct heed_engine heed_engine;

/* Makes an engine, which retains the model and borrows the backend. The caller frees it. Errors:
   HEED_E_NOMEM. */
heed_status heed_engine_new(heed_engine **engine, heed_model *model, const heed_backend *backend,
                            heed_error *error);
void heed_engine_free(heed_engine *engine); /* NULL is fine */
const heed_model *heed_engine_model(const heed_engine *engine);

/* Finds or builds the plan of the spec, which is current until the next prepare. Errors: HEED_E_ARG
   and HEED_E_UNSUPPORTED for a purpose that the model does not have; HEED_E_NOMEM says how many
   bytes were wanted. */
heed_status heed_engine_prepare(heed_engine *engine, const heed_program_spec *spec,
                                heed_error *error);
/* Writes the bytes of workspace that prepare would need for this spec, and allocates none of them.
   It serves to choose a batch that fits. */
heed_status heed_engine_bytes(heed_engine *engine, const heed_program_spec *spec, size_t *bytes,
                              heed_error *error);
/* Sets what may end the runs of the engine: heed_engine_run then fails with HEED_E_CANCELLED. */
void heed_engine_set_cancel(heed_engine *engine, heed_cancel cancel);
/* Returns the current plan, for dumps; NULL before the first prepare. Borrowed. */
const heed_plan *heed_engine_plan(const heed_engine *engine);

/* Fills the inputs of the current plan that it reads and that have rows from a batch (feed.h), and
   the live counts of `runtime`. */
heed_status heed_engine_feed(heed_engine *engine, const heed_batch *batch, heed_runtime *runtime,
                             heed_error *error);
/* Returns what an input of the current plan was fed with; NULL if it has no such input. */
const void *heed_engine_fed(const heed_engine *engine, const char *name);
/* Runs the current plan. Errors: HEED_E_ARG names an input of the plan that was not filled since
   the last prepare. */
heed_status heed_engine_run(heed_engine *engine, const heed_runtime *runtime, heed_error *error);
/* Writes a row-major view of an output with live extents, borrowed until the next run or prepare.
   Errors: HEED_E_ARG for an unknown name. */
heed_status heed_engine_output(const heed_engine *engine, const char *name, heed_operand *output,
                               heed_error *error);
bool heed_engine_has_output(const heed_engine *engine, const char *name);

/* Lists the terms of the model's loss in the order of loss_scale and loss_terms, with sequences
   scored as config.json says. What a term counts depends on its name:
     "tokens"      labels that are scored (not HEED_IGNORE)
     "sentences"   class labels
     "targets"     B * C numbers
     "start"       begin positions of answers
     "end"         end positions of answers
     "balance"     rows that are counted */
void heed_engine_loss_terms(const heed_model *model, heed_loss_terms *terms);

/* Returns the columns of the input "frequencies", or of "source_frequencies" if `source`: half of
   the channels of a head that rotate. */
int64_t heed_model_rotary_pairs(const heed_model *model, bool source);
/* Fills `rows` rows of that input for tokens of a text of `length` tokens. Does nothing if
   frequencies is NULL. */
void heed_model_rotary_fill(const heed_model *model, bool source, int64_t length, int64_t rows,
                            float *frequencies);

/* ---- what layers keep ---- */
/* The caller owns the memory of what layers keep between steps (the caches of a session): the array
   at index i of heed_model_keeps has (pages * 64, columns), or (pages, columns) if it has a row a
   page. All must be bound before DECODE or ENCODE runs. */
void heed_engine_bind_kept(heed_engine *engine, heed_keep_side side, size_t index, void *data);

#endif
