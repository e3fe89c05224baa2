/* Modules are layered: a module includes only itself, modules before it and public headers; the
   program includes public headers and its own files only. graph and op link together (the table of
   ops in graph/ops.c names every record of op), but no file of graph includes one of op. */
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

static const char *const modules[] = {"base",    "tensor",   "graph",    "op",    "cpu",   "io",
                                      "plot",    "jinja",    "text",     "nn",    "cache", "model",
                                      "forward", "generate", "evaluate", "train", "api"};
enum { MODULES = sizeof modules / sizeof *modules };
static int files_read, violations;

static int module_number(const char *path)
{
    size_t length = strcspn(path, "/");
    for (int i = 0; i < MODULES; i++)
        if (strlen(modules[i]) == length && !strncmp(path, modules[i], length)) return i;
    return -1;
}

/* The program knows public headers (in angle brackets) and its own files. */
static void check_include(const char *file, const char *module, const char *included)
{
    int own = module_number(module), other = module_number(included);
    bool program = !strcmp(module, "cli");
    if (program ? strchr(included, '/') != NULL : other > own) {
        print_error("%s includes \"%s\", a module after it\n", file, included);
        violations++;
    }
    if (!program && other < 0 && strchr(included, '/')) {
        print_error("%s includes \"%s\", which belongs to no module\n", file, included);
        violations++;
    }
}

static void read_file(const char *path, const char *module)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    files_read++;
    while (fgets(line, sizeof line, file)) {
        char included[512];
        if (sscanf(line, " # include \"%511[^\"]\"", included) == 1)
            check_include(path, module, included);
    }
    fclose(file);
}

static void read_folder(const char *folder, const char *module)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[1024];
        struct stat information;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &information) == 0 && S_ISDIR(information.st_mode)) {
            read_folder(path, module);
            continue;
        }
        size_t length = strlen(path);
        if (length > 2 && (!strcmp(path + length - 2, ".c") || !strcmp(path + length - 2, ".h")))
            read_file(path, module);
    }
    closedir(directory);
}

static void modules_include_only_what_stands_before(void **state)
{
    (void)state;
    char folder[1024];
    for (int i = 0; i < MODULES; i++) {
        snprintf(folder, sizeof folder, HEED_SOURCE "/src/%s", modules[i]);
        read_folder(folder, modules[i]);
    }
    read_folder(HEED_SOURCE "/src/cli", "cli");
    assert_true(files_read > 50);
    assert_int_equal(violations, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(modules_include_only_what_stands_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
