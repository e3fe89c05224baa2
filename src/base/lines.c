/* lines.c: reads text lines from memory and from files (lines.h). */
#include "base/lines.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

static bool begins_with(heed_text text, const char *mark)
{
    return text.length >= strlen(mark) && memcmp(text.bytes, mark, strlen(mark)) == 0;
}

/* ---- text in memory ---- */

/* Fails if `text`, which begins at line `line` and byte `offset` of the file, is not valid
   UTF-8. */
static heed_status check(const char *path, heed_text text, size_t line, size_t offset,
                         heed_error *error)
{
    size_t at = heed_utf8_valid_bytes(text.bytes, text.length);
    if (at == text.length) return HEED_OK;
    if (offset == 0 && (begins_with(text, "\xFF\xFE") || begins_with(text, "\xFE\xFF")))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: UTF-16, expected UTF-8: convert the file "
                         "(iconv -f UTF-16 -t UTF-8)",
                         path);
    for (size_t i = 0; i < at; i++) line += text.bytes[i] == '\n';
    return heed_fail(error, HEED_E_FORMAT,
                     "%s, line %zu: byte %zu of the file (0x%02x) is not valid UTF-8; convert "
                     "the file (iconv -f LATIN1 -t UTF-8) or drop such bytes (iconv -c -t UTF-8)",
                     path, line, offset + at, (unsigned char)text.bytes[at]);
}

heed_status heed_text_check(const char *path, heed_text text, heed_error *error)
{
    return check(path, text, 1, 0, error);
}

heed_status heed_text_begin(const char *path, heed_text *text, heed_error *error)
{
    HEED_TRY(heed_text_check(path, *text, error));
    if (begins_with(*text, "\xEF\xBB\xBF")) *text = (heed_text){text->bytes + 3, text->length - 3};
    return HEED_OK;
}

heed_status heed_line_check(const char *path, heed_text line, size_t number, heed_error *error)
{
    const char *nul = memchr(line.bytes, 0, line.length);
    if (!nul) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT,
                     "%s, line %zu: a NUL byte at column %zu, expected text: convert the file "
                     "(iconv -f UTF-16 -t UTF-8) or drop such bytes (tr -d '\\000')",
                     path, number, (size_t)(nul - line.bytes) + 1);
}

bool heed_line_is_blank(heed_text line)
{
    for (size_t i = 0; i < line.length; i++)
        if (!memchr(" \t\r\f\v", line.bytes[i], 5)) return false;
    return true;
}

/* ---- files ---- */

struct heed_line_file {
    char *name;
    int descriptor;
    /* The descriptor is closed with the file; the end of the file was reached. */
    bool owned, ended;
    heed_buffer buffer; /* the bytes from the line returned last to the last byte read */
    size_t at;          /* where the next line begins in the buffer */
    size_t searched;    /* bytes after `at` that are known to contain no line feed */
    size_t number;      /* number of the line returned last */
    size_t offset;      /* where the next line begins in the file */
    size_t bytes;       /* size of a regular file when it was opened */
    size_t taken;       /* bytes read so far */
    struct timespec changed;
    /* whether a NUL was written over the byte `kept` at `kept_at`, after the line returned last */
    bool ends_in_nul;
    char kept;
    size_t kept_at;
};

static heed_status open_descriptor(heed_line_file *file, const char *path, heed_error *error)
{
    struct stat information;
    file->owned = strcmp(path, "-") != 0;
    file->descriptor = file->owned ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (file->descriptor < 0) return heed_fail_system(error, "open", path);
    if (fstat(file->descriptor, &information) != 0)
        return heed_fail_system(error, "inspect", file->name);
    if (S_ISDIR(information.st_mode))
        return heed_fail(error, HEED_E_IO, "%s: a folder, expected a file of text lines",
                         file->name);
    file->bytes = S_ISREG(information.st_mode) ? (size_t)information.st_size : 0;
    file->changed = information.st_mtim;
    return HEED_OK;
}

heed_status heed_line_file_open(heed_line_file **result, const char *path, heed_error *error)
{
    *result = NULL;
    heed_line_file *file = heed_allocate(1, sizeof *file);
    if (!file) return heed_fail_memory(error, sizeof *file, path);
    *file = (heed_line_file){.descriptor = -1,
                             .name = heed_string_copy(strcmp(path, "-") ? path : "standard input")};
    heed_status status = file->name ? open_descriptor(file, path, error)
                                    : heed_fail_memory(error, strlen(path), path);
    if (status == HEED_OK) *result = file;
    else heed_line_file_close(file);
    return status;
}

void heed_line_file_close(heed_line_file *file)
{
    if (!file) return;
    if (file->owned && file->descriptor >= 0) close(file->descriptor);
    heed_buffer_free(&file->buffer);
    free(file->name);
    free(file);
}

size_t heed_line_file_number(const heed_line_file *file)
{
    return file->number;
}

const char *heed_line_file_name(const heed_line_file *file)
{
    return file->name;
}

size_t heed_line_file_done(const heed_line_file *file)
{
    return file->offset;
}

size_t heed_line_file_bytes(const heed_line_file *file)
{
    return file->bytes;
}

/* Removes the lines that were returned from the buffer. */
static void drop_old_lines(heed_line_file *file)
{
    if (!file->at) return;
    file->buffer.length -= file->at;
    memmove(file->buffer.data, file->buffer.data + file->at, file->buffer.length);
    file->at = 0;
}

/* Fails if a regular file that was read to its end differs in size or time from what was opened. */
static heed_status check_unchanged(const heed_line_file *file, heed_error *error)
{
    struct stat now;
    if (!file->owned || file->bytes == 0) return HEED_OK;
    if (fstat(file->descriptor, &now) != 0) return heed_fail_system(error, "inspect", file->name);
    if (file->taken == file->bytes && now.st_mtim.tv_sec == file->changed.tv_sec &&
        now.st_mtim.tv_nsec == file->changed.tv_nsec)
        return HEED_OK;
    return heed_fail(error, HEED_E_IO,
                     "%s: another program has changed the file while heed read it (%zu bytes at "
                     "first, %zu read); try again when it is complete",
                     file->name, file->bytes, file->taken);
}

/* Reads up to 64 KiB more into the buffer. */
static heed_status read_more(heed_line_file *file, heed_error *error)
{
    char *chunk = malloc(CHUNK);
    if (!chunk) return heed_fail_memory(error, CHUNK, file->name);
    ssize_t count = read(file->descriptor, chunk, CHUNK);
    heed_status status = HEED_OK;
    if (count < 0 && errno == EINTR)
        status = heed_fail(error, HEED_E_CANCELLED, "%s: interrupted", file->name);
    else if (count < 0) status = heed_fail_system(error, "read", file->name);
    else heed_buffer_append(&file->buffer, chunk, (size_t)count);
    file->ended = count == 0;
    if (count > 0) file->taken += (size_t)count;
    if (file->ended) status = check_unchanged(file, error);
    free(chunk);
    if (status == HEED_OK && file->buffer.failed)
        return heed_fail_memory(error, file->buffer.length, file->name);
    return status;
}

/* Reads until the buffer contains a whole line, or all that is left of the file. */
static heed_status fill(heed_line_file *file, heed_error *error)
{
    for (;;) {
        size_t left = file->buffer.length - file->at;
        const char *from = file->buffer.data ? file->buffer.data + file->at : "";
        bool complete = memchr(from + file->searched, '\n', left - file->searched) != NULL;
        if (complete || file->ended) return HEED_OK;
        file->searched = left;
        drop_old_lines(file);
        HEED_TRY(read_more(file, error));
    }
}

/* Restores the byte over which the NUL was written. */
static void restore(heed_line_file *file)
{
    if (file->ends_in_nul) file->buffer.data[file->kept_at] = file->kept;
    file->ends_in_nul = false;
}

/* Writes a NUL after the line and keeps the byte that was there. */
static void end_in_nul(heed_line_file *file, heed_text line)
{
    file->kept_at = (size_t)(line.bytes - file->buffer.data) + line.length;
    file->kept = file->buffer.data[file->kept_at];
    file->buffer.data[file->kept_at] = 0;
    file->ends_in_nul = true;
}

heed_status heed_line_file_next(heed_line_file *file, heed_text *line, bool *found,
                                heed_error *error)
{
    *found = false;
    restore(file);
    HEED_TRY(fill(file, error));
    if (file->buffer.length == file->at) return HEED_OK;
    heed_lines lines = {.rest = {file->buffer.data + file->at, file->buffer.length - file->at}};
    size_t begin = file->offset;
    if (!heed_lines_next(&lines, line)) return HEED_OK;
    file->number++;
    file->offset += file->buffer.length - file->at - lines.rest.length;
    file->at = file->buffer.length - lines.rest.length;
    file->searched = 0;
    end_in_nul(file, *line);
    if (begin == 0) HEED_TRY(heed_text_begin(file->name, line, error));
    else HEED_TRY(check(file->name, *line, file->number, begin, error));
    HEED_TRY(heed_line_check(file->name, *line, file->number, error));
    *found = line->length > 0 || lines.terminated; /* a byte order mark alone is not a line */
    return HEED_OK;
}
