/* generate_internal.h: declares what the loop over prompts (generate.c), the searches that it calls
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
    const heed_tokenizer *tokenizer; /* NULL: no text is made */
    const heed_generation_settings *settings;
    const heed_generation_events *events; /* never NULL; its members may be */
    const heed_search *search;
    heed_generation *generation;
    /* Processors for every search (HEED_LOGITS_ALWAYS); temperature and cuts, where tokens are
       drawn (HEED_LOGITS_SAMPLING). */
    heed_logits_chain always_chain, sampling_chain;
    heed_logits_scratch scratch;
    float *scores; /* (2,V) scratch: scores after processors, and after cuts */
    int64_t vocabulary;
    int32_t start, bos;  /* decoder start of an encoder-decoder; the only id of an empty prompt */
    bool samples;        /* tokens are drawn; else the likeliest is taken */
    heed_prefix *prefix; /* what prompts may begin with; NULL for nothing */
    bool keeps;          /* the prefix takes over the first sequence written */
} heed_job;

/* A prompt that is being answered. */
typedef struct heed_prompt_group {
    size_t prompt;
    heed_ids given;     /* the ids that the decoder begins with: the prompt, or the decoder start */
    heed_ids source;    /* the prompt of an encoder-decoder */
    int64_t max_length; /* the most ids of a sequence, `given` included */
    heed_finish limit;  /* why there are no more: HEED_FINISH_LENGTH or HEED_FINISH_CONTEXT */
    /* a sequence of the session that holds `given`; -1 once the search has taken it */
    int64_t sequence;
    int64_t kept; /* ids of `given` that came from the prefix */
    bool read;    /* `given` has been fed */
    bool done;
    void *state; /* owned by the search */
} heed_prompt_group;

/* Makes the group of a prompt, whose ids are borrowed: cuts the prompt to the context and sets the
   lengths. HEED_E_ARG for a prompt that is empty or too long. */
heed_status heed_prompt_group_begin(heed_prompt_group *group, heed_job *job, size_t index,
                                    const heed_ids *prompt, heed_error *error);
/* Allocates the report of the prompt's own ids, if it is asked for. HEED_E_NOMEM. */
heed_status heed_prompt_group_report(const heed_prompt_group *group, heed_job *job,
                                     heed_error *error);
/* Allocates the results of `prompts` prompts with `returned` sequences each. HEED_E_NOMEM. */
heed_status heed_generation_allocate(heed_generation *generation, size_t prompts, size_t returned,
                                     heed_error *error);

/* A way to continue a prompt. The loop calls begin, then first with the logits after `given`, then
   advance. Until the group is done it goes on with feed, next for every item fed, and advance. It
   calls end in every case. */
struct heed_search {
    /* the most sequences that a group holds */
    int64_t (*sequences)(const heed_generation_settings *settings);
    heed_status (*begin)(heed_job *job, heed_prompt_group *group, heed_error *error);
    heed_status (*first)(heed_job *job, heed_prompt_group *group, const float *logits,
                         heed_error *error);
    /* Appends step items of one token each to `items` and returns how many. */
    int64_t (*feed)(const heed_prompt_group *group, heed_step_item *items);
    heed_status (*next)(heed_job *job, heed_prompt_group *group, int64_t item, const float *logits,
                        heed_error *error);
    /* Called after a step: forks and drops sequences, finishes what ended, sets group->done. */
    heed_status (*advance)(heed_job *job, heed_prompt_group *group, heed_error *error);
    /* Frees the state. The caller drops the sequences. */
    void (*end)(heed_job *job, heed_prompt_group *group);
};

extern const heed_search heed_search_plain, heed_search_beam;

/* A sequence that is being written: `given`, the new ids, and what is reported of the new ids.
   Zero-initialize. */
typedef struct heed_draft {
    int32_t *ids;
    int64_t count;
    float *log_probabilities; /* (new_count) */
    heed_token_score *likely;
    int64_t new_count;
    double sum; /* sum of the log-probabilities, if they are asked for */
    size_t id_capacity, probability_capacity, likely_capacity;
} heed_draft;

/* Begins an empty draft with the ids that are given. */
heed_status heed_draft_begin(heed_draft *draft, const heed_ids *given, heed_error *error);
/* Copies a draft over another one, and makes room for one more id. */
heed_status heed_draft_copy(heed_draft *draft, const heed_draft *from, const heed_job *job,
                            heed_error *error);
/* Adds an id that was chosen from `scores` (V), with its log-probability if asked for.
   HEED_E_NOMEM. */
heed_status heed_draft_add(heed_draft *draft, heed_job *job, const float *scores, int32_t id,
                           heed_error *error);
/* Moves the new ids and their reports into a returned item. The draft is empty afterwards. */
void heed_draft_finish(heed_draft *draft, heed_generated *item, heed_finish finish);
void heed_draft_free(heed_draft *draft);

/* Returns the scores (V) of the next token after all processors but temperature and cuts: `logits`
   itself or job->scores. */
const float *heed_job_scores(heed_job *job, const heed_prompt_group *group, const heed_draft *draft,
                             const float *logits);
/* Writes the `count` likeliest tokens of `scores` (V) into likely (count). log_sum is
   ln(sum(exp(scores))). */
void heed_job_likely(heed_job *job, const float *scores, double log_sum, int64_t count,
                     heed_token_score *likely);
/* Returns the place of the group's returned sequence `number`. */
heed_generated *heed_job_item(const heed_job *job, const heed_prompt_group *group, int64_t number);
/* Marks an item as complete and tells the caller's events. */
void heed_job_finished(const heed_job *job, heed_generated *item);
/* Copies a text into an item. HEED_E_NOMEM. */
heed_status heed_job_set_text(heed_generated *item, const heed_buffer *text, heed_error *error);
/* Decodes the ids of an item into its text, up to a stop string. */
heed_status heed_job_make_text(const heed_job *job, heed_generated *item, heed_error *error);
/* Is this an end-of-sequence id? */
bool heed_job_is_end(const heed_job *job, int32_t id);
/* Gives up a sequence of the session that is no longer written. The one of the returned sequence 0
   becomes the prefix if the job keeps it; others are dropped. `ids` are at least those that the
   sequence holds. */
heed_status heed_job_release(const heed_job *job, int64_t number, int64_t sequence,
                             const int32_t *ids, heed_error *error);

#endif
