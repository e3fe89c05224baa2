/* What a path is decides how it is written: regular files are replaced as a whole, through links at
   their end; pipes, devices and open descriptors are written through; nothing else is touched. */
#include "base/file.h"

#include "base/file_internal.h"
#include "support/work.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

static char *own(const char *name)
{
    char *path = heed_path_join(work.folder, name);
    assert_non_null(path);
    return path;
}

static void expect_content(const char *path, const char *expected)
{
    heed_buffer text = {0};
    assert_ok(heed_file_read(path, 1 << 20, &text, &error));
    assert_string_equal(text.data, expected);
    heed_buffer_free(&text);
}

/* The entries of the scratch folder. */
static int entries(void)
{
    int count = 0;
    DIR *folder = opendir(work.folder);
    assert_non_null(folder);
    while (readdir(folder)) count++;
    closedir(folder);
    return count - 2;
}

static mode_t type_of(const char *path)
{
    struct stat information;
    assert_int_equal(lstat(path, &information), 0);
    return information.st_mode & S_IFMT;
}

/* Without a name, and with a temporary one as where the file system has no files without names. */
static void write_both_ways(const char *path, const char *text)
{
    for (int unnamed = 0; unnamed < 2; unnamed++) {
        heed_file_writer writer;
        assert_ok(heed_file_writer_begin(&writer, path, unnamed, &error));
        assert_ok(heed_file_writer_put(&writer, text, strlen(text), &error));
        assert_ok(heed_file_writer_finish(&writer, &error));
        heed_file_writer_close(&writer);
        expect_content(path, text);
    }
}

static void links_lead_to_what_is_replaced(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"relative", "file"}, {"chain", "relative"}, {"dangling", "new"}, {"inner/up", "../other"}};
    char *inner = own("inner");
    assert_int_equal(mkdir(inner, 0777), 0);
    free(inner);
    scratch_file(&work, "file", "old", 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *link = own(cases[i][0]);
        assert_int_equal(symlink(cases[i][1], link), 0);
        write_both_ways(link, cases[i][0]);
        assert_int_equal(type_of(link), S_IFLNK);
        free(link);
    }
    expect_content(scratch_path(&work, "file"), "chain");
    expect_content(scratch_path(&work, "new"), "dangling");
    expect_content(scratch_path(&work, "other"), "inner/up");
    char *absolute = own("absolute"), *file = own("file"), *loop = own("loop");
    assert_int_equal(symlink(file, absolute), 0);
    write_both_ways(absolute, "through an absolute link");
    expect_content(file, "through an absolute link");
    assert_int_equal(symlink("loop", loop), 0);
    assert_fails(HEED_E_IO, "loop: cannot follow the links", heed_file_write(loop, "x", 1, &error));
    assert_int_equal(entries(), 9);
    free(absolute);
    free(file);
    free(loop);
}

static void the_files_of_others_stay(void **state)
{
    (void)state;
    char *path = own("out"), *users = own("out.tmp"), *linked = own("linked"),
         *second = own("second");
    scratch_file(&work, "out.tmp", "a user's", 8);
    write_both_ways(path, "new");
    expect_content(users, "a user's");
    unlink(users);
    assert_int_equal(symlink(linked, users), 0);
    write_both_ways(path, "newer");
    assert_false(heed_path_exists(linked));
    assert_int_equal(link(path, second), 0);
    write_both_ways(path, "newest");
    expect_content(second, "newer"); /* another name of the old file */
    assert_int_equal(entries(), 3);
    free(path);
    free(users);
    free(linked);
    free(second);
}

static void permissions_are_kept(void **state)
{
    (void)state;
    struct stat information;
    char *path = own("mine"), *fresh = own("fresh");
    scratch_file(&work, "mine", "old", 3);
    assert_int_equal(chmod(path, 0640), 0);
    if (geteuid() == 0) assert_int_equal(chown(path, 12, 34), 0);
    write_both_ways(path, "new");
    assert_int_equal(stat(path, &information), 0);
    assert_int_equal(information.st_mode & 07777, 0640);
    if (geteuid() == 0) assert_true(information.st_uid == 12 && information.st_gid == 34);
    mode_t mask = umask(027);
    write_both_ways(fresh, "new");
    umask(mask);
    assert_int_equal(stat(fresh, &information), 0);
    assert_int_equal(information.st_mode & 07777, 0640);
    assert_int_equal(chmod(path, 0440), 0);
    if (geteuid() != 0)
        assert_fails(HEED_E_IO, "check the permissions", heed_file_write(path, "x", 1, &error));
    free(path);
    free(fresh);
}

static void folders_are_refused(void **state)
{
    (void)state;
    char *folder = own("folder"), *slash = own("absent/");
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_fails(HEED_E_IO, "this is a folder", heed_file_write(folder, "x", 1, &error));
    assert_fails(HEED_E_IO, "expected the path of a file", heed_file_write(slash, "x", 1, &error));
    assert_fails(HEED_E_IO, "expected the path of a file", heed_file_write("", "x", 1, &error));
    assert_fails(HEED_E_IO, "absent/x: cannot create a file in the folder",
                 heed_file_write(scratch_path(&work, "absent/x"), "x", 1, &error));
    assert_int_equal(chmod(folder, 0555), 0);
    if (geteuid() != 0)
        assert_fails(HEED_E_IO, "check the permissions",
                     heed_file_write(scratch_path(&work, "folder/x"), "x", 1, &error));
    assert_int_equal(entries(), 1);
    free(folder);
    free(slash);
}

/* Writes `path` while another process reads it. */
static void expect_through_pipe(const char *path, const char *pipe_path)
{
    char bytes[16] = "";
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(heed_file_write(path, "by pipe", 7, NULL) == HEED_OK ? 0 : 1);
    int reader = open(pipe_path, O_RDONLY), status = 0;
    assert_true(reader >= 0);
    for (ssize_t at = 0, more;
         (more = read(reader, bytes + at, sizeof bytes - 1 - (size_t)at)) > 0;)
        at += more;
    close(reader);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_string_equal(bytes, "by pipe");
}

static void pipes_and_devices_are_written_through(void **state)
{
    (void)state;
    char *pipe_path = own("pipe"), *link = own("link"), *device = own("device");
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(symlink("pipe", link), 0);
    expect_through_pipe(pipe_path, pipe_path);
    expect_through_pipe(link, pipe_path);
    assert_int_equal(type_of(pipe_path), S_IFIFO);
    assert_int_equal(type_of(link), S_IFLNK);
    assert_ok(heed_file_write("/dev/null", "x", 1, &error));
    assert_int_equal(type_of("/dev/null"), S_IFCHR);
    if (geteuid() == 0 && mknod(device, S_IFCHR | 0600, makedev(1, 3)) == 0) {
        heed_status status = heed_file_write(device, "x", 1,
                                             NULL); /* refused where devices are switched off */
        assert_true(status == HEED_OK || status == HEED_E_IO);
        assert_int_equal(type_of(device), S_IFCHR);
        unlink(device);
    }
    assert_int_equal(entries(), 2);
    free(pipe_path);
    free(link);
    free(device);
}

static void open_descriptors_are_continued(void **state)
{
    (void)state;
    char *path = own("redirected"), *link = own("link"), name[64];
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "before ", 7), 7);
    snprintf(name, sizeof name, "/dev/fd/%d", descriptor);
    assert_int_equal(symlink(name, link), 0);
    assert_ok(heed_file_write(name, "one ", 4, &error));
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    assert_ok(heed_file_write(name, "two ", 4, &error));
    snprintf(name, sizeof name, "/proc/%ld/fd/%d", (long)getpid(), descriptor);
    assert_ok(heed_file_write(name, "three ", 6, &error));
    assert_ok(heed_file_write(link, "four", 4, &error));
    expect_content(path, "before one two three four");
    close(descriptor);
    assert_fails(HEED_E_IO, "open descriptor", heed_file_write(name, "x", 1, &error));
    descriptor = open(path, O_RDONLY);
    snprintf(name, sizeof name, "/dev/fd/%d", descriptor);
    assert_fails(HEED_E_IO, "reading only", heed_file_write(name, "x", 1, &error));
    close(descriptor);
    assert_int_equal(entries(), 2);
    free(path);
    free(link);
}

static void a_dash_is_stdout(void **state)
{
    (void)state;
    char *path = own("stdout");
    fflush(stdout);
    int saved = dup(STDOUT_FILENO), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && file >= 0 && dup2(file, STDOUT_FILENO) == STDOUT_FILENO);
    printf("stdio ");
    heed_status dash = heed_file_write("-", "dash ", 5, NULL);
    heed_status name = heed_file_write("/dev/stdout", "name", 4, NULL);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(file);
    assert_true(dash == HEED_OK && name == HEED_OK);
    expect_content(path, "stdio dash name");
    assert_false(heed_path_exists("-"));
    free(path);
}

/* The limit on the size of files stands for a full disk. */
static void a_file_that_does_not_fit_leaves_the_old_one(void **state)
{
    (void)state;
    char *path = own("limited"), bytes[8192] = "";
    scratch_file(&work, "limited", "old", 3);
    for (int unnamed = 0; unnamed < 2; unnamed++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            heed_file_writer writer;
            struct rlimit limit = {4096, 4096};
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &limit);
            if (heed_file_writer_begin(&writer, path, unnamed, NULL) != HEED_OK) _exit(1);
            heed_status status = heed_file_writer_put(&writer, bytes, sizeof bytes, NULL);
            heed_file_writer_close(&writer);
            _exit(status == HEED_E_IO ? 0 : 2);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        expect_content(path, "old");
        assert_int_equal(entries(), 1);
    }
    free(path);
}

/* Begins to write `path`, says so, and waits to be killed. */
static pid_t start_writer(const char *path, bool unnamed)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        heed_file_writer writer;
        bool begun = heed_file_writer_begin(&writer, path, unnamed, NULL) == HEED_OK &&
                     heed_file_writer_put(&writer, "half", 4, NULL) == HEED_OK &&
                     write(ready[1], "x", 1) == 1;
        while (begun) pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void a_killed_writer_leaves_nothing_for_long(void **state)
{
    (void)state;
    char *path = own("killed"), *users = own(".heed-0123456789abcde.tmp");
    scratch_file(&work, "killed", "old", 3);
    scratch_file(&work, ".heed-0123456789abcde.tmp", "no name of heed's", 17); /* 15 digits */
    pid_t unnamed = start_writer(path, true), dead = start_writer(path, false),
          alive = start_writer(path, false);
    assert_int_equal(kill(unnamed, SIGKILL), 0);
    assert_int_equal(waitpid(unnamed, NULL, 0), unnamed);
    assert_int_equal(entries(), 4);
    assert_int_equal(kill(dead, SIGKILL), 0);
    assert_int_equal(waitpid(dead, NULL, 0), dead);
    write_both_ways(path, "new");
    assert_int_equal(entries(), 3); /* the file of the living one stays */
    assert_int_equal(kill(alive, SIGKILL), 0);
    assert_int_equal(waitpid(alive, NULL, 0), alive);
    write_both_ways(path, "newer");
    assert_int_equal(entries(), 2);
    expect_content(users, "no name of heed's");
    free(path);
    free(users);
}

/* Readers see one whole file, whoever wrote it. */
static void many_writers_and_one_file(void **state)
{
    (void)state;
    enum { WRITERS = 4, TIMES = 2000, SIZE = 20000 };
    char *path = own("shared"), bytes[SIZE + 1] = "";
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i]) continue;
        memset(bytes, 'a' + i, SIZE);
        for (int k = 0; k < TIMES; k++) {
            heed_file_writer writer;
            if (heed_file_writer_begin(&writer, path, k % 2, NULL) != HEED_OK) _exit(1);
            if (heed_file_writer_put(&writer, bytes, SIZE, NULL) != HEED_OK) _exit(2);
            if (heed_file_writer_finish(&writer, NULL) != HEED_OK) _exit(3);
            heed_file_writer_close(&writer);
        }
        _exit(0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    heed_buffer text = {0};
    assert_ok(heed_file_read(path, 1 << 20, &text, &error));
    assert_int_equal(text.length, SIZE);
    for (int i = 0; i < SIZE; i++) assert_true(text.data[i] == text.data[0]);
    heed_buffer_free(&text);
    assert_int_equal(entries(), 1);
    free(path);
}

static void temporary_names_are_known(void **state)
{
    (void)state;
    char *path = heed_temporary_path("folder"), *other = heed_temporary_path("folder"),
         *made = NULL;
    assert_true(path && other && !strncmp(path, "folder/", 7) && heed_temporary_is_name(path + 7));
    assert_string_not_equal(path, other);
    assert_false(heed_temporary_is_name("x.tmp") ||
                 heed_temporary_is_name(".heed-0123456789abcdef.tmp2") ||
                 heed_temporary_is_name(".heed-0123456789abcdef") || heed_temporary_is_name(""));
    assert_ok(heed_temporary_directory(work.folder, &made, &error));
    assert_true(heed_path_is_directory(made));
    free(path);
    free(other);
    free(made);
    assert_fails(HEED_E_IO, "nowhere", heed_temporary_directory("/nowhere", &made, &error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(links_lead_to_what_is_replaced),
        TEST(the_files_of_others_stay),
        TEST(permissions_are_kept),
        TEST(folders_are_refused),
        TEST(pipes_and_devices_are_written_through),
        TEST(open_descriptors_are_continued),
        TEST(a_dash_is_stdout),
        TEST(a_file_that_does_not_fit_leaves_the_old_one),
        TEST(a_killed_writer_leaves_nothing_for_long),
        TEST(many_writers_and_one_file),
        TEST(temporary_names_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
