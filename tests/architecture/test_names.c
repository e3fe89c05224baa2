/* Checks names and parameters:
   - No heed_ type and no type of a header is defined twice.
   - The name of every extern function and object begins with heed_.
   - No function has more than six parameters.
   The first three tests show that each rule finds what it forbids. */
#include "source_tree.h"

enum { MOST_PARAMETERS = 6, MOST_TYPES = 4096, NAME = 96 };

typedef struct {
    char name[NAME];
    const source *where;
} type_entry;

typedef struct {
    type_entry items[MOST_TYPES];
    int count;
} type_table;

/* Returns whether a file defines the vector types of one instruction set. Such files define the
   same names, because code is compiled once for each instruction set and then sees only one of
   them. */
static bool is_vector_variant(const source *s)
{
    return begins_with(s->path, "cpu/vector_") ||
           begins_with(s->path, "cpu/gemm/quantized_tiles_") ||
           begins_with(s->path, "cpu/gemm/quantized_bytes_");
}

/* Returns whether two types may have the same name. */
static bool may_stand_twice(const type_entry *one, const type_entry *other)
{
    if (is_vector_variant(one->where) && is_vector_variant(other->where)) return true;
    if (one->where == other->where) return true; /* #if chooses one; else the compiler complains */
    const bool in_header = is_header(one->where) || is_header(other->where);
    return !in_header && !begins_with(one->name, "heed_");
}

/* Adds the type whose name is at `name`; finds an earlier one of the same name. */
static void add_type(type_table *types, const char *name, const source *where, findings *f)
{
    const size_t length = name_length(name);
    if (length == 0) return;
    assert_in_range(length, 1, NAME - 1);
    assert_in_range(types->count, 0, MOST_TYPES - 1);
    type_entry *own = &types->items[types->count++];
    *own = (type_entry){.where = where};
    memcpy(own->name, name, length);
    for (const type_entry *t = types->items; t < own; t++)
        if (strcmp(t->name, own->name) == 0 && !may_stand_twice(t, own))
            finding(f, "type %s is defined in %s and in %s", own->name, t->where->path,
                    where->path);
}

/* Returns the place after "struct ", "enum " or "union " at the beginning of a text; NULL if it
   begins with something else. */
static const char *after_kind(const char *text)
{
    static const char *const kinds[] = {"struct ", "enum ", "union "};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins_with(text, kinds[i])) return text + strlen(kinds[i]);
    return NULL;
}

/* Returns the name that a typedef without members defines, for a function, a pointer to a function
   or another type. Returns NULL for "typedef struct x x;", which defines no new name. */
static const char *alias_name(const char *text)
{
    const char *open = text + strcspn(text, "(;"), *end = open;
    const char *attribute = strstr(text, " __attribute__");
    if (attribute && attribute < open) end = open = attribute;
    if (begins_with(open, "(*")) return open + 2;
    while (end > text && !is_name(end[-1])) end--;
    const char *name = end;
    while (name > text && is_name(name[-1])) name--;
    const char *tag = after_kind(text);
    const size_t length = (size_t)(end - name);
    if (tag && tag != name && name_length(tag) == length && !strncmp(tag, name, length))
        return NULL;
    return name;
}

/* Adds the type that is defined at `line`, if there is one. */
static void read_type(type_table *types, const char *line, const source *where, findings *f)
{
    const bool is_typedef = begins_with(line, "typedef ");
    const char *text = is_typedef ? line + strlen("typedef ") : line, *tag = after_kind(text);
    const char *open = text + strcspn(text, "{;(=");
    const bool has_members = tag && *open == '{';
    if (!is_typedef) {
        if (has_members) add_type(types, tag, where, f);
        return;
    }
    const char *name = NULL;
    if (has_members) {
        const char *end = closing(open);
        if (end) name = end + 1 + strspn(end + 1, " \n*");
        if (name && name[name_length(name)] == '(') return; /* a macro makes the name: REAL(row) */
    } else name = alias_name(text);
    if (name) add_type(types, name, where, f);
}

/* Returns the number of types. */
static int find_types_defined_twice(const source_tree *tree, findings *f)
{
    static type_table types;
    types.count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const source *s = &tree->items[i];
        for (const char *line = NULL; (line = next_declaration(s->text, line));)
            read_type(&types, line, s, f);
    }
    return types.count;
}

/* What a line declares or defines: a function, whose parameters begin at the bracket `open`, or an
   object, for which `open` is NULL. */
typedef struct {
    const char *name, *open;
    int length;
    bool is_static;
} declaration;

/* Returns whether `word` occurs in a text before `end`. */
static bool has_word(const char *text, const char *end, const char *word)
{
    const char *at = strstr(text, word);
    return at && at < end;
}

/* Reads the declaration at a line. Returns false if the line declares neither function nor object.
   */
static bool read_declaration(const char *line, declaration *d)
{
    static const char *const others[] = {"typedef ", "return", "else", "case ", "default"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (begins_with(line, others[i])) return false;
    const char *end = line + strcspn(line, "(;={[");
    const bool has_parameters = *end == '(';
    if (!*end || (*end == '{' && (after_kind(line) || begins_with(line, "extern")))) return false;
    const char *name_end = end;
    while (name_end > line && !is_name(name_end[-1])) name_end--;
    const char *name = name_end;
    while (name > line && is_name(name[-1])) name--;
    *d = (declaration){.name = name,
                       .open = has_parameters ? end : NULL,
                       .length = (int)(name_end - name),
                       .is_static = has_word(line, end, "static ")};
    return name > line; /* else it is the call of a macro, or the declaration of a type */
}

/* Returns whether a name has capital letters. Macros then decide about name or linkage. */
static bool has_capitals(const char *name, int length)
{
    for (int i = 0; i < length; i++)
        if (isupper((unsigned char)name[i])) return true;
    return false;
}

/* Returns whether the first word at `line` has no lower-case letters. Such a macro stands for
   "static inline". */
static bool begins_with_macro(const char *line)
{
    const size_t length = name_length(line);
    for (size_t i = 0; i < length; i++)
        if (islower((unsigned char)line[i])) return false;
    return true;
}

/* Returns whether a line declares a type, such as "struct x;". */
static bool is_type_declaration(const char *line, const declaration *d)
{
    const char *tag = after_kind(line);
    return tag && tag == d->name && !d->open;
}

static void check_prefix(const source *s, const char *line, const declaration *d, findings *f)
{
    if (d->is_static || begins_with_macro(line) || is_type_declaration(line, d)) return;
    if (has_capitals(d->name, d->length)) return;
    if (d->length == 4 && begins_with(d->name, "main")) return;
    if (!begins_with(d->name, "heed_"))
        finding(f, "%s: %.*s is extern and does not begin with heed_", s->path, d->length, d->name);
}

/* Returns the number of declarations. */
static int find_externs_without_prefix(const source_tree *tree, findings *f)
{
    int count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const source *s = &tree->items[i];
        for (const char *line = NULL; (line = next_declaration(s->text, line));) {
            declaration d;
            if (!read_declaration(line, &d)) continue;
            check_prefix(s, line, &d, f);
            count++;
        }
    }
    return count;
}

/* Returns the number of parameters in the brackets that begin at `open`. */
static int parameters(const char *open)
{
    int count = 1, depth = 0;
    const char *end = closing(open);
    for (const char *c = open; end && c < end; c++) {
        depth += *c == '(';
        depth -= *c == ')';
        count += *c == ',' && depth == 1;
    }
    return count;
}

/* Returns the number of functions. */
static int find_long_parameter_lists(const source_tree *tree, findings *f)
{
    int count = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const source *s = &tree->items[i];
        for (const char *line = NULL; (line = next_declaration(s->text, line));) {
            declaration d;
            if (!read_declaration(line, &d) || !d.open) continue;
            count++;
            if (parameters(d.open) > MOST_PARAMETERS)
                finding(f, "%s: %.*s has %d parameters; pass a struct", s->path, d.length, d.name,
                        parameters(d.open));
        }
    }
    return count;
}

/* ---- the rules find what they forbid ---- */

typedef int rule(const source_tree *tree, findings *f);

/* Returns how many findings a rule has in two files. */
static int found_in(rule *apply, const char *first_path, const char *first, const char *second_path,
                    const char *second)
{
    source_tree tree = {0};
    findings f = {.expected = true};
    tree_add(&tree, first_path, first);
    tree_add(&tree, second_path, second);
    apply(&tree, &f);
    tree_free(&tree);
    return f.count;
}

static void a_second_definition_is_found(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "typedef struct {\n    int a;\n} heed_x;\n",
        "typedef struct heed_x {\n    int a, *b;\n} heed_x;\n",
        "typedef enum { A, B } heed_x;\n",
        "struct heed_x {\n    struct {\n        int b;\n    } c;\n};\n",
        "typedef int heed_x;\n",
        "typedef float heed_x __attribute__((vector_size(16)));\n",
        "typedef struct heed_y heed_x;\n",
        "typedef void heed_x(void *context,\n                    int part);\n",
        "typedef void (*heed_x)(void);\n",
        "/* struct heed_x; */\ntypedef struct {\n    int a;\n} *heed_x;\n",
    };
    enum { FORMS = sizeof forms / sizeof *forms };
    rule *twice = find_types_defined_twice;
    for (int i = 0; i < FORMS; i++)
        for (int j = 0; j < FORMS; j++) {
            assert_int_equal(found_in(twice, "op/a.h", forms[i], "nn/b.h", forms[j]), 1);
            assert_int_equal(found_in(twice, "op/a.c", forms[i], "nn/b.c", forms[j]), 1);
        }
    assert_int_equal(found_in(twice, "a/a.h", "typedef int line;\n", "b/b.c", "union line { };\n"),
                     1);
    static const char plan[] = "typedef struct heed_x heed_x;\n", use[] = "struct heed_x;\n";
    assert_int_equal(found_in(twice, "a/a.h", plan, "b/b.h", forms[3]), 0);
    assert_int_equal(found_in(twice, "a/a.h", use, "b/b.h", forms[3]), 0);
    assert_int_equal(found_in(twice, "a/a.c", "typedef int row;\n", "b/b.c", "typedef int row;\n"),
                     0);
    assert_int_equal(
        found_in(twice, "cpu/vector_avx2.h", forms[4], "cpu/vector_generic.h", forms[5]), 0);
    assert_int_equal(found_in(twice, "a/a.h", "enum { ONE };\n", "b/b.h", "enum { TWO };\n"), 0);
    assert_int_equal(found_in(twice, "a/a.h", forms[0], "b/b.h", "/* typedef int heed_x; */\n"), 0);
}

static void an_extern_without_prefix_is_found(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "int answer(void)\n{\n    return 42;\n}\n",
        "const char *answer(int a,\n                   int b);\n",
        "int answer;\n",
        "const int answers[] = {1, 2};\n",
        "extern const char *const answers[];\n",
        "struct heed_plan *answer(void);\n",
        "void note(const char *format, ...) HEED_PRINTF(1, 2);\n",
    };
    static const char *const right[] = {
        "static int answer(void)\n{\n    return 42;\n}\n",
        "static const int answers[] = {1, 2};\n",
        "int heed_answer(void)\n{\n    int answer;\n    return 42;\n}\n",
        "extern const int heed_answers[];\n",
        "struct answer;\n",
        "struct answer {\n    int a;\n};\n",
        "extern \"C\" {\n}\n",
        "typedef int answer;\n",
        "enum { ANSWER };\n",
        "int main(void)\n{\n    return 0;\n}\n",
        "INLINE int answer(void)\n{\n    return 42;\n}\n",
        "/* int answer; */\n#define ANSWER \\\nint answer;\n",
        "const char *heed_text =\n    \"\\\"\"\n    \"int answer;\";\n",
    };
    rule *apply = find_externs_without_prefix;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(found_in(apply, "a/a.c", wrong[i], "a/b.c", ""), 1);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_int_equal(found_in(apply, "a/a.c", right[i], "a/b.c", ""), 0);
}

static void a_seventh_parameter_is_found(void **state)
{
    (void)state;
    rule *apply = find_long_parameter_lists;
    static const char six[] = "static int f(int a, int b, int c, int (*d)(int, int), int e,\n"
                              "             int f)\n{\n    return 0;\n}\n",
                      seven[] = "void heed_f(int a, int b, int c, int d, int e, int f, int g);\n";
    assert_int_equal(found_in(apply, "a/a.c", six, "a/b.h", seven), 1);
    assert_int_equal(found_in(apply, "a/a.c", six, "a/b.c", six), 0);
}

/* ---- the sources ---- */

static void no_type_is_defined_twice(void **state)
{
    findings f = {0};
    assert_true(find_types_defined_twice(*state, &f) > 500);
    assert_int_equal(f.count, 0);
}

static void externs_begin_with_heed(void **state)
{
    findings f = {0};
    assert_true(find_externs_without_prefix(*state, &f) > 3000);
    assert_int_equal(f.count, 0);
}

static void functions_have_at_most_six_parameters(void **state)
{
    findings f = {0};
    assert_true(find_long_parameter_lists(*state, &f) > 2000);
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
        cmocka_unit_test(a_second_definition_is_found),
        cmocka_unit_test(an_extern_without_prefix_is_found),
        cmocka_unit_test(a_seventh_parameter_is_found),
        cmocka_unit_test(no_type_is_defined_twice),
        cmocka_unit_test(externs_begin_with_heed),
        cmocka_unit_test(functions_have_at_most_six_parameters),
    };
    return cmocka_run_group_tests(tests, read_sources, free_sources);
}
