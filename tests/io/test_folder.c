/* Output folders: whose they are, what a commit leaves, and what is left of one that was killed. */
#include "io/folder.h"
#include "support/test.h"

#include <sys/stat.h>
#include <unistd.h>

enum { MOST_PATHS = 1000 };
static scratch work;
static char *paths[MOST_PATHS];
static int path_count;

/* "folder/name", good until the end. */
static const char *at(const char *folder, const char *name)
{
    assert_in_range(path_count, 0, MOST_PATHS - 1);
    paths[path_count] = heed_path_join(folder, name);
    assert_non_null(paths[path_count]);
    return paths[path_count++];
}

static void put(const char *folder, const char *name, const char *text)
{
    assert_ok(heed_file_write(at(folder, name), text, strlen(text), &error));
}

static bool there(const char *folder, const char *name)
{
    struct stat information;
    return lstat(at(folder, name), &information) == 0;
}

static void expect_text(const char *folder, const char *name, const char *expected)
{
    heed_buffer text = {0};
    assert_ok(heed_file_read(at(folder, name), 1000, &text, &error));
    assert_string_equal(text.data, expected);
    heed_buffer_free(&text);
}

/* A new name below the scratch folder. */
static const char *fresh(void)
{
    static int number;
    char name[32];
    snprintf(name, sizeof name, "out-%d", ++number);
    return at(work.folder, name);
}

/* Writes a model whose files say `text`; with a chat template and a folder of more if `more`. */
static void write_model(const char *path, const char *text, bool more)
{
    heed_folder folder;
    assert_ok(heed_folder_open(&folder, path, HEED_FOLDER_MODEL, false, &error));
    put(folder.inside, "config.json", text);
    put(folder.inside, "model.safetensors", text);
    if (more) {
        put(folder.inside, "chat_template.jinja", text);
        assert_ok(heed_directory_make(at(folder.inside, "additional_chat_templates"), &error));
        put(folder.inside, "additional_chat_templates/tool_use.jinja", text);
    }
    assert_ok(heed_folder_commit(&folder, &error));
    heed_folder_close(&folder);
}

static heed_status try_open(const char *path, heed_folder_kind kind, heed_error *error)
{
    heed_folder folder;
    HEED_TRY(heed_folder_open(&folder, path, kind, false, error));
    heed_folder_close(&folder);
    return HEED_OK;
}

static void a_newer_model_replaces_all_of_an_older_one(void **state)
{
    (void)state;
    const char *out = fresh();
    write_model(out, "first", true);
    expect_text(out, "additional_chat_templates/tool_use.jinja", "first");
    write_model(out, "second!", false);
    expect_text(out, "config.json", "second!");
    expect_text(out, "model.safetensors", "second!");
    assert_false(there(out, "chat_template.jinja"));
    assert_false(there(out, "additional_chat_templates"));
    assert_false(there(out, HEED_FOLDER_INCOMPLETE));
}

static void what_others_wrote_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"notes.txt", "config.json", ".hidden", "a.tmp",
                                        HEED_FOLDER_MANIFEST};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *out = fresh();
        assert_ok(heed_directory_make(out, &error));
        put(out, names[i], "mine");
        assert_fails(HEED_E_ARG, names[i], try_open(out, HEED_FOLDER_MODEL, &error));
        assert_fails(HEED_E_ARG, "choose another folder", try_open(out, HEED_FOLDER_MODEL, &error));
        expect_text(out, names[i], "mine");
    }
    const char *out = fresh();
    write_model(out, "first", true);
    assert_fails(HEED_E_ARG, "wrote a model there, not a tokenizer",
                 try_open(out, HEED_FOLDER_TOKENIZER, &error));
    put(out, "config.json", "edited by hand");
    assert_fails(HEED_E_ARG, "config.json was changed", try_open(out, HEED_FOLDER_MODEL, &error));
    put(out, "config.json", "first");
    put(out, "additional_chat_templates/own.jinja", "mine");
    assert_fails(HEED_E_ARG, "additional_chat_templates/own.jinja",
                 try_open(out, HEED_FOLDER_MODEL, &error));
    assert_int_equal(unlink(at(out, "additional_chat_templates/own.jinja")), 0);
    assert_int_equal(unlink(at(out, "model.safetensors")), 0);
    assert_int_equal(symlink("config.json", at(out, "model.safetensors")), 0);
    assert_fails(HEED_E_ARG, "model.safetensors", try_open(out, HEED_FOLDER_MODEL, &error));
}

static void other_things_than_folders_are_refused(void **state)
{
    (void)state;
    const char *run = at(work.folder, "run"), *link = at(work.folder, "dangling");
    assert_fails(HEED_E_ARG, "empty", try_open("", HEED_FOLDER_MODEL, &error));
    scratch_file(&work, "file", "x", 1);
    assert_fails(HEED_E_ARG, "found a file",
                 try_open(at(work.folder, "file"), HEED_FOLDER_MODEL, &error));
    assert_int_equal(symlink("nowhere", link), 0);
    assert_fails(HEED_E_ARG, "does not exist", try_open(link, HEED_FOLDER_MODEL, &error));
    assert_ok(heed_directory_make(run, &error));
    put(run, "run.json", "{}");
    put(run, "log.jsonl", "");
    assert_fails(HEED_E_ARG, "folder of a training", try_open(run, HEED_FOLDER_MODEL, &error));
    assert_fails(HEED_E_ARG, "folder of a training",
                 try_open(at(run, "below/it/"), HEED_FOLDER_MODEL, &error));
    assert_false(there(run, "below"));
}

static void without_a_commit_nothing_is_changed(void **state)
{
    (void)state;
    const char *out = fresh(), *path = at(out, "a/b/");
    heed_folder folder, second;
    assert_ok(heed_folder_open(&folder, path, HEED_FOLDER_MODEL, false, &error));
    put(folder.inside, "model.safetensors", "half");
    assert_fails(HEED_E_ARG, "is being written by",
                 heed_folder_open(&second, path, HEED_FOLDER_MODEL, false, &error));
    heed_folder_close(&folder);
    assert_false(there(work.folder, strrchr(out, '/') + 1)); /* with the folders above it */
    write_model(out, "first", true);
    assert_ok(heed_folder_open(&folder, out, HEED_FOLDER_MODEL, false, &error));
    put(folder.inside, "model.safetensors", "half");
    put(out, "notes.txt", "came meanwhile");
    assert_fails(HEED_E_ARG, "notes.txt", heed_folder_commit(&folder, &error));
    heed_folder_close(&folder);
    expect_text(out, "model.safetensors", "first");
    expect_text(out, "chat_template.jinja", "first");
    assert_false(there(out, HEED_FOLDER_INCOMPLETE));
}

static void shared_folders_keep_what_others_wrote(void **state)
{
    (void)state;
    const char *out = fresh();
    heed_folder folder;
    assert_ok(heed_directory_make(out, &error));
    put(out, "corpus.txt", "mine");
    for (int i = 0; i < 2; i++) {
        assert_ok(heed_folder_open(&folder, out, HEED_FOLDER_TOKENIZER, true, &error));
        put(folder.inside, "tokenizer.json", i ? "second" : "first");
        assert_ok(heed_folder_commit(&folder, &error));
        heed_folder_close(&folder);
    }
    expect_text(out, "tokenizer.json", "second");
    put(out, "tokenizer.json", "mine too");
    assert_ok(heed_folder_open(&folder, out, HEED_FOLDER_TOKENIZER, true, &error));
    put(folder.inside, "tokenizer.json", "third");
    assert_fails(HEED_E_ARG, "tokenizer.json was changed", heed_folder_commit(&folder, &error));
    heed_folder_close(&folder);
    expect_text(out, "tokenizer.json", "mine too");
    expect_text(out, "corpus.txt", "mine");
}

/* ---- kills ---- */

/* Makes OUT what it is when a commit of "second!" over "first" is killed after `moves` of its
   moves: 0 none, 1 the old key removed, 2 all old files removed, 3 one file up, 4 all but the
   manifest. */
static void make_killed(const char *out, int moves)
{
    static const char *const old[] = {"config.json", "model.safetensors", "chat_template.jinja"};
    const char *aside = at(work.folder, "aside"), *inside = at(out, HEED_FOLDER_INCOMPLETE);
    write_model(out, "second!", false);
    assert_int_equal(rename(out, aside), 0);
    write_model(out, "first", true);
    assert_int_equal(rename(aside, inside), 0); /* sealed, as the commit has it */
    for (int i = 0; i < 3 && moves > 0 && (i == 0 || moves > 1); i++)
        assert_int_equal(unlink(at(out, old[i])), 0);
    if (moves >= 2) assert_ok(heed_directory_remove(at(out, "additional_chat_templates"), &error));
    if (moves >= 3)
        assert_int_equal(rename(at(inside, "model.safetensors"), at(out, "model.safetensors")), 0);
    if (moves >= 4) assert_int_equal(rename(at(inside, "config.json"), at(out, "config.json")), 0);
}

static void the_next_writer_finishes_a_killed_commit(void **state)
{
    (void)state;
    for (int moves = 0; moves <= 4; moves++) {
        const char *out = fresh();
        make_killed(out, moves);
        assert_ok(try_open(out, HEED_FOLDER_MODEL, &error)); /* and gives up without a commit */
        expect_text(out, "config.json", "second!");
        expect_text(out, "model.safetensors", "second!");
        assert_false(there(out, "chat_template.jinja"));
        assert_false(there(out, "additional_chat_templates"));
        assert_false(there(out, HEED_FOLDER_INCOMPLETE));
    }
    const char *out = fresh(); /* killed before the files were all there: nothing of them counts */
    write_model(out, "first", true);
    assert_ok(heed_directory_make(at(out, HEED_FOLDER_INCOMPLETE), &error));
    put(out, HEED_FOLDER_INCOMPLETE "/model.safetensors", "half");
    assert_ok(try_open(out, HEED_FOLDER_MODEL, &error));
    expect_text(out, "model.safetensors", "first");
    assert_false(there(out, HEED_FOLDER_INCOMPLETE));
}

static int setup(void **state)
{
    (void)state;
    scratch_make(&work);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(&work);
    while (path_count > 0) free(paths[--path_count]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_newer_model_replaces_all_of_an_older_one),
                                       cmocka_unit_test(what_others_wrote_is_refused_by_name),
                                       cmocka_unit_test(other_things_than_folders_are_refused),
                                       cmocka_unit_test(without_a_commit_nothing_is_changed),
                                       cmocka_unit_test(shared_folders_keep_what_others_wrote),
                                       cmocka_unit_test(the_next_writer_finishes_a_killed_commit)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
