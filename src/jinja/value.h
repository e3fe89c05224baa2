/* value.h: the values of templates, which are Python's as far as Jinja shows them. A value is two
   words. What it points to lies in the arena of the run, for constants in that of the template, and
   is immutable except for namespaces, generators, loops, joiners and cyclers. */
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
    JINJA_UNDEFINED, /* `text` is the name that was not found */
    JINJA_MISSING,   /* an argument that was not given; templates never see it */
    JINJA_NONE,
    JINJA_BOOLEAN,
    JINJA_INTEGER,
    JINJA_NUMBER,
    JINJA_STRING,
    JINJA_SEQUENCE, /* lists, tuples, ranges, views and generators (jinja_style) */
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
    JINJA_GROUP, /* the tuple (grouper, list) of groupby */
    JINJA_RANGE,
    JINJA_VIEW,     /* the keys, values or items of a dict */
    JINJA_GENERATOR /* can be iterated once, is always true, has no length */
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
    bool unsafe;     /* JINJA_UNDEFINED: the name is an attribute that templates may not use */
    uint32_t length; /* bytes of `text` */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text; /* valid UTF-8; no NUL needs to follow */
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
    size_t taken; /* number of elements that were taken from a generator */
};
struct jinja_dict {
    jinja_value *keys, *values; /* in order of insertion */
    size_t count, capacity;
};
/* A method bound to its object. */
struct jinja_method {
    jinja_value self;
    const jinja_builtin *builtin;
};
/* The state of a cycler or a joiner. */
struct jinja_cycle {
    jinja_sequence *items;
    size_t at;
    jinja_value separator;
    bool used;
};

/* The evaluated arguments of a call. */
typedef struct jinja_call {
    const jinja_value *positional, *named;
    const jinja_value *names; /* (named_count) strings */
    size_t count, named_count;
} jinja_call;

/* A filter, test, method or global function. `parameters` lists the names of its parameters,
   separated by spaces. Arguments that were not given arrive as JINJA_MISSING; the first `required`
   must be given. If `parameters` is NULL, the function reads `call` itself. */
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
/* Copies text into the arena. */
jinja_value heed_jinja_copy(jinja_run *run, const char *text, size_t length);
/* Returns the text of a buffer as a value and frees the buffer. A failed buffer fails the run. */
jinja_value heed_jinja_take_buffer(jinja_run *run, heed_buffer *buffer);
/* Makes a sequence whose elements are none until they are set. */
jinja_value heed_jinja_sequence(jinja_run *run, jinja_style style, size_t count);
/* Makes an empty dict. */
jinja_value heed_jinja_dict(jinja_run *run, size_t capacity);
/* Sets the value of a key. Fails if the key cannot be hashed. */
void heed_jinja_put(jinja_run *run, jinja_dict *dict, jinja_value key, jinja_value value);
/* Returns the value of a key, NULL if there is none. */
const jinja_value *heed_jinja_get(jinja_run *run, const jinja_dict *dict, jinja_value key);
/* Makes a value from JSON. */
jinja_value heed_jinja_from_json(jinja_run *run, const json_t *json);

/* ---- questions about values ---- */
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
bool heed_jinja_is(jinja_value value, const char *text); /* whether it is this string */
const char *heed_jinja_type(jinja_value value);          /* Python's name of its type */
/* Returns Python's bool(value). */
bool heed_jinja_truth(jinja_value value);
/* false unless it is a boolean, an integer or a float */
bool heed_jinja_real(jinja_value value, double *real);
/* false unless it is a boolean or an integer */
bool heed_jinja_whole(jinja_value value, int64_t *whole);
bool heed_jinja_equal(jinja_run *run, jinja_value a, jinja_value b);
/* Returns -1, 0 or 1, or 2 if one of them is NaN. Fails if they have no order. */
int heed_jinja_compare(jinja_run *run, jinja_value a, jinja_value b);
/* Returns value in container. */
bool heed_jinja_contains(jinja_run *run, jinja_value container, jinja_value value);
/* Returns len(value). Fails if it has none. */
size_t heed_jinja_length(jinja_run *run, jinja_value value);
/* Returns the elements that iteration meets: characters, keys or items. A generator gives what is
   left of it. Fails if the value is not iterable. */
const jinja_sequence *heed_jinja_walk(jinja_run *run, jinja_value value);
bool heed_jinja_is_iterable(jinja_value value);

/* ---- text ---- */
jinja_value heed_jinja_to_string(jinja_run *run, jinja_value value);        /* str(value) */
void heed_jinja_print(jinja_run *run, heed_buffer *out, jinja_value value); /* appends str(value) */
/* Appends repr(value). */
void heed_jinja_repr(jinja_run *run, heed_buffer *out, jinja_value value);
/* Appends the repr of a float. */
void heed_jinja_print_number(heed_buffer *out, double number);
/* How JSON is written. */
typedef struct jinja_json_style {
    const char *indent;
    jinja_value item, key; /* separators */
    bool ascii, sorted;
} jinja_json_style;
/* Appends json.dumps(value). */
void heed_jinja_print_json(jinja_run *run, heed_buffer *out, jinja_value value,
                           const jinja_json_style *style);

/* ---- the run; after the first failure, everything else fails ---- */
/* Fails the run with "where: line N: message", unless it has failed. Returns undefined, so that
   functions may return its result. */
jinja_value heed_jinja_fail(jinja_run *run, const char *format, ...) HEED_PRINTF(2, 3);
/* Fails because a value cannot be used: an undefined value with the usual message, any other with
   "cannot DOING a value of type TYPE". */
jinja_value heed_jinja_fail_use(jinja_run *run, const char *doing, jinja_value value);
/* Fails with HEED_E_ARG, as raise_exception does. */
jinja_value heed_jinja_raise(jinja_run *run, const char *message);
bool heed_jinja_failed(const jinja_run *run);
bool heed_jinja_spend(jinja_run *run, size_t steps); /* false after a failure */
/* Enters a level of nesting. Returns false, and does not enter, if it is too deep. */
bool heed_jinja_enter(jinja_run *run);
void heed_jinja_leave(jinja_run *run);
/* Returns zeroed memory from the arena. NULL after a failure. */
void *heed_jinja_take(jinja_run *run, size_t count, size_t size);
/* Fails and returns false if a text is longer than the limit of the output. */
bool heed_jinja_fits(jinja_run *run, const heed_buffer *buffer);
/* Returns the time for strftime_now, in seconds since 1970. */
int64_t heed_jinja_now(const jinja_run *run);

/* ---- calling ---- */
/* Calls a function, method, macro, joiner or recursive loop. */
jinja_value heed_jinja_call(jinja_run *run, jinja_value function, const jinja_call *call);
/* Calls a filter, test, method or global function with its arguments in order. */
jinja_value heed_jinja_call_builtin(jinja_run *run, const jinja_builtin *builtin, jinja_value self,
                                    const jinja_call *call);
const jinja_builtin *heed_jinja_filter(const char *name, size_t length); /* NULL if there is none */
const jinja_builtin *heed_jinja_test(const char *name, size_t length);
const jinja_builtin *heed_jinja_global(const char *name, size_t length);
/* Returns a method of a value, NULL if there is none. */
const jinja_builtin *heed_jinja_method(jinja_value self, jinja_value name);
extern const jinja_builtin heed_jinja_cycler_methods[]; /* the last record has no name */
/* Returns whether Python has such a method and it would change the value. */
bool heed_jinja_method_is_unsafe(jinja_value self, jinja_value name);
/* value.name and value[key], looked up as Jinja does. Undefined if there is none. */
jinja_value heed_jinja_attribute(jinja_run *run, jinja_value value, jinja_value name);
jinja_value heed_jinja_item(jinja_run *run, jinja_value value, jinja_value key);
/* Returns value[a:b:c], where a bound may be none. */
jinja_value heed_jinja_slice(jinja_run *run, jinja_value value, const jinja_value bounds[3]);
/* Looks up a path such as "a.b.0", which filters call an attribute. An integer is an index. */
jinja_value heed_jinja_path(jinja_run *run, jinja_value value, jinja_value path);

/* The operators, by Python's rules. */
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
/* Python's printf-style formatting, "%s of %d" % arguments, with values or, for "%(name)s", with a
   dict. */
jinja_value heed_jinja_format(jinja_run *run, jinja_value format, const jinja_value *values,
                              size_t count, const jinja_dict *names);
/* Python's str.format. */
jinja_value heed_jinja_format_braces(jinja_run *run, jinja_value format, const jinja_call *call);

#endif
