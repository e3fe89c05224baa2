"""Templates and what they render to, by jinja2 as transformers sets it up, for
tests/jinja/test_jinja.c.

    python tools/oracle/jinja_cases.py > tests/fixtures/jinja/cases.jsonl            single
    features
    python tools/oracle/jinja_cases.py --random 20000 [--seed 1] > random.jsonl      random
    templates
    build/release/tests/text_test_jinja random.jsonl

One object a line: source, variables, rendered (null: an error), spans (code points of generated
text, where there is any)."""
import argparse
import copy
import json
import random
import sys

from transformers.utils.chat_template_utils import _cached_compile_jinja_template

VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  Grüße, \"Welt\" & <b>'s</b>  "},
        {
            "role": "assistant", "content": "Hi\nthere", "tool_calls": [{
                "type": "function", "function": {
                    "name": "f",
                    "arguments": {"a": 1, "b": [1.5, None, True], "ü": "é\u2028\u007f"}
                }
            }]
        },
        {
            "role": "tool", "content": [{"type": "text", "text": "x"}, {"type": "image"}],
            "name": "f"
        },
        {"role": "user", "content": "bye"},
    ],
    "tools": [{
        "type": "function", "function": {
            "name": "get", "description": "Get it.", "parameters": {
                "type": "object", "properties": {
                    "n": {"type": "integer", "description": "how many"},
                    "u": {"type": ["string", "null"], "enum": ["a", "b"]}
                }, "required": ["n"]
            }
        }
    }],
    "bos_token": "<s>",
    "eos_token": "</s>",
    "add_generation_prompt": True,
    "nothing": None,
    "flag": False,
    "n": 7,
    "x": 2.5,
    "text": "Hello World, hello",
    "empty": "",
    "list": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "d": {"b": 2, "a": 1, "C": 3},
    "items_list": [{"k": "a", "v": 3}, {"k": "b", "v": 1}, {"k": "a", "v": 2}],
    "big": 12345678901234567,
    "tiny": 1e-7,
    "neg": -3,
    "nested": {"a": {"b": [10, {"c": "deep"}]}},
}

EXPRESSIONS = r"""
1 + 2 * 3 - 4 / 2|7 // 2|-7 // 2|-7 % 3|7 % -3|7.5 // 2|-7.5 % 2|2 ** 10|2 ** -1|-2 ** 2
2 ** 3 ** 2|1 / 3|10 / 5|1e16|1e15|123456789.123|1.0|0.1 + 0.2|1e-5|0.0001|100 * 1.1|big * 2|tiny
-0.0
1 == 1.0|1 == true|'1' == 1|none == false|1 < 2 < 3|1 < 2 > 3|3 > 2 >= 2 != 1|'a' < 'b'
[1, 2] < [1, 3]|(1, 2) == (1, 2)|[1] == (1,)|'a' in 'abc'|'d' not in 'abc'|1 in [1, 2]|'b' in d
'z' in d|2 in d.values()
not true|not not 1|true and 0|'' or 'x'|none or false|1 if true|'' if false
1 if false else 2 if false else 3|(1 if flag else 2) + 1|n is defined and n > 3
'a' ~ 1 ~ none ~ 2.0 ~ [1, 'a'] ~ undefined_name|'a' 'b' "c"|'x' * 3|3 * 'ab'|[1, 2] * 2|[1] + [2]
(1,) + (2,)|'%s-%d-%5.2f|%-5s|%05d|%x' % ('a', 3, 2.5, 'l', 42, 255)|'%s' % 'x'|'%(a)s' % d
"a\tb\n\\c\"'\x41\u00e9\101\q"|'\U0001F642'|'it\'s'|"\u2028"
[1, 2, 3]|[]|()|(1,)|(1, 2)|{}|{'a': 1, 'b': [1, none]}|{'a': {'b': 'c'}}['a']['b']|{1: 'x'}[1]
{'a': 1, 'a': 2}|[[1, 2], [3]][0][1]|[1, 2,]|{'a': 1,}
list[0]|list[-1]|list[5]|list[1:]|list[:-1]|list[::-1]|list[::2]|text[0]|text[-1]|text[1:4]
text[::-1]|text[100:]|text[:-100]|list[-2:]|'äöü'[1]|'äöü'[::-1]|(1,2,3)[1:]|list[none:2]
text[5:2]|text[-5:-2]
messages[0].role|messages[0]['content']|messages[0].missing|messages[0]['missing']|messages.0.role
d.a|d['b']|d.items|nested.a.b[1].c|nested['a']['b'][0]|n.x|n['x']|nothing.x|undefined_name
undefined_name.x|undefined_name['x']
text.upper()|text.lower()|text.title()|text.capitalize()|text.swapcase()|'  a b '.strip()
'xxaxx'.strip('x')|'xyaxy'.lstrip('yx')|'xyaxy'.rstrip('yx')|text.split()|text.split('o')
text.split('o', 1)|text.rsplit('o', 1)|' a  b '.split()|' a  b '.split(' ')
' a  b c '.split(none, 1)|' a  b c '.rsplit(none, 1)|'a\nb\r\nc\n'.splitlines()
'a\nb\n'.splitlines(true)
text.replace('l', 'L')|text.replace('l', 'L', 2)|'abc'.replace('', '-')|text.startswith('He')
text.startswith(('x', 'He'))|text.endswith('lo')|text.find('o')|text.find('zz')|text.rfind('o')
text.index('W')|text.index('zz')|text.count('l')|'aaa'.count('')|', '.join(words)|''.join([])
'-'.join('abc')|','.join([1])
'12'.isdigit()|'a1'.isalnum()|'ab'.isalpha()|' '.isspace()|''.isspace()|'ab'.islower()
'AB'.isupper()|'1'.isupper()|'½'.isnumeric()|'½'.isdigit()|'5'.zfill(3)|'-5'.zfill(4)
'a'.ljust(3, '.')|'a'.rjust(3)|'ab'.center(5, '*')|'ab'.center(4)|'a-b-c'.partition('-')
'a-b-c'.rpartition('-')|'abc'.removeprefix('a')|'abc'.removesuffix('c')|'ß'.upper()|'ΑΣ'.lower()
'{}-{}'.format(1, 'b')|'{1}{0}{a}'.format(1, 2, a=3)
'{:>5}|{:<5}|{:^5}|{:05.1f}|{:,}'.format('a', 'b', 'c', 2.55, 1234567)
'{0.role}'.format(messages[0])|'{{}}'.format()
d.get('a')|d.get('z')|d.get('z', 5)|d.keys() | list|d.values() | list|d.items() | list|d.items()
length|list.index(1)|list.count(3)|list.append(4)|d.update({})|d.pop('a')|list.copy()
text | length|list | length|d | length|undefined_name | length|n | length|text | upper
text | lower|text | title|'hello-world (x)' | title|'hELLO' | capitalize|'  x ' | trim
'xxyxx' | trim('x')|none | trim|n | string|none | string|true | string|[1, 'a'] | string
2.50 | string
list | first|list | last|[] | first|'abc' | first|'abc' | last|list | join|list | join('-')
messages | join(', ', attribute='role')|words | sort|words | sort(case_sensitive=true)
words | sort(reverse=true)|list | sort|items_list | sort(attribute='v')
items_list | sort(attribute='k,v')|d | dictsort|d | dictsort(true)
d | dictsort(by='value', reverse=true)|[1, 'a'] | sort
items_list | map(attribute='k') | list|words | map('upper') | list
words | map('replace', 'p', 'q') | join(',')|list | map('string') | join
messages | map(attribute='missing', default='x') | list|list | select('odd') | list
list | reject('odd') | list|list | select('gt', 1) | list|[0, 1, ''] | select | list
messages | selectattr('role', 'equalto', 'user') | list | length
messages | selectattr('tool_calls') | list | length
messages | rejectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list
messages | selectattr('tool_calls', 'defined') | list | length
items_list | groupby('k') | list | length|words | unique | list|words | unique(true) | list
[1, 1, 2] | unique | list|list | min|list | max|words | max|[] | max|list | sum
items_list | sum(attribute='v')|list | sum(start=10)|list | reverse | list|'abc' | reverse
list | batch(2) | list|list | batch(2, 0) | list|list | slice(2) | list
[1,2,3,4,5] | slice(3, 'x') | list
undefined_name | default('x')|'' | default('x')|'' | default('x', true)|none | default('x')
none | d('x', boolean=true)|n | default('x')|'3' | int|'x' | int|'x' | int(5)|'0x1f' | int(0, 16)
2.9 | int|'2.9' | int|none | int|'2.5' | float|'x' | float|'1e3' | float|2.567 | round
2.567 | round(2)|2.5 | round|3.5 | round|2.1 | round(method='ceil')|2.567 | round(1, 'floor')
7 | round|0.125 | round(2)|-3 | abs|-2.5 | abs|12345.678 | round(-2)
'a\nb\n\nc' | indent|'a\nb' | indent(2, true)|'a\n\nb' | indent(2, blank=true)
'a\nb' | indent('> ')|'foo bar baz' | truncate(9)|'foo bar baz qux' | truncate(9)
'foo bar baz qux' | truncate(9, true)|'foo bar baz qux' | truncate(9, false, '!', 0)
'foo bar' | wordcount|'a b/c?ü' | urlencode|{'a b': 'c&d'} | urlencode
'%s and %s' | format('a', 'b')|'%(x)s' | format(x=1)|'x' | center(5)|'<a href="x">' | e
'<b>' | safe|'abc' | list|d | list|d | items | list|undefined_name | items | list|text | count
messages | tojson|tools[0] | tojson|tools[0] | tojson(indent=2)|d | tojson(sort_keys=true)
d | tojson(separators=(',', ':'))|'é\u2028"\\\n\t\x01\x7f' | tojson
'é🙂' | tojson(ensure_ascii=true)|[1.0, 1e20, true, none, 'x'] | tojson
{1: 2, true: 3, none: 4} | tojson|[] | tojson(indent=2)|{} | tojson(indent=4)|(1, 2) | tojson
undefined_name | tojson|d.keys() | tojson|{'a': [1, {'b': []}]} | tojson(indent=1)
'</script>' | tojson|x | tojson
n is defined|undefined_name is defined|undefined_name is undefined|none is none|n is none
n is number|x is float|n is integer|true is integer|true is number|true is boolean|'a' is string
d is mapping|list is mapping|list is iterable|'a' is iterable|n is iterable|list is sequence
d is sequence|d.keys() is sequence|n is odd|n is even|n is divisibleby 7|n is divisibleby(2)
'a' is lower|'A' is upper|n is eq 7|n is gt 3|n is le(7)|n is in [7]|'a' is in 'abc'|true is true
1 is true|flag is false|range is callable|n is sameas n|n is not defined|not n is defined
n is not none and true|'x' is filter|'upper' is filter|'odd' is test|list is not string
range(3) | list|range(1, 4) | list|range(5, 0, -2) | list|range(3) | length|range(3)[1]
range(0) | list|dict(a=1, b=2)|dict([('a', 1)])|namespace(a=1).a|joiner()|cycler('a', 'b').next()
range('a')|raise_exception('no')|strftime_now|lipsum
words | first | upper|(words | first) ~ '!'|words | map('first') | join|-3 | abs|- 3 | abs
(-3) | abs|not n|n in list|[1, 2, 3] | first + 1|'a' if n > 5 and not flag else 'b'
text is string and text | length > 3|messages[-1].role == 'user'|messages[1:] | length
messages | map(attribute='content') | select('string') | join('+')
messages | selectattr('role', 'eq', 'assistant') | first
""".strip()

TEMPLATES = [
    "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 "
    "}}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.previtem.role }}{{ "
    "loop.nextitem.role if not loop.last }}{{ loop.cycle('a', 'b') }}{{ loop.changed(m.role) "
    "}}\n{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}",
    "{% for c in 'äb' %}[{{ c }}]{% endfor %}",
    "{% for x in undefined_name %}x{% else %}none{% endfor %}",
    "{% for x in none %}{% endfor %}",
    "{% for x in n %}{% endfor %}",
    "{% for x in list if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{% else %}-{% endfor %}",
    "{% for x in list if x > 9 %}{{ x }}{% else %}-{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{{ x if x is number else loop(x) }}{{ loop.depth }}{% "
    "endfor %}",
    "{% for x in [1] %}{{ loop([2]) }}{% endfor %}",
    "{% for x in range(10) %}{% if "
    "x == 2 %}{% continue %}{% "
    "endif %}{% if x == 5 %}{% "
    "break %}{% endif %}{{ x }}{% "
    "endfor %}",
    "{% for x in list "
    "%}{% for y in "
    "list %}{{ "
    "loop.index }}{% "
    "endfor %}{{ "
    "loop.index }}{% "
    "endfor %}",
    "{% set x = 1 %}{% for i in list %}{{ x }}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}",
    "{% set "
    "ns = "
    "namespace(x=1) %}{% for i in list %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{{ ns.y }}{% set ns.y = [1] %}{{ ns.y }}{{ ns }}",
    "{% set ns = namespace(_a=1) %}",
    "{% set d.z = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% set a, b = [1] %}",
    "{% set x %}a{{ n }}b{% endset %}[{{ x }}]",
    "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% "
    "set x | replace('a', 'b') | title %}abc{% endset %}{{ x }}",
    "{% if flag %}a{% elif n == 7 %}b{% else %}c{% endif %}",
    "{% if undefined_name %}a{% endif %}b",
    "{% if messages | selectattr('role', 'eq', 'nobody') %}true{% endif %}",
    "{% if not tools %}a{% else %}b{% endif %}",
    "{% macro m(a, b=2, c=a) %}{{ a }}-{{ b }}-{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ "
    "m(b=5, a=4) }} {{ m() }} {{ m(1, c='x') }}",
    "{% macro m(a) %}{{ varargs }}{{ kwargs }}{% "
    "endmacro %}{{ m(1, 2, 3, x=4) }}",
    "{% macro "
    "m(a) %}{{ "
    "a }}{% "
    "endmacro "
    "%}{{ m(1, "
    "2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in{{ n }}{% endcall %}",
    "{% macro m(l) %}{% for x in l %}{{ caller(x, 2) }}{% endfor %}{% endmacro %}{% call(a, b=1) "
    "m(list) %}<{{ a }}{{ b }}>{% endcall %}",
    "{% macro m() %}{{ caller }}{% endmacro %}{{ m() }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% "
    "macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}",
    "{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}",
    "{% for i in list %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% macro m(x) %}{{ x | upper }}{% endmacro %}{{ m('a') | lower }}{{ m('b') ~ m('c') }}{{ "
    "m('d').strip() }}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set q = 1 %}{{ q "
    "}}{% endwith %}{{ q }}",
    "{% "
    "filter upper %}abc{{ text }}{% endfilter %}",
    "{% filter replace('a', 'b') | title %}banana{% endfilter %}",
    "{% raw %}{{ x }}{% if %}{% endraw %}",
    "{%- raw -%}  {{ x }} {%- endraw -%}  a",
    "a{# comment #}b{#- x -#} c",
    "{# a\n#}\nb",
    "{% print n %}",
    "{% print n, x %}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%- if true %}\n  b\n  {%- endif %}\nc\n",
    "  {%+ if true %}x{%+ endif +%}\n y",
    "{% if true -%}\n\n  x  \n{%- endif %}  \n z",
    "  {{ n }}  \n  {{- n -}}  \n x",
    "a {% set y = 1 %} b\n {% set y = 2 %}\n{{ y }}\n\n",
    "\n\nx\n\n",
    "x\r\ny\rz\n",
    "{{ 'a\r\nb' }}",
    "   {# c #}\n  x",
    "   {# c #}  x\n",
    "a   {# c #}   x\n {#- d +#}\n e",
    " \t{% if 1 %}\n\t x{% endif %}",
    "{% for x in list %}\n  {{ x }}\n{% endfor %}\nend",
    "{{ '{% not a tag %}' }}",
    "{{ '}}' }}",
    "{{ {'a': {'b': 1}} }}",
    "{{ {'a': {}}['a'] }}",
    "{% generation %}a{% endgeneration %}",
    "{% for m in messages %}{{ m.role }}:{% if m.role == "
    "'assistant' %}{% generation %}{{ m.content }}ü{% "
    "endgeneration %}{% endif %}\n{% endfor %}",
    "x{% set "
    "q %}{% "
    "generation %}abc{% endgeneration %}{% endset %}{{ q }}y{% generation %}{% set w = 1 %}z{% "
    "endgeneration %}{{ w }}",
    "{% for g in items_list | groupby('k') %}{{ g.grouper }}:{% for i in g.list %}{{ i.v }}{% "
    "endfor %}{{ g[0] }};{% endfor %}",
    "{% for g, l in words | groupby(0) %}{{ g }}{{ l }}{% "
    "endfor %}",
    "{% set j = joiner(', ') %}{% for x in list "
    "%}{{ j() }}{{ x }}{% endfor %}",
    "{% set c "
    "= "
    "cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() "
    "}}{{ c.current }}",
    "{% set g = list | map('string') %}{{ g | join }}{{ g | join }}",
    "{% set g = list | select('gt', 1) %}{{ g | first }}{{ g | list }}",
    "{{ list | map('string') | length }}",
    "{{ m.n if m is defined else 'no' }}",
    "{{ f(*[1, 2], **{'a': 3}) if false else 1 }}",
    "{% "
    "macro "
    "f(a, "
    "b, "
    "c=0) "
    "%}{{ "
    "a "
    "}}{{ "
    "b "
    "}}{{ "
    "c "
    "}}{% "
    "endmacro %}{{ f(*[1, 2], **{'c': 3}) }}{{ f(1, *[2]) }}",
    "{% if (messages | length) % 2 == 1 %}odd{% endif %}",
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != "
    "(loop.index0 % 2 == 0) %}{{ message.role }}{% endif %}{% endfor %}",
    "{{ messages[0].content if messages[0].role == 'system' else '' }}",
    "{%- set last = messages[-1] -%}{{- last.content -}}",
    "{{ (messages | last).content }}",
    "{{ ['a', 'b'][n % 2] }}",
    "{{ text.split(' ')[-1] }}",
    "{{ text.split(',')[0].rstrip('d').lstrip('H') }}",
    "{% set content = text %}{% if ',' in content %}{% set content = "
    "content.split(',')[-1].lstrip() %}{% endif %}{{ content }}",
    "{%- macro render(p, spec) -%}{%- if spec.type is string -%}{{ p }}: {{ spec.type }}{%- elif "
    "spec.type is iterable -%}{{ p }}: {{ spec.type | join(' | ') }}{%- endif -%}{%- if spec.enum "
    "-%}{{ ' ' ~ spec.enum | tojson }}{%- endif -%}{%- endmacro -%}{% for t in tools %}{% for p, "
    "s in t.function.parameters.properties.items() %}{{ render(p, s) }}{{ ', ' if not loop.last "
    "}}{{ '?' if p not in t.function.parameters.required }}{% endfor %}{% endfor %}",
    "{{ nested | tojson(indent=4) }}",
    "{% if x %}{% endfor %}",
    "{% endif %}",
    "{{ }}",
    "{{ 1 + }}",
    "{% foo %}",
    "{{ 'a }}",
    "{% if %}{% endif %}",
    "{{ x | nofilter }}",
    "{{ x is notest }}",
    "{% for in x %}{% endfor %}",
    "{{ a b }}",
    "{{ (1 }}",
    "{{ 1) }}",
    "{% set 1 = 2 %}",
    "{% set loop = 1 %}{{ loop }}",
    "{% for x in list %}{{ x }}",
    "{# x",
    "{{ x.1a }}",
    "{{ [1 2] }}",
    "{{ f(a=1, 2) }}",
    "{{ loop }}",
    "{{ caller() }}",
    "{{ not }}",
    "{{ 1 is 1 }}",
    "{{ 5 is not }}",
    "{{ 1 if }}",
]


def compile_and_render(source, variables):
    template = _cached_compile_jinja_template(source)
    blocks, spans = [], []
    with template.environment.activate_tracker(blocks, spans):
        for block in template.generate(**variables):
            blocks.append(block)
    return "".join(blocks), spans


def case(source, variables=VARIABLES):
    line = {"source": source, "variables": {k: v for k, v in variables.items() if k in source}}
    try:
        text, spans = compile_and_render(source, copy.deepcopy(line["variables"]))
        line["rendered"] = text
        if spans:
            line["spans"] = spans
        text.encode()
    except Exception:
        line["rendered"] = None
    return line


class Writer:
    """Random templates: mostly such that most of them render."""
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.locals = []

    def pick(self, *options):
        return self.r.choice(options)

    def atom(self):
        return self.pick("n", "x", "text", "list", "words", "d", "messages", "items_list",
                         "nothing", "flag", "empty", "neg", "undefined_name", "nested",
                         "messages[0]", "tools", "1", "2", "0", "-1", "2.5", "'ab'", "'a b'", "''",
                         "[1, 2]", "[]", "{}", "{'a': 1}", "(1, 'x')", "true", "none",
                         *(self.locals or ["n"]))

    def text(self, depth):
        return self.pick("text", "'  ab cd '", "'x,y,z'", "words[0]", "messages[1].content",
                         "bos_token", f"({self.expression(depth - 1)} | string)",
                         f"({self.expression(depth - 1)} ~ '')")

    def sequence(self, depth):
        return self.pick("list", "words", "messages", "items_list", "range(4)", "text", "d", "[3, "
                         "1, "
                         "2]", f"({self.expression(depth - 1)}, {self.expression(depth - 1)})",
                         f"[{self.expression(depth - 1)}, {self.expression(depth - 1)}]",
                         "text.split()", "d.items()")

    def expression(self, depth):
        if depth <= 0:
            return self.atom()
        e = lambda: self.expression(depth - 1)
        kind = self.r.randrange(24)
        if kind < 3:
            return self.atom()
        if kind == 3:
            if self.r.random() < .5:
                return f"{e()} {self.pick('+', '-', '*', '//', '%', '/', '~', '**')} {e()}"
            return f"({e()}) {self.pick('+', '~', '*')} ({e()})"
        if kind == 4:
            return f"{e()} {self.pick('==', '!=', '<', '>', '<=', '>=', 'in', 'not in')} {e()}"
        if kind == 5:
            return f"{e()} {self.pick('and', 'or')} {e()}"
        if kind == 6:
            return f"not {e()}"
        if kind == 7:
            return f"({e()} if {e()} else {e()})"
        if kind == 8:
            sequence = self.sequence(depth)
            return f"{sequence}[{self.pick('0', '-1', '1:', ':-1', '::2', '::-1', '1:3', e())}]"
        if kind < 12:
            method = self.pick("upper()", "lower()", "strip()", "strip('a ')", "split()",
                               "split('o')", "split(',', 1)", "rsplit(None, 1)", "title()",
                               "capitalize()", "startswith('a')", "endswith(' ')", "find('o')",
                               "replace('a', 'b')", "replace('', '.', 2)", "isdigit()", "isupper()",
                               "zfill(7)", "center(9, '-')", "partition(' ')", "count('l')",
                               "splitlines()", "ljust(8)", "swapcase()", "rindex('b')",
                               "lstrip('H')", "removeprefix('He')")
            return f"{self.text(depth)}.{method}"
        if kind < 15:
            f = self.pick("length", "first", "last", "list", "join('-')", "sort",
                          "sort(reverse=true)", "unique | list", "reverse | list", "min", "max",
                          "map('string') | list", "map('upper') | join", "select | list",
                          "select('string') | list", "reject('number') | list", "batch(2) | list",
                          "slice(2) | list", "tojson", "string", "map('length') | list",
                          "select('gt', 1) | list", "map(attribute='role') | list",
                          "map(attribute='k', default='-') | join(',')",
                          "selectattr('role') | list | length", "rejectattr('k', 'eq', 'a') | list",
                          "sum", "count", "items | list", "groupby('k') | list")
            return f"{self.sequence(depth)} | {f}"
        if kind < 18:
            f = self.pick("default('z')", "default('z', true)", "string", "int", "float", "abs",
                          "round", "round(1)", "upper", "lower", "title", "trim", "capitalize",
                          "tojson", "tojson(indent=2)", "length", "string | indent",
                          "string | indent(2, true)", "string | truncate(5, true)", "wordcount",
                          "center(12)", "replace('a', 'b')", "string | urlencode", "list", "int(3)",
                          "d('q')", "format(1)", "tojson(sort_keys=true)")
            return f"{self.pick(self.atom(), '(' + e() + ')')} | {f}"
        if kind < 20:
            t = self.pick("defined", "undefined", "none", "string", "number", "integer", "float",
                          "boolean", "mapping", "iterable", "sequence", "odd", "even",
                          "divisibleby 3", "eq 2", "in [1, 2]", "lower", "upper", "callable",
                          "true", "false", "gt(1)", "sameas none", "ne 'a'")
            return f"{self.pick(self.atom(), '(' + e() + ')')} is {self.pick('', 'not ')}{t}"
        if kind == 20:
            owner = self.pick('d', 'nested', 'messages[0]', 'messages[2]', 'undefined_name', 'text')
            member = self.pick('a', 'role', 'content', "get('a')", 'keys() | list', 'missing',
                               'values() | list', 'tool_calls')
            return f"{owner}.{member}"
        if kind == 21:
            return f"{self.pick('d', 'nested', 'messages[0]', 'list', 'text')}[{e()}]"
        if kind == 22:
            return f"{{{e()}: {e()}, 'k': {e()}}}"
        return f"[{e()}, {e()}]" if self.r.random() < .5 else f"({e()}, {e()})"

    def body(self, depth):
        parts = []
        for _ in range(self.r.randrange(1, 4)):
            parts.append(self.statement(depth))
        return "".join(parts)

    def tag(self, inside):
        return "{%" + self.pick("", "", "-", "+") + " " + inside + " " + self.pick(
            "", "", "-", "+") + "%}"

    def space(self):
        return self.pick("", "", " ", "\n", "  \n  ", "\n\n", "a", "ü \t", "x\n  ")

    def statement(self, depth):
        kind = self.r.randrange(12 if depth > 0 else 5)
        s = self.space
        if kind < 2:
            return s()
        if kind < 5:
            return "{{" + self.pick("", "-") + " " + self.expression(
                self.r.randrange(4)) + " " + self.pick("", "-") + "}}" + s()
        if kind < 7:
            otherwise = self.tag("else") + self.body(depth - 1) if self.r.random() < .4 else ""
            return self.tag("if " + self.expression(2)) + s() + self.body(
                depth - 1) + otherwise + self.tag("endif") + s()
        if kind < 9:
            name = self.pick("i", "j")
            self.locals.append(name)
            self.locals += ["loop.index", "loop.last", "loop.previtem"]
            body = self.body(depth - 1)
            if self.r.random() < .2:
                body += self.tag("if loop.index == 2") + self.tag(self.pick(
                    "break", "continue")) + self.tag("endif") + s()
            del self.locals[-4:]
            condition = self.pick("", "", " if " + name)
            return self.tag(f"for {name} in {self.sequence(2)}{condition}") + s() + body + self.tag(
                "endfor") + s()
        if kind == 9:
            name = self.pick("u", "v")
            value = self.expression(2)
            self.locals.append(name)
            return self.tag(f"set {name} = {value}") + s()
        if kind == 10:
            return "{#" + self.pick("", "-") + s() + self.pick("", "-") + "#}" + s()
        name = self.pick("m", "f")
        return self.tag(
            f"macro {name}(p, q='z')") + "{{ p }}" + s() + "{{ q | string }}" + self.tag(
                "endmacro") + "{{ " + f"{name}({self.expression(1)})" + " }}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.random:
        for i in range(arguments.random):
            line = case(Writer(arguments.seed * 1000003 + i).body(3))
            if line["rendered"] and (" at 0x" in line["rendered"] or "dict_" in line["rendered"]
                                     or "range(" in line["rendered"]):
                continue
            print(json.dumps(line, ensure_ascii=True))
        return
    sources = ["{{ " + e + " }}" for row in EXPRESSIONS.split("\n")
               for e in split_row(row)] + TEMPLATES
    for source in sources:
        line = case(source)
        if line["rendered"] and (" at 0x" in line["rendered"] or "dict_" in line["rendered"]
                                 or "<class" in line["rendered"]):
            continue
        print(json.dumps(line, ensure_ascii=True))


def split_row(row):
    """Expressions with | between them; " | " is a filter."""
    parts, depth = [""], None
    for i, c in enumerate(row):
        if depth:
            depth = None if c == depth and row[i - 1] != "\\" else depth
        elif c in "'\"":
            depth = c
        if c == "|" and not depth and not (row[i - 1] == " " and row[i + 1] == " "):
            parts.append("")
        else:
            parts[-1] += c
    return parts


if __name__ == "__main__":
    sys.exit(main())
