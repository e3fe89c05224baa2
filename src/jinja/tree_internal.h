/* tree_internal.h: the compiled form of a template: tokens while it is read, then a tree of nodes
   in one arena. */
#ifndef HEED_JINJA_TREE_INTERNAL_H
#define HEED_JINJA_TREE_INTERNAL_H

#include "jinja/value.h"

typedef enum jinja_token_kind {
    JINJA_TOKEN_END,
    JINJA_TOKEN_DATA,
    JINJA_TOKEN_BLOCK_BEGIN,
    JINJA_TOKEN_BLOCK_END,
    JINJA_TOKEN_PRINT_BEGIN,
    JINJA_TOKEN_PRINT_END,
    JINJA_TOKEN_NAME,
    JINJA_TOKEN_STRING,
    JINJA_TOKEN_INTEGER,
    JINJA_TOKEN_NUMBER,
    JINJA_TOKEN_OPERATOR
} jinja_token_kind;

/* An operator of two characters is `first | second << 8`. */
enum {
    JINJA_OP_POWER = '*' | '*' << 8,
    JINJA_OP_FLOOR = '/' | '/' << 8,
    JINJA_OP_EQUAL = '=' | '=' << 8,
    JINJA_OP_UNEQUAL = '!' | '=' << 8,
    JINJA_OP_LESS_EQUAL = '<' | '=' << 8,
    JINJA_OP_GREATER_EQUAL = '>' | '=' << 8
};

typedef struct jinja_token {
    uint8_t kind;
    uint16_t operation; /* JINJA_TOKEN_OPERATOR */
    uint32_t line;
    jinja_value value; /* the text of data, names and strings, or a number */
} jinja_token;

typedef enum jinja_node_kind {
    JINJA_NODE_CONSTANT,
    JINJA_NODE_NAME,
    JINJA_NODE_TUPLE,
    JINJA_NODE_LIST,
    JINJA_NODE_DICT,
    JINJA_NODE_ATTRIBUTE,
    JINJA_NODE_ITEM,
    JINJA_NODE_SLICE,
    JINJA_NODE_CALL,
    JINJA_NODE_FILTER,
    JINJA_NODE_TEST,
    JINJA_NODE_NOT,
    JINJA_NODE_NEGATIVE,
    JINJA_NODE_POSITIVE,
    JINJA_NODE_ARITHMETIC,
    JINJA_NODE_COMPARE,
    JINJA_NODE_AND,
    JINJA_NODE_OR,
    JINJA_NODE_CONCATENATE,
    JINJA_NODE_CONDITIONAL,
    JINJA_NODE_DATA,
    JINJA_NODE_PRINT,
    JINJA_NODE_BODY,
    JINJA_NODE_IF,
    JINJA_NODE_FOR,
    JINJA_NODE_SET,
    JINJA_NODE_SET_BLOCK,
    JINJA_NODE_MACRO,
    JINJA_NODE_CALL_BLOCK,
    JINJA_NODE_FILTER_BLOCK,
    JINJA_NODE_WITH,
    JINJA_NODE_GENERATION,
    JINJA_NODE_BREAK,
    JINJA_NODE_CONTINUE
} jinja_node_kind;

typedef struct jinja_node jinja_node;

/* The arguments of a call. */
typedef struct jinja_arguments {
    jinja_node **positional, **named;
    jinja_value *names; /* (named_count) strings */
    int32_t count, named_count;
    jinja_node *rest, *named_rest; /* the arguments *rest and **named_rest, NULL if absent */
} jinja_arguments;

/* The signature of a macro or of a call block's body. */
typedef struct jinja_signature {
    int32_t *parameters;   /* (count) names */
    jinja_node **defaults; /* (default_count) defaults of the last parameters */
    int32_t count, default_count;
    /* whether the body mentions varargs, kwargs and caller */
    bool uses_rest, uses_named_rest, uses_caller;
} jinja_signature;

/* A node of the tree. The table lists which of the fields each kind uses:
     TUPLE LIST CONCATENATE BODY   items
     DICT                          items, keys and values in turn
     NAME                          name
     CONSTANT DATA                 value
     ATTRIBUTE                     a, value (the name)
     ITEM                          a[b]
     SLICE                         a:b:c, each may be NULL
     CALL                          a(arguments)
     FILTER TEST                   a, builtin, arguments
     NOT NEGATIVE POSITIVE         a
     PRINT GENERATION              a
     ARITHMETIC AND OR             a, operation, b
     COMPARE                       items, operations
     CONDITIONAL                   a if b else c (or NULL)
     IF                            items, conditions and bodies in turn; b the else part or NULL
     FOR                           a target, b what is iterated over, c the condition or NULL;
                                   items: the body and, if there is one, the else part; flag: the
                                   loop is recursive
     SET                           a target, b
     SET_BLOCK                     a target, b body, c filters (their innermost a is NULL) or NULL
     FILTER_BLOCK                  b body, c filters
     MACRO                         name, signature, a body
     CALL_BLOCK                    signature, a the call, b body
     WITH                          items, targets and values in turn; a body
   A target is a NAME, an ATTRIBUTE of a NAME (of a namespace), or a TUPLE of targets. */
struct jinja_node {
    uint8_t kind, operation;
    bool flag;
    uint16_t depth; /* depth of the tree below the node */
    uint32_t line;
    int32_t name, count;
    jinja_node **items, *a, *b, *c;
    jinja_value value;
    union {
        const jinja_arguments *arguments;
        const jinja_signature *signature;
        const uint8_t *operations;
    };
    const jinja_builtin *builtin;
};

enum {
    JINJA_DEPTH = 200,      /* limit of a tree's depth, and of nesting while it is read */
    JINJA_SOURCE = 4 << 20, /* limit of a template's bytes */
};

struct heed_jinja {
    heed_arena *arena;
    char *where;
    const jinja_node *root;
    jinja_value *names; /* strings; a name is represented by its index */
    size_t name_count, name_capacity;
    int32_t *slots; /* hash table of names, -1 in free slots */
    size_t slot_count;
    bool marks_generation;
    /* loop, varargs, kwargs and caller */
    int32_t name_loop, name_rest, name_named_rest, name_caller;
};

/* The state of reading a template. The first failure is recorded in `error`; after it, nothing more
   is read. */
typedef struct jinja_reader {
    heed_jinja *jinja;
    const char *text; /* normalized: valid UTF-8 with line feeds only, and none at the end */
    size_t length, at;
    uint32_t line;
    bool line_starts;        /* whether the last tag ended with a line feed */
    int state;               /* what the lexer is in: data, a block tag or a print tag */
    heed_buffer brackets;    /* the closing brackets that the current tag still needs */
    bool strip_next;         /* whether the text of a raw block follows */
    jinja_token token, next; /* the current token and the next one */
    int depth, loops;
    bool uses_rest, uses_named_rest, uses_caller;
    heed_status status;
    heed_error *error;
} jinja_reader;

/* Reads one token: `token` becomes `next`, and `next` the token after it. */
void heed_jinja_advance(jinja_reader *reader);
/* Records a failure at a line, unless one is recorded. */
heed_status heed_jinja_refuse(jinja_reader *reader, heed_status status, uint32_t line,
                              const char *format, ...) HEED_PRINTF(4, 5);
/* Returns the index of a name, which is added if need be; -1 after a failure. */
int32_t heed_jinja_name(jinja_reader *reader, const char *text, size_t length);
/* Returns the index of a name, -1 if the template does not mention it. */
int32_t heed_jinja_find_name(const heed_jinja *jinja, const char *text, size_t length);

/* ---- making nodes; these return NULL after a failure ---- */

/* Returns zeroed memory from the template's arena. */
void *heed_jinja_keep(jinja_reader *reader, size_t count, size_t size);
/* Makes a node. */
jinja_node *heed_jinja_node(jinja_reader *reader, jinja_node_kind kind, uint32_t line);
/* Sets the depth of a node from its children. Fails if the tree is too deep. */
jinja_node *heed_jinja_deepen(jinja_reader *reader, jinja_node *node);
/* Makes the node `a operation b`. */
jinja_node *heed_jinja_join(jinja_reader *reader, jinja_node_kind kind, int operation,
                            jinja_node *a, jinja_node *b);
/* A list of nodes that grows by malloc until heed_jinja_keep_items copies it into the arena. */
typedef struct jinja_nodes {
    jinja_node **items;
    size_t count, capacity;
} jinja_nodes;
/* Appends a node; false after a failure. */
bool heed_jinja_push(jinja_reader *reader, jinja_nodes *nodes, jinja_node *node);
/* Copies the list into the node's items and frees it. */
void heed_jinja_keep_items(jinja_reader *reader, jinja_nodes *nodes, jinja_node *node);

/* ---- the current token: testing, skipping and expecting it ---- */

/* Return whether the token is this operator, or this name. */
bool heed_jinja_at(const jinja_reader *reader, int operation);
bool heed_jinja_at_name(const jinja_reader *reader, const char *name);
/* Skip the token if it is this operator, or this name, and return whether it was. */
bool heed_jinja_skip(jinja_reader *reader, int operation);
bool heed_jinja_skip_name(jinja_reader *reader, const char *name);
/* Skips this operator. Fails and returns false if the token is another. */
bool heed_jinja_expect(jinja_reader *reader, int operation);
/* Fails at the current token, saying what was expected. */
void heed_jinja_refuse_token(jinja_reader *reader, const char *expected);

/* ---- terminals of expressions ---- */

/* Returns a constant of this value for the current token, which is skipped. */
jinja_node *heed_jinja_read_constant(jinja_reader *reader, jinja_value value);
/* Reads a string. Adjacent strings are concatenated. */
jinja_node *heed_jinja_read_strings(jinja_reader *reader);
/* Reads a name, or true, false or none. */
jinja_node *heed_jinja_read_name(jinja_reader *reader);

/* Precedence of the operators between "not" and attributes, from the loosest to the tightest:
   + -, ~, * / // %, **, a sign. */
typedef enum jinja_precedence {
    JINJA_PRECEDENCE_SUM,
    JINJA_PRECEDENCE_CONCATENATE,
    JINJA_PRECEDENCE_PRODUCT,
    JINJA_PRECEDENCE_POWER,
    JINJA_PRECEDENCE_UNARY
} jinja_precedence;
/* Skip an arithmetic operator of this precedence, or a comparison operator, and return its
   jinja_operator; -1 if the current token is none. */
int heed_jinja_skip_arithmetic(jinja_reader *reader, jinja_precedence precedence);
int heed_jinja_skip_comparison(jinja_reader *reader);

/* ---- the grammar; these return NULL after a failure ---- */

/* Reads an expression. `conditional` allows "a if b else c". */
jinja_node *heed_jinja_read_expression(jinja_reader *reader, bool conditional);
/* Reads a name, a constant, a list, a dict or an expression in parentheses. */
jinja_node *heed_jinja_read_primary(jinja_reader *reader);
/* Reads the arguments of a call of `function`. */
jinja_node *heed_jinja_read_call(jinja_reader *reader, jinja_node *function);
/* Reads filters that apply to `node`. With `inline_start` the first one has no "|" before it. */
jinja_node *heed_jinja_read_filters(jinja_reader *reader, jinja_node *node, bool inline_start);
/* Reads expressions separated by commas, as a tuple if there are several. `end` is a name that ends
   them, or NULL. */
jinja_node *heed_jinja_read_tuple(jinja_reader *reader, bool conditional, bool explicit_parentheses,
                                  const char *end);
/* Reads statements up to one of the tags in `ends` ("endif else"), whose name is then the current
   token. NULL means up to the end of the template. */
jinja_node *heed_jinja_read_body(jinja_reader *reader, const char *ends);

#endif
