/* Checks that the docs name what exists:
   - A word of a page that looks like a file of this tree, by its extension or its first folder, is
     the end of an existing path; "*" stands for any name.
   - A word that begins with heed_ or HEED_ is found in the sources, up to a "*".
   - Every module, which is a folder of src, has a row in docs/architecture.md.
   The worklog, the changelog and the results are left out, because they tell of names as they
   were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const folders[] = {"bench",   "cmake", "docs",  "examples",
                                      "include", "src",   "tests", "tools"};
static const char *const pages[] = {
    "README.md",         "docs/add-a-family.md",      "docs/add-a-sublayer.md",
    "docs/add-an-op.md", "docs/architecture.md",      "docs/contributing.md",
    "docs/files.md",     "docs/glossary.md",          "docs/matmul.md",
    "docs/reference.md", "docs/softmax-end-to-end.md"};
static const char *const extensions[] = {".c", ".h", ".def", ".py", ".md"};
enum {
    FOLDERS = sizeof folders / sizeof *folders,
    PAGES = sizeof pages / sizeof *pages,
    EXTENSIONS = sizeof extensions / sizeof *extensions,
    MOST_PATHS = 1 << 14
};
static char *paths[MOST_PATHS]; /* files and folders, relative to the root of the tree */
static char *sources;           /* the text of src and include, one file after another */
static size_t sources_length;
static int path_count, words_checked, violations;

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static void add_source(const char *path, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    sources = realloc(sources, sources_length + size + 1);
    assert_non_null(sources);
    sources_length += fread(sources + sources_length, 1, size, file);
    sources[sources_length] = 0;
    fclose(file);
}

/* Adds `path`, which begins with the root of the tree, and everything below it. */
static void add_path(const char *path)
{
    const char *name = path + strlen(HEED_SOURCE) + 1;
    struct stat information;
    if (stat(path, &information) != 0) return;
    assert_true(path_count < MOST_PATHS);
    paths[path_count++] = strdup(name);
    if (!S_ISDIR(information.st_mode)) {
        if (begins_with(name, "src/") || begins_with(name, "include/"))
            add_source(path, (size_t)information.st_size);
        return;
    }
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char below[1024];
        if (entry->d_name[0] == '.') continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        add_path(below);
    }
    closedir(directory);
}

/* Returns whether a word looks like a path of this tree. llm.c is another project, and stdio.h
   belongs to C. */
static bool is_path_of_ours(const char *word)
{
    if (strcmp(word, "llm.c") == 0 || strcmp(word, "stdio.h") == 0) return false;
    for (int i = 0; i < FOLDERS; i++)
        if (begins_with(word, folders[i]) && word[strlen(folders[i])] == '/') return true;
    const char *dot = strrchr(word, '.');
    for (int i = 0; dot && dot > word && i < EXTENSIONS; i++)
        if (strcmp(dot, extensions[i]) == 0) return true;
    return false;
}

/* Returns whether the word matches the end of a path. */
static bool path_exists(const char *word)
{
    for (int i = 0; i < path_count; i++)
        for (const char *end = paths[i]; end; end = strchr(end, '/')) {
            end += *end == '/';
            if (fnmatch(word, end, FNM_PATHNAME) == 0) return true;
        }
    return false;
}

/* Returns whether a word names something that the reader makes: NAME, the sublayer mix of
   docs/add-a-sublayer.md, or the op glu of docs/add-an-op.md. */
static bool is_made_by_reader(const char *word)
{
    static const char *const marks[] = {"NAME", "_MIX", "sublayer_mix", "sublayer/mix.c",
                                        "_GLU", "_glu", "op/glu.c"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(word, marks[i])) return true;
    return false;
}

/* Checks a word, which it may shorten, of a line of a page. */
static void check_word(const char *page, int line, char *word)
{
    size_t length = strlen(word);
    if (is_made_by_reader(word)) return;
    while (length && strchr("./", word[length - 1])) word[--length] = 0;
    const bool path = is_path_of_ours(word);
    if (!path && !begins_with(word, "heed_") && !begins_with(word, "HEED_")) return;
    words_checked++;
    if (path && path_exists(word)) return;
    word[strcspn(word, "*")] = 0;
    if (!path && strstr(sources, word)) return;
    print_error("%s:%d names %s, which does not exist\n", page, line, word);
    violations++;
}

/* Checks the words of a line. A word consists of the characters of paths. URLs, which contain ":",
   and absolute paths are not checked. */
static void check_line(const char *page, int number, char *line)
{
    for (char *at = line; *at;) {
        char *begin = at;
        while (isalnum((unsigned char)*at) || (*at && strchr("_-./*:", *at))) at++;
        const char after = *at;
        *at = 0;
        if (at > begin && !strchr(begin, ':') && begin[0] != '/') check_word(page, number, begin);
        if (after) at++;
    }
}

static void check_page(const char *page)
{
    char path[1024], line[4096];
    snprintf(path, sizeof path, HEED_SOURCE "/%s", page);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (int number = 1; fgets(line, sizeof line, file); number++) check_line(page, number, line);
    fclose(file);
}

static void docs_name_what_exists(void **state)
{
    (void)state;
    for (int i = 0; i < PAGES; i++) check_page(pages[i]);
    assert_true(words_checked > 200);
    assert_int_equal(violations, 0);
}

static bool table_has_row(const char *module)
{
    char row[1024], line[4096];
    snprintf(row, sizeof row, "| `%s` |", module);
    FILE *file = fopen(HEED_SOURCE "/docs/architecture.md", "r");
    assert_non_null(file);
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) found = begins_with(line, row);
    fclose(file);
    return found;
}

static void the_table_has_every_module(void **state)
{
    (void)state;
    int missing = 0, modules = 0;
    for (int i = 0; i < path_count; i++) {
        if (!begins_with(paths[i], "src/") || strchr(paths[i] + 4, '/')) continue;
        modules++;
        if (table_has_row(paths[i])) continue;
        print_error("docs/architecture.md has no row for %s\n", paths[i]);
        missing++;
    }
    assert_true(modules > 10);
    assert_int_equal(missing, 0);
}

static int read_tree(void **state)
{
    (void)state;
    add_path(HEED_SOURCE "/README.md");
    for (int i = 0; i < FOLDERS; i++) {
        char folder[1024];
        snprintf(folder, sizeof folder, HEED_SOURCE "/%s", folders[i]);
        add_path(folder);
    }
    return 0;
}

static int free_tree(void **state)
{
    (void)state;
    for (int i = 0; i < path_count; i++) free(paths[i]);
    free(sources);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(docs_name_what_exists),
                                       cmocka_unit_test(the_table_has_every_module)};
    return cmocka_run_group_tests(tests, read_tree, free_tree);
}
