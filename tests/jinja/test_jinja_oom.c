/* Every allocation of compiling and rendering a template fails in turn: HEED_E_NOMEM, and nothing
   is left behind. */
#include "support/fail_alloc.h"
#include "support/test.h"
#include "jinja/jinja.h"

static const char source[] =
    "{%- macro m(a, b='x') -%}{{ a }}{{ b | upper }}{{ varargs }}{%- endmacro -%}{% set ns = "
    "namespace(n=0) %}{% set q | trim %} c {% endset %}"
    "{% for x in list | sort if x > 1 %}{% set ns.n = ns.n + x %}{{ m(x, loop.index) }}{{ 'a\\n' ~ "
    "x }}{{ [x, {'k': x}] | tojson(indent=2) }}{% endfor %}"
    "{% generation %}{{ ns.n }}{{ '%s-%d' % ('a', 3) }}{{ '{:>5}'.format(2) }}{% endgeneration "
    "%}{{ text.split(',') | join('-') }}{{ text[1:3] }}"
    "{% filter replace('a', 'b') %}banana{% endfilter %}{{ list | groupby(0, default=1) | length "
    "if false else d.items() | list }}";

static heed_status scenario(void *context, heed_error *error)
{
    heed_jinja *jinja = NULL;
    heed_jinja_output output = {0};
    heed_status status = heed_jinja_new(&jinja, source, sizeof source - 1, "template", error);
    if (status == HEED_OK) status = heed_jinja_render(jinja, context, 0, NULL, &output, error);
    heed_jinja_output_free(&output);
    heed_jinja_free(jinja);
    return status;
}

static void rendering_survives(void **state)
{
    static const char variables[] =
        "{\"list\": [3, 1, 2], \"text\": \"a,b,c\", \"d\": {\"a\": [1, null]}}";
    json_t *json = NULL;
    (void)state;
    assert_ok(heed_json_parse(&json, variables, sizeof variables - 1, "v", &error));
    assert_true(fail_alloc_each(scenario, json) > 30);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rendering_survives)};
    fail_alloc_cover_jansson();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
