#!/bin/sh
# What people's files hold that a program's own files do not: byte order marks, CRLF, blank lines,
# NUL bytes, NaN,
# keys given twice, folders in place of files; and what a line of --bad-words forbids.
#   test_lines.sh HEED SOURCE-FOLDER CHAIN-MODEL
set -u
. "$2/tests/cli/expect.sh"

# same TEXT COMMAND...: stdout
same() {
  wanted=$1
  shift
  got=$("$@" 2>"$work/err" </dev/null) || { fail "status $?: $*"; cat "$work/err" >&2; }
  [ "$got" = "$wanted" ] || fail "\"$got\" instead of \"$wanted\": $*"
}

model=$work/model
characters "$model"
bom=$(printf '\357\273\277')

# --- one reader of lines: prompts ---
plain=$("$heed" generate -m "$model" --file "$work/text.txt" -n 3 --temp 0 2>&1) ||
  fail "generate --file: $plain"
printf '\357\273\277To be\r\nor not to be' >"$work/marked.txt"
same "$plain" "$heed" generate -m "$model" --file "$work/marked.txt" -n 3 --temp 0
same "$plain" sh -c '"$1" generate -m "$2" --file - -n 3 --temp 0 <"$3"' sh "$heed" "$model" \
  "$work/marked.txt"
printf 'To be\n\nor' >"$work/blank.txt"
[ "$("$heed" generate -m "$model" --file "$work/text.txt" --ids -n 1 --temp 0 | wc -l)" -eq 2 ] ||
  fail "two prompts"
printf 'To be\nor\000not\n' >"$work/nul.txt"
expect 1 'nul.txt, line 2: a NUL byte at column 3' "$heed" generate -m "$model" \
  --file "$work/nul.txt" -n 3
printf 'T\000o\000\n\000' >"$work/wide.txt"
expect 1 'wide.txt, line 1: a NUL byte' "$heed" generate -m "$model" --file "$work/wide.txt" -n 3
printf '\377\376T\000o\000\n\000' >"$work/wide.txt"
expect 1 'wide.txt: UTF-16, expected UTF-8' "$heed" generate -m "$model" --file "$work/wide.txt" \
  -n 3
expect 1 'wide.txt: UTF-16' "$heed" tokenize -m "$model" --jsonl "$work/wide.txt"
printf '\357\273\277' >"$work/empty.txt"
expect 1 'empty, expected one prompt a line' "$heed" generate -m "$model" --file "$work/empty.txt" \
  -n 3
for reader in "generate --file" "generate -p T --bad-words" "tokenize --jsonl" "eval --choices"; do
  expect 1 "$work: .*folder" "$heed" ${reader%% *} -m "$model" ${reader#* } "$work"
  expect 1 'nowhere: cannot open' "$heed" ${reader%% *} -m "$model" ${reader#* } "$work/nowhere"
  expect 1 '/proc/self/mem: cannot read' "$heed" ${reader%% *} -m "$model" ${reader#* } \
    /proc/self/mem
done

# --- forbidden words: a chain of bytes says " CAT" after "a" ---
"$chain_model" "$work/cat" --script 'a CAT!' || fail "no chain model"
says() {
  "$heed" generate -m "$work/cat" -p a -n 5 --bad-words "$work/words.txt" "$@" 2>"$work/err" |
    tr -d '\000'
}
for line in cat Cat CAT cAt ' cat' 'cat  ' '\t cat\r' '\357\273\277cat' '\n\n \ncat' ' CAT' \
  'a cat' 'at' 'dog\ncat'; do
  printf "$line\n" >"$work/words.txt"
  for how in '--temp 0' '--beams 3' '--temp 0.7 --seed 1 --top-k 5'; do
    case $(says $how) in *[Cc][Aa][Tt]*) fail "\"$line\" did not forbid CAT with $how" ;; esac
  done
done
printf '\n \ncart\nca t\n' >"$work/words.txt"
[ "$(says --temp 0)" = " CAT" ] || fail "other words forbade CAT: $(says --temp 0)"
printf '[67, 65, 84]\n' >"$work/words.txt"
case $(says --temp 0) in *CAT*) fail "ids did not forbid CAT" ;; esac
printf '[]\n' >"$work/words.txt"
expect 1 'words.txt, line 1: "\[\]" is not an array of token ids' "$heed" generate -m "$work/cat" \
  -p a -n 5 --bad-words "$work/words.txt"
printf 'dog\nc\000t\n' >"$work/words.txt"
expect 1 'words.txt, line 2: a NUL byte' "$heed" generate -m "$work/cat" -p a -n 5 \
  --bad-words "$work/words.txt"
for none in '' '\n \n\t\r\n' '\357\273\277' '\357\273\277\n'; do
  printf "$none" >"$work/words.txt"
  expect 0 'words.txt: no bad words in it' "$heed" generate -m "$work/cat" -p a -n 5 --temp 0 \
    --bad-words "$work/words.txt"
  [ "$(says --temp 0)" = " CAT" ] || fail "no words changed the text: $(says --temp 0)"
  [ "$(grep -c 'no bad words' "$work/err")" -eq 1 ] ||
    fail "no note of \"$none\", or several: $(cat "$work/err")"
done
expect 0 'null: no bad words in it' "$heed" generate -m "$work/cat" -p a -n 5 --bad-words /dev/null
printf 'a\nb\n/params temp 0\nc\n' >"$work/talk"
printf '' >"$work/words.txt"
talk() { "$heed" chat $chatml -n 2 --temp 0 --bad-words "$@" <"$work/talk" 2>&1; }
[ "$(talk "$work/words.txt" | grep -ac 'no bad words')" -eq 1 ] ||
  fail "chat does not say once that the file is empty"
expect 0 '-: no bad words in it' "$heed" generate -m "$work/cat" -p a -n 5 --bad-words -
printf '<|eot|>\n' >"$work/words.txt"
[ "$("$heed" generate -m "$work/cat" -p a -n 5 --temp 0 --ids)" = '[32, 67, 65, 84, 258]' ] ||
  fail "the chain has changed"
"$heed" generate -m "$work/cat" -p a -n 5 --temp 0 --ids --bad-words "$work/words.txt" >"$work/out"
lacks 258 "$work/out" # a special token

# --- objects by lines ---
{
  printf '\357\273\277{"text": "To", "score": NaN}\r\n\r\n \t\n'
  printf '{"text": "x", "text": "be", "n": 1e400, "id": 123456789012345678901}'
} >"$work/text.jsonl"
ids=$("$heed" tokenize -m "$model" -p To; "$heed" tokenize -m "$model" -p be)
same "$ids" "$heed" tokenize -m "$model" --jsonl "$work/text.jsonl"
printf '{"text": "To"}\n{"text": "be\\ud83d"}\n' >"$work/half.jsonl"
expect 1 'half.jsonl, line 2: half a surrogate pair' "$heed" tokenize -m "$model" \
  --jsonl "$work/half.jsonl"
expect 1 'half.jsonl, line 2: "text" holds half a surrogate pair' "$heed" eval -m "$model" \
  --text "$work/half.jsonl"
printf '{"text": "To"}\n{"text": NaN}\n' >"$work/nan.jsonl"
expect 1 'line 2' "$heed" tokenize -m "$model" --jsonl "$work/nan.jsonl"
{
  printf '\357\273\277'
  printf '{"context": "To", "choices": ["b", "n"], "answer": 0, "weight": Infinity}\n\n  \n'
} >"$work/choices.jsonl"
expect 0 'questions   1' "$heed" eval -m "$model" --choices "$work/choices.jsonl" --delimiter ''
printf '{"context": "To", "choices": ["b", "\\udc00"], "answer": 0}\n' >"$work/half.jsonl"
expect 1 'line 1: half a surrogate pair' "$heed" eval -m "$model" --choices "$work/half.jsonl"

# --- lines of a translation stay lines ---
printf '\357\273\277\r\na\r\n \nA' >"$work/in.txt"
expect 0 '' "$heed" translate -m "$work/cat" --in "$work/in.txt" --out "$work/translated.txt" -n 3 \
  --temp 0
[ "$(cat "$work/translated.txt"; echo .)" = "$(printf '\n CA\n\nT \n.')" ] ||
  fail "lines of a translation: $(cat "$work/translated.txt")"
cat "$work/in.txt" |
  "$heed" translate -m "$work/cat" --in - --out "$work/piped.txt" -n 3 --temp 0 ||
  fail "translate --in -"
cmp -s "$work/translated.txt" "$work/piped.txt" || fail "a translation of a pipe differs"
printf 'a\nb\000c\n' >"$work/in.txt"
expect 1 'in.txt, line 2: a NUL byte' "$heed" translate -m "$work/cat" --in "$work/in.txt" \
  --out "$work/x.txt"
expect 1 ': a folder, expected a file' "$heed" translate -m "$work/cat" --in "$work" \
  --out "$work/x.txt"
[ ! -e "$work/x.txt" ] || fail "a failed translation left a file"

# --- a conversation from a pipe ---
chat() { printf "$1" |
  "$heed" chat -m "$model" --template "$work/template" --temp 0 -n 3 2>"$work/err"; }
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}' >"$work/template"
[ "$(chat 'To be\nnot\n')" = "$(chat '\357\273\277To be\r\n\n \nnot')" ] ||
  fail "a conversation with a byte order mark differs: $(cat "$work/err")"
chat 'To\nb\000e\n' >/dev/null && fail "a NUL byte ends a message in silence"
has 'standard input, line 2: a NUL byte'

# --- files of the hub ---
"$heed" generate -m "$model" -p To -n 4 --temp 0 >"$work/wanted" 2>/dev/null
unused='[NaN, -Infinity, 1e400, {"a": 1, "a": 2}, "\\ud800", 123456789012345678901234567890]'
for file in config.json tokenizer.json tokenizer_config.json; do
  [ -f "$model/$file" ] || continue
  cp "$model/$file" "$work/kept"
  sed -e "1s/{/$bom{\"unused\": $unused, /" "$work/kept" >"$model/$file"
  same "$(cat "$work/wanted")" "$heed" generate -m "$model" -p To -n 4 --temp 0
  cp "$work/kept" "$model/$file"
done
printf '{"temperature": NaN, "do_sample": true}' >"$model/generation_config.json"
expect 1 'generation_config.json: "temperature" is NaN, expected a finite number' "$heed" generate \
  -m "$model" -p To -n 4
printf '{"top_k": Infinity, "unused": NaN}' >"$model/generation_config.json"
expect 1 '"top_k" is Infinity, expected an integer' "$heed" generate -m "$model" -p To -n 4
printf '\357\273\277{"max_length": 1e400, "max_length": 9, "unused": NaN}' \
  >"$model/generation_config.json"
expect 0 '' "$heed" generate -m "$model" -p To -n 4 --temp 0

exit $failed
