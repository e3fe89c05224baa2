/* Prints the library's version and what it says to a model that is not there. */
#include <heed/graph.h>
#include <heed/heed.h>
#include <stdio.h>

int main(void)
{
    heed_error error = {HEED_OK, ""};
    heed_context *context = NULL;
    heed_transformer *model = NULL;
    heed_status status = heed_context_new(&context, NULL, &error);
    if (status == HEED_OK)
        status = heed_transformer_load(&model, context, "/nowhere/at/all", NULL, &error);
    printf("%s %s\n", heed_version(), heed_status_name(status));
    heed_transformer_free(model);
    heed_context_free(context);
    return status == HEED_E_IO ? 0 : 1;
}
