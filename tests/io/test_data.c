#include "io/data.h"

#include "support/work.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static heed_status open_one(heed_data **data, const char *name, const void *bytes, size_t count,
                            heed_error *error)
{
    const char *path = scratch_file(&work, name, bytes, count);
    return heed_data_open(data, &path, 1, error);
}

static heed_status status_of(const char *name, const void *bytes, size_t count, heed_error *error)
{
    heed_data *data = NULL;
    heed_status status = open_one(&data, name, bytes, count, error);
    assert_true((status == HEED_OK) == (data != NULL));
    heed_data_close(data);
    return status;
}

static void expect_text(heed_text text, const char *expected, size_t length)
{
    assert_int_equal(text.length, length);
    if (length) assert_memory_equal(text.bytes, expected, length);
}

#define EXPECT_TEXT(text, literal) expect_text((text), (literal), sizeof(literal) - 1)

static void text_files_are_one_document(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"plain", "plain"},
        {"two\nlines\n", "two\nlines\n"},
        {"dos\r\nlines\r\n", "dos\nlines\n"},
        {"\r\n", "\n"},
        {"lone\rone\r", "lone\rone\r"},
        {"a\r\r\nb", "a\r\nb"},
        {"\xEF\xBB\xBFmark", "mark"},
        {"\r\r\r\n\n", "\r\r\n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_data *data = NULL;
        assert_ok(open_one(&data, "a.txt", cases[i].text, strlen(cases[i].text), &error));
        assert_int_equal(heed_data_kind_of(data), HEED_DATA_DOCUMENTS);
        assert_int_equal(heed_data_count(data), 1);
        expect_text(heed_data_document(data, 0), cases[i].expected, strlen(cases[i].expected));
        assert_int_equal(heed_data_bytes(data), strlen(cases[i].expected));
        heed_data_close(data);
    }
    assert_ok(status_of("notes", "no extension", 12, &error));
    assert_ok(status_of("main.c", "int main(void);", 15, &error));
    assert_fails(HEED_E_FORMAT, "a.txt: the file is empty", status_of("a.txt", "", 0, &error));
    assert_fails(HEED_E_FORMAT, "a.txt: there is no text",
                 status_of("a.txt", "\xEF\xBB\xBF", 3, &error));
    heed_data_close(NULL);
}

static void broken_utf8_is_named(void **state)
{
    (void)state;
    assert_fails(HEED_E_FORMAT, "a.txt, line 2: byte 6 of the file (0xff) is not valid UTF-8",
                 status_of("a.txt", "good\nb\xFFz\n", 9, &error));
    assert_fails(HEED_E_FORMAT, "b.tsv, line 1: byte 3 of the file (0xc3)",
                 status_of("b.tsv", "a\tb\xC3", 4, &error));
    assert_fails(HEED_E_FORMAT, "c.jsonl, line 1: byte 11 of the file (0x80)",
                 status_of("c.jsonl", "{\"text\": \"a\x80\"}", 14, &error));
    assert_ok(status_of("a.txt", "\xC3\xA4 \xF0\x9F\x98\x80 twelve and more", 20, &error));
}

/* Files of JSON lines that are refused, and what is said of them. */
static const struct {
    const char *text, *part;
    heed_status status;
} bad_lines[] = {
    {"{\"text\":\"a\"}\n{\"text\":7}\n",
     "a.jsonl, line 2: expected an object with the string \"text\"", HEED_E_FORMAT},
    {"{\"text\":\"a\"}\n[\"text\"]\n", "line 2: expected an object", HEED_E_FORMAT},
    {"{\"text\":\"a\"}\n{\"text\":\"b\"\n",
     "a.jsonl, line 2: column 12 (byte 11): the end, expected ',' or '}'", HEED_E_FORMAT},
    {"text\n", "line 1: column 1", HEED_E_FORMAT},
    {"{\"text\":\"\xFF\"}", "is not valid UTF-8", HEED_E_FORMAT},
    {"{\"source\":\"a\"}", "line 1: expected an object", HEED_E_FORMAT},
    {"{\"text\":\"a\"}\n{\"source\":\"a\",\"target\":\"b\"}", "give files of one kind", HEED_E_ARG},
    {"{\"text\":\"a\"}\n{\"text\":\"b\\ud83d\"}", "line 2: \"text\" holds half a surrogate pair",
     HEED_E_FORMAT},
    {"{\"source\":\"a\",\"target\":\"\\udc00\"}", "line 1: \"target\" holds half a surrogate pair",
     HEED_E_FORMAT},
    {"{\"text\":NaN}", "line 1: \"text\" is NaN, expected a string", HEED_E_FORMAT},
    {"{\"messages\":[]}", "line 1: expected \"messages\" to be a list of objects", HEED_E_FORMAT},
    {"{\"messages\":[{\"role\":\"user\"},{\"content\":\"a\"}]}", "line 1: expected \"messages\"",
     HEED_E_FORMAT},
    {"{\"messages\":\"a\"}", "line 1: expected \"messages\"", HEED_E_FORMAT},
    {"{\"prompt\":\"a\",\"completion\":[{\"role\":\"assistant\"}]}",
     "line 1: expected \"prompt\" and \"completion\" to be two strings", HEED_E_FORMAT},
    {"{\"completion\":\"a\"}", "line 1: expected \"prompt\"", HEED_E_FORMAT},
    {"{\"prompt\":\"a\"}", "or \"prompt\" and \"completion\"", HEED_E_FORMAT},
    {"{\"text\":\"a\"}\n{\"prompt\":\"a\",\"completion\":\"b\"}", "holds conversations",
     HEED_E_ARG},
    {"\n\n", "there is no text", HEED_E_FORMAT},
    {"{\"text\":\"\"}", "there is no text", HEED_E_FORMAT},
};

static void json_lines_are_documents_or_pairs(void **state)
{
    (void)state;
    const char text[] = "\xEF\xBB\xBF{\"text\": \"a\\nb\\u0000\", \"id\": 1}\r\n\n{\"id\": "
                        "{\"text\": 1}, \"text\": \"\"}\n{\"text\":\"\xC3\xA9\"}";
    heed_data *data = NULL;
    assert_ok(open_one(&data, "a.jsonl", text, sizeof text - 1, &error));
    assert_int_equal(heed_data_count(data), 3);
    expect_text(heed_data_document(data, 0), "a\nb\0", 4);
    EXPECT_TEXT(heed_data_document(data, 1), "");
    EXPECT_TEXT(heed_data_document(data, 2), "\xC3\xA9");
    heed_data_close(data);
    const char pairs[] =
        "{\"source\":\"one\",\"target\":\"eins\"}\n{\"target\":\"zwei\",\"source\":\"two\"}\n";
    assert_ok(open_one(&data, "a.jsonl", pairs, sizeof pairs - 1, &error));
    assert_int_equal(heed_data_kind_of(data), HEED_DATA_PAIRS);
    EXPECT_TEXT(heed_data_pair(data, 1).source, "two");
    EXPECT_TEXT(heed_data_pair(data, 1).target, "zwei");
    heed_data_close(data);
    const char talks[] = "\n{\"messages\":[{\"role\":\"user\",\"content\":[1]}],\"tools\":7}\n{"
                         "\"prompt\":\"\",\"completion\":\"b\"}\r\n";
    char place[300];
    assert_ok(open_one(&data, "a.jsonl", talks, sizeof talks - 1, &error));
    assert_int_equal(heed_data_kind_of(data), HEED_DATA_CONVERSATIONS);
    assert_int_equal(heed_data_count(data), 2);
    EXPECT_TEXT(heed_data_document(data, 1), "{\"prompt\":\"\",\"completion\":\"b\"}");
    heed_data_place(data, 1, place, sizeof place);
    assert_non_null(strstr(place, "a.jsonl, line 3"));
    heed_data_close(data);
    for (size_t i = 0; i < sizeof bad_lines / sizeof *bad_lines; i++)
        assert_fails(bad_lines[i].status, bad_lines[i].part,
                     status_of("a.jsonl", bad_lines[i].text, strlen(bad_lines[i].text), &error));
}

/* What a line has beside the text may be whatever Python reads; blank lines are no objects. */
static void json_lines_are_read_as_python_reads_them(void **state)
{
    (void)state;
    heed_data *data = NULL;
    const char *text = "\xEF\xBB\xBF{\"text\":\"a\",\"score\":NaN,\"x\":-Infinity,\"y\":1e400,"
                       "\"z\":\"\\ud83d\"}\r\n \t\n\r\n"
                       "\xEF\xBB\xBF{\"text\":\"x\",\"text\":\"b\"}\n\n";
    assert_ok(open_one(&data, "a.jsonl", text, strlen(text), &error));
    assert_int_equal(heed_data_count(data), 2);
    EXPECT_TEXT(heed_data_document(data, 0), "a");
    EXPECT_TEXT(heed_data_document(data, 1), "b");
    heed_data_close(data);
    assert_fails(HEED_E_FORMAT, "a.tsv, line 2: a NUL byte at column 3",
                 status_of("a.tsv", "a\tb\nc\t\0\n", 8, &error));
}

static void tables_are_pairs(void **state)
{
    (void)state;
    heed_data *data = NULL;
    assert_ok(open_one(&data, "a.tsv", "A dog.\tEin Hund.\r\n\t\nlast\tletzte", 31, &error));
    assert_int_equal(heed_data_count(data), 3);
    EXPECT_TEXT(heed_data_pair(data, 0).source, "A dog.");
    EXPECT_TEXT(heed_data_pair(data, 0).target, "Ein Hund.");
    EXPECT_TEXT(heed_data_pair(data, 1).source, "");
    EXPECT_TEXT(heed_data_pair(data, 1).target, "");
    EXPECT_TEXT(heed_data_pair(data, 2).target, "letzte");
    heed_data_close(data);
    assert_fails(HEED_E_FORMAT, "a.tsv, line 2: no tab",
                 status_of("a.tsv", "a\tb\nc\n", 6, &error));
    assert_fails(HEED_E_FORMAT, "a.tsv, line 1: more than one tab",
                 status_of("a.tsv", "a\tb\tc\n", 6, &error));
    assert_fails(HEED_E_FORMAT, "line 2: no tab", status_of("a.tsv", "a\tb\n\nc\td", 8, &error));
}

static heed_status open_aligned(heed_data **data, const char *source, const char *target,
                                heed_error *error)
{
    char first[512];
    snprintf(first, sizeof first, "%s", scratch_file(&work, "a.en", source, strlen(source)));
    return heed_data_open_pairs(data, first, scratch_file(&work, "b.de", target, strlen(target)),
                                error);
}

static void aligned_files_are_pairs(void **state)
{
    (void)state;
    heed_data *data = NULL;
    assert_ok(open_aligned(&data, "\xEF\xBB\xBFone\n\nthree\n", "eins\r\n\r\ndrei", &error));
    assert_int_equal(heed_data_count(data), 3);
    EXPECT_TEXT(heed_data_pair(data, 0).source, "one");
    EXPECT_TEXT(heed_data_pair(data, 0).target, "eins");
    EXPECT_TEXT(heed_data_pair(data, 1).target, "");
    EXPECT_TEXT(heed_data_pair(data, 2).target, "drei");
    heed_data_close(data);
    assert_fails(HEED_E_FORMAT, "a.en has 2 lines and ",
                 open_aligned(&data, "1\n2\n", "1\n2\n3\n4\n", &error));
    assert_fails(HEED_E_FORMAT, "b.de has 4, expected one translation a line",
                 open_aligned(&data, "1\n2\n", "1\n2\n3\n4", &error));
    assert_fails(HEED_E_FORMAT, "b.de has 1, expected",
                 open_aligned(&data, "1\n2\n", "1\n", &error));
    assert_fails(HEED_E_FORMAT, "b.de: the file is empty",
                 open_aligned(&data, "1\n2\n", "", &error));
    assert_fails(HEED_E_FORMAT, "there is no text", open_aligned(&data, "\n\n", "\n\n", &error));
    assert_fails(HEED_E_IO, "check the path",
                 heed_data_open_pairs(&data, "/nonexistent.en", "/nonexistent.de", &error));
    assert_fails(HEED_E_UNSUPPORTED, "gunzip",
                 heed_data_open_pairs(&data, "a.en.gz", "b.de.gz", &error));
    assert_null(data);
}

static size_t make_shard(unsigned char *bytes, int32_t magic, int32_t version, int32_t count,
                         int width, size_t tokens)
{
    const int32_t words[3] = {magic, version, count};
    memset(bytes, 0, 1024);
    for (int w = 0; w < 3; w++)
        for (int i = 0; i < 4; i++) bytes[4 * w + i] = (unsigned char)((uint32_t)words[w] >> 8 * i);
    for (size_t i = 0; i < tokens * (size_t)width; i++)
        bytes[1024 + i] = (unsigned char)(7 * i + 1);
    return 1024 + tokens * (size_t)width;
}

static int32_t token_at(const heed_data *data, size_t index)
{
    int32_t id = -1;
    assert_ok(heed_data_read_tokens(data, (heed_token_range){0, index, 1, INT32_MAX}, &id, &error));
    return id;
}

static void token_shards_are_read(void **state)
{
    (void)state;
    unsigned char bytes[2048];
    heed_data *data = NULL;
    size_t size = make_shard(bytes, 20240520, 1, 3, 2, 3);
    assert_ok(open_one(&data, "a.bin", bytes, size, &error));
    heed_token_shard shard = heed_data_shard(data, 0);
    assert_int_equal(heed_data_kind_of(data), HEED_DATA_TOKENS);
    assert_true(shard.count == 3 && shard.width == 2 && token_at(data, 0) == 0x0801 &&
                token_at(data, 2) == 0x241D);
    int32_t ids[3];
    assert_ok(heed_data_read_tokens(data, (heed_token_range){0, 0, 3, 0x241E}, ids, &error));
    assert_true(ids[0] == 0x0801 && ids[1] == 0x160F && ids[2] == 0x241D);
    assert_fails(HEED_E_FORMAT, "a.bin: token 2 is 9245, expected less than the vocabulary, 9245",
                 heed_data_read_tokens(data, (heed_token_range){0, 0, 3, 0x241D}, ids, &error));
    heed_data_close(data);
    size = make_shard(bytes, 20240801, 7, 2, 4, 2);
    assert_ok(open_one(&data, "a.bin", bytes, size, &error));
    shard = heed_data_shard(data, 0);
    assert_true(shard.count == 2 && shard.width == 4 && token_at(data, 1) == 0x322B241D);
    heed_data_close(data);
    assert_ok(open_one(&data, "a.bin", "\x01\x00\xFF\xFF", 4, &error)); /* nanoGPT */
    shard = heed_data_shard(data, 0);
    assert_true(shard.count == 2 && token_at(data, 0) == 1 && token_at(data, 1) == 65535);
    heed_data_close(data);
    assert_ok(status_of("a.bin", "\x01\x00", 2, &error));
    assert_fails(HEED_E_FORMAT, "even number", status_of("a.bin", "\x01\x00\x02", 3, &error));
    assert_fails(HEED_E_FORMAT, "empty", status_of("a.bin", "", 0, &error));
}

/* Another program writes into the files while they are open. */
static void token_files_that_change_are_named(void **state)
{
    (void)state;
    static const uint16_t tokens[] = {1, 2, 3, 4, 5, 6}, beyond[] = {1, 9, 3, 4, 5, 6};
    heed_data *data = NULL;
    int32_t ids[6];
    assert_ok(open_one(&data, "a.bin", tokens, sizeof tokens, &error));
    assert_ok(heed_data_read_tokens(data, (heed_token_range){0, 0, 6, 7}, ids, &error));
    scratch_file(&work, "a.bin", beyond, sizeof beyond);
    assert_ok(heed_data_read_tokens(data, (heed_token_range){0, 2, 4, 7}, ids, &error));
    assert_fails(HEED_E_FORMAT, "a.bin: token 1 is 9, expected less than the vocabulary, 7",
                 heed_data_read_tokens(data, (heed_token_range){0, 0, 3, 7}, ids, &error));
    assert_int_equal(truncate(work.path, 8), 0);
    assert_ok(heed_data_read_tokens(data, (heed_token_range){0, 2, 2, 7}, ids, &error));
    assert_fails(HEED_E_IO, "a.bin: the file ends at byte 8, expected 12 bytes",
                 heed_data_read_tokens(data, (heed_token_range){0, 2, 3, 7}, ids, &error));
    heed_data_close(data);
}

/* More files than may be open at once; those that are opened for each reading may go meanwhile. */
static void token_files_may_be_many(void **state)
{
    (void)state;
    enum { FILES = 450 };
    static char paths[FILES][512];
    const char *list[FILES];
    struct rlimit limit, before;
    heed_data *data = NULL;
    for (int i = 0; i < FILES; i++) {
        char name[16];
        uint16_t tokens[2] = {(uint16_t)i, 7};
        snprintf(name, sizeof name, "%d.bin", i);
        snprintf(paths[i], sizeof paths[i], "%s", scratch_file(&work, name, tokens, sizeof tokens));
        list[i] = paths[i];
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 256;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_ok(heed_data_open(&data, list, FILES, &error));
    for (int i = 0; i < FILES; i++) {
        int32_t ids[2];
        assert_ok(
            heed_data_read_tokens(data, (heed_token_range){(size_t)i, 0, 2, 1000}, ids, &error));
        assert_true(ids[0] == i && ids[1] == 7);
    }
    int32_t id = 0;
    assert_int_equal(unlink(paths[0]) + unlink(paths[FILES - 1]), 0);
    assert_ok(heed_data_read_tokens(data, (heed_token_range){0, 0, 1, 1000}, &id, &error));
    assert_fails(
        HEED_E_IO, "449.bin: cannot open",
        heed_data_read_tokens(data, (heed_token_range){FILES - 1, 0, 1, 1000}, &id, &error));
    heed_data_close(data);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Opens `name` in the scratch folder, a pipe that another process fills. */
static heed_status open_pipe(heed_data **data, const char *name, const char *text,
                             heed_error *error)
{
    const char *path = scratch_path(&work, name);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int file = open(path, O_WRONLY);
        _exit(write(file, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : 1);
    }
    heed_status status = heed_data_open(data, &path, 1, error);
    assert_int_equal(waitpid(child, NULL, 0), child);
    unlink(path);
    return status;
}

static void texts_may_come_through_pipes(void **state)
{
    (void)state;
    heed_data *data = NULL;
    assert_ok(open_pipe(&data, "p.txt", "\xEF\xBB\xBFone\r\ntwo\n", &error));
    EXPECT_TEXT(heed_data_document(data, 0), "one\ntwo\n");
    heed_data_close(data);
    assert_ok(open_pipe(&data, "p.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}", &error));
    EXPECT_TEXT(heed_data_document(data, 1), "b");
    heed_data_close(data);
    assert_ok(open_pipe(&data, "p.tsv", "a\tb\nc\td\n", &error));
    EXPECT_TEXT(heed_data_pair(data, 1).target, "d");
    heed_data_close(data);
    const char *tokens = scratch_path(&work, "p.bin");
    assert_int_equal(mkfifo(tokens, 0600), 0); /* tokens are read at any place */
    assert_fails(HEED_E_IO, "expected a regular file", heed_data_open(&data, &tokens, 1, &error));
}

static void token_headers_that_lie_are_named(void **state)
{
    (void)state;
    static const struct {
        int32_t magic, version, count;
        size_t tokens;
        heed_status status;
        const char *part;
    } cases[] = {
        {20240520, 2, 3, 3, HEED_E_FORMAT, "byte 4: version 2"},
        {20240520, 7, 3, 3, HEED_E_FORMAT, "expected 1"},
        {20240801, 1, 3, 6, HEED_E_FORMAT, "expected 7"},
        {20240522, 1, 3, 3, HEED_E_UNSUPPORTED, "evaluation file"},
        {20240520, 1, 4, 3, HEED_E_FORMAT,
         "byte 8: the header counts 4 tokens of 2 bytes, but 6 bytes follow it"},
        {20240520, 1, 2, 3, HEED_E_FORMAT, "byte 8"},
        {20240520, 1, -1, 3, HEED_E_FORMAT, "counts -1 tokens"},
        {20240520, 1, INT32_MAX, 3, HEED_E_FORMAT, "byte 8"},
        {20240520, 1, INT32_MIN, 3, HEED_E_FORMAT, "byte 8"},
        {20240520, 1, 0, 0, HEED_E_FORMAT, "no tokens"},
        {20240520, 1, 0, 3, HEED_E_FORMAT, "byte 8"},
        {20240801, 7, 3, 3, HEED_E_FORMAT, "byte 8"},
    };
    unsigned char bytes[2048];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = make_shard(bytes, cases[i].magic, cases[i].version, cases[i].count, 2,
                                 cases[i].tokens);
        assert_fails(cases[i].status, cases[i].part, status_of("a.bin", bytes, size, &error));
    }
    size_t size = make_shard(bytes, 20240520, 1, 3, 2, 3);
    for (size_t cut = 4; cut < size; cut++)
        assert_fails(HEED_E_FORMAT, "a.bin", status_of("a.bin", bytes, cut, &error));
    /* a damaged magic number makes a file of raw tokens, everything else is noticed */
    for (size_t bit = 0; bit < 12 * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (bit == 1)
            assert_fails(HEED_E_UNSUPPORTED, "20240522", status_of("a.bin", bytes, size, &error));
        else if (bit < 32) assert_ok(status_of("a.bin", bytes, size, &error));
        else assert_fails(HEED_E_FORMAT, "a.bin", status_of("a.bin", bytes, size, &error));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

static void folders_stand_for_their_files(void **state)
{
    (void)state;
    static const char *const names[] = {"z.txt",       "a/2.txt",     "a/1.md",      "a/b/0.jsonl",
                                        ".hidden.txt", "picture.png", "a/.git/x.txt"};
    static const char *const texts[] = {"4", "3", "2", "{\"text\":\"1\"}", "h", "p", "g"};
    static const char *const order[] = {"2", "3", "1", "4"}; /* a/1.md a/2.txt a/b/0.jsonl z.txt */
    scratch other;
    heed_data *data = NULL;
    scratch_make(&other);
    const char *folder = other.folder;
    assert_fails(HEED_E_IO, "no data in this folder", heed_data_open(&data, &folder, 1, &error));
    assert_ok(heed_directory_make(scratch_path(&other, "a/b"), &error));
    assert_ok(heed_directory_make(scratch_path(&other, "a/.git"), &error));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        scratch_file(&other, names[i], texts[i], strlen(texts[i]));
    assert_int_equal(symlink(other.folder, scratch_path(&other, "a/circle")), 0);
    assert_ok(heed_data_open(&data, &folder, 1, &error));
    assert_int_equal(heed_data_count(data), 4);
    for (size_t i = 0; i < 4; i++) expect_text(heed_data_document(data, i), order[i], 1);
    heed_data_close(data);
    const char *both[] = {scratch_file(&work, "x.txt", "x", 1), folder};
    assert_ok(heed_data_open(&data, both, 2, &error));
    assert_int_equal(heed_data_count(data), 5);
    EXPECT_TEXT(heed_data_document(data, 0), "x");
    heed_data_close(data);
    scratch_file(&other, "pairs.tsv", "a\tb", 3);
    assert_fails(HEED_E_ARG, "pairs.tsv holds pairs, but ",
                 heed_data_open(&data, &folder, 1, &error));
    scratch_remove(&other);
}

static void other_formats_are_named(void **state)
{
    (void)state;
    heed_data *data = NULL;
    assert_fails(HEED_E_UNSUPPORTED, "no .parquet files; convert it to .jsonl",
                 status_of("a.parquet", "PAR1", 4, &error));
    assert_fails(HEED_E_UNSUPPORTED, "gunzip", status_of("a.txt.GZ", "x", 1, &error));
    assert_fails(HEED_E_UNSUPPORTED, "one object a line", status_of("a.json", "[]", 2, &error));
    const char *absent = "/nonexistent.txt";
    assert_fails(HEED_E_IO, "check the path", heed_data_open(&data, &absent, 1, &error));
    assert_fails(HEED_E_ARG, "at least one", heed_data_open(&data, &absent, 0, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_files_are_one_document),
                                       cmocka_unit_test(broken_utf8_is_named),
                                       cmocka_unit_test(json_lines_are_documents_or_pairs),
                                       cmocka_unit_test(json_lines_are_read_as_python_reads_them),
                                       cmocka_unit_test(tables_are_pairs),
                                       cmocka_unit_test(aligned_files_are_pairs),
                                       cmocka_unit_test(token_shards_are_read),
                                       cmocka_unit_test(token_files_that_change_are_named),
                                       cmocka_unit_test(token_files_may_be_many),
                                       cmocka_unit_test(texts_may_come_through_pipes),
                                       cmocka_unit_test(token_headers_that_lie_are_named),
                                       cmocka_unit_test(folders_stand_for_their_files),
                                       cmocka_unit_test(other_formats_are_named)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
