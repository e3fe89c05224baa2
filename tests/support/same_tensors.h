/* same_tensors.h: compares the weights of two folders. */
#ifndef HEED_TESTS_SAME_TENSORS_H
#define HEED_TESTS_SAME_TENSORS_H

#include "io/safetensors.h"
#include "support/test.h"

/* Fails the test unless model.safetensors of folder b has the same tensors as that of folder a,
   with the same types, shapes and bytes. Tensors of a whose names contain `dropped` are left out;
   NULL leaves out none. */
static inline void assert_same_tensors(const char *a, const char *b, const char *dropped)
{
    char path[600];
    heed_safetensors *x = NULL, *y = NULL;
    snprintf(path, sizeof path, "%.500s/model.safetensors", a);
    assert_ok(heed_safetensors_open_whole(&x, path, &error));
    snprintf(path, sizeof path, "%.500s/model.safetensors", b);
    assert_ok(heed_safetensors_open_whole(&y, path, &error));
    size_t compared = 0;
    for (size_t i = 0; i < heed_safetensors_count(x); i++) {
        const heed_stored_tensor *t = heed_safetensors_at(x, i);
        if (dropped && strstr(t->name, dropped)) continue;
        const heed_stored_tensor *other = heed_safetensors_find(y, t->name);
        if (!other) fail_msg("%s was not written", t->name);
        if (other->dtype != t->dtype || other->rank != t->rank ||
            memcmp(other->shape, t->shape, (size_t)t->rank * sizeof *t->shape) ||
            other->bytes != t->bytes || memcmp(t->data, other->data, t->bytes) != 0)
            fail_msg("%s was not written as it was read", t->name);
        compared++;
    }
    assert_int_equal(compared, heed_safetensors_count(y));
    heed_safetensors_close(x);
    heed_safetensors_close(y);
}

#endif
