/* Continues a prompt:  continue MODEL-FOLDER "Once upon a time"
   cc continue.c $(pkg-config --cflags --libs --static heed) -o continue */
#include <heed/heed.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    heed_error error = {0};
    heed_context *context = NULL;
    heed_transformer *model = NULL;
    heed_results texts = {0};
    const heed_generation_options how = {.max_new_tokens = heed_int(40)};
    if (argc != 3) {
        fprintf(stderr, "usage: continue MODEL-FOLDER PROMPT\n");
        return 2;
    }
    heed_prompt prompt = {.text = argv[2], .length = strlen(argv[2])};
    heed_prompts prompts = {&prompt, 1};
    heed_status status = heed_context_new(&context, NULL, &error);
    if (!status) status = heed_transformer_load(&model, context, argv[1], NULL, &error);
    if (!status) status = heed_transformer_generate(model, &prompts, &how, NULL, &texts, &error);
    if (status) fprintf(stderr, "%s\n", error.message);
    else puts(texts.items[0].text);
    heed_results_free(&texts);
    heed_transformer_free(model);
    heed_context_free(context);
    return status != HEED_OK;
}
