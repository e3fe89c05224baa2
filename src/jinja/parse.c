/* parse.c: reads the statements of a template. */
#include "jinja/tree_internal.h"

#include <stdlib.h>
#include <string.h>

/* Reads a name; -1 after a failure. */
static int32_t expect_name(jinja_reader *r)
{
    if (r->token.kind != JINJA_TOKEN_NAME) {
        heed_jinja_refuse_token(r, "a name");
        return -1;
    }
    int32_t name = heed_jinja_name(r, r->token.value.text, r->token.value.length);
    heed_jinja_advance(r);
    return name;
}

/* Skips the end of a tag; false after a failure. */
static bool end_tag(jinja_reader *r)
{
    if (r->status == HEED_OK && r->token.kind != JINJA_TOKEN_BLOCK_END)
        heed_jinja_refuse_token(r, "the end of the tag");
    if (r->status == HEED_OK) heed_jinja_advance(r);
    return r->status == HEED_OK;
}

/* ---- statements ---- */

/* Reads the end of the opening tag, then a body up to one of `ends`. */
static jinja_node *read_block(jinja_reader *r, const char *ends)
{
    heed_jinja_skip(r, ':');
    return end_tag(r) ? heed_jinja_read_body(r, ends) : NULL;
}

/* Reads a body up to a single end, which is skipped. */
static jinja_node *read_whole_block(jinja_reader *r, const char *end)
{
    jinja_node *body = read_block(r, end);
    heed_jinja_advance(r);
    return body;
}

/* Reads the target of an assignment: a name, an attribute of a namespace if `attributes` is set, or
   several targets. */
static jinja_node *read_target(jinja_reader *r, bool attributes, int depth)
{
    jinja_nodes nodes = {0};
    bool several = false;
    uint32_t line = r->token.line;
    if (depth > 16)
        heed_jinja_refuse(r, HEED_E_FORMAT, line, "a target of an assignment is nested too deep");
    while (r->status == HEED_OK) {
        jinja_node *node;
        if (heed_jinja_at(r, '(') || heed_jinja_at(r, '[')) {
            int end = heed_jinja_at(r, '(') ? ')' : ']';
            heed_jinja_advance(r);
            node = read_target(r, attributes, depth + 1);
            heed_jinja_expect(r, end);
        } else {
            node = heed_jinja_node(r, JINJA_NODE_NAME, line);
            int32_t name = expect_name(r);
            if (node) node->name = name;
            if (attributes && heed_jinja_skip(r, '.')) {
                jinja_node *space = node;
                node = heed_jinja_node(r, JINJA_NODE_ATTRIBUTE, line);
                name = expect_name(r);
                if (node && name >= 0) {
                    node->a = space;
                    node->value = r->jinja->names[name];
                }
            }
        }
        if (!heed_jinja_push(r, &nodes, node) || !heed_jinja_at(r, ',')) break;
        heed_jinja_advance(r);
        several = true;
        if (r->token.kind != JINJA_TOKEN_NAME || heed_jinja_at_name(r, "in")) break;
    }
    jinja_node *only = nodes.count == 1 && !several ? nodes.items[0] : NULL;
    jinja_node *tuple = only ? only : heed_jinja_node(r, JINJA_NODE_TUPLE, line);
    if (only) free(nodes.items);
    else heed_jinja_keep_items(r, &nodes, tuple);
    return heed_jinja_deepen(r, tuple);
}

static jinja_node *read_for(jinja_reader *r, jinja_node *node)
{
    node->a = read_target(r, false, 0);
    if (r->status == HEED_OK && !heed_jinja_skip_name(r, "in"))
        heed_jinja_refuse_token(r, "\"in\"");
    node->b = heed_jinja_read_tuple(r, false, false, "recursive");
    if (heed_jinja_skip_name(r, "if")) node->c = heed_jinja_read_expression(r, true);
    node->flag = heed_jinja_skip_name(r, "recursive");
    jinja_nodes parts = {0};
    r->loops++;
    heed_jinja_push(r, &parts, read_block(r, "endfor else"));
    r->loops--;
    if (heed_jinja_skip_name(r, "else")) heed_jinja_push(r, &parts, read_block(r, "endfor"));
    heed_jinja_advance(r);
    heed_jinja_keep_items(r, &parts, node);
    return node;
}

static jinja_node *read_if(jinja_reader *r, jinja_node *node)
{
    jinja_nodes parts = {0};
    for (bool more = true; more && r->status == HEED_OK;) {
        heed_jinja_push(r, &parts, heed_jinja_read_tuple(r, false, false, NULL));
        heed_jinja_push(r, &parts, read_block(r, "elif else endif"));
        more = heed_jinja_skip_name(r, "elif");
    }
    if (heed_jinja_skip_name(r, "else")) node->b = read_block(r, "endif");
    heed_jinja_advance(r);
    heed_jinja_keep_items(r, &parts, node);
    return node;
}

static jinja_node *read_set(jinja_reader *r, jinja_node *node)
{
    node->a = read_target(r, true, 0);
    if (heed_jinja_skip(r, '=')) node->b = heed_jinja_read_tuple(r, true, false, NULL);
    else {
        node->kind = JINJA_NODE_SET_BLOCK;
        node->c = heed_jinja_at(r, '|') ? heed_jinja_read_filters(r, NULL, false) : NULL;
        node->b = read_whole_block(r, "endset");
    }
    return node;
}

static jinja_node *read_with(jinja_reader *r, jinja_node *node)
{
    jinja_nodes parts = {0};
    while (r->status == HEED_OK && r->token.kind != JINJA_TOKEN_BLOCK_END) {
        if (parts.count && !heed_jinja_expect(r, ',')) break;
        jinja_node *target = heed_jinja_node(r, JINJA_NODE_NAME, r->token.line);
        int32_t name = expect_name(r);
        if (target) target->name = name;
        heed_jinja_expect(r, '=');
        heed_jinja_push(r, &parts, target);
        heed_jinja_push(r, &parts, heed_jinja_read_expression(r, true));
    }
    node->a = read_whole_block(r, "endwith");
    heed_jinja_keep_items(r, &parts, node);
    return node;
}

/* Reads "(a, b=1)". The defaults count for the depth of `node`. */
static const jinja_signature *read_signature(jinja_reader *r, jinja_node *node)
{
    jinja_signature *signature = heed_jinja_keep(r, 1, sizeof *signature);
    jinja_nodes defaults = {0};
    int32_t *parameters = NULL;
    size_t capacity = 0;
    heed_jinja_expect(r, '(');
    while (r->status == HEED_OK && !heed_jinja_at(r, ')')) {
        if (signature->count && !heed_jinja_expect(r, ',')) break;
        int32_t name = expect_name(r);
        if (!heed_grow(&parameters, &capacity, (size_t)signature->count + 1, sizeof *parameters))
            r->status = heed_fail_memory(r->error, capacity, "a template");
        if (r->status != HEED_OK) break;
        parameters[signature->count++] = name;
        if (heed_jinja_skip(r, '='))
            heed_jinja_push(r, &defaults, heed_jinja_read_expression(r, true));
        else if (defaults.count)
            heed_jinja_refuse(r, HEED_E_FORMAT, node->line,
                              "a parameter without a default stands after one that has it");
    }
    heed_jinja_expect(r, ')');
    int32_t *kept = signature ? heed_jinja_keep(r, (size_t)signature->count + 1, sizeof *kept)
                              : NULL;
    if (kept) {
        if (signature->count) memcpy(kept, parameters, (size_t)signature->count * sizeof *kept);
        signature->parameters = kept;
        jinja_node *list = heed_jinja_node(r, JINJA_NODE_LIST, node->line);
        heed_jinja_keep_items(r, &defaults, list);
        node->c = heed_jinja_deepen(r, list);
        if (node->c) {
            signature->defaults = list->items;
            signature->default_count = list->count;
        }
    }
    free(defaults.items);
    free(parameters);
    return signature;
}

/* Reads the signature and the body of a macro or call block, and notes which special names the body
   mentions. `call` receives the call of a call block and is NULL for a macro. */
static jinja_node *read_callable(jinja_reader *r, jinja_node *node, jinja_node **call,
                                 const char *end)
{
    bool outer[3] = {r->uses_rest, r->uses_named_rest, r->uses_caller};
    int loops = r->loops;
    r->uses_rest = r->uses_named_rest = r->uses_caller = false;
    r->loops = 0;
    jinja_signature *signature = NULL;
    if (!call || heed_jinja_at(r, '(')) signature = (jinja_signature *)read_signature(r, node);
    else signature = heed_jinja_keep(r, 1, sizeof *signature);
    if (call) {
        *call = heed_jinja_read_expression(r, true);
        if (r->status == HEED_OK && (*call)->kind != JINJA_NODE_CALL)
            heed_jinja_refuse(r, HEED_E_FORMAT, node->line, "a call block needs a call of a macro");
    }
    jinja_node *body = read_whole_block(r, end);
    if (signature && r->status == HEED_OK) {
        signature->uses_rest = r->uses_rest;
        signature->uses_named_rest = r->uses_named_rest;
        signature->uses_caller = r->uses_caller;
        node->signature = signature;
    }
    r->uses_rest = outer[0];
    r->uses_named_rest = outer[1];
    r->uses_caller = outer[2];
    r->loops = loops;
    return body;
}

static jinja_node *read_macro(jinja_reader *r, jinja_node *node)
{
    node->name = expect_name(r);
    node->a = read_callable(r, node, NULL, "endmacro");
    return node;
}

static jinja_node *read_call_block(jinja_reader *r, jinja_node *node)
{
    node->b = read_callable(r, node, &node->a, "endcall");
    return node;
}

static jinja_node *read_filter_block(jinja_reader *r, jinja_node *node)
{
    node->c = heed_jinja_read_filters(r, NULL, true);
    node->b = read_whole_block(r, "endfilter");
    return node;
}

static jinja_node *read_generation(jinja_reader *r, jinja_node *node)
{
    int loops = r->loops;
    r->loops = 0; /* the block is a call in Jinja, so no loop around it can be left from inside */
    node->a = read_whole_block(r, "endgeneration");
    r->loops = loops;
    r->jinja->marks_generation = true;
    return node;
}

/* break and continue. */
static jinja_node *read_jump(jinja_reader *r, jinja_node *node)
{
    if (!r->loops)
        heed_jinja_refuse(r, HEED_E_FORMAT, node->line,
                          "break and continue need a loop around them");
    return node;
}

static jinja_node *read_print(jinja_reader *r, jinja_node *node)
{
    jinja_nodes parts = {0};
    while (r->status == HEED_OK && r->token.kind != JINJA_TOKEN_BLOCK_END) {
        if (parts.count && !heed_jinja_expect(r, ',')) break;
        jinja_node *print = heed_jinja_node(r, JINJA_NODE_PRINT, node->line);
        if (print) print->a = heed_jinja_read_expression(r, true);
        heed_jinja_push(r, &parts, heed_jinja_deepen(r, print));
    }
    heed_jinja_keep_items(r, &parts, node);
    return node;
}

static const struct {
    const char *name;
    jinja_node_kind kind;
    jinja_node *(*read)(jinja_reader *, jinja_node *);
} statements[] = {
    {"for", JINJA_NODE_FOR, read_for},
    {"if", JINJA_NODE_IF, read_if},
    {"set", JINJA_NODE_SET, read_set},
    {"macro", JINJA_NODE_MACRO, read_macro},
    {"call", JINJA_NODE_CALL_BLOCK, read_call_block},
    {"filter", JINJA_NODE_FILTER_BLOCK, read_filter_block},
    {"with", JINJA_NODE_WITH, read_with},
    {"generation", JINJA_NODE_GENERATION, read_generation},
    {"print", JINJA_NODE_BODY, read_print},
    {"break", JINJA_NODE_BREAK, read_jump},
    {"continue", JINJA_NODE_CONTINUE, read_jump},
    {"block", JINJA_NODE_BODY, NULL},
    {"extends", JINJA_NODE_BODY, NULL},
    {"include", JINJA_NODE_BODY, NULL},
    {"import", JINJA_NODE_BODY, NULL},
    {"from", JINJA_NODE_BODY, NULL},
    {"autoescape", JINJA_NODE_BODY, NULL},
};

static jinja_node *read_statement(jinja_reader *r)
{
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        if (!heed_jinja_at_name(r, statements[i].name)) continue;
        uint32_t line = r->token.line;
        if (!statements[i].read) {
            heed_jinja_refuse(r, HEED_E_UNSUPPORTED, line,
                              "the tag \"%s\" of Jinja is not supported: a template stands alone",
                              statements[i].name);
            return NULL;
        }
        jinja_node *node = heed_jinja_node(r, statements[i].kind, line);
        heed_jinja_advance(r);
        return node ? heed_jinja_deepen(r, statements[i].read(r, node)) : NULL;
    }
    heed_jinja_refuse_token(r, "the name of a tag");
    return NULL;
}

/* Returns whether the current token is one of the names in `ends`. */
static bool at_end(const jinja_reader *r, const char *ends)
{
    for (const char *name = ends; name && *name;) {
        size_t length = strcspn(name, " ");
        if (r->token.kind == JINJA_TOKEN_NAME && r->token.value.length == length &&
            memcmp(r->token.value.text, name, length) == 0)
            return true;
        name += length + (name[length] == ' ');
    }
    return false;
}

jinja_node *heed_jinja_read_body(jinja_reader *r, const char *ends)
{
    jinja_nodes nodes = {0};
    jinja_node *body = heed_jinja_node(r, JINJA_NODE_BODY, r->token.line);
    if (++r->depth > JINJA_DEPTH)
        heed_jinja_refuse(r, HEED_E_FORMAT, r->token.line, "nested more than %d levels deep",
                          JINJA_DEPTH);
    while (r->status == HEED_OK) {
        uint32_t line = r->token.line;
        if (r->token.kind == JINJA_TOKEN_END) {
            if (ends)
                heed_jinja_refuse(r, HEED_E_FORMAT, line,
                                  "the template ends where one of these tags was expected: %s",
                                  ends);
            break;
        }
        if (r->token.kind == JINJA_TOKEN_DATA) {
            jinja_node *data = r->token.value.length ? heed_jinja_node(r, JINJA_NODE_DATA, line)
                                                     : NULL;
            if (data) {
                data->value = r->token.value;
                heed_jinja_push(r, &nodes, data);
            }
            heed_jinja_advance(r);
        } else if (r->token.kind == JINJA_TOKEN_PRINT_BEGIN) {
            heed_jinja_advance(r);
            jinja_node *print = heed_jinja_node(r, JINJA_NODE_PRINT, line);
            if (print) print->a = heed_jinja_read_tuple(r, true, false, NULL);
            heed_jinja_push(r, &nodes, heed_jinja_deepen(r, print));
            if (r->status == HEED_OK && r->token.kind != JINJA_TOKEN_PRINT_END)
                heed_jinja_refuse_token(r, "\"}}\"");
            heed_jinja_advance(r);
        } else {
            heed_jinja_advance(r);
            if (at_end(r, ends)) break;
            heed_jinja_push(r, &nodes, read_statement(r));
            end_tag(r);
        }
    }
    r->depth--;
    heed_jinja_keep_items(r, &nodes, body);
    return heed_jinja_deepen(r, body);
}
