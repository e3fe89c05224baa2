/* generation.c: allocates and frees the results of a generation. */
#include "base/memory.h"
#include "generate/generate_internal.h"
#include <stdlib.h>

const char *heed_finish_name(heed_finish finish)
{
    static const char *const names[HEED_FINISHES] = {"eos", "stop", "length", "context"};
    return names[finish];
}

void heed_generation_free(heed_generation *generation)
{
    for (size_t i = 0; generation->items && i < generation->count; i++) {
        heed_generated *item = &generation->items[i];
        free(item->ids);
        free(item->text);
        free(item->log_probabilities);
        free(item->likely);
    }
    for (size_t i = 0; generation->prompts && i < generation->prompt_count; i++) {
        free(generation->prompts[i].log_probabilities);
        free(generation->prompts[i].likely);
    }
    free(generation->items);
    free(generation->prompts);
    *generation = (heed_generation){0};
}

heed_status heed_generation_allocate(heed_generation *generation, size_t prompts, size_t returned,
                                     heed_error *error)
{
    size_t count;
    if (!heed_multiply_size(prompts, returned, &count))
        count = SIZE_MAX / sizeof *generation->items;
    generation->items = heed_allocate(count + 1, sizeof *generation->items);
    generation->prompts = heed_allocate(prompts + 1, sizeof *generation->prompts);
    if (!generation->items || !generation->prompts)
        return heed_fail_memory(error, (count + 1) * sizeof *generation->items, "results");
    generation->count = count;
    generation->prompt_count = prompts;
    for (size_t i = 0; i < count; i++) {
        generation->items[i].prompt = i / returned;
        generation->items[i].number = i % returned;
    }
    return HEED_OK;
}
