/* value.h: the values that templates compute with: Python's, as far as Jinja shows them. A value is
   two words; what it points to lies in the arena of the run (constants: of the template) and is
   immutable, but for namespaces, generators, loops, joiners and cyclers. */
#ifndef HEED_JINJA_VALUE_H
#define HEED_JINJA_VALUE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "jinja/jinja.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum jinja_kind {
    JINJA_UNDEFINED, /* text: the name that was not found */
    JINJA_MISSING,   /* an argument that was not given; never seen by templates */
    JINJA_NONE,
    JINJA_BOOLEAN,
    JINJA_INTEGER,
    JINJA_NUMBER,
    JINJA_STRING,
    JINJA_SEQUENCE, /* lists, tuples, ranges, views, generators: see jinja_style */
    JINJA_DICT,
    JINJA_NAMESPACE,
    JINJA_LOOP,
    JINJA_MACRO,
    JINJA_FUNCTION,
    JINJA_METHOD,
    JINJA_CYCLER,
    JINJA_JOINER
} jinja_kind;

typedef enum jinja_style {
    JINJA_LIST,
    JINJA_TUPLE,
    JINJA_GROUP, /* a tuple (grouper, list) */
    JINJA_RANGE,
    JINJA_VIEW,     /* keys, values or items of a dict */
    JINJA_GENERATOR /* can be walked once, is true, has no length */
} jinja_style;

typedef struct jinja_value jinja_value;
typedef struct jinja_sequence jinja_sequence;
typedef struct jinja_dict jinja_dict;
typedef struct jinja_loop jinja_loop;
typedef struct jinja_macro jinja_macro;
typedef struct jinja_method jinja_method;
typedef struct jinja_cycle jinja_cycle;
typedef struct jinja_run jinja_run;
typedef struct jinja_builtin jinja_builtin;

struct jinja_value {
    uint8_t kind;    /* jinja_kind */
    bool unsafe;     /* JINJA_UNDEFINED: an attribute that templates may not use */
    uint32_t length; /* bytes of `text` */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text; /* valid UTF-8, not NUL-terminated */
        jinja_sequence *sequence;
        jinja_dict *dict; /* JINJA_DICT, JINJA_NAMESPACE */
        jinja_loop *loop;
        const jinja_macro *macro;
        const jinja_builtin *builtin;
        const jinja_method *method;
        jinja_cycle *cycle;
    };
};

struct jinja_sequence {
    jinja_style style;
    jinja_value *items;
    size_t count;
    size_t taken; /* elements that walks over a generator have taken */
};
struct jinja_dict {
    jinja_value *keys, *values; /* in order of insertion */
    size_t count, capacity;
};
struct jinja_method {
    jinja_value self;
    const jinja_builtin *builtin;
};
struct jinja_cycle {
    jinja_sequence *items;
    size_t at;
    jinja_value separator;
    bool used;
};

/* Arguments of a call, evaluated. */
typedef struct jinja_call {
    const jinja_value *positional, *named;
    const jinja_value *names; /* strings, (named_count) */
    size_t count, named_count;
} jinja_call;

/* A filter, test, method or global function. `parameters` are names with blanks between them;
   missing ones arrive as JINJA_MISSING, and the first `required` must be given. NULL: the function
   reads `call` itself. */
typedef jinja_value jinja_function(jinja_run *run, jinja_value self, const jinja_value *arguments,
                                   const jinja_call *call);
struct jinja_builtin {
    const char *name, *parameters;
    int required;
    jinja_function *function;
};
enum { JINJA_PARAMETERS = 8 };

/* ---- making values ---- */
static inline jinja_value jinja_none(void)
{
    return (jinja_value){.kind = JINJA_NONE};
}
static inline jinja_value jinja_missing(void)
{
    return (jinja_value){.kind = JINJA_MISSING};
}
static inline jinja_value jinja_boolean(bool b)
{
    return (jinja_value){.kind = JINJA_BOOLEAN, .boolean = b};
}
static inline jinja_value jinja_integer(int64_t i)
{
    return (jinja_value){.kind = JINJA_INTEGER, .integer = i};
}
static inline jinja_value jinja_number(double d)
{
    return (jinja_value){.kind = JINJA_NUMBER, .number = d};
}
static inline jinja_value jinja_text(const char *text, size_t length)
{
    return (jinja_value){.kind = JINJA_STRING, .length = (uint32_t)length, .text = text};
}
jinja_value heed_jinja_string(const char *text);    /* static text, borrowed */
jinja_value heed_jinja_undefined(const char *name); /* static text, borrowed */
jinja_value heed_jinja_copy(jinja_run *run, const char *text, size_t length);
/* The buffer's text as a value; the buffer is freed. A failed buffer fails the run. */
jinja_value heed_jinja_take_buffer(jinja_run *run, heed_buffer *buffer);
/* items are JINJA_NONE until they are set */
jinja_value heed_jinja_sequence(jinja_run *run, jinja_style style, size_t count);
jinja_value heed_jinja_dict(jinja_run *run, size_t capacity);
/* Sets or replaces; fails for keys that cannot be hashed. */
void heed_jinja_put(jinja_run *run, jinja_dict *dict, jinja_value key, jinja_value value);
/* NULL: not there */
const jinja_value *heed_jinja_get(jinja_run *run, const jinja_dict *dict, jinja_value key);
jinja_value heed_jinja_from_json(jinja_run *run, const json_t *json);

/* ---- asking values ---- */
static inline bool jinja_is_string(jinja_value v)
{
    return v.kind == JINJA_STRING;
}
static inline bool jinja_is_list(jinja_value v)
{
    return v.kind == JINJA_SEQUENCE && v.sequence->style == JINJA_LIST;
}
static inline bool jinja_is_tuple(jinja_value v)
{
    return v.kind == JINJA_SEQUENCE &&
           (v.sequence->style == JINJA_TUPLE || v.sequence->style == JINJA_GROUP);
}
static inline bool jinja_is_generator(jinja_value v)
{
    return v.kind == JINJA_SEQUENCE && v.sequence->style == JINJA_GENERATOR;
}
bool heed_jinja_is(jinja_value value, const char *text); /* a string equal to `text` */
const char *heed_jinja_type(jinja_value value);          /* Python's name of its type */
bool heed_jinja_truth(jinja_value value);
bool heed_jinja_real(jinja_value value, double *real);    /* booleans, integers and numbers */
bool heed_jinja_whole(jinja_value value, int64_t *whole); /* booleans and integers */
bool heed_jinja_equal(jinja_run *run, jinja_value a, jinja_value b);
/* -1, 0, 1; fails for what has no order */
int heed_jinja_compare(jinja_run *run, jinja_value a, jinja_value b);
bool heed_jinja_contains(jinja_run *run, jinja_value container, jinja_value value);
/* len(); fails for what has none. */
size_t heed_jinja_length(jinja_run *run, jinja_value value);
/* The elements that a walk meets: characters, keys, items. A generator gives what is left of it.
   Fails for what cannot be walked. */
const jinja_sequence *heed_jinja_walk(jinja_run *run, jinja_value value);
bool heed_jinja_is_iterable(jinja_value value);

/* ---- text ---- */
jinja_value heed_jinja_to_string(jinja_run *run, jinja_value value);        /* str() */
void heed_jinja_print(jinja_run *run, heed_buffer *out, jinja_value value); /* appends str() */
/* appends repr() */
void heed_jinja_repr(jinja_run *run, heed_buffer *out, jinja_value value);
/* repr of a float */
void heed_jinja_print_number(heed_buffer *out, double number);
typedef struct jinja_json_style {
    const char *indent;
    jinja_value item, key; /* separators */
    bool ascii, sorted;
} jinja_json_style;
void heed_jinja_print_json(jinja_run *run, heed_buffer *out, jinja_value value,
                           const jinja_json_style *style);

/* ---- the run: failures are sticky ---- */
/* "where: line N: message"; the first one wins. Returns undefined, so that functions may end with
   it. */
jinja_value heed_jinja_fail(jinja_run *run, const char *format, ...) HEED_PRINTF(2, 3);
/* The usual failure of an undefined value; other values: "cannot DOING a value of type
   TYPE". */
jinja_value heed_jinja_fail_use(jinja_run *run, const char *doing, jinja_value value);
/* HEED_E_ARG: what raise_exception does */
jinja_value heed_jinja_raise(jinja_run *run, const char *message);
bool heed_jinja_failed(const jinja_run *run);
bool heed_jinja_spend(jinja_run *run, size_t steps); /* false: the run has failed */
/* one level deeper; false: too deep, and then not entered */
bool heed_jinja_enter(jinja_run *run);
void heed_jinja_leave(jinja_run *run);
/* zeroed, from the arena; NULL: the run has failed */
void *heed_jinja_take(jinja_run *run, size_t count, size_t size);
/* False (and a failure) when a text being made is larger than the limit. */
bool heed_jinja_fits(jinja_run *run, const heed_buffer *buffer);
int64_t heed_jinja_now(const jinja_run *run);

/* ---- calling ---- */
jinja_value heed_jinja_call(jinja_run *run, jinja_value function, const jinja_call *call);
jinja_value heed_jinja_call_builtin(jinja_run *run, const jinja_builtin *builtin, jinja_value self,
                                    const jinja_call *call);
const jinja_builtin *heed_jinja_filter(const char *name, size_t length); /* NULL: unknown */
const jinja_builtin *heed_jinja_test(const char *name, size_t length);
const jinja_builtin *heed_jinja_global(const char *name, size_t length);
/* NULL: none of that name */
const jinja_builtin *heed_jinja_method(jinja_value self, jinja_value name);
extern const jinja_builtin heed_jinja_cycler_methods[]; /* end with a record without a name */
/* Python has such a method, but it would change the value. */
bool heed_jinja_method_is_unsafe(jinja_value self, jinja_value name);
/* value.name and value[key], as Jinja looks them up. Undefined when there is none. */
jinja_value heed_jinja_attribute(jinja_run *run, jinja_value value, jinja_value name);
jinja_value heed_jinja_item(jinja_run *run, jinja_value value, jinja_value key);
jinja_value heed_jinja_slice(jinja_run *run, jinja_value value, const jinja_value bounds[3]);
/* "a.b.0": what filters call an attribute; an integer is an item. */
jinja_value heed_jinja_path(jinja_run *run, jinja_value value, jinja_value path);

/* Arithmetic, by Python's rules. */
typedef enum jinja_operator {
    JINJA_ADD,
    JINJA_SUBTRACT,
    JINJA_MULTIPLY,
    JINJA_DIVIDE,
    JINJA_FLOOR_DIVIDE,
    JINJA_REMAINDER,
    JINJA_POWER,
    JINJA_EQUAL,
    JINJA_UNEQUAL,
    JINJA_LESS,
    JINJA_LESS_EQUAL,
    JINJA_GREATER,
    JINJA_GREATER_EQUAL,
    JINJA_IN,
    JINJA_NOT_IN
} jinja_operator;
jinja_value heed_jinja_arithmetic(jinja_run *run, jinja_operator operation, jinja_value a,
                                  jinja_value b);
bool heed_jinja_compares(jinja_run *run, jinja_operator operation, jinja_value a, jinja_value b);
/* printf-style formatting of Python: "%s of %d" % arguments; (values) or a dict for "%(name)s". */
jinja_value heed_jinja_format(jinja_run *run, jinja_value format, const jinja_value *values,
                              size_t count, const jinja_dict *names);
/* str.format. */
jinja_value heed_jinja_format_braces(jinja_run *run, jinja_value format, const jinja_call *call);

#endif
