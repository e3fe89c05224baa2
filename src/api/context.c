/* context.c: makes the context, which owns threads, backend and observer (heed/heed.h). */
#include "api/api_internal.h"
#include "api/observer.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

const char *heed_version(void)
{
    return HEED_VERSION;
}

void heed_free(void *memory)
{
    free(memory);
}

/* Finds the instruction set called `name`; NULL: HEED_ISA or the machine's best. */
static heed_status choose_isa(const char *name, heed_isa *isa, heed_error *error)
{
    if (!name) return heed_isa_choose(isa, error);
    for (int level = 0; level < HEED_ISA_COUNT; level++)
        if (!strcmp(name, heed_isa_name((heed_isa)level))) {
            *isa = (heed_isa)level;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_ARG, "instruction set \"%s\": expected generic, avx2 or avx512",
                     name);
}

heed_status heed_context_new(heed_context **result, const heed_context_options *options,
                             heed_error *error)
{
    static const heed_context_options defaults = {0};
    if (!options) options = &defaults;
    *result = NULL;
    if (options->threads < 0 || options->threads > 256)
        return heed_fail(error, HEED_E_ARG,
                         "%d threads: expected 1 to 256, or 0 for all processors",
                         options->threads);
    heed_isa isa = HEED_ISA_GENERIC;
    HEED_TRY(choose_isa(options->isa, &isa, error));
    heed_context *context = heed_allocate(1, sizeof *context);
    if (!context) return heed_fail_memory(error, sizeof *context, "the context");
    heed_threads_choose(&context->threads, options->threads);
    context->reference = (heed_backend){.name = "reference", .isa = HEED_ISA_GENERIC};
    context->backend = &context->reference;
    if (!options->reference) {
        heed_status status = heed_cpu_backend_new(&context->cpu, context->threads.used, isa, error);
        if (status != HEED_OK) {
            free(context);
            return status;
        }
        context->backend = context->cpu;
    }
    heed_observer_begin(context, options->observer);
    *result = context;
    return HEED_OK;
}

const char *heed_context_note(const heed_context *context)
{
    return context->threads.note[0] ? context->threads.note : NULL;
}

void heed_context_free(heed_context *context)
{
    if (!context) return;
    heed_cpu_backend_free(context->cpu);
    free(context->profile.lines);
    pthread_mutex_destroy(&context->turn);
    free(context);
}
