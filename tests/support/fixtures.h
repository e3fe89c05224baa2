/* fixtures.h: finds the models of tests/fixtures and compares results with those that their oracle
   (PyTorch and transformers) computed. */
#ifndef HEED_TESTS_MODEL_FIXTURES_H
#define HEED_TESTS_MODEL_FIXTURES_H

#include "io/safetensors.h"
#include "forward/forward.h"
#include "model/family.h"
#include "support/test.h"
#include "tensor/dtype.h"
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

enum { ORACLE_INPUTS = 32 };

/* The oracle of a fixture. `noise` belongs to `json` and has the oracle's own error by tensor. */
typedef struct oracle {
    heed_safetensors *file;
    json_t *json, *noise;
    heed_named_tensor inputs[ORACLE_INPUTS];
    size_t n_inputs;
} oracle;

/* Writes the path of a file in a fixture, or of the fixture if `name` is "". */
static inline void fixture_path(char path[512], const char *fixture, const char *name)
{
    snprintf(path, 512, "%s/%s%s%s", HEED_FIXTURES, fixture, *name ? "/" : "", name);
}

/* The fixtures that are models, sorted by name. These are folders with a config.json and an
   oracle.safetensors. */
enum { FIXTURE_NAME = 64, MOST_FIXTURES = 512 };
typedef struct fixture_list {
    char names[MOST_FIXTURES][FIXTURE_NAME];
    size_t count;
} fixture_list;

static inline int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline void fixture_list_read(fixture_list *list)
{
    static const char *const needed[] = {"config.json", "oracle.safetensors"};
    DIR *folder = opendir(HEED_FIXTURES);
    assert_non_null(folder);
    list->count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[512];
        bool ok = entry->d_name[0] != '.' && strlen(entry->d_name) < FIXTURE_NAME;
        for (size_t i = 0; ok && i < sizeof needed / sizeof *needed; i++) {
            fixture_path(path, entry->d_name, needed[i]);
            ok = access(path, R_OK) == 0;
        }
        if (!ok) continue;
        assert_true(list->count < MOST_FIXTURES);
        memcpy(list->names[list->count++], entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(folder);
    qsort(list->names, list->count, FIXTURE_NAME, by_name);
}

/* Opens the oracle of a fixture and lists its inputs. */
static inline oracle oracle_open(const char *fixture)
{
    oracle o = {0};
    char path[512];
    fixture_path(path, fixture, "oracle.safetensors");
    assert_ok(heed_safetensors_open_whole(&o.file, path, &error));
    fixture_path(path, fixture, "oracle.json");
    o.json = json_load_file(path, 0, NULL);
    assert_non_null(o.json);
    o.noise = json_object_get(o.json, "noise");
    for (size_t i = 0; i < heed_safetensors_count(o.file); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(o.file, i);
        if (strncmp(tensor->name, "in.", 3) != 0) continue;
        assert_true(o.n_inputs < ORACLE_INPUTS);
        heed_named_tensor *input = &o.inputs[o.n_inputs++];
        *input = (heed_named_tensor){
            .name = (char *)tensor->name,
            .dtype = tensor->dtype,
            .rank = tensor->rank,
            .data = tensor->data,
        };
        for (int j = 0; j < tensor->rank; j++) input->shape[j] = tensor->shape[j];
    }
    return o;
}

static inline void oracle_close(oracle *o)
{
    heed_safetensors_close(o->file);
    json_decref(o->json);
}

/* Returns the tensor of this name; NULL if there is none. */
static inline const heed_named_tensor *named(const heed_tensor_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
    return NULL;
}

/* Is place `place` of the decoder's input padding that the family hides? */
static inline bool is_hidden_target(const oracle *o, int64_t place)
{
    const char *name = json_string_value(json_object_get(o->json, "family"));
    const heed_family *family = name ? heed_family_find(name) : NULL;
    const heed_stored_tensor *ids = heed_safetensors_find(o->file, "in.decoder_input_ids");
    if (!family || !family->hides_padding || !ids) return false;
    return ((const int64_t *)ids->data)[place] == family->preset->pad_id;
}

/* Returns the sequence and token, as place b * length + t, of an element of the outputs of an
   encoder-decoder's second stack: a row of (B,T,...), or of weights (B,heads,T,...). */
static inline int64_t target_place(const heed_stored_tensor *want, const char *name, size_t at)
{
    bool attention = strstr(name, "attentions") != NULL;
    int64_t heads = attention ? want->shape[1] : 1, length = want->shape[attention ? 2 : 1];
    int64_t per_token = 1;
    for (int i = attention ? 3 : 2; i < want->rank; i++) per_token *= want->shape[i];
    return (int64_t)at / (per_token * length * heads) * length + (int64_t)at / per_token % length;
}

/* Returns whether element `at` of an output is compared. Rows at padding are not. */
static inline bool is_compared(const oracle *o, const char *name, const heed_stored_tensor *want,
                               size_t at)
{
    bool target = strstr(name, "decoder") || strstr(name, "cross") ||
                  strcmp(name, "out.last_hidden_state") == 0;
    bool floats = heed_safetensors_find(o->file, "in.src") != NULL,
         encoder_decoder = heed_safetensors_find(o->file, "out.encoder_last_hidden_state") != NULL;
    const char *mask_name = "in.attention_mask";
    if (floats) mask_name = target ? "in.tgt_key_padding_mask" : "in.src_key_padding_mask";
    const heed_stored_tensor *mask = heed_safetensors_find(o->file, mask_name);
    if (!mask || want->rank < 2) return true;
    if (encoder_decoder && (target || strcmp(name, "out.logits") == 0))
        return want->rank < 3 || !is_hidden_target(o, target_place(want, name, at));
    int64_t length = mask->shape[mask->rank - 1], per_token = 1, heads = 1;
    bool attention = strstr(name, "attentions") != NULL;
    if (attention) {
        heads = want->shape[1];
        if (want->shape[2] != length) return true;
        per_token = want->shape[3];
    } else {
        if (want->shape[1] != length) return true;
        for (int i = 2; i < want->rank; i++) per_token *= want->shape[i];
    }
    int64_t t = (int64_t)at / per_token % length, b = (int64_t)at / (per_token * length * heads);
    int64_t place = b * length + t;
    bool set = mask->dtype == HEED_I64 ? ((const int64_t *)mask->data)[place] != 0
                                       : ((const uint8_t *)mask->data)[place] != 0;
    return floats ? !set : set;
}

/* What comparisons have found. */
typedef struct comparison {
    size_t tensors, close; /* tensors compared; those that are close to the oracle's noise */
    double worst;          /* largest difference as a share of its tolerance */
    char worst_name[128];  /* the tensor that has it */
} comparison;

/* Fails the test unless every tensor of the oracle whose name begins with `prefix` is in `got` and
   within its tolerance. `largest` bounds the tolerance of small tensors from below; 0 if it does
   not. Adds to *sum. */
static inline void compare_all(const oracle *o, const char *fixture, const char *prefix,
                               const heed_tensor_list *got, double largest, comparison *sum)
{
    for (size_t i = 0; i < heed_safetensors_count(o->file); i++) {
        const heed_stored_tensor *want = heed_safetensors_at(o->file, i);
        if (strncmp(want->name, prefix, strlen(prefix)) != 0) continue;
        const heed_named_tensor *have = named(got, want->name);
        if (!have) fail_msg("%s: %s was not computed", fixture, want->name);
        size_t count = want->bytes / sizeof(float), have_count = 1;
        for (int j = 0; j < have->rank; j++) have_count *= (size_t)have->shape[j];
        if (count != have_count || want->rank != have->rank)
            fail_msg("%s: %s has another shape", fixture, want->name);
        double noise = 0, scale = 0, difference = 0;
        json_t *pair = json_object_get(o->noise, want->name);
        if (pair) noise = json_number_value(json_array_get(pair, 0));
        for (size_t at = 0; at < count; at++) {
            float a, b = ((const float *)have->data)[at];
            memcpy(&a, (const char *)want->data + at * sizeof a, sizeof a);
            if (!is_compared(o, want->name, want, at)) continue;
            scale = fmax(scale, fabs((double)a));
            double d = fabs((double)a - (double)b);
            difference = d > difference || d != d ? d : difference;
        }
        double share = o->noise ? 1e-5 : 1e-4; /* how exact the oracle is may be unknown */
        double tolerance = fmax(30 * noise, fmax(share * scale, 1e-6 * largest)),
               goal = fmax(4 * noise, 3e-6 * fmax(scale, 0));
        if (!(difference <= tolerance))
            fail_msg("%s: %s is off by %g; tolerance %g", fixture, want->name, difference,
                     tolerance);
        sum->tensors++;
        sum->close += difference <= goal;
        if (difference / tolerance > sum->worst) {
            sum->worst = difference / tolerance;
            snprintf(sum->worst_name, sizeof sum->worst_name, "%s", want->name);
        }
    }
}

/* Returns the largest absolute element of all gradients of the oracle. */
static inline double largest_gradient(const oracle *o)
{
    double largest = 0;
    for (size_t i = 0; i < heed_safetensors_count(o->file); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(o->file, i);
        if (strncmp(tensor->name, "grad.", 5) != 0) continue;
        for (size_t at = 0; at < tensor->bytes / sizeof(float); at++)
            largest = fmax(largest, fabs((double)((const float *)tensor->data)[at]));
    }
    return largest;
}

#endif
