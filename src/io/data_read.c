/* data_read.c: chooses the reader of a data file by its name and reads whole files of text. */
#include "io/data_internal.h"
#include <string.h>
#include <strings.h>

/* Reads a file and keeps its bytes until the data is closed. */
static heed_status keep_file(heed_data *data, const char *path, heed_text *text, heed_error *error)
{
    size_t size = 0;
    if (!heed_grow(&data->files, &data->file_capacity, data->file_count + 1, sizeof *data->files))
        return heed_fail_memory(error, (data->file_count + 1) * sizeof *data->files, path);
    HEED_TRY(heed_file_read_whole(path, &data->files[data->file_count], &size, error));
    *text = (heed_text){data->files[data->file_count++], size};
    return size > 0 ? heed_text_begin(path, text, error) : heed_data_fail_empty(path, error);
}

/* Turns CRLF line ends into LF in place; returns the new length. */
static size_t drop_carriages(char *bytes, size_t length)
{
    const char *end = bytes + length, *found = memchr(bytes, '\r', length);
    if (!found) return length;
    size_t kept = (size_t)(found - bytes);
    for (const char *at = found; at < end; at++)
        if (!(at[0] == '\r' && end - at > 1 && at[1] == '\n')) bytes[kept++] = *at;
    return kept;
}

/* Adds a whole file as a document. */
static heed_status read_whole(heed_data *data, const char *path, heed_error *error)
{
    heed_text text = {0};
    HEED_TRY(keep_file(data, path, &text, error));
    char *file = data->files[data->file_count - 1];
    text.length = drop_carriages(file + (text.bytes - file), text.length);
    return heed_data_add_document(data, text, path, error);
}

static const struct {
    const char *ending;
    heed_data_reader *read;
    const char *remedy;
} formats[] = {
    {".txt", read_whole, NULL},
    {".md", read_whole, NULL},
    {".jsonl", heed_data_read_jsonl, NULL},
    {".tsv", heed_data_read_tsv, NULL},
    {".bin", heed_data_read_shard, NULL},
    {".parquet", NULL, "convert it to .jsonl"},
    {".arrow", NULL, "convert it to .jsonl"},
    {".json", NULL, "write one object a line into a .jsonl"},
    {".csv", NULL, "convert it to .jsonl, or to .tsv without a header"},
    {".gz", NULL, "unpack it with gunzip"},
    {".zst", NULL, "unpack it with unzstd"},
    {".xz", NULL, "unpack it with unxz"},
    {".bz2", NULL, "unpack it with bunzip2"},
    {".zip", NULL, "unpack it with unzip"},
    {".tar", NULL, "unpack it with tar"},
    {".pdf", NULL, "extract its text with pdftotext"},
    {".npy", NULL, "write raw uint16 tokens into a .bin"},
};

/* Returns the row of `formats` for a name; -1 if there is none. */
static int format_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    for (int i = 0; dot && i < (int)(sizeof formats / sizeof *formats); i++)
        if (!strcasecmp(dot, formats[i].ending)) return i;
    return -1;
}

heed_data_reader *heed_data_reader_for(const char *path, heed_error *error)
{
    int format = format_of(path);
    if (format < 0) return read_whole;
    if (!formats[format].read)
        heed_fail(error, HEED_E_UNSUPPORTED,
                  "%s: heed reads .txt, .jsonl, .tsv and .bin, no %s files; %s", path,
                  formats[format].ending, formats[format].remedy);
    return formats[format].read;
}

bool heed_data_in_folder(const char *name)
{
    int format = format_of(name);
    return *name != '.' && format >= 0 && formats[format].read;
}
