/* evaluate.c: evaluates expressions and calls. Every level of evaluation is counted, which bounds
   the stack. */
#include "jinja/run.h"

#include <stdlib.h>
#include <string.h>

/* ---- arguments ---- */

bool heed_jinja_arguments(jinja_run *run, const jinja_arguments *arguments, jinja_call *call,
                          const jinja_value *extra)
{
    size_t count = (size_t)arguments->count, named = (size_t)arguments->named_count;
    *call = (jinja_call){0};
    if (!count && !named && !arguments->rest && !arguments->named_rest && !extra)
        return !heed_jinja_failed(run);
    jinja_value rest = arguments->rest ? heed_jinja_evaluate(run, arguments->rest) : jinja_none();
    const jinja_sequence *more = arguments->rest ? heed_jinja_walk(run, rest) : NULL;
    jinja_value names = arguments->named_rest ? heed_jinja_evaluate(run, arguments->named_rest)
                                              : jinja_none();
    if (arguments->named_rest && names.kind != JINJA_DICT && !heed_jinja_failed(run))
        heed_jinja_fail(run, "what stands after ** must be a dict");
    if (heed_jinja_failed(run)) return false;
    size_t more_count = more ? more->count : 0;
    size_t more_named = names.kind == JINJA_DICT ? names.dict->count : 0;
    jinja_value *values = heed_jinja_take(run, count + more_count + 1, sizeof *values);
    jinja_value *keys = heed_jinja_take(run, named + more_named + 1, sizeof *keys);
    jinja_value *named_values = heed_jinja_take(run, named + more_named + 1, sizeof *named_values);
    if (!named_values) return false;
    for (size_t i = 0; i < count; i++)
        values[i] = heed_jinja_evaluate(run, arguments->positional[i]);
    if (more_count) memcpy(values + count, more->items, more_count * sizeof *values);
    for (size_t i = 0; i < named; i++) {
        keys[i] = arguments->names[i];
        named_values[i] = heed_jinja_evaluate(run, arguments->named[i]);
    }
    for (size_t i = 0; i < more_named; i++) {
        keys[named + i] = names.dict->keys[i];
        named_values[named + i] = names.dict->values[i];
        if (keys[named + i].kind != JINJA_STRING)
            heed_jinja_fail(run, "the names after ** must be strings");
    }
    size_t total = named + more_named;
    if (extra) {
        keys[total] = heed_jinja_string("caller");
        named_values[total++] = *extra;
    }
    *call = (jinja_call){.positional = values,
                         .named = named_values,
                         .names = keys,
                         .count = count + more_count,
                         .named_count = total};
    return !heed_jinja_failed(run);
}

/* Puts the arguments of a call in the order of the builtin's parameters. Returns false after a
   failure. */
static bool order_arguments(jinja_run *run, const jinja_builtin *builtin, const jinja_call *call,
                            jinja_value arguments[JINJA_PARAMETERS])
{
    const char *names[JINJA_PARAMETERS];
    size_t lengths[JINJA_PARAMETERS], count = 0;
    for (const char *name = builtin->parameters; *name && count < JINJA_PARAMETERS; count++) {
        names[count] = name;
        lengths[count] = strcspn(name, " ");
        name += lengths[count] + (name[lengths[count]] == ' ');
    }
    if (call->count > count)
        heed_jinja_fail(run, "%s takes at most %zu arguments", builtin->name, count);
    for (size_t i = 0; i < JINJA_PARAMETERS; i++)
        arguments[i] = i < call->count ? call->positional[i] : jinja_missing();
    for (size_t i = 0; i < call->named_count; i++) {
        const jinja_value name = call->names[i];
        size_t j = 0;
        while (j < count &&
               !(lengths[j] == name.length && memcmp(names[j], name.text, lengths[j]) == 0))
            j++;
        if (j < count && arguments[j].kind == JINJA_MISSING) arguments[j] = call->named[i];
        else
            heed_jinja_fail(run, "%s has no argument \"%.*s\", or has it twice", builtin->name,
                            (int)(name.length < 60 ? name.length : 60), name.text);
    }
    for (int i = 0; i < builtin->required; i++)
        if (arguments[i].kind == JINJA_MISSING)
            heed_jinja_fail(run, "%s needs its argument \"%.*s\"", builtin->name, (int)lengths[i],
                            names[i]);
    return !heed_jinja_failed(run);
}

jinja_value heed_jinja_call_builtin(jinja_run *run, const jinja_builtin *builtin, jinja_value self,
                                    const jinja_call *call)
{
    jinja_value ordered[JINJA_PARAMETERS], *arguments = NULL;
    if (heed_jinja_failed(run) || !heed_jinja_spend(run, 1)) return heed_jinja_undefined("");
    if (builtin->parameters) {
        if (!order_arguments(run, builtin, call, ordered)) return heed_jinja_undefined("");
        arguments = ordered;
    }
    if (!heed_jinja_enter(run)) return heed_jinja_undefined("");
    jinja_value result = builtin->function(run, self, arguments, call);
    heed_jinja_leave(run);
    return result;
}

/* ---- macros ---- */

/* Returns the value of one parameter of a macro: the argument by position or name, otherwise its
   default. */
static jinja_value parameter(jinja_run *run, const jinja_signature *signature, int32_t i,
                             const jinja_call *call, bool *used)
{
    jinja_value name = run->jinja->names[signature->parameters[i]], given = jinja_missing();
    if ((size_t)i < call->count) given = call->positional[i];
    for (size_t j = 0; j < call->named_count; j++) {
        if (call->names[j].length != name.length ||
            memcmp(call->names[j].text, name.text, name.length) != 0)
            continue;
        if (given.kind != JINJA_MISSING)
            return heed_jinja_fail(run, "a macro gets an argument twice");
        given = call->named[j];
        used[j] = true;
    }
    if (given.kind != JINJA_MISSING) return given;
    int32_t at = i - (signature->count - signature->default_count);
    if (at >= 0) return heed_jinja_evaluate(run, signature->defaults[at]);
    return (jinja_value){.kind = JINJA_UNDEFINED, .length = name.length, .text = name.text};
}

/* Sets varargs, kwargs and caller if the macro mentions them. Any other leftover argument is an
   error. */
static void bind_rest(jinja_run *run, const jinja_signature *signature, jinja_scope *scope,
                      const jinja_call *call, const bool *used)
{
    size_t placed = (size_t)signature->count;
    jinja_value rest = heed_jinja_sequence(run, JINJA_TUPLE,
                                           call->count > placed ? call->count - placed : 0);
    jinja_value named = heed_jinja_dict(run, call->named_count),
                caller = heed_jinja_undefined("caller");
    if (heed_jinja_failed(run)) return;
    for (size_t i = placed; i < call->count; i++)
        rest.sequence->items[i - placed] = call->positional[i];
    for (size_t i = 0; i < call->named_count; i++) {
        if (used[i]) continue;
        if (heed_jinja_is(call->names[i], "caller") && signature->uses_caller)
            caller = call->named[i];
        else heed_jinja_put(run, named.dict, call->names[i], call->named[i]);
    }
    if (rest.sequence->count && !signature->uses_rest)
        heed_jinja_fail(run, "a macro takes at most %d arguments", (int)signature->count);
    if (named.dict->count && !signature->uses_named_rest)
        heed_jinja_fail(run, "a macro has no argument \"%.*s\"",
                        (int)(named.dict->keys[0].length < 60 ? named.dict->keys[0].length : 60),
                        named.dict->keys[0].text);
    if (signature->uses_rest) heed_jinja_assign(run, scope, run->jinja->name_rest, rest);
    if (signature->uses_named_rest)
        heed_jinja_assign(run, scope, run->jinja->name_named_rest, named);
    if (signature->uses_caller) heed_jinja_assign(run, scope, run->jinja->name_caller, caller);
}

jinja_value heed_jinja_call_macro(jinja_run *run, const jinja_macro *macro, const jinja_call *call)
{
    const jinja_signature *signature = macro->node->signature;
    jinja_scope *outer = run->scope, *scope = heed_jinja_scope(run, macro->scope);
    bool *used = heed_jinja_take(run, call->named_count + 1, sizeof *used);
    uint32_t line = run->line;
    if (!used) return heed_jinja_undefined("");
    run->scope = scope;
    for (int32_t i = 0; i < signature->count && !heed_jinja_failed(run); i++)
        heed_jinja_assign(run, scope, signature->parameters[i],
                          parameter(run, signature, i, call, used));
    bind_rest(run, signature, scope, call, used);
    jinja_value text = heed_jinja_capture(run, macro->body, scope);
    run->scope = outer;
    if (!heed_jinja_failed(run)) run->line = line;
    return text;
}

/* ---- calls ---- */

/* Calls a joiner: "" at first, then the separator. */
static jinja_value call_cycle(jinja_run *run, jinja_value function)
{
    jinja_cycle *cycle = function.cycle;
    (void)run;
    if (cycle->used) return cycle->separator;
    cycle->used = true;
    return heed_jinja_string("");
}

jinja_value heed_jinja_call(jinja_run *run, jinja_value function, const jinja_call *call)
{
    if (!heed_jinja_spend(run, 1)) return heed_jinja_undefined("");
    switch (function.kind) {
    case JINJA_FUNCTION: return heed_jinja_call_builtin(run, function.builtin, jinja_none(), call);
    case JINJA_METHOD:
        return heed_jinja_call_builtin(run, function.method->builtin, function.method->self, call);
    case JINJA_MACRO: return heed_jinja_call_macro(run, function.macro, call);
    case JINJA_JOINER: return call_cycle(run, function);
    case JINJA_LOOP:
        if (call->count == 1 && !call->named_count)
            return heed_jinja_recur(run, function.loop, call->positional[0]);
        return heed_jinja_fail(run, "a loop is called with what it shall walk over");
    default: return heed_jinja_fail_use(run, "call", function);
    }
}

static jinja_value evaluate_call(jinja_run *run, const jinja_node *node)
{
    jinja_call call;
    jinja_value function = heed_jinja_evaluate(run, node->a);
    if (heed_jinja_failed(run) || !heed_jinja_arguments(run, node->arguments, &call, NULL))
        return heed_jinja_undefined("");
    run->line = node->line;
    return heed_jinja_call(run, function, &call);
}

/* Evaluates a filter or test. */
static jinja_value evaluate_builtin(jinja_run *run, const jinja_node *node)
{
    jinja_call call;
    jinja_value self = heed_jinja_evaluate(run, node->a);
    if (heed_jinja_failed(run) || !heed_jinja_arguments(run, node->arguments, &call, NULL))
        return heed_jinja_undefined("");
    run->line = node->line;
    return heed_jinja_call_builtin(run, node->builtin, self, &call);
}

/* ---- the other expressions ---- */

static jinja_value evaluate_list(jinja_run *run, const jinja_node *node)
{
    jinja_value list = heed_jinja_sequence(
        run, node->kind == JINJA_NODE_LIST ? JINJA_LIST : JINJA_TUPLE, (size_t)node->count);
    for (int32_t i = 0; i < node->count && !heed_jinja_failed(run); i++)
        list.sequence->items[i] = heed_jinja_evaluate(run, node->items[i]);
    return list;
}

static jinja_value evaluate_dict(jinja_run *run, const jinja_node *node)
{
    jinja_value dict = heed_jinja_dict(run, (size_t)node->count / 2);
    for (int32_t i = 0; i + 1 < node->count && !heed_jinja_failed(run); i += 2) {
        jinja_value key = heed_jinja_evaluate(run, node->items[i]),
                    value = heed_jinja_evaluate(run, node->items[i + 1]);
        if (!heed_jinja_failed(run)) heed_jinja_put(run, dict.dict, key, value);
    }
    return dict;
}

static jinja_value evaluate_item(jinja_run *run, const jinja_node *node)
{
    jinja_value value = heed_jinja_evaluate(run, node->a);
    if (node->b->kind != JINJA_NODE_SLICE)
        return heed_jinja_item(run, value, heed_jinja_evaluate(run, node->b));
    const jinja_node *parts[3] = {node->b->a, node->b->b, node->b->c};
    jinja_value bounds[3];
    for (int i = 0; i < 3; i++)
        bounds[i] = parts[i] ? heed_jinja_evaluate(run, parts[i]) : jinja_none();
    return heed_jinja_slice(run, value, bounds);
}

/* Evaluates a chain of comparisons, which ends at the first that is false. */
static jinja_value evaluate_comparison(jinja_run *run, const jinja_node *node)
{
    jinja_value left = heed_jinja_evaluate(run, node->items[0]);
    for (int32_t i = 1; i < node->count && !heed_jinja_failed(run); i++) {
        jinja_value right = heed_jinja_evaluate(run, node->items[i]);
        if (heed_jinja_failed(run) ||
            !heed_jinja_compares(run, node->operations[i - 1], left, right))
            return jinja_boolean(false);
        left = right;
    }
    return jinja_boolean(true);
}

static jinja_value evaluate_concatenation(jinja_run *run, const jinja_node *node)
{
    heed_buffer text = {0};
    for (int32_t i = 0; i < node->count && !heed_jinja_failed(run); i++) {
        jinja_value part = heed_jinja_evaluate(run, node->items[i]);
        if (!heed_jinja_failed(run)) heed_jinja_print(run, &text, part);
    }
    return heed_jinja_take_buffer(run, &text);
}

/* Evaluates + or - with one operand. */
static jinja_value evaluate_sign(jinja_run *run, const jinja_node *node)
{
    jinja_value value = heed_jinja_evaluate(run, node->a);
    double real;
    if (heed_jinja_failed(run)) return value;
    if (!heed_jinja_real(value, &real)) return heed_jinja_fail_use(run, "take the sign of", value);
    if (node->kind == JINJA_NODE_POSITIVE)
        return value.kind == JINJA_BOOLEAN ? jinja_integer(value.boolean) : value;
    return value.kind == JINJA_NUMBER
               ? jinja_number(-value.number)
               : heed_jinja_arithmetic(run, JINJA_SUBTRACT, jinja_integer(0), value);
}

static jinja_value evaluate_attribute(jinja_run *run, const jinja_node *node)
{
    jinja_value value = heed_jinja_evaluate(run, node->a);
    run->line = node->line;
    return value.kind == JINJA_LOOP ? heed_jinja_loop_attribute(run, value.loop, node->value)
                                    : heed_jinja_attribute(run, value, node->value);
}

static jinja_value evaluate_conditional(jinja_run *run, const jinja_node *node)
{
    if (heed_jinja_truth(heed_jinja_evaluate(run, node->b)))
        return heed_jinja_evaluate(run, node->a);
    return node->c ? heed_jinja_evaluate(run, node->c)
                   : heed_jinja_undefined("the else of a conditional expression");
}

static jinja_value evaluate_kind(jinja_run *run, const jinja_node *node)
{
    jinja_value value;
    switch ((jinja_node_kind)node->kind) {
    case JINJA_NODE_CONSTANT: return node->value;
    case JINJA_NODE_NAME: return heed_jinja_look_up(run, node->name);
    case JINJA_NODE_TUPLE:
    case JINJA_NODE_LIST: return evaluate_list(run, node);
    case JINJA_NODE_DICT: return evaluate_dict(run, node);
    case JINJA_NODE_ATTRIBUTE: return evaluate_attribute(run, node);
    case JINJA_NODE_ITEM: return evaluate_item(run, node);
    case JINJA_NODE_CALL: return evaluate_call(run, node);
    case JINJA_NODE_FILTER:
    case JINJA_NODE_TEST: return evaluate_builtin(run, node);
    case JINJA_NODE_NOT: return jinja_boolean(!heed_jinja_truth(heed_jinja_evaluate(run, node->a)));
    case JINJA_NODE_NEGATIVE:
    case JINJA_NODE_POSITIVE: return evaluate_sign(run, node);
    case JINJA_NODE_ARITHMETIC:
        value = heed_jinja_evaluate(run, node->a);
        return heed_jinja_arithmetic(run, node->operation, value,
                                     heed_jinja_evaluate(run, node->b));
    case JINJA_NODE_COMPARE: return evaluate_comparison(run, node);
    case JINJA_NODE_AND:
    case JINJA_NODE_OR:
        value = heed_jinja_evaluate(run, node->a);
        return heed_jinja_truth(value) == (node->kind == JINJA_NODE_AND)
                   ? heed_jinja_evaluate(run, node->b)
                   : value;
    case JINJA_NODE_CONCATENATE: return evaluate_concatenation(run, node);
    case JINJA_NODE_CONDITIONAL: return evaluate_conditional(run, node);
    case JINJA_NODE_SLICE: return heed_jinja_fail(run, "several slices at once have no meaning");
    default: return heed_jinja_fail(run, "a statement stands where a value was expected");
    }
}

jinja_value heed_jinja_evaluate(jinja_run *run, const jinja_node *node)
{
    if (!heed_jinja_spend(run, 1) || !heed_jinja_enter(run)) return heed_jinja_undefined("");
    run->line = node->line;
    jinja_value value = evaluate_kind(run, node);
    heed_jinja_leave(run);
    return run->status == HEED_OK ? value : heed_jinja_undefined("");
}
