/* generate_internal.h: what the loop over prompts (generate.c), the searches that it calls
   (search_plain.c, search_beam.c) and the files below them (draft.c, prompt_group.c, generation.c)
   share. */
#ifndef HEED_GENERATE_GENERATE_INTERNAL_H
#define HEED_GENERATE_GENERATE_INTERNAL_H

#include "generate/choose.h"
#include "generate/generate.h"
#include "generate/logits.h"

typedef struct heed_search heed_search;

/* One call of heed_generate. */
typedef struct heed_job {
    heed_session *session;
    const heed_tokenizer *tokenizer; /* NULL: no text */
    const heed_generation_settings *settings;
    const heed_generation_events *events; /* members may be NULL */
    const heed_search *search;
    heed_generation *generation;
    heed_logits_chain always, sampling;
    heed_logits_scratch scratch;
    float *scores; /* (2,V): after processors, and after cuts */
    int64_t vocabulary;
    int32_t start, bos;  /* decoder start of an encoder-decoder; what an empty prompt becomes */
    bool samples;        /* draws, else takes the likeliest */
    heed_prefix *prefix; /* what prompts may begin with; NULL: nothing */
    bool keeps;          /* the prefix takes over the first sequence written */
} heed_job;

/* One prompt that is being answered. */
typedef struct heed_prompt_group {
    size_t prompt;
    heed_ids given;     /* what the decoder begins with: the prompt, or the decoder start */
    heed_ids source;    /* the prompt of an encoder-decoder */
    int64_t max_length; /* ids at most, `given` included */
    heed_finish limit;  /* why not more: HEED_FINISH_LENGTH or HEED_FINISH_CONTEXT */
    int64_t sequence;   /* of the session, holds `given`; the search's from `first` on */
    int64_t kept;       /* ids of `given` that came from the prefix */
    bool read;          /* `given` was fed */
    bool done;
    void *state; /* the search's */
} heed_prompt_group;

/* Makes the group of a prompt, whose ids are borrowed: cuts it to the context and sets the lengths.
   HEED_E_ARG for one that is empty or too long. */
heed_status heed_prompt_group_begin(heed_prompt_group *group, heed_job *job, size_t index,
                                    const heed_ids *prompt, heed_error *error);
/* Allocates what is reported of the prompt's own ids, if it is asked for. */
heed_status heed_prompt_group_report(const heed_prompt_group *group, heed_job *job,
                                     heed_error *error);
/* Allocates the results of so many prompts, `returned` sequences each. */
heed_status heed_generation_allocate(heed_generation *generation, size_t prompts, size_t returned,
                                     heed_error *error);

/* A way to continue a prompt. A group's calls: begin; first, with the scores after `given`; then,
   until it is done, advance, feed and next for every item fed; end in every case. */
struct heed_search {
    int64_t (*sequences)(const heed_generation_settings *settings); /* that a group holds at most */
    heed_status (*begin)(heed_job *job, heed_prompt_group *group, heed_error *error);
    heed_status (*first)(heed_job *job, heed_prompt_group *group, const float *logits,
                         heed_error *error);
    /* Appends single tokens to items and returns how many. */
    int64_t (*feed)(const heed_prompt_group *group, heed_step_item *items);
    heed_status (*next)(heed_job *job, heed_prompt_group *group, int64_t item, const float *logits,
                        heed_error *error);
    /* After a step: forks and drops sequences, finishes what ended, sets group->done. */
    heed_status (*advance)(heed_job *job, heed_prompt_group *group, heed_error *error);
    /* frees the state; sequences are dropped by the caller */
    void (*end)(heed_job *job, heed_prompt_group *group);
};

extern const heed_search heed_search_plain, heed_search_beam;

/* A sequence being written: `given` and new ids, and what is reported of the new ones.
   Zero-initialize. */
typedef struct heed_draft {
    int32_t *ids;
    int64_t count;
    float *log_probabilities; /* of new ids */
    heed_token_score *likely;
    int64_t new_count;
    double sum; /* of log-probabilities, when they are asked for */
    size_t id_capacity, probability_capacity, likely_capacity;
} heed_draft;

heed_status heed_draft_begin(heed_draft *draft, const heed_ids *given, heed_error *error);
heed_status heed_draft_copy(heed_draft *draft, const heed_draft *from, const heed_job *job,
                            heed_error *error);
/* Adds an id chosen from `scores` (V). */
heed_status heed_draft_add(heed_draft *draft, heed_job *job, const float *scores, int32_t id,
                           heed_error *error);
/* Moves the new ids into a returned item; the draft is empty afterwards. */
void heed_draft_finish(heed_draft *draft, heed_generated *item, heed_finish finish);
void heed_draft_free(heed_draft *draft);

/* Scores of the next token after all processors but temperature and cuts: `logits` itself or
   job->scores. */
const float *heed_job_scores(heed_job *job, const heed_prompt_group *group, const heed_draft *draft,
                             const float *logits);
/* `count` likeliest tokens into likely[count]. */
void heed_job_likely(heed_job *job, const float *scores, double log_sum, int64_t count,
                     heed_token_score *likely);
heed_generated *heed_job_item(const heed_job *job, const heed_prompt_group *group, int64_t number);
/* Says that an item is complete. */
void heed_job_finished(const heed_job *job, heed_generated *item);
heed_status heed_job_set_text(heed_generated *item, const heed_buffer *text, heed_error *error);
/* The text of an item's ids, up to a stop string. */
heed_status heed_job_make_text(const heed_job *job, heed_generated *item, heed_error *error);
bool heed_job_is_end(const heed_job *job, int32_t id);
/* Lets go of a sequence: the first of a prompt becomes the kept prefix if that is wanted, others
   are dropped. `ids` are all that it may hold. */
heed_status heed_job_release(const heed_job *job, int64_t number, int64_t sequence,
                             const int32_t *ids, heed_error *error);

#endif
