/* expression.c: reads expressions by Jinja's grammar; terminals.c reads its constants, names and
   operators. From the loosest to the tightest binding:
     a if b else c
     or
     and
     not
     == != < <= > >= in, chained
     + -
     ~
     * / // %
     **
     - + of one operand
     attributes, items and calls
     filters and tests */
#include "jinja/tree_internal.h"

#include <stdlib.h>
#include <string.h>

static bool enter(jinja_reader *r)
{
    if (++r->depth <= JINJA_DEPTH) return r->status == HEED_OK;
    heed_jinja_refuse(r, HEED_E_FORMAT, r->token.line, "nested more than %d levels deep",
                      JINJA_DEPTH);
    return false;
}

/* ---- primaries ---- */

/* Reads "[a, b]" or, with `pairs`, "{a: b, c: d}". The opening bracket is the current token. */
static jinja_node *read_list(jinja_reader *r, bool pairs)
{
    jinja_node *node = heed_jinja_node(r, pairs ? JINJA_NODE_DICT : JINJA_NODE_LIST, r->token.line);
    int end = pairs ? '}' : ']';
    jinja_nodes items = {0};
    heed_jinja_advance(r);
    while (r->status == HEED_OK && !heed_jinja_at(r, end)) {
        if (items.count && (!heed_jinja_expect(r, ',') || heed_jinja_at(r, end))) break;
        heed_jinja_push(r, &items, heed_jinja_read_expression(r, true));
        if (!pairs) continue;
        heed_jinja_expect(r, ':');
        heed_jinja_push(r, &items, heed_jinja_read_expression(r, true));
    }
    heed_jinja_expect(r, end);
    heed_jinja_keep_items(r, &items, node);
    return heed_jinja_deepen(r, node);
}

jinja_node *heed_jinja_read_primary(jinja_reader *r)
{
    switch (r->token.kind) {
    case JINJA_TOKEN_NAME: return heed_jinja_read_name(r);
    case JINJA_TOKEN_STRING: return heed_jinja_read_strings(r);
    case JINJA_TOKEN_INTEGER:
    case JINJA_TOKEN_NUMBER: return heed_jinja_read_constant(r, r->token.value);
    default: break;
    }
    if (heed_jinja_at(r, '[')) return read_list(r, false);
    if (heed_jinja_at(r, '{')) return read_list(r, true);
    if (heed_jinja_skip(r, '(')) {
        jinja_node *node = heed_jinja_read_tuple(r, true, true, NULL);
        heed_jinja_expect(r, ')');
        return node;
    }
    heed_jinja_refuse_token(r, "an expression");
    return NULL;
}

/* ---- attributes, items, calls, filters and tests ---- */

/* Reads what is in brackets: a value or a:b:c. */
static jinja_node *read_subscript(jinja_reader *r)
{
    uint32_t line = r->token.line;
    jinja_node *first = heed_jinja_at(r, ':') ? NULL : heed_jinja_read_expression(r, true);
    if (!heed_jinja_skip(r, ':')) return first;
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_SLICE, line);
    if (!node) return NULL;
    node->a = first;
    if (!heed_jinja_at(r, ':') && !heed_jinja_at(r, ']') && !heed_jinja_at(r, ','))
        node->b = heed_jinja_read_expression(r, true);
    if (heed_jinja_skip(r, ':') && !heed_jinja_at(r, ']') && !heed_jinja_at(r, ','))
        node->c = heed_jinja_read_expression(r, true);
    return heed_jinja_deepen(r, node);
}

static jinja_node *read_item(jinja_reader *r, jinja_node *value)
{
    jinja_nodes keys = {0};
    uint32_t line = r->token.line;
    while (r->status == HEED_OK && !heed_jinja_at(r, ']')) {
        if (keys.count && !heed_jinja_expect(r, ',')) break;
        heed_jinja_push(r, &keys, read_subscript(r));
    }
    heed_jinja_expect(r, ']');
    if (r->status == HEED_OK && !keys.count)
        heed_jinja_refuse(r, HEED_E_FORMAT, line, "nothing stands in brackets");
    jinja_node *key = keys.count == 1 ? keys.items[0] : heed_jinja_node(r, JINJA_NODE_TUPLE, line);
    if (keys.count == 1) free(keys.items);
    else heed_jinja_keep_items(r, &keys, key);
    return heed_jinja_join(r, JINJA_NODE_ITEM, 0, value,
                           keys.count == 1 ? key : heed_jinja_deepen(r, key));
}

static jinja_node *read_dot(jinja_reader *r, jinja_node *value)
{
    if (r->token.kind == JINJA_TOKEN_INTEGER)
        return heed_jinja_join(r, JINJA_NODE_ITEM, 0, value,
                               heed_jinja_read_constant(r, r->token.value));
    if (r->token.kind != JINJA_TOKEN_NAME) {
        heed_jinja_refuse_token(r, "a name or a number after \".\"");
        return NULL;
    }
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_ATTRIBUTE, r->token.line);
    int32_t name = heed_jinja_name(r, r->token.value.text, r->token.value.length);
    heed_jinja_advance(r);
    if (!node || !value || name < 0) return NULL;
    node->a = value;
    node->value = r->jinja->names[name];
    return heed_jinja_deepen(r, node);
}

/* Reads "(a, b, name=c, *d, **e)". */
static const jinja_arguments *read_arguments(jinja_reader *r)
{
    jinja_arguments *arguments = heed_jinja_keep(r, 1, sizeof *arguments);
    jinja_nodes positional = {0}, named = {0}, names = {0};
    uint32_t line = r->token.line;
    heed_jinja_expect(r, '(');
    for (bool first = true; r->status == HEED_OK && !heed_jinja_at(r, ')'); first = false) {
        if (!first && (!heed_jinja_expect(r, ',') || heed_jinja_at(r, ')'))) break;
        bool late = arguments->named_rest, misplaced = late;
        if (heed_jinja_skip(r, '*')) {
            misplaced = late || arguments->rest;
            arguments->rest = heed_jinja_read_expression(r, true);
        } else if (heed_jinja_skip(r, JINJA_OP_POWER)) {
            arguments->named_rest = heed_jinja_read_expression(r, true);
        } else if (r->token.kind == JINJA_TOKEN_NAME && r->next.kind == JINJA_TOKEN_OPERATOR &&
                   r->next.operation == '=') {
            jinja_node *name = heed_jinja_node(r, JINJA_NODE_CONSTANT, r->token.line);
            if (name) name->value = r->token.value;
            heed_jinja_advance(r);
            heed_jinja_advance(r);
            heed_jinja_push(r, &names, name);
            heed_jinja_push(r, &named, heed_jinja_read_expression(r, true));
        } else {
            misplaced = late || arguments->rest || named.count;
            heed_jinja_push(r, &positional, heed_jinja_read_expression(r, true));
        }
        if (misplaced)
            heed_jinja_refuse(r, HEED_E_FORMAT, line,
                              "arguments of a call stand in the wrong order");
    }
    heed_jinja_expect(r, ')');
    jinja_node list = {0}, named_list = {0};
    jinja_value *strings = heed_jinja_keep(r, names.count + 1, sizeof *strings);
    for (size_t i = 0; strings && i < names.count; i++) strings[i] = names.items[i]->value;
    heed_jinja_keep_items(r, &positional, &list);
    heed_jinja_keep_items(r, &named, &named_list);
    free(names.items);
    if (r->status != HEED_OK) return NULL;
    arguments->positional = list.items;
    arguments->count = list.count;
    arguments->named = named_list.items;
    arguments->named_count = named_list.count;
    arguments->names = strings;
    return arguments;
}

jinja_node *heed_jinja_read_call(jinja_reader *r, jinja_node *function)
{
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_CALL, r->token.line);
    const jinja_arguments *arguments = read_arguments(r);
    if (!node || !function || !arguments) return NULL;
    node->a = function;
    node->arguments = arguments;
    return heed_jinja_deepen(r, node);
}

static jinja_node *read_postfix(jinja_reader *r, jinja_node *node)
{
    while (node && r->status == HEED_OK) {
        if (heed_jinja_skip(r, '.')) node = read_dot(r, node);
        else if (heed_jinja_skip(r, '[')) node = read_item(r, node);
        else if (heed_jinja_at(r, '(')) node = heed_jinja_read_call(r, node);
        else break;
    }
    return node;
}

/* Reads the name of a filter or test and its arguments, if there are any. */
static jinja_node *read_builtin(jinja_reader *r, jinja_node_kind kind, jinja_node *subject)
{
    static const jinja_arguments nothing = {0};
    if (r->token.kind != JINJA_TOKEN_NAME)
        heed_jinja_refuse_token(r, kind == JINJA_NODE_FILTER ? "the name of a filter"
                                                             : "the name of a test");
    jinja_value name = r->token.value;
    jinja_node *node = heed_jinja_node(r, kind, r->token.line);
    if (!node) return NULL;
    node->builtin = kind == JINJA_NODE_FILTER ? heed_jinja_filter(name.text, name.length)
                                              : heed_jinja_test(name.text, name.length);
    if (!node->builtin) {
        const char *what = kind == JINJA_NODE_FILTER ? "filter" : "test";
        const int shown = (int)(name.length < 60 ? name.length : 60);
        heed_jinja_refuse(r, HEED_E_UNSUPPORTED, node->line, "there is no %s \"%.*s\"", what, shown,
                          name.text);
    }
    heed_jinja_advance(r);
    node->a = subject;
    node->arguments = heed_jinja_at(r, '(') ? read_arguments(r) : &nothing;
    return node->arguments ? node : NULL;
}

jinja_node *heed_jinja_read_filters(jinja_reader *r, jinja_node *node, bool inline_start)
{
    while (r->status == HEED_OK && (inline_start || heed_jinja_skip(r, '|'))) {
        node = heed_jinja_deepen(r, read_builtin(r, JINJA_NODE_FILTER, node));
        inline_start = false;
    }
    return node;
}

/* Reads a test after "is": "not name argument". An argument without parentheses is a primary. */
static jinja_node *read_test(jinja_reader *r, jinja_node *subject)
{
    bool negated = heed_jinja_skip_name(r, "not");
    jinja_node *node = read_builtin(r, JINJA_NODE_TEST, subject);
    if (!node) return NULL;
    bool begins = r->token.kind == JINJA_TOKEN_NAME || r->token.kind == JINJA_TOKEN_STRING ||
                  r->token.kind == JINJA_TOKEN_INTEGER || r->token.kind == JINJA_TOKEN_NUMBER ||
                  heed_jinja_at(r, '(') || heed_jinja_at(r, '[') || heed_jinja_at(r, '{');
    bool joins = heed_jinja_at_name(r, "else") || heed_jinja_at_name(r, "or") ||
                 heed_jinja_at_name(r, "and");
    bool has_arguments = node->arguments->count || node->arguments->named_count ||
                         node->arguments->rest || node->arguments->named_rest;
    if (begins && !joins && !has_arguments) {
        if (heed_jinja_at_name(r, "is"))
            heed_jinja_refuse(r, HEED_E_FORMAT, node->line, "tests cannot be chained with \"is\"");
        jinja_arguments *arguments = heed_jinja_keep(r, 1, sizeof *arguments);
        jinja_node **one = heed_jinja_keep(r, 1, sizeof *one);
        jinja_node *argument = read_postfix(r, heed_jinja_read_primary(r));
        if (!arguments || !one || !argument) return NULL;
        *one = argument;
        arguments->positional = one;
        arguments->count = 1;
        node->arguments = arguments;
    }
    node = heed_jinja_deepen(r, node);
    jinja_node *opposite = negated && node ? heed_jinja_node(r, JINJA_NODE_NOT, node->line) : NULL;
    if (!opposite) return negated ? NULL : node;
    opposite->a = node;
    return heed_jinja_deepen(r, opposite);
}

/* ---- operators ---- */

static jinja_node *read_unary(jinja_reader *r, bool filters)
{
    jinja_node *node = NULL;
    if (!enter(r)) return NULL;
    if (heed_jinja_at(r, '-') || heed_jinja_at(r, '+')) {
        jinja_node_kind kind = heed_jinja_at(r, '-') ? JINJA_NODE_NEGATIVE : JINJA_NODE_POSITIVE;
        jinja_node *sign = heed_jinja_node(r, kind, r->token.line);
        heed_jinja_advance(r);
        jinja_node *operand = read_unary(r, false);
        if (sign && operand) {
            sign->a = operand;
            node = heed_jinja_deepen(r, sign);
        }
    } else node = heed_jinja_read_primary(r);
    node = read_postfix(r, node);
    while (filters && node && r->status == HEED_OK) {
        if (heed_jinja_at(r, '|')) node = heed_jinja_read_filters(r, node, false);
        else if (heed_jinja_skip_name(r, "is")) node = read_test(r, node);
        else if (heed_jinja_at(r, '(')) node = heed_jinja_read_call(r, node);
        else break;
    }
    r->depth--;
    return node;
}

/* Reads operators of this precedence; operands are what binds tighter. All are left-associative,
   except that a whole chain of ~ is one node. */
static jinja_node *read_arithmetic(jinja_reader *r, jinja_precedence precedence)
{
    if (precedence == JINJA_PRECEDENCE_UNARY) return read_unary(r, true);
    jinja_node *left = read_arithmetic(r, precedence + 1);
    if (precedence == JINJA_PRECEDENCE_CONCATENATE && heed_jinja_at(r, '~')) {
        jinja_nodes parts = {0};
        jinja_node *node = heed_jinja_node(r, JINJA_NODE_CONCATENATE, r->token.line);
        heed_jinja_push(r, &parts, left);
        while (heed_jinja_skip(r, '~'))
            heed_jinja_push(r, &parts, read_arithmetic(r, precedence + 1));
        heed_jinja_keep_items(r, &parts, node);
        return heed_jinja_deepen(r, node);
    }
    for (int found; left && (found = heed_jinja_skip_arithmetic(r, precedence)) >= 0;)
        left = heed_jinja_join(r, JINJA_NODE_ARITHMETIC, found, left,
                               read_arithmetic(r, precedence + 1));
    return left;
}

static jinja_node *read_comparison(jinja_reader *r)
{
    jinja_node *left = read_arithmetic(r, JINJA_PRECEDENCE_SUM);
    int operation = left ? heed_jinja_skip_comparison(r) : -1;
    if (operation < 0) return left;
    jinja_nodes operands = {0};
    heed_buffer operations = {0};
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_COMPARE, left->line);
    heed_jinja_push(r, &operands, left);
    for (; operation >= 0 && r->status == HEED_OK; operation = heed_jinja_skip_comparison(r)) {
        heed_buffer_byte(&operations, operation);
        heed_jinja_push(r, &operands, read_arithmetic(r, JINJA_PRECEDENCE_SUM));
    }
    uint8_t *kept = heed_jinja_keep(r, operations.length + 1, 1);
    if (operations.failed && r->status == HEED_OK)
        r->status = heed_fail_memory(r->error, operations.length, "a template");
    heed_jinja_keep_items(r, &operands, node);
    if (node && kept && r->status == HEED_OK) {
        memcpy(kept, operations.data, operations.length);
        node->operations = kept;
    }
    heed_buffer_free(&operations);
    return heed_jinja_deepen(r, node);
}

static jinja_node *read_not(jinja_reader *r)
{
    if (!heed_jinja_at_name(r, "not")) return read_comparison(r);
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_NOT, r->token.line);
    heed_jinja_advance(r);
    if (!enter(r)) return NULL;
    jinja_node *operand = read_not(r);
    r->depth--;
    if (!node || !operand) return NULL;
    node->a = operand;
    return heed_jinja_deepen(r, node);
}

static jinja_node *read_and(jinja_reader *r)
{
    jinja_node *left = read_not(r);
    while (left && heed_jinja_skip_name(r, "and"))
        left = heed_jinja_join(r, JINJA_NODE_AND, 0, left, read_not(r));
    return left;
}

static jinja_node *read_or(jinja_reader *r)
{
    jinja_node *left = read_and(r);
    while (left && heed_jinja_skip_name(r, "or"))
        left = heed_jinja_join(r, JINJA_NODE_OR, 0, left, read_and(r));
    return left;
}

jinja_node *heed_jinja_read_expression(jinja_reader *r, bool conditional)
{
    if (!enter(r)) return NULL;
    jinja_node *value = read_or(r);
    while (conditional && value && heed_jinja_skip_name(r, "if")) {
        jinja_node *condition = read_or(r), *other = NULL;
        if (heed_jinja_skip_name(r, "else")) other = heed_jinja_read_expression(r, true);
        jinja_node *node = heed_jinja_join(r, JINJA_NODE_CONDITIONAL, 0, value, condition);
        if (node) node->c = other;
        value = heed_jinja_deepen(r, node);
    }
    r->depth--;
    return r->status == HEED_OK ? value : NULL;
}

jinja_node *heed_jinja_read_tuple(jinja_reader *r, bool conditional, bool explicit_parentheses,
                                  const char *end)
{
    jinja_nodes items = {0};
    bool several = false;
    uint32_t line = r->token.line;
    while (r->status == HEED_OK) {
        if (items.count && !heed_jinja_expect(r, ',')) break;
        bool ends = r->token.kind == JINJA_TOKEN_PRINT_END ||
                    r->token.kind == JINJA_TOKEN_BLOCK_END || heed_jinja_at(r, ')') ||
                    (end && heed_jinja_at_name(r, end));
        if (ends) break;
        heed_jinja_push(r, &items, heed_jinja_read_expression(r, conditional));
        if (!heed_jinja_at(r, ',')) break;
        several = true;
    }
    if (!several && !items.count && !explicit_parentheses && r->status == HEED_OK)
        heed_jinja_refuse_token(r, "an expression");
    jinja_node *only = !several && items.count == 1 ? items.items[0] : NULL;
    jinja_node *tuple = only ? only : heed_jinja_node(r, JINJA_NODE_TUPLE, line);
    if (only) free(items.items);
    else heed_jinja_keep_items(r, &items, tuple);
    return heed_jinja_deepen(r, tuple);
}
