/* data_tokens.c: reads token shards. llm.c's have 256 int32 (magic, version, count, zeros), then
   the tokens; nanoGPT's are uint16 tokens from the first byte on. Sources:
   github.com/karpathy/llm.c, dev/data/data_common.py; github.com/karpathy/nanoGPT,
   data/openwebtext/prepare.py. */
#include "io/data_internal.h"

/* Bytes of a header; its words that are read; the magic of llm.c's evaluation files. */
enum { HEADER = 1024, HEADER_WORDS = 3, EVALUATION_MAGIC = 20240522 };

static int32_t header_word(const unsigned char *header, int index)
{
    const unsigned char *at = header + 4 * index;
    return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                     (uint32_t)at[3] << 24);
}

/* Checks an llm.c header against the size of its file. `known` is the version that goes with its
   magic; file->shard.width is set. */
static heed_status read_header(heed_shard_file *file, const unsigned char *header, int known,
                               heed_error *error)
{
    const char *path = file->shard.file;
    const size_t size = file->reader.size, width = (size_t)file->shard.width;
    if (size < HEADER)
        return heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected a header of %d bytes", path,
                         size, HEADER);
    int64_t version = header_word(header, 1), count = header_word(header, 2);
    if (version != known)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: byte 4: version %lld of a token shard, expected %d", path,
                         (long long)version, known);
    if (count < 0 || (uint64_t)count * width != size - HEADER)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: byte 8: the header counts %lld tokens of %zu bytes, but %zu bytes "
                         "follow it: cut short or damaged",
                         path, (long long)count, width, size - HEADER);
    if (count == 0) return heed_fail(error, HEED_E_FORMAT, "%s: no tokens in it", path);
    file->offset = HEADER;
    file->shard.count = (size_t)count;
    return HEED_OK;
}

/* Finds the tokens of a file by its first words, `header`. */
static heed_status find_tokens(heed_shard_file *file, const unsigned char *header,
                               heed_error *error)
{
    static const struct {
        int32_t magic;
        int version, width;
    } formats[] = {{20240520, 1, 2}, {20240801, 7, 4}};
    const char *path = file->shard.file;
    const size_t size = file->reader.size;
    int32_t magic = size >= 4 ? header_word(header, 0) : 0;
    if (magic == EVALUATION_MAGIC)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: an llm.c evaluation file (magic %d), expected a token shard", path,
                         EVALUATION_MAGIC);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (magic != formats[i].magic) continue;
        file->shard.width = formats[i].width;
        return read_header(file, header, formats[i].version, error);
    }
    if (size % 2)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: %zu bytes, expected an even number (uint16 tokens) or an llm.c header", path,
            size);
    file->shard.count = size / 2;
    file->shard.width = 2;
    return HEED_OK;
}

/* Opens a shard, which the caller closes. */
static heed_status open_shard(heed_shard_file *file, const char *path, heed_error *error)
{
    unsigned char header[4 * HEADER_WORDS] = {0};
    *file = (heed_shard_file){.shard.file = path};
    HEED_TRY(heed_file_reader_open(&file->reader, path, error));
    size_t size = file->reader.size, most = size < sizeof header ? size : sizeof header;
    heed_status status = HEED_OK;
    if (size == 0) status = heed_data_fail_empty(path, error);
    else status = heed_file_reader_get(&file->reader, 0, header, most, error);
    if (status == HEED_OK) status = find_tokens(file, header, error);
    if (status != HEED_OK) heed_file_reader_close(&file->reader);
    return status;
}

heed_status heed_data_read_shard(heed_data *data, const char *path, heed_error *error)
{
    heed_shard_file file;
    HEED_TRY(open_shard(&file, path, error));
    if (data->count >= SHARDS_HELD) heed_file_reader_close(&file.reader);
    heed_status status = heed_data_add_shard(data, &file, error);
    if (status != HEED_OK) heed_file_reader_close(&file.reader);
    return status;
}

/* ---- reading tokens ---- */

/* Reads bytes of a shard. A shard that does not stay open is opened for it. */
static heed_status read_bytes(const heed_shard_file *from, size_t offset, void *bytes, size_t count,
                              heed_error *error)
{
    if (from->reader.descriptor >= 0)
        return heed_file_reader_get(&from->reader, offset, bytes, count, error);
    heed_file_reader reader;
    HEED_TRY(heed_file_reader_open(&reader, from->shard.file, error));
    heed_status status = heed_file_reader_get(&reader, offset, bytes, count, error);
    heed_file_reader_close(&reader);
    return status;
}

heed_status heed_data_read_tokens(const heed_data *data, heed_token_range range, int32_t *ids,
                                  heed_error *error)
{
    const heed_shard_file *file = &data->shards[range.shard];
    const size_t width = (size_t)file->shard.width;
    /* The bytes are read to the end of `ids`. Widening from the first one on never overwrites bytes
       that are still to be read. */
    unsigned char *bytes = (unsigned char *)ids + range.count * (sizeof *ids - width);
    HEED_TRY(
        read_bytes(file, file->offset + range.from * width, bytes, range.count * width, error));
    for (size_t i = 0; i < range.count; i++) {
        const unsigned char *at = bytes + i * width;
        uint32_t token = (uint32_t)at[0] | (uint32_t)at[1] << 8;
        if (width == 4) token |= (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        if (token >= range.vocabulary)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: token %zu is %u, expected less than the vocabulary, %u: was it "
                             "written for this tokenizer?",
                             file->shard.file, range.from + i, (unsigned)token,
                             (unsigned)range.vocabulary);
        ids[i] = (int32_t)token;
    }
    return HEED_OK;
}
