/* source_tree.h: reads every .c and .h of src and include, for tests of the sources. In the text of
   a source, comments, strings and lines of the preprocessor are replaced by blanks, so that only
   code is left. The readers rely on .clang-format: definitions and declarations at file scope begin
   in the first column. Tests of a rule add texts with tree_add. */
#ifndef HEED_TESTS_ARCHITECTURE_SOURCE_TREE_H
#define HEED_TESTS_ARCHITECTURE_SOURCE_TREE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    char path[256]; /* as #include names it: "graph/plan.h", "heed/heed.h" */
    /* as it is in the file; the code alone, at the same places */
    char *raw, *text;
} source;

typedef struct {
    source *items;
    size_t count;
} source_tree;

/* What a rule has found. A test of the rule sets `expected`; findings are then not printed. */
typedef struct {
    int count;
    bool expected;
    char last[512];
} findings;

/* Adds a finding. */
__attribute__((format(printf, 2, 3))) static inline void finding(findings *f, const char *format,
                                                                 ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f->last, sizeof f->last, format, arguments);
    va_end(arguments);
    f->count++;
    if (!f->expected) print_error("%s\n", f->last);
}

static inline bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Returns the length of the identifier at the beginning of a text. */
static inline size_t name_length(const char *name)
{
    size_t length = 0;
    while (is_name(name[length])) length++;
    return length;
}

static inline bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static inline bool ends_with(const char *text, const char *suffix)
{
    const size_t length = strlen(text), end = strlen(suffix);
    return length >= end && strcmp(text + length - end, suffix) == 0;
}

static inline bool is_header(const source *s)
{
    return ends_with(s->path, ".h");
}

/* Returns the length of a source's module, which is the first folder of its path. */
static inline size_t module_length(const char *path)
{
    return strcspn(path, "/");
}

static inline bool same_module(const char *one, const char *other)
{
    const size_t length = module_length(one);
    return length == module_length(other) && strncmp(one, other, length) == 0;
}

/* Returns the end of the comment, string, character or preprocessor line that begins at `at`; NULL
   if none begins there. */
static inline char *skip_no_code(char *at, bool line_begins)
{
    if (at[0] == '/' && at[1] == '*') {
        char *end = strstr(at, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    if (*at == '"' || *at == '\'') {
        char *end = at + 1;
        for (; *end && *end != *at; end++)
            if (*end == '\\' && end[1]) end++;
        return end + (*end != 0);
    }
    if (*at != '#' || !line_begins) return NULL;
    char *end = at;
    while (*end && !(*end == '\n' && end[-1] != '\\')) end++;
    return end;
}

/* Replaces everything but code and line ends by blanks. */
static inline void blank(char *text)
{
    bool line_begins = true;
    for (char *c = text; *c; c++) {
        char *end = skip_no_code(c, line_begins);
        line_begins = *c == '\n' || (line_begins && *c == ' ');
        if (!end) continue;
        for (; c < end; c++)
            if (*c != '\n') *c = ' ';
        c--;
        line_begins = false;
    }
}

/* Adds a source with this path and text; both are copied. */
static inline void tree_add(source_tree *tree, const char *path, const char *text)
{
    tree->items = realloc(tree->items, (tree->count + 1) * sizeof *tree->items);
    assert_non_null(tree->items);
    source *s = &tree->items[tree->count++];
    snprintf(s->path, sizeof s->path, "%s", path);
    s->raw = strdup(text);
    s->text = strdup(text);
    assert_true(s->raw && s->text);
    blank(s->text);
}

static inline void tree_free(source_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->items[i].raw);
        free(tree->items[i].text);
    }
    free(tree->items);
    *tree = (source_tree){0};
}

static inline void tree_read_file(source_tree *tree, const char *file, const char *path)
{
    FILE *stream = fopen(file, "r");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, 0, SEEK_END), 0);
    const long size = ftell(stream);
    rewind(stream);
    char *text = malloc((size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, stream), (size_t)size);
    text[size] = 0;
    fclose(stream);
    tree_add(tree, path, text);
    free(text);
}

/* Adds the sources below root/folder. Their paths are relative to `root`. */
static inline void tree_read_folder(source_tree *tree, const char *root, const char *folder)
{
    char file[1024], path[512];
    snprintf(file, sizeof file, "%s/%s", root, folder);
    DIR *directory = opendir(file);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        struct stat information;
        if (entry->d_name[0] == '.') continue;
        const char *slash = *folder ? "/" : "";
        snprintf(path, sizeof path, "%s%s%.200s", folder, slash, entry->d_name);
        snprintf(file, sizeof file, "%.500s/%s", root, path);
        if (stat(file, &information) == 0 && S_ISDIR(information.st_mode))
            tree_read_folder(tree, root, path);
        else if (ends_with(path, ".c") || ends_with(path, ".h")) tree_read_file(tree, file, path);
    }
    closedir(directory);
}

/* Adds all sources of src and include. */
static inline void tree_read(source_tree *tree)
{
    tree_read_folder(tree, HEED_SOURCE "/include", "");
    tree_read_folder(tree, HEED_SOURCE "/src", "");
    assert_true(tree->count > 300);
}

/* Returns the bracket that closes the one at `open`; NULL if there is none. */
static inline const char *closing(const char *open)
{
    int depth = 0;
    for (const char *c = open; *c; c++) {
        depth += *c == '(' || *c == '{' || *c == '[';
        depth -= *c == ')' || *c == '}' || *c == ']';
        if (depth == 0) return c;
    }
    return NULL;
}

/* Returns the next line after `line` that begins with a word; NULL at the end. If `line` is NULL,
   the search begins with the first line. */
static inline const char *next_declaration(const char *text, const char *line)
{
    for (;;) {
        line = line ? strchr(line, '\n') : text;
        if (!line) return NULL;
        if (*line == '\n') line++;
        if (isalpha((unsigned char)*line) || *line == '_') return line;
        if (!*line) return NULL;
    }
}

/* Writes the path that the #include at `line` names in quotes. Returns false if the line is not
   such an #include. */
static inline bool read_include(const char *line, char path[256])
{
    return sscanf(line, " # include \"%255[^\"]\"", path) == 1;
}

#endif
