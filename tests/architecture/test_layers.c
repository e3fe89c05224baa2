/* Checks that modules are layered:
   - A module includes only its own files, modules before it in the list below and public headers.
   - The program (cli) includes only its own files and public headers.
   - A backend is reached through its table (graph/backend.h). Only cpu itself, and api, which makes
     the backend, include cpu.
   graph and op link together, since the table of ops in graph/ops.c names every record of op, but
   no file of graph includes one of op. */
#include "source_tree.h"

static const char *const modules[] = {"base",    "tensor",   "graph",    "op",    "cpu",   "io",
                                      "plot",    "jinja",    "text",     "nn",    "cache", "model",
                                      "forward", "generate", "evaluate", "train", "api"};
enum { MODULES = sizeof modules / sizeof *modules };

/* Returns the place of a source's module in the list; -1 if it belongs to none. */
static int module_number(const char *path)
{
    const size_t length = module_length(path);
    for (int i = 0; i < MODULES; i++)
        if (strlen(modules[i]) == length && !strncmp(path, modules[i], length)) return i;
    return -1;
}

/* Returns whether the header belongs to a backend that the file may only reach through the table.
   */
static bool is_hidden_backend(const char *file, const char *included)
{
    return begins_with(included, "cpu/") && !begins_with(file, "cpu/") &&
           !begins_with(file, "api/");
}

/* Checks one #include in quotes. Public headers are included in angle brackets. */
static void check_include(const char *file, const char *included, findings *f)
{
    const int own = module_number(file), other = module_number(included);
    const bool program = begins_with(file, "cli/"), in_folder = strchr(included, '/') != NULL;
    if (program && in_folder)
        finding(f, "%s includes \"%s\", which is no public header", file, included);
    if (program) return;
    if (other > own) finding(f, "%s includes \"%s\", a module after it", file, included);
    if (is_hidden_backend(file, included))
        finding(f, "%s includes \"%s\"; backends are reached through graph/backend.h", file,
                included);
    if (other < 0 && in_folder)
        finding(f, "%s includes \"%s\", which belongs to no module", file, included);
}

/* Checks every #include. Returns the number of sources of modules and program. */
static int find_wrong_includes(const source_tree *tree, findings *f)
{
    int count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const source *s = &tree->items[i];
        if (begins_with(s->path, "heed/")) continue;
        count++;
        char included[256];
        for (const char *line = s->raw; line; line = strchr(line, '\n')) {
            line += *line == '\n';
            if (read_include(line, included)) check_include(s->path, included, f);
        }
    }
    return count;
}

static void a_wrong_include_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
        int found;
    } cases[] = {
        {"nn/a.c", "#include \"op/op.h\"\n#include \"nn/b.h\"\n#include <heed/heed.h>\n", 0},
        {"nn/a.c", "\n# include \"model/model.h\"\n", 1},
        {"nn/a.c", "#include \"cli/task.h\"\n", 1},
        {"cpu/a.c", "#include \"cpu/b.h\"\n", 0},
        {"model/a.c", "#include \"cpu/backend.h\"\n#include \"graph/backend.h\"\n", 1},
        {"api/a.c", "#include \"cpu/backend.h\"\n", 0},
        {"cli/a.c", "#include \"task.h\"\n", 0},
        {"cli/a.c", "#include \"base/error.h\"\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        source_tree tree = {0};
        findings f = {.expected = true};
        tree_add(&tree, cases[i].path, cases[i].text);
        find_wrong_includes(&tree, &f);
        assert_int_equal(f.count, cases[i].found);
        tree_free(&tree);
    }
}

static void modules_include_only_what_stands_before(void **state)
{
    (void)state;
    source_tree tree = {0};
    findings f = {0};
    tree_read(&tree);
    for (size_t i = 0; i < tree.count; i++) {
        const char *path = tree.items[i].path;
        if (module_number(path) < 0 && !begins_with(path, "heed/") && !begins_with(path, "cli/"))
            finding(&f, "%s belongs to no module", path);
    }
    assert_true(find_wrong_includes(&tree, &f) > 300);
    assert_int_equal(f.count, 0);
    tree_free(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_wrong_include_is_found),
                                       cmocka_unit_test(modules_include_only_what_stands_before)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
