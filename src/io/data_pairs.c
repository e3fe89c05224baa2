/* data_pairs.c: reads pairs: the two columns of a .tsv, or two files whose lines i translate each
   other. */
#include "io/data_internal.h"
#include <string.h>

/* Adds the pair of a line. A line without a tab, blank ones included, is an error. */
static heed_status read_pair(heed_data *data, heed_text line, heed_data_origin at,
                             heed_error *error)
{
    const char *end = line.bytes + line.length;
    const char *tab = memchr(line.bytes, '\t', line.length);
    bool more = tab && memchr(tab + 1, '\t', (size_t)(end - tab - 1));
    if (!tab || more)
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: %s, expected source, one tab, target",
                         at.path, at.line, tab ? "more than one tab" : "no tab");
    size_t length = (size_t)(tab - line.bytes);
    HEED_TRY(heed_data_copy(data, line, &line, at.path, error));
    heed_text_pair pair = {
        .source = {line.bytes, length},
        .target = {line.bytes + length + 1, line.length - length - 1},
    };
    return heed_data_add_pair(data, pair, at.path, error);
}

heed_status heed_data_read_tsv(heed_data *data, const char *path, heed_error *error)
{
    return heed_data_for_each_line(data, path, read_pair, error);
}

/* Reads to the end of the file, so that its lines are counted. */
static heed_status count_lines(heed_line_file *lines, heed_error *error)
{
    heed_text line = {0};
    for (bool found = true; found;) HEED_TRY(heed_line_file_next(lines, &line, &found, error));
    return HEED_OK;
}

/* Pairs line i of one file with line i of the other. */
static heed_status read_aligned(heed_data *data, heed_line_file *files[2],
                                const char *const paths[2], heed_error *error)
{
    for (;;) {
        heed_text texts[2] = {{0}, {0}};
        bool found[2] = {false, false};
        for (int i = 0; i < 2; i++) {
            HEED_TRY(heed_data_next_line(data, files[i], &texts[i], &found[i], error));
            if (found[i]) HEED_TRY(heed_data_copy(data, texts[i], &texts[i], paths[i], error));
        }
        if (!found[0] && !found[1]) return HEED_OK;
        if (found[0] != found[1]) break;
        HEED_TRY(heed_data_add_pair(data, (heed_text_pair){texts[0], texts[1]}, paths[0], error));
    }
    for (int i = 0; i < 2; i++) HEED_TRY(count_lines(files[i], error));
    return heed_fail(error, HEED_E_FORMAT,
                     "%s has %zu lines and %s has %zu, expected one translation a line in both",
                     paths[0], heed_line_file_number(files[0]), paths[1],
                     heed_line_file_number(files[1]));
}

heed_status heed_data_read_aligned(heed_data *data, const char *source_path,
                                   const char *target_path, heed_error *error)
{
    const char *const paths[2] = {source_path, target_path};
    heed_line_file *files[2] = {NULL, NULL};
    heed_status status = HEED_OK;
    for (int i = 0; i < 2 && status == HEED_OK; i++)
        status = heed_data_open_lines(&files[i], paths[i], error);
    if (status == HEED_OK) status = read_aligned(data, files, paths, error);
    for (int i = 0; i < 2; i++) heed_line_file_close(files[i]);
    return status;
}
