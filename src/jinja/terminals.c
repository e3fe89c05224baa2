/* terminals.c: the terminals of Jinja's expressions: constants, names and operators. */
#include "jinja/tree_internal.h"

#include <string.h>

/* ---- constants and names ---- */

jinja_node *heed_jinja_read_constant(jinja_reader *r, jinja_value value)
{
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_CONSTANT, r->token.line);
    if (node) node->value = value;
    heed_jinja_advance(r);
    return node;
}

jinja_node *heed_jinja_read_strings(jinja_reader *r)
{
    jinja_node *node = heed_jinja_read_constant(r, r->token.value);
    while (node && r->token.kind == JINJA_TOKEN_STRING) {
        size_t length = (size_t)node->value.length + r->token.value.length;
        char *text = heed_jinja_keep(r, length + 1, 1);
        if (!text) return NULL;
        if (node->value.length) memcpy(text, node->value.text, node->value.length);
        if (r->token.value.length)
            memcpy(text + node->value.length, r->token.value.text, r->token.value.length);
        node->value = jinja_text(text, length);
        heed_jinja_advance(r);
    }
    return node;
}

jinja_node *heed_jinja_read_name(jinja_reader *r)
{
    static const struct {
        const char *name;
        uint8_t kind;
        bool truth;
    } constants[] = {
        {"true", JINJA_BOOLEAN, true},   {"True", JINJA_BOOLEAN, true},
        {"false", JINJA_BOOLEAN, false}, {"False", JINJA_BOOLEAN, false},
        {"none", JINJA_NONE, false},     {"None", JINJA_NONE, false},
    };
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        if (heed_jinja_at_name(r, constants[i].name))
            return heed_jinja_read_constant(
                r, (jinja_value){.kind = constants[i].kind, .boolean = constants[i].truth});
    jinja_node *node = heed_jinja_node(r, JINJA_NODE_NAME, r->token.line);
    int32_t name = heed_jinja_name(r, r->token.value.text, r->token.value.length);
    if (!node || name < 0) return NULL;
    node->name = name;
    r->uses_rest |= name == r->jinja->name_rest;
    r->uses_named_rest |= name == r->jinja->name_named_rest;
    r->uses_caller |= name == r->jinja->name_caller;
    heed_jinja_advance(r);
    return node;
}

/* ---- operators ---- */

int heed_jinja_skip_arithmetic(jinja_reader *r, jinja_precedence precedence)
{
    static const struct {
        int operation;
        jinja_precedence precedence;
        jinja_operator meaning;
    } operators[] = {
        {'+', JINJA_PRECEDENCE_SUM, JINJA_ADD},
        {'-', JINJA_PRECEDENCE_SUM, JINJA_SUBTRACT},
        {'*', JINJA_PRECEDENCE_PRODUCT, JINJA_MULTIPLY},
        {'/', JINJA_PRECEDENCE_PRODUCT, JINJA_DIVIDE},
        {JINJA_OP_FLOOR, JINJA_PRECEDENCE_PRODUCT, JINJA_FLOOR_DIVIDE},
        {'%', JINJA_PRECEDENCE_PRODUCT, JINJA_REMAINDER},
        {JINJA_OP_POWER, JINJA_PRECEDENCE_POWER, JINJA_POWER},
    };
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (operators[i].precedence == precedence && heed_jinja_skip(r, operators[i].operation))
            return operators[i].meaning;
    return -1;
}

int heed_jinja_skip_comparison(jinja_reader *r)
{
    static const struct {
        int operation;
        jinja_operator meaning;
    } comparisons[] = {
        {JINJA_OP_EQUAL, JINJA_EQUAL},
        {JINJA_OP_UNEQUAL, JINJA_UNEQUAL},
        {'<', JINJA_LESS},
        {JINJA_OP_LESS_EQUAL, JINJA_LESS_EQUAL},
        {'>', JINJA_GREATER},
        {JINJA_OP_GREATER_EQUAL, JINJA_GREATER_EQUAL},
    };
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
        if (heed_jinja_skip(r, comparisons[i].operation)) return comparisons[i].meaning;
    if (heed_jinja_skip_name(r, "in")) return JINJA_IN;
    bool not_in = heed_jinja_at_name(r, "not") && r->next.kind == JINJA_TOKEN_NAME &&
                  r->next.value.length == 2 && memcmp(r->next.value.text, "in", 2) == 0;
    if (!not_in) return -1;
    heed_jinja_advance(r);
    heed_jinja_advance(r);
    return JINJA_NOT_IN;
}
