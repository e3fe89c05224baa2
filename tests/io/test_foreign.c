/* Files that are something else than their name says: the message names what they are. */
#include "base/foreign.h"

#include "base/json.h"
#include "io/weights.h"
#include "support/test.h"

static const struct {
    const char *bytes;
    size_t count;
    const char *part;
} cases[] = {
/* clang-format off */
#define CASE(bytes, part) { bytes, sizeof bytes - 1, part }
    /* clang-format on */
    CASE("", "0 bytes"),
    CASE("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 5\n",
         "a Git LFS pointer"),
    CASE("<!DOCTYPE html>\n<html></html>", "a web page"),
    CASE("\n  <html><body>404</body></html>", "a web page"),
    CASE("<?xml version=\"1.0\"?><Error/>", "a web page"),
    CASE("PK\003\004\024\000\000\000\000\000\000\000", "a zip archive"),
    CASE("\200\002}q\000X\005\000\000\000", "a Python pickle"),
    CASE("\211HDF\r\n\032\n\000\000\000\000", "an HDF5 file"),
    CASE("\037\213\010\000\000\000\000\000\000", "compressed by gzip"),
    CASE("tjgg\003\000\000\000\000\000\000\000", "older than GGUF"),
    CASE("Entry not found", "a text that begins with \"Entry not found\""),
    CASE("Not Found", "a text that begins with \"Not Found\""),
    CASE("{\"error\":\"Repository not found\"}", "a text that begins with \"{\"error\""),
#undef CASE
};

static void both_formats_say_what_a_file_is(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_weights_file *file = NULL;
        heed_gguf *gguf = NULL;
        const char *path = scratch_file(&work, "model.safetensors", cases[i].bytes, cases[i].count);
        assert_fails(HEED_E_FORMAT, cases[i].part, heed_weights_file_open(&file, path, &error));
        path = scratch_file(&work, "model.gguf", cases[i].bytes, cases[i].count);
        assert_fails(HEED_E_FORMAT, cases[i].part, heed_gguf_open_whole(&gguf, path, &error));
        assert_fails(HEED_E_FORMAT, cases[i].part, heed_foreign_fail(path, "a GGUF file", &error));
    }
    assert_fails(HEED_E_IO, "cannot open",
                 heed_foreign_fail(scratch_path(&work, "absent"), "a GGUF file", &error));
    scratch_remove(&work);
}

static void files_of_zeros_are_unfinished_downloads(void **state)
{
    (void)state;
    char zeros[600] = {0};
    assert_fails(HEED_E_FORMAT, "not finished",
                 heed_foreign_check("x", zeros, sizeof zeros, "a GGUF file", &error));
}

static void what_begins_like_a_length_is_left_to_the_reader(void **state)
{
    (void)state;
    static const char header[] = "aaaa\000\000\000\000{\"a\":1}";
    static const char binary[] = "\001\002\003\004\005\006\007\010\011";
    assert_ok(heed_foreign_check("x", header, sizeof header - 1, "a safetensors file", &error));
    assert_ok(heed_foreign_check("x", binary, sizeof binary - 1, "a safetensors file", &error));
}

static void json_files_say_what_they_are(void **state)
{
    (void)state;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\n";
    static const char page[] = "<!DOCTYPE html>\n<html></html>";
    scratch work;
    scratch_make(&work);
    json_t *json = NULL;
    const char *path = scratch_file(&work, "tokenizer.json", pointer, sizeof pointer - 1);
    assert_fails(HEED_E_FORMAT, "expected JSON; this is a Git LFS pointer",
                 heed_json_read(&json, path, &error));
    path = scratch_file(&work, "config.json", page, sizeof page - 1);
    assert_fails(HEED_E_FORMAT, "expected JSON; this is a web page",
                 heed_json_read(&json, path, &error));
    scratch_remove(&work);
}

static void weights_under_the_name_of_the_other_format_are_named(void **state)
{
    (void)state;
    static const char header[] = "\002\000\000\000\000\000\000\000{}";
    scratch work;
    scratch_make(&work);
    const char *path = scratch_file(&work, "model.gguf", header, sizeof header - 1);
    assert_fails(HEED_E_FORMAT, "looks like a safetensors file",
                 heed_foreign_fail(path, "a GGUF file", &error));
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_say_what_a_file_is),
        cmocka_unit_test(files_of_zeros_are_unfinished_downloads),
        cmocka_unit_test(json_files_say_what_they_are),
        cmocka_unit_test(weights_under_the_name_of_the_other_format_are_named),
        cmocka_unit_test(what_begins_like_a_length_is_left_to_the_reader)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
