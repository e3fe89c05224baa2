/* nodes.c: makes nodes and lists of nodes, and handles the current token. Nesting is counted, so
   that no template can exhaust the stack. */
#include "jinja/tree_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jinja_node *heed_jinja_node(jinja_reader *r, jinja_node_kind kind, uint32_t line)
{
    jinja_node *node = heed_jinja_keep(r, 1, sizeof *node);
    if (!node) return NULL;
    node->kind = (uint8_t)kind;
    node->line = line;
    return node;
}

static void deepen_by(jinja_node *node, const jinja_node *child)
{
    if (child && child->depth >= node->depth) node->depth = (uint16_t)(child->depth + 1);
}

jinja_node *heed_jinja_deepen(jinja_reader *r, jinja_node *node)
{
    if (!node || r->status != HEED_OK) return NULL;
    deepen_by(node, node->a);
    deepen_by(node, node->b);
    deepen_by(node, node->c);
    for (int32_t i = 0; i < node->count; i++) deepen_by(node, node->items[i]);
    if (node->kind == JINJA_NODE_CALL || node->kind == JINJA_NODE_FILTER ||
        node->kind == JINJA_NODE_TEST) {
        const jinja_arguments *arguments = node->arguments;
        for (int32_t i = 0; i < arguments->count; i++) deepen_by(node, arguments->positional[i]);
        for (int32_t i = 0; i < arguments->named_count; i++) deepen_by(node, arguments->named[i]);
        deepen_by(node, arguments->rest);
        deepen_by(node, arguments->named_rest);
    }
    if (node->depth <= JINJA_DEPTH) return node;
    heed_jinja_refuse(r, HEED_E_FORMAT, node->line, "nested more than %d levels deep", JINJA_DEPTH);
    return NULL;
}

bool heed_jinja_push(jinja_reader *r, jinja_nodes *nodes, jinja_node *node)
{
    if (!node || r->status != HEED_OK) return false;
    if (nodes->count >= INT32_MAX / 2 ||
        !heed_grow(&nodes->items, &nodes->capacity, nodes->count + 1, sizeof *nodes->items)) {
        r->status = heed_fail_memory(r->error, nodes->count * sizeof *nodes->items, "a template");
        return false;
    }
    nodes->items[nodes->count++] = node;
    return true;
}

void heed_jinja_keep_items(jinja_reader *r, jinja_nodes *nodes, jinja_node *node)
{
    jinja_node **items = node ? heed_jinja_keep(r, nodes->count + 1, sizeof *items) : NULL;
    if (items) {
        if (nodes->count) memcpy(items, nodes->items, nodes->count * sizeof *items);
        node->items = items;
        node->count = (int32_t)nodes->count;
    }
    free(nodes->items);
    *nodes = (jinja_nodes){0};
}

jinja_node *heed_jinja_join(jinja_reader *r, jinja_node_kind kind, int operation, jinja_node *a,
                            jinja_node *b)
{
    jinja_node *node = a && b ? heed_jinja_node(r, kind, a->line) : NULL;
    if (!node) return NULL;
    node->operation = (uint8_t)operation;
    node->a = a;
    node->b = b;
    return heed_jinja_deepen(r, node);
}

/* ---- tokens ---- */

bool heed_jinja_at(const jinja_reader *r, int operation)
{
    return r->token.kind == JINJA_TOKEN_OPERATOR && r->token.operation == operation;
}

bool heed_jinja_at_name(const jinja_reader *r, const char *name)
{
    return r->token.kind == JINJA_TOKEN_NAME && r->token.value.length == strlen(name) &&
           memcmp(r->token.value.text, name, strlen(name)) == 0;
}

bool heed_jinja_skip(jinja_reader *r, int operation)
{
    if (!heed_jinja_at(r, operation)) return false;
    heed_jinja_advance(r);
    return true;
}

bool heed_jinja_skip_name(jinja_reader *r, const char *name)
{
    if (!heed_jinja_at_name(r, name)) return false;
    heed_jinja_advance(r);
    return true;
}

void heed_jinja_refuse_token(jinja_reader *r, const char *expected)
{
    const jinja_token *token = &r->token;
    static const char *const names[] = {[JINJA_TOKEN_END] = "the end of the template",
                                        [JINJA_TOKEN_DATA] = "text",
                                        [JINJA_TOKEN_BLOCK_BEGIN] = "a tag",
                                        [JINJA_TOKEN_BLOCK_END] = "the end of the tag",
                                        [JINJA_TOKEN_PRINT_BEGIN] = "\"{{\"",
                                        [JINJA_TOKEN_PRINT_END] = "\"}}\"",
                                        [JINJA_TOKEN_STRING] = "a string",
                                        [JINJA_TOKEN_INTEGER] = "a number",
                                        [JINJA_TOKEN_NUMBER] = "a number"};
    char found[48];
    if (token->kind == JINJA_TOKEN_NAME)
        snprintf(found, sizeof found, "\"%.*s\"",
                 (int)(token->value.length < 40 ? token->value.length : 40), token->value.text);
    else if (token->kind == JINJA_TOKEN_OPERATOR)
        snprintf(found, sizeof found, "\"%c%c\"", token->operation & 0xFF,
                 token->operation >> 8 ? token->operation >> 8 : ' ');
    else snprintf(found, sizeof found, "%s", names[token->kind]);
    heed_jinja_refuse(r, HEED_E_FORMAT, token->line, "found %s, expected %s", found, expected);
}

bool heed_jinja_expect(jinja_reader *r, int operation)
{
    if (heed_jinja_skip(r, operation)) return true;
    char expected[8];
    snprintf(expected, sizeof expected, "\"%c%c", operation & 0xFF,
             operation >> 8 ? operation >> 8 : '"');
    heed_jinja_refuse_token(r, expected);
    return false;
}
