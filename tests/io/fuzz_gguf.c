/* libFuzzer target: any bytes are either refused or describe entries and tensors that lie inside
   them. Built by the preset fuzz. */
#include "io/gguf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void look_at_entry(const heed_gguf *file, const heed_gguf_entry *entry, const uint8_t *bytes,
                          size_t count)
{
    volatile double sum = 0;
    if (heed_gguf_entry_find(file, entry->key) != entry || entry->type == HEED_GGUF_ARRAY) abort();
    if (entry->data < bytes || entry->bytes > (size_t)(bytes + count - entry->data)) abort();
    for (size_t i = 0; i < entry->count; i++) {
        size_t length = 0;
        if (entry->type == HEED_GGUF_STRING) {
            const char *text = heed_gguf_string_at(entry, i, &length);
            if ((const uint8_t *)text < bytes ||
                length > (size_t)(bytes + count - (const uint8_t *)text))
                abort();
            for (size_t k = 0; k < length; k++) sum = sum + text[k];
        } else {
            sum = sum + (double)heed_gguf_integer_at(entry, i) + heed_gguf_number_at(entry, i);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    heed_error error = {0};
    heed_gguf *file = NULL;
    heed_status status = heed_gguf_open_memory(&file, bytes, count, "fuzz", &error);
    if ((status == HEED_OK) != (file != NULL) || status != error.status ||
        (status != HEED_OK && !error.message[0]))
        abort();
    if (!file) return 0;
    for (size_t i = 0; i < heed_gguf_entry_count(file); i++)
        look_at_entry(file, heed_gguf_entry_at(file, i), bytes, count);
    size_t covered = 0;
    for (size_t i = 0; i < heed_gguf_count(file); i++) {
        const heed_stored_tensor *tensor = heed_gguf_at(file, i);
        const uint8_t *data = tensor->data;
        size_t product = 1;
        for (int d = 0; d < tensor->rank; d++) product *= (size_t)tensor->shape[d];
        if (heed_dtype_bytes(tensor->dtype, product) != tensor->bytes || tensor->offset > count ||
            tensor->bytes > count - tensor->offset)
            abort();
        if (data != bytes + tensor->offset || heed_gguf_find(file, tensor->name) != tensor) abort();
        float values[HEED_MAX_QBLOCK];
        if (tensor->bytes)
            heed_convert(values, HEED_F32, data, tensor->dtype,
                         product < HEED_MAX_QBLOCK ? product : HEED_MAX_QBLOCK);
        covered += tensor->bytes;
    }
    if (covered > count) abort();
    heed_gguf_close(file);
    return 0;
}
