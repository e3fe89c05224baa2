/* execute.c: runs statements: output, conditions, loops, assignments, and bodies whose output is
   captured. */
#include "jinja/run.h"

#include <stdlib.h>
#include <string.h>

jinja_value heed_jinja_capture(jinja_run *run, const jinja_node *body, jinja_scope *scope)
{
    heed_buffer text = {0}, *outer = run->out;
    jinja_scope *around = run->scope;
    if (!scope || !heed_jinja_enter(run)) return heed_jinja_undefined("");
    run->out = &text;
    run->scope = scope;
    heed_jinja_execute(run, body);
    run->out = outer;
    run->scope = around;
    heed_jinja_leave(run);
    return heed_jinja_take_buffer(run, &text);
}

static jinja_value capture_here(jinja_run *run, const jinja_node *body)
{
    return heed_jinja_capture(run, body, heed_jinja_scope(run, run->scope));
}

/* Applies filters to captured text, the innermost first. The innermost filter node has no
   operand. */
static jinja_value filter_text(jinja_run *run, const jinja_node *filters, jinja_value text)
{
    jinja_call call;
    if (!filters || !heed_jinja_enter(run)) return text;
    text = filter_text(run, filters->a, text);
    heed_jinja_leave(run);
    if (heed_jinja_failed(run) || !heed_jinja_arguments(run, filters->arguments, &call, NULL))
        return text;
    return heed_jinja_call_builtin(run, filters->builtin, text, &call);
}

/* Assigns a value to a name, to an attribute of a namespace, or its elements to several targets. */
static void assign_target(jinja_run *run, jinja_scope *scope, const jinja_node *target,
                          jinja_value value)
{
    if (heed_jinja_failed(run)) return;
    run->line = target->line;
    if (target->kind == JINJA_NODE_NAME) heed_jinja_assign(run, scope, target->name, value);
    else if (target->kind == JINJA_NODE_ATTRIBUTE) {
        jinja_value space = heed_jinja_evaluate(run, target->a);
        if (heed_jinja_failed(run)) return;
        if (space.kind != JINJA_NAMESPACE)
            heed_jinja_fail(run, "only attributes of a namespace can be set");
        else if (target->value.length && target->value.text[0] == '_')
            heed_jinja_fail(run, "names in a namespace may not begin with an underscore");
        else heed_jinja_put(run, space.dict, target->value, value);
    } else {
        const jinja_sequence *items = heed_jinja_walk(run, value);
        if (!items) return;
        if (items->count != (size_t)target->count)
            heed_jinja_fail(run, "%zu values cannot be given to %d names", items->count,
                            (int)target->count);
        for (int32_t i = 0; i < target->count && !heed_jinja_failed(run); i++)
            assign_target(run, scope, target->items[i], items->items[i]);
    }
}

/* ---- loops ---- */

/* loop.nextitem or loop.previtem. */
static jinja_value neighbor(const jinja_loop *loop, bool next)
{
    if (next && loop->at + 1 >= loop->items->count)
        return heed_jinja_undefined("there is no next item");
    if (!next && loop->at == 0) return heed_jinja_undefined("there is no previous item");
    return loop->items->items[next ? loop->at + 1 : loop->at - 1];
}

/* loop.cycle(...) */
static jinja_value cycle(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    if (!call->count) return heed_jinja_fail(run, "cycle needs values");
    return call->positional[self.loop->at % call->count];
}

/* loop.changed(...) */
static jinja_value changed(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    jinja_loop *loop = self.loop;
    jinja_value now = heed_jinja_sequence(run, JINJA_TUPLE, call->count);
    (void)a;
    if (now.kind != JINJA_SEQUENCE) return now;
    if (call->count) memcpy(now.sequence->items, call->positional, call->count * sizeof now);
    bool same = loop->has_changed && heed_jinja_equal(run, loop->changed, now);
    loop->changed = now;
    loop->has_changed = true;
    return jinja_boolean(!same);
}

jinja_value heed_jinja_loop_attribute(jinja_run *run, jinja_loop *loop, jinja_value name)
{
    static const jinja_builtin methods[] = {
        {"cycle", NULL, 0, cycle},
        {"changed", NULL, 0, changed},
    };
    int64_t at = (int64_t)loop->at, count = (int64_t)loop->items->count,
            depth = (int64_t)loop->depth;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"index", at + 1},        {"index0", at},
        {"revindex", count - at}, {"revindex0", count - at - 1},
        {"length", count},        {"depth", depth + 1},
        {"depth0", depth},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (heed_jinja_is(name, numbers[i].name)) return jinja_integer(numbers[i].value);
    if (heed_jinja_is(name, "first")) return jinja_boolean(at == 0);
    if (heed_jinja_is(name, "last")) return jinja_boolean(at + 1 == count);
    if (heed_jinja_is(name, "previtem") || heed_jinja_is(name, "nextitem"))
        return neighbor(loop, heed_jinja_is(name, "nextitem"));
    for (size_t i = 0; i < 2; i++) {
        jinja_method *method = heed_jinja_is(name, methods[i].name)
                                   ? heed_jinja_take(run, 1, sizeof *method)
                                   : NULL;
        if (!method) continue;
        *method = (jinja_method){.self = {.kind = JINJA_LOOP, .loop = loop},
                                 .builtin = &methods[i]};
        return (jinja_value){.kind = JINJA_METHOD, .method = method};
    }
    return (jinja_value){.kind = JINJA_UNDEFINED, .length = name.length, .text = name.text};
}

/* Returns the elements that pass the condition of the loop. */
static const jinja_sequence *filtered(jinja_run *run, const jinja_node *node,
                                      const jinja_sequence *items)
{
    jinja_scope *around = run->scope;
    jinja_value kept = heed_jinja_sequence(run, JINJA_LIST, items->count);
    size_t count = 0;
    for (size_t i = 0; i < items->count && !heed_jinja_failed(run); i++) {
        jinja_scope *scope = heed_jinja_scope(run, around);
        if (!scope) break;
        run->scope = scope;
        assign_target(run, scope, node->a, items->items[i]);
        if (!heed_jinja_failed(run) && heed_jinja_truth(heed_jinja_evaluate(run, node->c)))
            kept.sequence->items[count++] = items->items[i];
        run->scope = around;
    }
    if (heed_jinja_failed(run)) return NULL;
    kept.sequence->count = count;
    return kept.sequence;
}

/* Runs the body, or the else part if there are no elements. `items` may be NULL after a failure. */
static void run_loop(jinja_run *run, const jinja_node *node, const jinja_sequence *items,
                     size_t depth)
{
    jinja_scope *around = run->scope;
    if (items && node->c) items = filtered(run, node, items);
    if (!items || heed_jinja_failed(run)) return;
    if (!items->count) {
        if (node->count > 1) {
            run->scope = heed_jinja_scope(run, around);
            if (run->scope) heed_jinja_execute(run, node->items[1]);
            run->scope = around;
        }
        return;
    }
    jinja_loop *loop = heed_jinja_take(run, 1, sizeof *loop);
    if (!loop) return;
    *loop = (jinja_loop){.items = items, .node = node, .scope = around, .depth = depth};
    for (; loop->at < items->count && !heed_jinja_failed(run); loop->at++) {
        jinja_scope *scope = heed_jinja_spend(run, 1) ? heed_jinja_scope(run, around) : NULL;
        if (!scope) break;
        run->scope = scope;
        heed_jinja_assign(run, scope, run->jinja->name_loop,
                          (jinja_value){.kind = JINJA_LOOP, .loop = loop});
        assign_target(run, scope, node->a, items->items[loop->at]);
        jinja_flow flow = heed_jinja_failed(run) ? JINJA_BREAK
                                                 : heed_jinja_execute(run, node->items[0]);
        run->scope = around;
        if (flow == JINJA_BREAK) break;
    }
    run->scope = around;
}

jinja_value heed_jinja_recur(jinja_run *run, const jinja_loop *loop, jinja_value items)
{
    if (!loop->node->flag)
        return heed_jinja_fail(run, "only a loop marked \"recursive\" can be called");
    heed_buffer text = {0}, *outer = run->out;
    jinja_scope *around = run->scope;
    const jinja_sequence *walk = heed_jinja_walk(run, items);
    if (!heed_jinja_enter(run)) return heed_jinja_undefined("");
    run->out = &text;
    run->scope = (jinja_scope *)loop->scope;
    run_loop(run, loop->node, walk, loop->depth + 1);
    run->out = outer;
    run->scope = around;
    heed_jinja_leave(run);
    return heed_jinja_take_buffer(run, &text);
}

/* ---- the other statements ---- */

static jinja_flow run_body(jinja_run *run, const jinja_node *node)
{
    jinja_flow flow = JINJA_ON;
    for (int32_t i = 0; i < node->count && flow == JINJA_ON && !heed_jinja_failed(run); i++)
        flow = heed_jinja_execute(run, node->items[i]);
    return flow;
}

static jinja_flow run_if(jinja_run *run, const jinja_node *node)
{
    for (int32_t i = 0; i + 1 < node->count && !heed_jinja_failed(run); i += 2)
        if (heed_jinja_truth(heed_jinja_evaluate(run, node->items[i])))
            return heed_jinja_execute(run, node->items[i + 1]);
    return node->b && !heed_jinja_failed(run) ? heed_jinja_execute(run, node->b) : JINJA_ON;
}

static jinja_flow run_with(jinja_run *run, const jinja_node *node)
{
    jinja_scope *around = run->scope, *scope = heed_jinja_scope(run, around);
    jinja_flow flow = JINJA_ON;
    for (int32_t i = 0; i + 1 < node->count && !heed_jinja_failed(run); i += 2)
        /* the values are evaluated in the outer scope */
        assign_target(run, scope, node->items[i], heed_jinja_evaluate(run, node->items[i + 1]));
    if (heed_jinja_failed(run)) return flow;
    run->scope = scope;
    flow = heed_jinja_execute(run, node->a);
    run->scope = around;
    return flow;
}

static jinja_value make_macro(jinja_run *run, const jinja_node *node, const jinja_node *body)
{
    jinja_macro *macro = heed_jinja_take(run, 1, sizeof *macro);
    if (!macro) return heed_jinja_undefined("");
    *macro = (jinja_macro){.node = node, .scope = run->scope, .body = body};
    return (jinja_value){.kind = JINJA_MACRO, .macro = macro};
}

/* {% call(parameters) macro(arguments) %}: passes the body to the macro as `caller`. */
static void run_call_block(jinja_run *run, const jinja_node *node)
{
    jinja_call call;
    jinja_value caller = make_macro(run, node, node->b),
                function = heed_jinja_evaluate(run, node->a->a);
    if (heed_jinja_failed(run) || !heed_jinja_arguments(run, node->a->arguments, &call, &caller))
        return;
    jinja_value text = heed_jinja_call(run, function, &call);
    if (!heed_jinja_failed(run)) heed_jinja_print(run, run->out, text);
}

/* Records the output of a generation block as text of the model. Inside captured text, the recorded
   place is the current end of the output, as in transformers. */
static void run_generation(jinja_run *run, const jinja_node *node)
{
    heed_jinja_output *output = run->output;
    jinja_value text = capture_here(run, node->a);
    if (heed_jinja_failed(run)) return;
    if (!heed_grow(&output->spans, &output->span_capacity, output->span_count + 1,
                   sizeof *output->spans)) {
        run->status = heed_fail_memory(run->error, output->span_count * sizeof *output->spans,
                                       "a template");
        return;
    }
    output->spans[output->span_count++] = (heed_jinja_span){output->text.length,
                                                            output->text.length + text.length};
    heed_jinja_print(run, run->out, text);
}

static jinja_flow execute_kind(jinja_run *run, const jinja_node *node)
{
    jinja_value value;
    switch ((jinja_node_kind)node->kind) {
    case JINJA_NODE_DATA: heed_jinja_print(run, run->out, node->value); return JINJA_ON;
    case JINJA_NODE_PRINT:
        value = heed_jinja_evaluate(run, node->a);
        if (!heed_jinja_failed(run)) heed_jinja_print(run, run->out, value);
        return JINJA_ON;
    case JINJA_NODE_BODY: return run_body(run, node);
    case JINJA_NODE_IF: return run_if(run, node);
    case JINJA_NODE_FOR:
        run_loop(run, node, heed_jinja_walk(run, heed_jinja_evaluate(run, node->b)), 0);
        return JINJA_ON;
    case JINJA_NODE_SET:
        assign_target(run, run->scope, node->a, heed_jinja_evaluate(run, node->b));
        return JINJA_ON;
    case JINJA_NODE_SET_BLOCK:
        value = capture_here(run, node->b);
        assign_target(run, run->scope, node->a,
                      heed_jinja_failed(run) ? value : filter_text(run, node->c, value));
        return JINJA_ON;
    case JINJA_NODE_FILTER_BLOCK:
        value = capture_here(run, node->b);
        value = heed_jinja_failed(run) ? value : filter_text(run, node->c, value);
        if (!heed_jinja_failed(run)) heed_jinja_print(run, run->out, value);
        return JINJA_ON;
    case JINJA_NODE_MACRO:
        heed_jinja_assign(run, run->scope, node->name, make_macro(run, node, node->a));
        return JINJA_ON;
    case JINJA_NODE_CALL_BLOCK: run_call_block(run, node); return JINJA_ON;
    case JINJA_NODE_WITH: return run_with(run, node);
    case JINJA_NODE_GENERATION: run_generation(run, node); return JINJA_ON;
    case JINJA_NODE_BREAK: return JINJA_BREAK;
    case JINJA_NODE_CONTINUE: return JINJA_CONTINUE;
    default:
        heed_jinja_fail(run, "an expression stands where a statement was expected");
        return JINJA_ON;
    }
}

jinja_flow heed_jinja_execute(jinja_run *run, const jinja_node *node)
{
    if (!heed_jinja_spend(run, 1) || !heed_jinja_enter(run)) return JINJA_ON;
    run->line = node->line;
    jinja_flow flow = execute_kind(run, node);
    heed_jinja_leave(run);
    return flow;
}
