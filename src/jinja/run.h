/* run.h: the state of a rendering, for the files that make and use it (run.c, template.c,
   evaluate.c, execute.c). */
#ifndef HEED_JINJA_RUN_H
#define HEED_JINJA_RUN_H

#include "jinja/tree_internal.h"

/* A scope of names. The outermost scope has one value for every name of the template, the others
   have the names that were set in them. */
typedef struct jinja_scope jinja_scope;
struct jinja_scope {
    const jinja_scope *parent;
    int32_t *names;
    jinja_value *values;
    size_t count, capacity;
};

/* A macro, or the body of a call block. */
struct jinja_macro {
    const jinja_node *node;
    const jinja_scope *scope;
    const jinja_node *body;
    jinja_value name;
};

/* The state of a loop, which templates see as `loop`. */
struct jinja_loop {
    const jinja_sequence *items;
    size_t at, depth; /* index of the current element; depth of recursion, 0 for the outermost */
    const jinja_node *node;
    const jinja_scope *scope; /* the scope around the loop, for recursion */
    jinja_value changed;      /* the last arguments of changed() */
    bool has_changed;
};

/* The state of a rendering. */
struct jinja_run {
    const heed_jinja *jinja;
    heed_arena *arena;
    heed_jinja_limits limits;
    int64_t steps, now;
    int depth;
    uint32_t line;
    jinja_scope globals;
    jinja_scope *scope;
    heed_buffer *out; /* where output is appended */
    heed_jinja_output *output;
    heed_status status;
    heed_error *error;
};

/* Evaluates an expression. Returns undefined after a failure. */
jinja_value heed_jinja_evaluate(jinja_run *run, const jinja_node *node);
/* Runs a statement. A break or continue in it ends it early and is returned. */
typedef enum jinja_flow { JINJA_ON, JINJA_BREAK, JINJA_CONTINUE } jinja_flow;
jinja_flow heed_jinja_execute(jinja_run *run, const jinja_node *node);
/* Returns the output of a body as a string. The body runs in `scope`. */
jinja_value heed_jinja_capture(jinja_run *run, const jinja_node *body, jinja_scope *scope);
/* Makes a scope inside `parent`. NULL after a failure. */
jinja_scope *heed_jinja_scope(jinja_run *run, const jinja_scope *parent);
/* Sets a name in a scope. */
void heed_jinja_assign(jinja_run *run, jinja_scope *scope, int32_t name, jinja_value value);
/* Returns the value of a name in the innermost scope that has it. */
jinja_value heed_jinja_look_up(const jinja_run *run, int32_t name);
/* Calls a macro and returns its output as a string. */
jinja_value heed_jinja_call_macro(jinja_run *run, const jinja_macro *macro, const jinja_call *call);
/* Returns loop.name. */
jinja_value heed_jinja_loop_attribute(jinja_run *run, jinja_loop *loop, jinja_value name);
/* Runs a recursive loop over `items` and returns its output: loop(items). */
jinja_value heed_jinja_recur(jinja_run *run, const jinja_loop *loop, jinja_value items);
/* Evaluates the arguments of a call. `extra` is an additional argument named "caller", or NULL.
   Returns false after a failure. */
bool heed_jinja_arguments(jinja_run *run, const jinja_arguments *arguments, jinja_call *call,
                          const jinja_value *extra);

#endif
