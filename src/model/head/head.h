/* head.h: a head as a record: what it reads of the last hidden states, what it makes of them, and
   by which labels it is scored. Each head stands in a file of this folder and has a line in
   model/heads.def; a configuration has a list of them. */
#ifndef HEED_MODEL_HEAD_HEAD_H
#define HEED_MODEL_HEAD_HEAD_H

#include "model/family.h"

typedef struct heed_build heed_build;
typedef struct heed_head_kind heed_head_kind;

/* What others ask of a head. */
typedef enum heed_head_trait {
    HEED_TRAIT_PREDICTS_TOKENS = 1, /* has an output matrix with a row for each token */
    HEED_TRAIT_GENERATES = 2,       /* its logits are those of the next token */
    HEED_TRAIT_NAMES_CLASSES = 4,   /* its classes have names in config.json */
    HEED_TRAIT_POOLS = 8,           /* reads one row of each sequence */
    HEED_TRAIT_POOLS_ENCODER = 16,  /* does so if the model is an encoder */
    HEED_TRAIT_COMPARES = 32,    /* the sequences of a question are compared: (question,choice) */
    HEED_TRAIT_SCORES_ROWS = 64, /* an output (rows,1) is one score for each token */
    HEED_TRAIT_BARE = 128        /* no head: the file has the tensors of the bare model */
} heed_head_trait;

/* What a label belongs to. */
typedef enum heed_label_kind {
    HEED_LABEL_TOKEN,    /* column (R) i32: the class of each token */
    HEED_LABEL_SEQUENCE, /* column (B) i32: the class of each sequence */
    HEED_LABEL_NUMBERS,  /* column (B,C) f32: a number for each class of each sequence */
    HEED_LABEL_POSITION, /* column (B) i32: one token of each sequence */
    HEED_LABEL_CHOICE    /* column (B) i32: one of the sequences of each question */
} heed_label_kind;

/* Labels by which a head is scored. */
typedef struct heed_label_use {
    const char *column; /* the input of programs that holds them */
    uint8_t kind;       /* heed_label_kind */
    /* the label of a token is that of the token after it, unless the family has two stacks */
    bool next;
    bool seen; /* labels of masked tokens are not scored */
    /* their names for `heed forward`: of a head alone, and of one with others beside it */
    const char *name, *name_beside;
    /* returns the number of classes; NULL for positions and choices */
    int64_t (*classes)(const heed_config *config);
} heed_label_use;

/* In which models a head has a term. */
typedef enum heed_term_when {
    HEED_TERM_ALWAYS,
    HEED_TERM_CLASSES, /* each sequence has one class */
    HEED_TERM_NUMBERS  /* regression, or several classes at once */
} heed_term_when;

/* A term of the loss: the sum of the losses of some labels, times weight / number of labels. */
typedef struct heed_loss_term {
    const char *name; /* names it in logs; NULL ends a list */
    float weight;
    const heed_label_use *labels; /* NULL: it counts rows ("balance") */
    heed_term_when when;
    const heed_head_kind *head; /* the head that has it; set when terms are listed */
} heed_loss_term;

enum { HEED_MAX_LOSS_TERMS = 16 };
typedef struct heed_loss_terms {
    int count;
    heed_loss_term items[HEED_MAX_LOSS_TERMS];
} heed_loss_terms;

struct heed_head_kind {
    const char *name;           /* for messages: "language model" */
    uint32_t traits;            /* heed_head_trait, or-ed */
    const heed_role_use *roles; /* its weights, at HEED_STACK_MODEL */
    /* names of its logits: of a head alone, and of one with others beside it; NULL: it has none */
    const char *output, *output_beside;
    const heed_loss_term *terms; /* the terms of its loss; NULL: it is not scored */
    /* Builds the head over x (N,D): its outputs and, in the order of `terms`, the terms of its
       loss. */
    void (*build)(heed_build *b, const heed_head_kind *head, heed_value x);
};

/* A map of contacts leaves out the first and the last token of the padded text, and ESM's head
   takes one token for the end of a text, whatever eos_token_id says. */
enum { HEED_CONTACT_ENDS = 2, HEED_CONTACT_END_ID = 2 };

#define HEED_HEAD(symbol, record) extern const heed_head_kind heed_head_##record;
#include "model/heads.def"
#undef HEED_HEAD

/* Returns head `at` of the model, counted from 0: those of its class, then that of the bare model,
   if it has one; NULL after the last one. */
const heed_head_kind *heed_head_at(const heed_config *config, int at);
/* Returns whether any head of the model has one of these traits (heed_head_trait, or-ed). */
bool heed_head_any(const heed_config *config, uint32_t traits);
/* Returns whether the model's class has several heads. */
bool heed_head_has_others(const heed_config *config);
/* Returns the name of a head's logits in this model; NULL if it has none. */
const char *heed_head_output(const heed_config *config, const heed_head_kind *head);
/* Returns the head that has a weight in this role; NULL if none has (roles.c). */
const heed_head_kind *heed_head_of_role(const heed_config *config, const heed_weight_place *place,
                                        heed_role role);
/* Returns whether two lists of heads are equal. */
bool heed_head_lists_equal(const uint8_t *a, const uint8_t *b);

/* Lists the terms of the loss in the order of the inputs loss_scale and outputs loss_terms: those
   of each head, then the experts' load balance if it is trained. */
void heed_loss_terms_list(const heed_config *config, heed_problem problem, heed_loss_terms *terms);
/* Returns whether some head, of this model or not, has labels of this name for `heed forward`. */
bool heed_head_names_labels(const char *name);
/* Returns how sequence classification is scored: `asked`, unless it is HEED_PROBLEM_UNKNOWN, else
   as config.json says, or as the number of labels tells. */
heed_problem heed_loss_problem(const heed_config *config, heed_problem asked);

#endif
