/* run.h: the state of one rendering, for the files that make and run it (run.c, template.c,
   evaluate.c, execute.c). */
#ifndef HEED_JINJA_RUN_H
#define HEED_JINJA_RUN_H

#include "jinja/tree_internal.h"

/* Names that belong together; the outermost scope holds one value for every name of the template,
   the others what was set in them. */
typedef struct jinja_scope jinja_scope;
struct jinja_scope {
    const jinja_scope *parent;
    int32_t *names;
    jinja_value *values;
    size_t count, capacity;
};

struct jinja_macro {
    const jinja_node *node;
    const jinja_scope *scope;
    const jinja_node *body;
    jinja_value name;
};

struct jinja_loop {
    const jinja_sequence *items;
    size_t at, depth; /* depth 0: not inside a recursive loop */
    const jinja_node *node;
    const jinja_scope *scope; /* around the loop, for recursion */
    jinja_value changed;      /* what changed() saw last */
    bool has_changed;
};

struct jinja_run {
    const heed_jinja *jinja;
    heed_arena *arena;
    heed_jinja_limits limits;
    int64_t steps, now;
    int depth;
    uint32_t line;
    jinja_scope globals;
    jinja_scope *scope;
    heed_buffer *out; /* where output goes */
    heed_jinja_output *output;
    heed_status status;
    heed_error *error;
};

jinja_value heed_jinja_evaluate(jinja_run *run, const jinja_node *node);
/* Runs a statement. A break or continue inside ends it early and is returned. */
typedef enum jinja_flow { JINJA_ON, JINJA_BREAK, JINJA_CONTINUE } jinja_flow;
jinja_flow heed_jinja_execute(jinja_run *run, const jinja_node *node);
/* The output of a body as a string; a scope of its own is around it. */
jinja_value heed_jinja_capture(jinja_run *run, const jinja_node *body, jinja_scope *scope);
jinja_scope *heed_jinja_scope(jinja_run *run, const jinja_scope *parent);
void heed_jinja_assign(jinja_run *run, jinja_scope *scope, int32_t name, jinja_value value);
jinja_value heed_jinja_look_up(const jinja_run *run, int32_t name);
jinja_value heed_jinja_call_macro(jinja_run *run, const jinja_macro *macro, const jinja_call *call);
jinja_value heed_jinja_loop_attribute(jinja_run *run, jinja_loop *loop, jinja_value name);
/* loop(items) of a recursive loop. */
jinja_value heed_jinja_recur(jinja_run *run, const jinja_loop *loop, jinja_value items);
/* Evaluates arguments; `extra`, when it is not NULL, is an additional named one. False after a
   failure. */
bool heed_jinja_arguments(jinja_run *run, const jinja_arguments *arguments, jinja_call *call,
                          const jinja_value *extra);

#endif
