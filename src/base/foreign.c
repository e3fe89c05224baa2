/* foreign.c: recognizes files that are not model weights by their first bytes (foreign.h). */
#include "base/foreign.h"

#include "base/file.h"
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct {
    const char *begins; /* the first bytes of such a file */
    size_t length;
    const char *what; /* what the file is, and what to do */
} sign;
/* clang-format off */
#define SIGN(bytes, what) { bytes, sizeof bytes - 1, what }
/* clang-format on */

static const sign signs[] = {
    SIGN("version https://git-lfs",
         "a Git LFS pointer, not the file itself: run git lfs pull, or download the file"),
    SIGN("PK\003\004", "a zip archive, as PyTorch writes .bin and .pt files: save the model as "
                       "safetensors, in Python "
                       "with model.save_pretrained(folder, safe_serialization=True)"),
    SIGN("\200\002", "a Python pickle: save the model as safetensors, in Python with "
                     "model.save_pretrained(folder, "
                     "safe_serialization=True)"),
    SIGN("\211HDF", "an HDF5 file, as TensorFlow writes: save the model as safetensors"),
    SIGN("\037\213", "compressed by gzip: unpack it first"),
    SIGN("7z\274\257", "a 7z archive: unpack it first"),
    SIGN("lmgg", "a GGML file, a format older than GGUF: convert it, or take a GGUF file"),
    SIGN("tjgg", "a GGML file, a format older than GGUF: convert it, or take a GGUF file"),
    SIGN("fmgg", "a GGML file, a format older than GGUF: convert it, or take a GGUF file"),
    SIGN("GGUF", "a GGUF file")};

static const char *const markup[] = {"<!doctype", "<html", "<head", "<?xml", "<!--"};

const char *heed_foreign_sign(const void *bytes, size_t count)
{
    const char *text = bytes;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (count >= signs[i].length && !memcmp(text, signs[i].begins, signs[i].length))
            return signs[i].what;
    for (; count && isspace((unsigned char)*text); count--) text++;
    for (size_t i = 0; i < sizeof markup / sizeof *markup; i++)
        if (count >= strlen(markup[i]) && !strncasecmp(text, markup[i], strlen(markup[i])))
            return "a web page: download the file itself";
    return NULL;
}

static bool all_zero(const char *text, size_t count)
{
    size_t at = 0;
    while (at < count && !text[at]) at++;
    return at == count;
}

/* Returns how many printable characters the text begins with. */
static size_t text_length(const char *text, size_t count)
{
    size_t at = 0;
    while (at < count && (isprint((unsigned char)text[at]) || text[at] == '\t')) at++;
    return at;
}

heed_status heed_foreign_check(const char *where, const void *bytes, size_t count,
                               const char *expected, heed_error *error)
{
    const char *text = bytes;
    const char *what = heed_foreign_sign(text, count);
    if (count > HEED_FOREIGN_BYTES) count = HEED_FOREIGN_BYTES;
    if (!count)
        return heed_fail(error, HEED_E_FORMAT, "%s: 0 bytes, expected %s: fetch the file again",
                         where, expected);
    if (what)
        return heed_fail(error, HEED_E_FORMAT, "%s: expected %s; this is %s", where, expected,
                         what);
    if (count >= 64 && all_zero(text, count))
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: expected %s; it begins with zeros, as a download that was not finished: "
            "fetch the file again",
            where, expected);
    size_t length = text_length(text, count);
    /* The length field of a safetensors file may look like a few characters. */
    if (length < 9 && length < count) return HEED_OK;
    return heed_fail(
        error, HEED_E_FORMAT,
        "%s: expected %s; this is a text that begins with \"%.*s\": fetch the file again", where,
        expected, length < 60 ? (int)length : 60, text);
}

heed_status heed_foreign_fail(const char *path, const char *expected, heed_error *error)
{
    char bytes[HEED_FOREIGN_BYTES];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return heed_fail_system(error, "open", path);
    ssize_t count = read(descriptor, bytes, sizeof bytes);
    close(descriptor);
    if (count < 0) return heed_fail_system(error, "read", path);
    HEED_TRY(heed_foreign_check(path, bytes, (size_t)count, expected, error));
    if (count > 9 && !bytes[6] && !bytes[7] && bytes[8] == '{')
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: expected %s; this looks like a safetensors file: give it a name that "
                         "ends in .safetensors, beside its config.json",
                         path, expected);
    return heed_fail(error, HEED_E_FORMAT, "%s: expected %s", path, expected);
}
