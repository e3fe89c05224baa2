/* Hostile tensors and integers of GGUF files: in models of every architecture each tensor is
   damaged in every way, and in a file of llama.cpp each integer is replaced by every limit. */
#include "forward/gguf_hostile.h"
#include <fcntl.h>

typedef enum {
    MISSING,
    RENAMED,
    DEEPER,
    FLAT,
    SHORTER,
    LONGER,
    NARROWER,
    SWAPPED,
    EMPTY,
    INTEGERS,
    HALVES,
    NOT_A_NUMBER,
    DAMAGES
} damage;

/* Changes a tensor, whose extents and data may be replaced by those given; false where it cannot be
   changed so. */
static bool damage_tensor(heed_tensor_source *tensor, damage how, int64_t shape[5], float *data)
{
    int last = tensor->rank - 1;
    int64_t elements = 1;
    for (int i = 0; i <= last; i++) elements *= shape[i] = tensor->shape[i];
    memcpy(data, tensor->data, (size_t)elements * sizeof *data);
    tensor->shape = shape;
    tensor->data = data;
    switch (how) {
    case MISSING: return true;
    case RENAMED: tensor->name = "blk.0.no_such_tensor.weight"; return true;
    case DEEPER:
        memmove(shape + 1, shape, (size_t)tensor->rank * sizeof *shape);
        shape[0] = 1;
        return ++tensor->rank <= 4;
    case FLAT:
        shape[0] = elements;
        tensor->rank = 1;
        return last > 0;
    case SHORTER: return --shape[0] > 0;
    case LONGER: shape[0]++; return true;
    case NARROWER: return last > 0 && --shape[last] > 0;
    case SWAPPED:
        shape[0] = tensor->rank > 1 ? shape[1] : 0;
        shape[1] = elements / (shape[0] ? shape[0] : 1);
        return tensor->rank == 2 && shape[0] != shape[1];
    case EMPTY: shape[last] = 0; return true;
    case INTEGERS: tensor->dtype = HEED_I32; return true;
    case HALVES: tensor->dtype = HEED_F16; return true;
    case NOT_A_NUMBER: data[elements - 1] = NAN; return true;
    default: return false;
    }
}

/* A file without this tensor, or with more rows in it, may be another model: no output matrix or
   bias of its own, no stretched positions, more words. */
static bool may_differ(const char *name, damage how)
{
    if (how == HALVES || how == INTEGERS) return how == HALVES;
    if (!strcmp(name, "token_embd.weight")) return how == SHORTER || how == LONGER;
    return (how == MISSING || how == RENAMED) &&
           (!strcmp(name, "output.weight") || !strcmp(name, "output.bias") ||
            !strncmp(name, "rope_", 5));
}

static void every_tensor_with_every_damage(void **state)
{
    (void)state;
    enum { MOST = 1 << 18 };
    static float data[MOST + 4096];
    tally t = {0};
    for (size_t m = 0; m < MODELS; m++) {
        subject s;
        heed_gguf_entries entries = {0};
        heed_error problem;
        open_subject(&s, &models[m]);
        put_others(&s, NULL, &entries);
        for (size_t i = 0; i < s.count; i++) {
            heed_tensor_source whole = s.tensors[i];
            for (damage how = 0; how < DAMAGES; how++) {
                int64_t shape[5];
                s.tensors[i] = whole;
                assert_true(heed_gguf_find(s.file, whole.name)->bytes <= sizeof(float) * MOST);
                if (damage_tensor(&s.tensors[i], how, shape, data)) {
                    if (how == MISSING) s.tensors[i] = s.tensors[s.count - 1];
                    write_subject(&s, &entries, s.count - (how == MISSING));
                    bool loads = loads_or_tells(s.path, &problem);
                    /* Where a tensor is missing, what is told may be that others of its kind are
                       there. */
                    bool named = strstr(problem.message, whole.name) ||
                                 ((how == MISSING || how == RENAMED) &&
                                  strstr(problem.message, "tensor \"")) ||
                                 how == SHORTER || how == LONGER || how == NARROWER;
                    if (!may_differ(whole.name, how) && (loads || !named))
                        fail_msg("%s: damage %d of %s: %s", s.family->name, (int)how, whole.name,
                                 loads ? "loads" : problem.message);
                    t.files++;
                    t.loaded += loads;
                }
                s.tensors[i] = whole;
            }
        }
        s.tensors[s.count] = s.tensors[0];
        s.tensors[s.count].name = "blk.0.no_such_tensor.weight";
        write_subject(&s, &entries, s.count + 1);
        assert_true(!loads_or_tells(s.path, &problem) && strstr(problem.message, "no_such_tensor"));
        heed_buffer_free(&entries.bytes);
        close_subject(&s);
    }
    print_message("%d files, %d of them load\n", t.files, t.loaded);
}

/* ---- every integer of a file of llama.cpp ---- */

typedef struct walker {
    const unsigned char *bytes;
    size_t at, length;
    struct {
        size_t at;
        int width;
    } fields[2048];
    int count;
} walker;

/* Notes an integer field and steps after it. */
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
    if (type == HEED_GGUF_STRING) w->at += take(w, 8, noted);
    else take(w, (int)heed_gguf_type_bytes((heed_gguf_type)type), noted);
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

static void every_integer_with_every_limit(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0,          1,          UINT64_MAX, 0x7FFFFFFF,
                                      0x80000000, 0xFFFFFFFF, INT64_MAX,  (uint64_t)1 << 63};
    scratch s;
    heed_buffer file = {0};
    heed_error problem;
    scratch_make(&s);
    assert_ok(heed_file_read(HEED_FIXTURES "/gguf-llama-f32/model.gguf", 1 << 20, &file, &error));
    const char *path = scratch_file(&s, "hostile.gguf", file.data, file.length);
    walker w = {.bytes = (const unsigned char *)file.data, .length = file.length};
    walk(&w);
    assert_true(loads_or_tells(path, &problem));
    int loaded = 0, tried = 0, descriptor = open(path, O_WRONLY);
    assert_true(descriptor >= 0 && w.count > 150);
    for (int f = 0; f < w.count; f++) {
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++, tried++) {
            unsigned char field[8];
            for (int i = 0; i < w.fields[f].width; i++)
                field[i] = (unsigned char)(limits[l] >> 8 * i);
            assert_int_equal(
                pwrite(descriptor, field, (size_t)w.fields[f].width, (off_t)w.fields[f].at),
                w.fields[f].width);
            loaded += loads_or_tells(path, &problem);
        }
        assert_int_equal(pwrite(descriptor, file.data + w.fields[f].at, (size_t)w.fields[f].width,
                                (off_t)w.fields[f].at),
                         w.fields[f].width);
    }
    print_message("%d fields, %d files, %d of them load\n", w.count, tried, loaded);
    assert_true(loads_or_tells(path, &problem) && loaded < tried / 2);
    close(descriptor);
    heed_buffer_free(&file);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_tensor_with_every_damage),
                                       cmocka_unit_test(every_integer_with_every_limit)};
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
