/* Checks the rules of layout that clang-format does not enforce: all lines, with comments and
   strings, have at most 100 columns, a statement has at most one conditional operator, a function
   at most 60 lines, and a file at most 500. The first test shows that each rule finds what it
   forbids. */
#include "source_tree.h"

enum { MOST_COLUMNS = 100, MOST_FUNCTION_LINES = 60, MOST_FILE_LINES = 500 };

/* Returns the number of the line of `at`, from 1. */
static int line_of(const char *text, const char *at)
{
    int line = 1;
    for (const char *c = text; c < at; c++) line += *c == '\n';
    return line;
}

/* Returns the number of code points, each of which counts as one column. */
static int columns_of(const char *line, size_t length)
{
    int columns = 0;
    for (size_t i = 0; i < length; i++) columns += ((unsigned char)line[i] & 0xC0) != 0x80;
    return columns;
}

static void find_wide_lines(const source *s, findings *f)
{
    int number = 1;
    for (const char *line = s->raw; *line; number++) {
        const size_t length = strcspn(line, "\n");
        if (columns_of(line, length) > MOST_COLUMNS)
            finding(f, "%s:%d has more than %d columns", s->path, number, MOST_COLUMNS);
        line += length + (line[length] == '\n');
    }
}

/* Finds statements with several conditional operators. A statement ends at a semicolon or a brace.
   */
static void find_nested_conditionals(const source *s, findings *f)
{
    int operators = 0;
    for (const char *c = s->text; *c; c++) {
        if (*c == ';' || *c == '{' || *c == '}') operators = 0;
        operators += *c == '?';
        if (*c == '?' && operators == 2)
            finding(f, "%s:%d: more than one conditional operator in a statement", s->path,
                    line_of(s->text, c));
    }
}

/* Finds long functions. The body of a function begins and ends with a line that consists of a
   brace. */
static void find_long_functions(const source *s, findings *f)
{
    int number = 0, begin = 0;
    for (const char *line = s->text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        number++;
        const bool alone = strcspn(line, "\n") == 1;
        if (alone && *line == '{') begin = number;
        if (!alone || *line != '}' || begin == 0) continue;
        if (number - begin - 1 > MOST_FUNCTION_LINES)
            finding(f, "%s:%d: a function of %d lines", s->path, begin, number - begin - 1);
        begin = 0;
    }
}

static void find_long_file(const source *s, findings *f)
{
    const int lines = line_of(s->raw, s->raw + strlen(s->raw)) - 1;
    if (lines > MOST_FILE_LINES) finding(f, "%s has %d lines", s->path, lines);
}

typedef void rule(const source *s, findings *f);

/* Applies rules, an array that NULL ends, to all sources below a folder. */
static void check_folder(const char *root, rule *const *rules, findings *f)
{
    source_tree tree = {0};
    tree_read_folder(&tree, root, "");
    assert_true(tree.count > 0);
    for (size_t i = 0; i < tree.count; i++)
        for (int r = 0; rules[r]; r++) rules[r](&tree.items[i], f);
    tree_free(&tree);
}

/* Returns how many findings a rule has in a text of `before`, `times` copies of `piece`, and
   `after`. */
static int count_found(rule *check, const char *before, const char *piece, int times,
                       const char *after)
{
    source_tree tree = {0};
    findings f = {.expected = true};
    const size_t length = strlen(piece);
    char *text = malloc(strlen(before) + (size_t)times * length + strlen(after) + 1);
    assert_non_null(text);
    char *end = stpcpy(text, before);
    for (int i = 0; i < times; i++) end = stpcpy(end, piece);
    strcpy(end, after);
    tree_add(&tree, "base/a.c", text);
    check(&tree.items[0], &f);
    free(text);
    tree_free(&tree);
    return f.count;
}

static void each_rule_finds_what_it_forbids(void **state)
{
    (void)state;
    assert_int_equal(count_found(find_wide_lines, "/* ", "x", 94, " */\n"), 0);
    assert_int_equal(count_found(find_wide_lines, "/* ", "x", 95, " */\n"), 1);
    assert_int_equal(count_found(find_wide_lines, "\"", "\xC3\xA4", 98, "\"\n"), 0);
    assert_int_equal(count_found(find_wide_lines, "\"", "\xC3\xA4", 99, "\""), 1);
    assert_int_equal(count_found(find_nested_conditionals, "x = ", "a ? b : ", 1, "c;\n"), 0);
    assert_int_equal(count_found(find_nested_conditionals, "x = ", "a ?\n b : ", 2, "c;\n"), 1);
    assert_int_equal(count_found(find_nested_conditionals, "", "x = a ? b : c;\n", 2, ""), 0);
    assert_int_equal(count_found(find_nested_conditionals, "x = \"", "a ? b : ", 2, "\";\n"), 0);
    assert_int_equal(count_found(find_long_functions, "void f(void)\n{\n", "    g();\n", 60, "}\n"),
                     0);
    assert_int_equal(count_found(find_long_functions, "void f(void)\n{\n", "    g();\n", 61, "}\n"),
                     1);
    assert_int_equal(count_found(find_long_file, "", "\n", 500, ""), 0);
    assert_int_equal(count_found(find_long_file, "", "\n", 501, ""), 1);
}

static void sources_keep_the_layout(void **state)
{
    (void)state;
    static rule *const all[] = {find_wide_lines, find_nested_conditionals, find_long_functions,
                                find_long_file, NULL},
                       *const width[] = {find_wide_lines, NULL};
    findings f = {0};
    check_folder(HEED_SOURCE "/include", all, &f);
    check_folder(HEED_SOURCE "/src", all, &f);
    check_folder(HEED_SOURCE "/examples", all, &f);
    check_folder(HEED_SOURCE "/tests", width, &f);
    check_folder(HEED_SOURCE "/bench", width, &f);
    assert_int_equal(f.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_rule_finds_what_it_forbids),
                                       cmocka_unit_test(sources_keep_the_layout)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
