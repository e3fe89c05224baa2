/* tests.c: Jinja's tests (`value is name`), and the search for filters and tests by name. */
#include "jinja/characters.h"
#include "jinja/filters_internal.h"

#include <math.h>
#include <string.h>

#define TEST(name, expression)                                                      \
    static jinja_value name(jinja_run *run, jinja_value self, const jinja_value *a, \
                            const jinja_call *call)                                 \
    {                                                                               \
        (void)run, (void)self, (void)a, (void)call;                                 \
        return jinja_boolean(expression);                                           \
    }
TEST(is_defined, self.kind != JINJA_UNDEFINED)
TEST(is_undefined, self.kind == JINJA_UNDEFINED)
TEST(is_none, self.kind == JINJA_NONE)
TEST(is_boolean, self.kind == JINJA_BOOLEAN)
TEST(is_true, self.kind == JINJA_BOOLEAN && self.boolean)
TEST(is_false, self.kind == JINJA_BOOLEAN && !self.boolean)
TEST(is_integer, self.kind == JINJA_INTEGER)
TEST(is_float, self.kind == JINJA_NUMBER)
TEST(is_number,
     self.kind == JINJA_NUMBER || self.kind == JINJA_INTEGER || self.kind == JINJA_BOOLEAN)
TEST(is_string, self.kind == JINJA_STRING)
TEST(is_mapping, self.kind == JINJA_DICT)
TEST(is_iterable, heed_jinja_is_iterable(self))
TEST(is_sequence, heed_jinja_is_iterable(self) &&
                      !(self.kind == JINJA_SEQUENCE && (self.sequence->style == JINJA_VIEW ||
                                                        self.sequence->style == JINJA_GENERATOR)))
TEST(is_callable, self.kind == JINJA_MACRO || self.kind == JINJA_FUNCTION ||
                      self.kind == JINJA_METHOD || self.kind == JINJA_JOINER ||
                      self.kind == JINJA_LOOP || self.kind == JINJA_UNDEFINED)
TEST(is_escaped, false)
TEST(is_filter, self.kind == JINJA_STRING && heed_jinja_filter(self.text, self.length))
TEST(is_test, self.kind == JINJA_STRING && heed_jinja_test(self.text, self.length))
TEST(is_in, heed_jinja_contains(run, a[0], self))
TEST(equal, heed_jinja_compares(run, JINJA_EQUAL, self, a[0]))
TEST(unequal, heed_jinja_compares(run, JINJA_UNEQUAL, self, a[0]))
TEST(less, heed_jinja_compares(run, JINJA_LESS, self, a[0]))
TEST(less_equal, heed_jinja_compares(run, JINJA_LESS_EQUAL, self, a[0]))
TEST(greater, heed_jinja_compares(run, JINJA_GREATER, self, a[0]))
TEST(greater_equal, heed_jinja_compares(run, JINJA_GREATER_EQUAL, self, a[0]))

/* sameas: returns whether both are the same object. Small values are the same if they are equal. */
static jinja_value is_same(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    (void)call;
    if (self.kind != a[0].kind) return jinja_boolean(false);
    if (self.kind == JINJA_SEQUENCE || self.kind == JINJA_DICT)
        return jinja_boolean(self.dict == a[0].dict);
    return jinja_boolean(heed_jinja_equal(run, self, a[0]));
}

static jinja_value is_divisible(jinja_run *run, jinja_value self, const jinja_value *a,
                                const jinja_call *call)
{
    jinja_value rest = heed_jinja_arithmetic(run, JINJA_REMAINDER, self, a[0]);
    (void)call;
    return jinja_boolean(heed_jinja_equal(run, rest, jinja_integer(0)));
}

static jinja_value is_odd(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    jinja_value rest = heed_jinja_arithmetic(run, JINJA_REMAINDER, self, jinja_integer(2));
    (void)a;
    (void)call;
    return jinja_boolean(heed_jinja_equal(run, rest, jinja_integer(1)));
}

static jinja_value is_even(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    jinja_value rest = heed_jinja_arithmetic(run, JINJA_REMAINDER, self, jinja_integer(2));
    (void)a;
    (void)call;
    return jinja_boolean(heed_jinja_equal(run, rest, jinja_integer(0)));
}

/* Applies islower or isupper to the text of a value. */
static jinja_value case_test(jinja_run *run, jinja_value self, const char *method)
{
    jinja_value text = heed_jinja_to_string(run, self);
    if (heed_jinja_failed(run)) return text;
    return heed_jinja_call_builtin(run, heed_jinja_method(text, heed_jinja_string(method)), text,
                                   &(jinja_call){0});
}

static jinja_value is_lower(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    (void)a;
    (void)call;
    return case_test(run, self, "islower");
}

static jinja_value is_upper(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    (void)a;
    (void)call;
    return case_test(run, self, "isupper");
}

static const jinja_builtin tests[] = {
    {"!=", "other", 1, unequal},
    {"<", "other", 1, less},
    {"<=", "other", 1, less_equal},
    {"==", "other", 1, equal},
    {">", "other", 1, greater},
    {">=", "other", 1, greater_equal},
    {"boolean", "", 0, is_boolean},
    {"callable", "", 0, is_callable},
    {"defined", "", 0, is_defined},
    {"divisibleby", "num", 1, is_divisible},
    {"eq", "other", 1, equal},
    {"equalto", "other", 1, equal},
    {"escaped", "", 0, is_escaped},
    {"even", "", 0, is_even},
    {"false", "", 0, is_false},
    {"filter", "", 0, is_filter},
    {"float", "", 0, is_float},
    {"ge", "other", 1, greater_equal},
    {"greaterthan", "other", 1, greater},
    {"gt", "other", 1, greater},
    {"in", "seq", 1, is_in},
    {"integer", "", 0, is_integer},
    {"iterable", "", 0, is_iterable},
    {"le", "other", 1, less_equal},
    {"lessthan", "other", 1, less},
    {"lower", "", 0, is_lower},
    {"lt", "other", 1, less},
    {"mapping", "", 0, is_mapping},
    {"ne", "other", 1, unequal},
    {"none", "", 0, is_none},
    {"number", "", 0, is_number},
    {"odd", "", 0, is_odd},
    {"sameas", "other", 1, is_same},
    {"sequence", "", 0, is_sequence},
    {"string", "", 0, is_string},
    {"test", "", 0, is_test},
    {"true", "", 0, is_true},
    {"undefined", "", 0, is_undefined},
    {"upper", "", 0, is_upper},
    {0},
};

static const jinja_builtin *find(const jinja_builtin *table, const char *name, size_t length)
{
    for (; table->name; table++)
        if (strlen(table->name) == length && memcmp(table->name, name, length) == 0) return table;
    return NULL;
}

const jinja_builtin *heed_jinja_test(const char *name, size_t length)
{
    return find(tests, name, length);
}

const jinja_builtin *heed_jinja_filter(const char *name, size_t length)
{
    const jinja_builtin *found = find(heed_jinja_text_filters, name, length);
    if (!found) found = find(heed_jinja_list_filters, name, length);
    return found ? found : find(heed_jinja_order_filters, name, length);
}
