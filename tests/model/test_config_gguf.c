/* Models in GGUF files: the fixtures of transformers and llama.cpp, files written here, and damaged ones. */
#include "cpu/backend.h"
#include <fcntl.h>
#include "io/weights.h"
#include "support/fixtures.h"

static heed_backend *cpu;

static int make_backend(void **state)
{
    (void)state;
    heed_error error = {0};
    return heed_cpu_backend_new(&cpu, 2, heed_isa_detect(), &error);
}

static int free_backend(void **state)
{
    (void)state;
    heed_cpu_backend_free(cpu);
    return 0;
}

typedef struct { double largest, rms, scale; } distance;

/* How far the logits of a model are from a tensor of the oracle. */
static distance logits_from(const oracle *o, const char *path, const heed_backend *backend, bool training, const char *wanted)
{
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    distance d = {0};
    assert_ok(heed_model_load(&model, path, &(heed_model_options){.backend = backend, .training = training}, &error));
    assert_ok(heed_forward(model, backend, o->inputs, o->n_inputs, &(heed_forward_options){0}, &outputs, &error));
    const heed_stored_tensor *want = heed_safetensors_find(o->file, wanted);
    const heed_named_tensor *have = named(&outputs, "out.logits");
    assert_true(want && have);
    size_t count = want->bytes / sizeof(float);
    for (size_t i = 0; i < count; i++) {
        if (!is_compared(o, "out.logits", want, i)) continue; /* padding */
        double value = ((const float *)want->data)[i], difference = fabs(((const float *)have->data)[i] - value);
        d.largest = fmax(d.largest, difference);
        d.scale = fmax(d.scale, fabs(value));
        d.rms += difference * difference / (double)count;
    }
    d.rms = sqrt(d.rms);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    return d;
}

/* Between two tensors of the oracle. */
static distance oracle_distance(const oracle *o, const char *one, const char *other)
{
    const heed_stored_tensor *a = heed_safetensors_find(o->file, one), *b = heed_safetensors_find(o->file, other);
    distance d = {0};
    size_t count = a->bytes / sizeof(float);
    for (size_t i = 0; i < count; i++) {
        double difference = fabs(((const float *)a->data)[i] - (double)((const float *)b->data)[i]);
        d.largest = fmax(d.largest, difference);
        d.rms += difference * difference / (double)count;
    }
    d.rms = sqrt(d.rms);
    return d;
}

/* Decoded weights give the logits of transformers; rounded activations stay as near to them as llama.cpp's do. */
static void fixtures_of_llama_cpp(void **state)
{
    (void)state;
    static const char *const names[] = {"gguf-llama-f32", "gguf-llama-q8_0", "gguf-llama-q4_k_m"};
    static const heed_backend reference = {.name = "reference", .isa = HEED_ISA_GENERIC};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        oracle o = oracle_open(names[i]);
        char path[512];
        fixture_path(path, names[i], "model.gguf");
        distance theirs = oracle_distance(&o, "out.llama_cpp_logits", "out.logits");
        distance decoded = logits_from(&o, path, cpu, true, "out.logits"), own = logits_from(&o, path, cpu, false, "out.logits");
        distance defined = logits_from(&o, path, &reference, false, "out.logits");
        print_message("%-18s decoded %.2g, rounded activations rms %.4f largest %.4f (llama.cpp %.4f, %.4f)\n", names[i], decoded.largest, own.rms,
                      own.largest, theirs.rms, theirs.largest);
        assert_true(decoded.largest <= 3e-6 * decoded.scale);
        assert_true(own.rms <= fmax(1.1 * theirs.rms, 1e-6) && defined.rms <= fmax(1.1 * theirs.rms, 1e-6));
        oracle_close(&o);
    }
}

static void resident_weights_are_as_large_as_the_file(void **state)
{
    (void)state;
    static const char *const names[] = {"gguf-llama-q8_0", "gguf-llama-q4_k_m"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        heed_model *model = NULL;
        heed_weights_file *file = NULL;
        fixture_path(path, names[i], "model.gguf");
        assert_ok(heed_model_load(&model, path, &(heed_model_options){.backend = cpu}, &error));
        assert_ok(heed_weights_file_open(&file, path, &error));
        double ratio = (double)heed_model_bytes(model) / (double)heed_weights_file_bytes(file);
        print_message("%s: %.3f of the file's tensors\n", names[i], ratio);
        assert_true(ratio < 1.05);
        heed_weights_file_close(file);
        heed_model_release(model);
    }
}

/* Folder to GGUF in f32: the same logits to the bit. */
static void what_is_written_loads_as_the_same_model(void **state)
{
    (void)state;
    static const char *const names[] = {"llama", "llama-mha-bias", "llama-rope-linear", "llama-rope-yarn", "qwen2", "qwen3", "mistral", "gpt2", "smollm2"};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        oracle o = oracle_open(names[i]);
        char path[512];
        heed_model *model = NULL;
        fixture_path(path, names[i], "");
        assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_F32, NULL, &error));
        distance folder = logits_from(&o, path, cpu, false, "out.logits"), file = logits_from(&o, scratch_path(&s, "x.gguf"), cpu, false, "out.logits");
        if (folder.largest != file.largest || folder.rms != file.rms) fail_msg("%s: %g in a folder, %g as GGUF", names[i], folder.largest, file.largest);
        heed_model_release(model);
        oracle_close(&o);
    }
    scratch_remove(&s);
}

/* The frequencies that llama3 stretches are divided as f32: nearly the same. */
static void stretched_frequencies_go_along(void **state)
{
    (void)state;
    oracle o = oracle_open("llama-rope-llama3");
    char path[512];
    heed_model *model = NULL;
    scratch s;
    scratch_make(&s);
    fixture_path(path, "llama-rope-llama3", "");
    assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
    assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_F32, NULL, &error));
    distance d = logits_from(&o, scratch_path(&s, "x.gguf"), cpu, false, "out.logits");
    assert_true(d.largest < 2e-5 * d.scale);
    heed_model_release(model);
    oracle_close(&o);
    scratch_remove(&s);
}

static void blocks_are_copied_bit_by_bit(void **state)
{
    (void)state;
    static const char *const names[] = {"gguf-llama-q8_0", "gguf-llama-q4_k_m"};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        heed_model *model = NULL;
        heed_gguf *from = NULL, *to = NULL;
        fixture_path(path, names[i], "model.gguf");
        assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_DTYPE_COUNT, NULL, &error));
        assert_ok(heed_gguf_open(&from, path, &error));
        assert_ok(heed_gguf_open(&to, scratch_path(&s, "x.gguf"), &error));
        assert_int_equal(heed_gguf_count(from), heed_gguf_count(to));
        for (size_t t = 0; t < heed_gguf_count(from); t++) {
            const heed_stored_tensor *a = heed_gguf_at(from, t), *b = heed_gguf_find(to, a->name);
            assert_true(b && a->dtype == b->dtype && a->bytes == b->bytes);
            assert_memory_equal(a->data, b->data, a->bytes);
        }
        heed_gguf_close(from);
        heed_gguf_close(to);
        heed_model_release(model);
    }
    scratch_remove(&s);
}

/* GGUF to a folder and back; and every type that can be made. */
static void folders_and_types(void **state)
{
    (void)state;
    oracle o = oracle_open("gguf-llama-f32");
    char path[512];
    heed_model *model = NULL;
    scratch s;
    scratch_make(&s);
    fixture_path(path, "gguf-llama-f32", "model.gguf");
    assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
    assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
    distance file = logits_from(&o, path, cpu, false, "out.logits"), folder = logits_from(&o, s.folder, cpu, false, "out.logits");
    assert_true(file.largest == folder.largest && file.rms == folder.rms);
    for (int dtype = 0; dtype < HEED_DTYPE_COUNT; dtype++) {
        bool written = dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16 || heed_dtypes[dtype].encode;
        if (!written) {
            assert_fails(HEED_E_ARG, "cannot be written", heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), (heed_dtype)dtype, NULL, &error));
            continue;
        }
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), (heed_dtype)dtype, NULL, &error));
        distance d = logits_from(&o, scratch_path(&s, "x.gguf"), cpu, false, "out.logits");
        print_message("%-7s logits off by rms %.4f\n", heed_dtypes[dtype].name, d.rms);
        assert_true(d.rms < (dtype == HEED_Q2_K ? 3 : dtype == HEED_Q3_K || dtype == HEED_IQ4_NL ? 1 : 0.6));
    }
    heed_model_release(model);
    oracle_close(&o);
    scratch_remove(&s);
}

/* Every integer of the metadata, of the tensors' shapes and the counts, set to every limit: an error or a model, never a crash. */
static void damaged_files_are_refused(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0, 1, UINT64_MAX, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, INT64_MAX, (uint64_t)1 << 63};
    heed_buffer bytes = {0};
    heed_gguf *file = NULL;
    scratch s;
    scratch_make(&s);
    assert_ok(heed_file_read(HEED_FIXTURES "/gguf-llama-f32/model.gguf", 1 << 20, &bytes, &error));
    assert_ok(heed_gguf_open_memory(&file, bytes.data, bytes.length, "model", &error));
    int refused = 0;
    for (size_t i = 0; i < heed_gguf_entry_count(file); i++) {
        const heed_gguf_entry *entry = heed_gguf_entry_at(file, i);
        if (entry->is_array || !heed_gguf_type_is_integer(entry->type)) continue;
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
            unsigned char *at = (unsigned char *)entry->data;
            unsigned char old[8];
            heed_model *model = NULL;
            heed_error error = {0};
            memcpy(old, at, entry->bytes);
            memcpy(at, &limits[l], entry->bytes);
            scratch_file(&s, "x.gguf", bytes.data, bytes.length);
            heed_status status = heed_model_load(&model, scratch_path(&s, "x.gguf"), &(heed_model_options){.backend = cpu}, &error);
            assert_true(status == error.status && (status == HEED_OK) == (model != NULL));
            refused += status != HEED_OK;
            heed_model_release(model);
            memcpy(at, old, entry->bytes);
        }
    }
    assert_true(refused > 20);
    heed_gguf_close(file);
    heed_buffer_free(&bytes);
    scratch_remove(&s);
}

/* ---- every integer of a file of llama.cpp ---- */

typedef struct walker { const unsigned char *bytes; size_t at, length; struct { size_t at; int width; } fields[2048]; int count; } walker;

/* Notes an integer field and steps behind it. */
static uint64_t take(walker *w, int width, bool noted)
{
    uint64_t value = 0;
    assert_true(w->at + (size_t)width <= w->length);
    for (int i = 0; i < width; i++) value |= (uint64_t)w->bytes[w->at + (size_t)i] << 8 * i;
    if (noted) {
        assert_true(w->count < (int)(sizeof w->fields / sizeof *w->fields));
        w->fields[w->count].at = w->at;
        w->fields[w->count++].width = width;
    }
    w->at += (size_t)width;
    return value;
}

static void take_value(walker *w, uint64_t type, bool noted)
{
    static const uint8_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == HEED_GGUF_STRING) w->at += take(w, 8, noted);
    else take(w, widths[type], noted);
}

/* Header, entries (of long arrays the first three elements), tensor records. */
static void walk(walker *w)
{
    w->at = 4;
    take(w, 4, true);
    uint64_t tensors = take(w, 8, true), entries = take(w, 8, true);
    for (uint64_t i = 0; i < entries; i++) {
        w->at += take(w, 8, true);
        uint64_t type = take(w, 4, true);
        if (type != HEED_GGUF_ARRAY) {
            take_value(w, type, true);
            continue;
        }
        type = take(w, 4, true);
        uint64_t count = take(w, 8, true);
        for (uint64_t k = 0; k < count; k++) take_value(w, type, k < 3);
    }
    for (uint64_t i = 0; i < tensors; i++) {
        w->at += take(w, 8, true);
        for (uint64_t rank = take(w, 4, true); rank > 0; rank--) take(w, 8, true);
        take(w, 4, true);
        take(w, 8, true);
    }
}

/* A clear error, or a correct load, which must then run. */
static bool loads_or_tells(const char *path, const heed_named_tensor *inputs, size_t count)
{
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    heed_error error = {0}, other = {0};
    heed_status status = heed_model_load(&model, path, &(heed_model_options){.backend = cpu}, &error);
    assert_true(status == error.status && (status == HEED_OK) == (model != NULL) && (status == HEED_OK || error.message[0]));
    if (model) (void)heed_forward(model, cpu, inputs, count, &(heed_forward_options){0}, &outputs, &other);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    return status == HEED_OK;
}

static void every_integer_with_every_limit(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0, 1, UINT64_MAX, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, INT64_MAX, (uint64_t)1 << 63};
    scratch s;
    heed_buffer file = {0};
    int64_t ids[] = {1, 5, 3};
    const heed_named_tensor inputs[] = {{.name = (char *)"in.input_ids", .dtype = HEED_I64, .rank = 2, .shape = {1, 3}, .data = ids}};
    scratch_make(&s);
    assert_ok(heed_file_read(HEED_FIXTURES "/gguf-llama-f32/model.gguf", 1 << 20, &file, &error));
    const char *path = scratch_file(&s, "hostile.gguf", file.data, file.length);
    walker w = {.bytes = (const unsigned char *)file.data, .length = file.length};
    walk(&w);
    assert_true(loads_or_tells(path, inputs, 1));
    int loaded = 0, tried = 0, descriptor = open(path, O_WRONLY);
    assert_true(descriptor >= 0 && w.count > 150);
    for (int f = 0; f < w.count; f++) {
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++, tried++) {
            unsigned char field[8];
            for (int i = 0; i < w.fields[f].width; i++) field[i] = (unsigned char)(limits[l] >> 8 * i);
            assert_int_equal(pwrite(descriptor, field, (size_t)w.fields[f].width, (off_t)w.fields[f].at), w.fields[f].width);
            loaded += loads_or_tells(path, inputs, 1);
        }
        assert_int_equal(pwrite(descriptor, file.data + w.fields[f].at, (size_t)w.fields[f].width, (off_t)w.fields[f].at), w.fields[f].width);
    }
    print_message("%d fields, %d files, %d of them load\n", w.count, tried, loaded);
    assert_true(loads_or_tells(path, inputs, 1) && loaded < tried / 2);
    close(descriptor);
    heed_buffer_free(&file);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_of_llama_cpp), cmocka_unit_test(resident_weights_are_as_large_as_the_file),
        cmocka_unit_test(what_is_written_loads_as_the_same_model), cmocka_unit_test(stretched_frequencies_go_along),
        cmocka_unit_test(blocks_are_copied_bit_by_bit), cmocka_unit_test(folders_and_types), cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(every_integer_with_every_limit)};
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
