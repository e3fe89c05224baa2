/* Checks the headers of modules:
   - A header that only files of its module share is called *_internal.h, and no other module
     includes such a header.
   - No two files of a module call each other.
   The first two tests show that each rule finds what it forbids. test_layers.c checks the order of
   the modules. */
#include "source_tree.h"

enum { MOST_INCLUDES = 16384, MOST_FUNCTIONS = 8192, NAME = 96 };

/* Source number `by` includes source number `header`. */
typedef struct {
    size_t by, header;
} include;

typedef struct {
    char name[NAME];
    size_t where; /* number of the source that defines it */
} function;

typedef struct {
    const source_tree *tree;
    include includes[MOST_INCLUDES];
    size_t include_count;
    function functions[MOST_FUNCTIONS]; /* extern functions that a .c defines */
    size_t function_count;
} uses;

static const char *path_at(const uses *u, size_t number)
{
    return u->tree->items[number].path;
}

static bool find_source(const source_tree *tree, const char *path, size_t *number)
{
    for (size_t i = 0; i < tree->count; i++)
        if (strcmp(tree->items[i].path, path) == 0) {
            *number = i;
            return true;
        }
    return false;
}

static void read_includes(uses *u, size_t by)
{
    char path[256];
    for (const char *line = u->tree->items[by].raw; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t header;
        if (!read_include(line, path) || !find_source(u->tree, path, &header)) continue;
        assert_true(u->include_count < MOST_INCLUDES);
        u->includes[u->include_count++] = (include){by, header};
    }
}

/* Adds the extern functions that a .c defines. Their lines do not begin with "static". */
static void read_functions(uses *u, size_t where)
{
    const source *s = &u->tree->items[where];
    if (is_header(s)) return;
    for (const char *line = NULL; (line = next_declaration(s->text, line));) {
        const char *open = line + strcspn(line, "(;={"), *name = open;
        if (*open != '(' || begins_with(line, "static ") || begins_with(line, "typedef ")) continue;
        const char *end = closing(open);
        while (name > line && is_name(name[-1])) name--;
        if (!end || name == line || end[1 + strspn(end + 1, " \n")] != '{') continue;
        assert_true(u->function_count < MOST_FUNCTIONS && open - name < NAME);
        function *f = &u->functions[u->function_count++];
        *f = (function){.where = where};
        memcpy(f->name, name, (size_t)(open - name));
    }
}

/* Returns the includes and functions of all sources, in static storage. */
static uses *uses_of(const source_tree *tree)
{
    static uses u;
    u.tree = tree;
    u.include_count = u.function_count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        read_includes(&u, i);
        read_functions(&u, i);
    }
    return &u;
}

static bool is_internal(const char *path)
{
    return ends_with(path, "_internal.h");
}

/* Writes the unit of a file. Files of one name are a unit: plan.c, plan.h and plan_internal.h of
   graph are "graph/plan". */
static void unit_of(char unit[256], const char *path)
{
    snprintf(unit, 256, "%s", path);
    *strrchr(unit, '.') = 0;
    const size_t length = strlen(unit), end = strlen("_internal");
    if (ends_with(unit, "_internal")) unit[length - end] = 0;
}

static bool same_unit(const char *one, const char *other)
{
    char a[256], b[256];
    unit_of(a, one);
    unit_of(b, other);
    return strcmp(a, b) == 0;
}

/* ---- headers ---- */

/* Returns whether the header declares a function or an object that some .c defines. Headers of
   types, of inline code and of code that is compiled once per instruction set do not. */
static bool declares_externs(const source *s)
{
    for (const char *line = NULL; (line = next_declaration(s->text, line));) {
        if (begins_with(line, "extern ")) return true;
        const char *open = line + strcspn(line, "(;={"), *end = NULL;
        const bool is_type = begins_with(line, "static ") || begins_with(line, "typedef ");
        const bool is_macro = open == line + name_length(line); /* nothing precedes its name */
        if (*open == '(' && !is_type && !is_macro) end = closing(open);
        if (end && end[1 + strspn(end + 1, " \n")] == ';') return true;
    }
    return false;
}

/* Returns whether there is a .c with the name of the header, whose interface it then is. */
static bool has_own_file(const uses *u, size_t header)
{
    char path[256];
    size_t number;
    snprintf(path, sizeof path, "%s", path_at(u, header));
    path[strlen(path) - 1] = 'c';
    return find_source(u->tree, path, &number);
}

static void check_header(const uses *u, size_t header, findings *f)
{
    const char *path = path_at(u, header), *outside = NULL;
    for (size_t i = 0; i < u->include_count; i++) {
        const char *by = path_at(u, u->includes[i].by);
        if (u->includes[i].header == header && !same_module(by, path)) outside = by;
    }
    if (is_internal(path)) {
        if (outside) finding(f, "%s includes %s of another module", outside, path);
        return;
    }
    if (outside || has_own_file(u, header) || !declares_externs(&u->tree->items[header])) return;
    finding(f, "%s is shared by files of its own module alone: call it *_internal.h", path);
}

/* Checks all headers but the public ones. Returns their number. */
static int find_misnamed_headers(const source_tree *tree, findings *f)
{
    const uses *u = uses_of(tree);
    int count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        if (!is_header(&tree->items[i]) || begins_with(tree->items[i].path, "heed/")) continue;
        check_header(u, i, f);
        count++;
    }
    return count;
}

/* ---- circles ---- */

/* Returns whether the identifier `name` occurs in a text. */
static bool mentions(const char *text, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += length)
        if ((at == text || !is_name(at[-1])) && !is_name(at[length])) return true;
    return false;
}

/* Returns a function of the .c `to` that the .c `from` uses; NULL if there is none. */
static const char *call_between(const uses *u, size_t from, size_t to)
{
    for (size_t i = 0; i < u->function_count; i++)
        if (u->functions[i].where == to &&
            mentions(u->tree->items[from].text, u->functions[i].name))
            return u->functions[i].name;
    return NULL;
}

/* Returns whether a file of the unit of `from` includes a header of the unit of `to`. */
static bool includes_unit(const uses *u, const char *from, const char *to)
{
    for (size_t i = 0; i < u->include_count; i++)
        if (same_unit(path_at(u, u->includes[i].by), from) &&
            same_unit(path_at(u, u->includes[i].header), to))
            return true;
    return false;
}

/* Finds pairs of files of one module that include each other's header and call each other. Returns
   the number of pairs that were compared. */
static int find_circles(const source_tree *tree, findings *f)
{
    const uses *u = uses_of(tree);
    int pairs = 0;
    for (size_t a = 0; a < tree->count; a++)
        for (size_t b = a + 1; b < tree->count; b++) {
            const char *one = path_at(u, a), *other = path_at(u, b);
            if (is_header(&tree->items[a]) || is_header(&tree->items[b])) continue;
            if (!same_module(one, other)) continue;
            pairs++;
            const char *there = call_between(u, a, b);
            const char *back = there ? call_between(u, b, a) : NULL;
            if (back && includes_unit(u, one, other) && includes_unit(u, other, one))
                finding(f, "%s calls %s of %s, which calls %s", one, there, other, back);
        }
    return pairs;
}

/* ---- the rules find what they forbid ---- */

typedef struct {
    const char *path, *text;
} file;

typedef int rule(const source_tree *tree, findings *f);

/* Returns how many findings a rule has in some files. */
static int found_in(rule *apply, size_t count, const file *files)
{
    source_tree tree = {0};
    findings f = {.expected = true};
    for (size_t i = 0; i < count; i++) tree_add(&tree, files[i].path, files[i].text);
    apply(&tree, &f);
    tree_free(&tree);
    return f.count;
}

#define FOUND(apply, ...) \
    found_in(apply, sizeof((file[]){__VA_ARGS__}) / sizeof(file), (file[]){__VA_ARGS__})

static void a_misnamed_header_is_found(void **state)
{
    (void)state;
    rule *apply = find_misnamed_headers;
    const file shared = {"a/shared.h", "void heed_f(int a,\n            int b);\n"},
               object = {"a/shared.h", "extern const int heed_x;\n"},
               types = {"a/shared.h", "typedef struct {\n    int a;\n} heed_x;\n"},
               internal = {"a/shared_internal.h", "void heed_f(void);\n"},
               inside = {"a/a.c", "#include \"a/shared.h\"\n"},
               outside = {"b/b.c", "  #  include \"a/shared.h\"\n"},
               own = {"a/shared.c", "#include \"a/shared.h\"\nvoid heed_f(void)\n{\n}\n"},
               uses_internal = {"a/a.c", "#include \"a/shared_internal.h\"\n"},
               intrudes = {"b/b.c", "#include \"a/shared_internal.h\"\n"};
    assert_int_equal(FOUND(apply, shared, inside), 1);
    assert_int_equal(FOUND(apply, object, inside), 1);
    assert_int_equal(FOUND(apply, types, inside), 0);
    assert_int_equal(FOUND(apply, shared, inside, outside), 0);
    assert_int_equal(FOUND(apply, shared, inside, own), 0);
    assert_int_equal(FOUND(apply, internal, uses_internal), 0);
    assert_int_equal(FOUND(apply, internal, uses_internal, intrudes), 1);
}

static void a_circle_is_found(void **state)
{
    (void)state;
    const file one_h = {"a/one.h", "void heed_one(void);\n"},
               two_h = {"a/two.h", "void heed_two(void);\n"},
               one = {"a/one.c",
                      "#include \"a/two.h\"\nvoid heed_one(void)\n{\n    heed_two();\n}\n"},
               two = {"a/two.c",
                      "#include \"a/one.h\"\nvoid heed_two(void)\n{\n    heed_one();\n}\n"},
               quiet = {"a/two.c", "#include \"a/one.h\"\nvoid heed_two(void)\n{\n"
                                   "    /* as heed_one() */ heed_one_more();\n}\n"},
               far = {"b/two.c",
                      "#include \"a/one.h\"\nvoid heed_two(void)\n{\n    heed_one();\n}\n"};
    assert_int_equal(FOUND(find_circles, one_h, two_h, one, two), 1);
    assert_int_equal(FOUND(find_circles, one_h, two_h, one, quiet), 0);
    assert_int_equal(FOUND(find_circles, one_h, two_h, one, far), 0);
}

/* ---- the sources ---- */

static void shared_headers_are_called_internal(void **state)
{
    findings f = {0};
    assert_true(find_misnamed_headers(*state, &f) > 150);
    assert_int_equal(f.count, 0);
}

static void no_two_files_call_each_other(void **state)
{
    findings f = {0};
    assert_true(find_circles(*state, &f) > 2000);
    assert_int_equal(f.count, 0);
}

static int read_sources(void **state)
{
    static source_tree tree;
    tree_read(&tree);
    *state = &tree;
    return 0;
}

static int free_sources(void **state)
{
    tree_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_misnamed_header_is_found),
        cmocka_unit_test(a_circle_is_found),
        cmocka_unit_test(shared_headers_are_called_internal),
        cmocka_unit_test(no_two_files_call_each_other),
    };
    return cmocka_run_group_tests(tests, read_sources, free_sources);
}
