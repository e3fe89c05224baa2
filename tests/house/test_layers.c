/* The house stands in order: a room includes only itself, rooms above it and public headers; the program includes public headers
   and its own files only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *const rooms[] = {"base", "tensor", "graph", "op", "cpu", "io", "text", "nn", "attention", "model", "generate", "train", "api"};
enum { ROOMS = sizeof rooms / sizeof *rooms };
static int files_read, violations;

static int room_number(const char *path)
{
    size_t length = strcspn(path, "/");
    for (int i = 0; i < ROOMS; i++)
        if (strlen(rooms[i]) == length && !strncmp(path, rooms[i], length)) return i;
    return -1;
}

/* The program knows public headers (in angle brackets) and its own files. */
static void check_include(const char *file, const char *room, const char *included)
{
    int own = room_number(room), other = room_number(included);
    bool program = !strcmp(room, "cli");
    if (program ? strchr(included, '/') != NULL : other > own) {
        print_error("%s includes \"%s\", a room below it\n", file, included);
        violations++;
    }
    if (!program && other < 0 && strchr(included, '/')) {
        print_error("%s includes \"%s\", which belongs to no room\n", file, included);
        violations++;
    }
}

static void read_file(const char *path, const char *room)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    files_read++;
    while (fgets(line, sizeof line, file)) {
        char included[512];
        if (sscanf(line, " # include \"%511[^\"]\"", included) == 1) check_include(path, room, included);
    }
    fclose(file);
}

static void read_folder(const char *folder, const char *room)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[1024];
        struct stat information;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &information) == 0 && S_ISDIR(information.st_mode)) {
            read_folder(path, room);
            continue;
        }
        size_t length = strlen(path);
        if (length > 2 && (!strcmp(path + length - 2, ".c") || !strcmp(path + length - 2, ".h"))) read_file(path, room);
    }
    closedir(directory);
}

static void rooms_include_only_what_stands_above(void **state)
{
    (void)state;
    char folder[1024];
    for (int i = 0; i < ROOMS; i++) {
        snprintf(folder, sizeof folder, HEED_SOURCE "/src/%s", rooms[i]);
        read_folder(folder, rooms[i]);
    }
    read_folder(HEED_SOURCE "/src/cli", "cli");
    assert_true(files_read > 50);
    assert_int_equal(violations, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rooms_include_only_what_stands_above)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
