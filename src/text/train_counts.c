/* train_counts.c: what all trainers use: counted strings, special tokens, and the vocabulary as
   JSON (train.h). */
#include "text/train.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

heed_status heed_counts_add(heed_counts *counts, const char *string, size_t length,
                            heed_error *error)
{
    int32_t index = heed_vocabulary_find(&counts->strings, string, length);
    if (index < 0) {
        index = (int32_t)counts->strings.count;
        if (!heed_grow(&counts->counts, &counts->capacity, (size_t)index + 1,
                       sizeof *counts->counts))
            return heed_fail_memory(error, (size_t)index * sizeof *counts->counts,
                                    "counting words");
        counts->counts[index] = 0;
        HEED_TRY(
            heed_vocabulary_add(&counts->strings, string, length, index, "training text", error));
    }
    counts->counts[index]++;
    return HEED_OK;
}

void heed_counts_free(heed_counts *counts)
{
    heed_vocabulary_free(&counts->strings);
    free(counts->counts);
    *counts = (heed_counts){0};
}

heed_status heed_trainer_add_special(const heed_tokenizer_trainer *trainer,
                                     heed_vocabulary *vocabulary, heed_error *error)
{
    for (int i = 0; i < trainer->special_count; i++) {
        const char *content = trainer->special[i].content;
        if (heed_vocabulary_find(vocabulary, content, strlen(content)) >= 0) continue;
        HEED_TRY(heed_vocabulary_add(vocabulary, content, strlen(content),
                                     (int64_t)vocabulary->count, "special tokens", error));
    }
    return HEED_OK;
}

json_t *heed_trainer_vocabulary_json(const heed_vocabulary *vocabulary)
{
    json_t *json = json_object();
    int failed = !json;
    for (size_t i = 0; i < vocabulary->count && !failed; i++) {
        const heed_vocabulary_entry *entry = &vocabulary->entries[i];
        failed = json_object_setn_new(json, heed_vocabulary_string(vocabulary, entry),
                                      entry->length, json_integer(entry->id));
    }
    if (!failed) return json;
    json_decref(json);
    return NULL;
}
