#!/bin/sh
# The defaults that docs/reference.md and the man page name, one by one. test_defaults.sh HEED SOURCE-FOLDER
# CHAIN-MODEL
set -u
. "$2/tests/cli/expect.sh"
make() { name=$1; shift; "$chain_model" "$work/$name" "$@" || exit 1; }
say() { name=$1; shift; "$heed" generate -m "$work/$name" -t 1 "$@" 2>"$work/err"; }
template='{% for m in messages %}{{ m.content }}{% endfor %}'
make plain
make ring --script AA --context 64
make tie --script AB --script AC
make bos --add-bos --template "$template"

# Without a temperature the likeliest token, whatever the seed; with one, or with do_sample, a draw.
is "$(say plain -p A)" BCXYZ "greedy by default"
is "$(say tie -p A -n 1 --seed 1)$(say tie -p A -n 1 --seed 2)$(say tie -p A -n 1 --seed 3)" BBB \
  "no draw, no seed"
is "$(say tie -p A -n 1 --temp 1 --seed 4)" "$(say tie -p A -n 1 --temp 1 --seed 4)" "equal seeds"
[ "$(say tie -p A -n 1 --temp 1 --num-return 16 --seed 1 | sort -u | tr -d '\n')" = BC ] ||
  fail "a temperature draws"
make sampled --script AB --script AC --generation '{"do_sample": true, "eos_token_id": 257}'
[ "$(say sampled -p A -n 1 --num-return 16 --seed 1 | sort -u | tr -d '\n')" = BC ] ||
  fail "do_sample draws"
is "$(say sampled -p A -n 1 --temp 0 --seed 3)" B "--temp 0 over do_sample"

# top_k is off unless it is given, by an option or by the model's files.
draw() {
  "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 --ids --temp 100 -n 1 --num-return 400 \
    --seed 1 -t 1 "$@" | sort -u | wc -l
}
[ "$(draw)" -gt 100 ] || fail "without --top-k $(draw) different tokens were drawn"
[ "$(draw --top-k 50)" -eq 50 ] ||
  fail "with --top-k 50 $(draw --top-k 50) different tokens were drawn"
make cut --script AC --generation '{"top_k": 1, "eos_token_id": 257}'
is "$(say cut -p A -n 1 --temp 1000 --num-return 9 --seed 1 | sort -u)" C \
  "top_k of the model's files"
"$heed" convert "$work/cut" --out "$work/cut.gguf" 2>"$work/err" ||
  fail "convert: $(cat "$work/err")"
drawn=$("$heed" generate -m "$work/cut.gguf" --prompt-ids 65 --ids -n 1 --temp 1000 --num-return 9 \
  --seed 1 2>"$work/err" | sort -u)
is "$drawn" '[67]' "top_k of a GGUF file"
printf '/params\n' | "$heed" chat -m "$work/bos" -t 1 2>&1 | grep -q '^top-k  *0$' ||
  fail "/params shows no top-k 0"

# Length: to the end of the context; max_length of the model's files counts the prompt,
# max_new_tokens does not.
is "$(say ring -p A | tr -d '\n' | wc -c)" 63 "to the end of the context"
has 'context is full'
make short --script AA --context 64 --generation '{"max_length": 5, "eos_token_id": 257}'
is "$(say short -p AA)" AAA "max_length"
is "$(say short -p AA -n 6)" AAAAAA "-n over max_length"

# Repetition counts the prompt, presence and frequency do not.
is "$(say tie -p BA -n 1)" B "a tie"
is "$(say tie -p BA -n 1 --repeat-penalty 1.1)" C "--repeat-penalty and the prompt"
is "$(say tie -p BA -n 1 --presence-penalty 1 --frequency-penalty 1)" B \
  "--presence-penalty and the prompt"

# Stop strings are looked for in the new text alone.
is "$(say plain -p A --stop AB)" BCXYZ "a stop string that begins in the prompt"
is "$(say plain -p A --stop CX)" B "a stop string in the new text"

# Control tokens spelled in a text are control tokens; generate adds what the tokenizer adds, chat
# what the template writes.
ids() { name=$1; shift; say "$name" -n 1 --logprobs 0 "$@" |
  sed 's/.*"prompt_tokens"//; s/"tokens".*//' | grep -o '"id":[0-9]*' | tr -dc '0-9\n' |
  tr '\n' ' '; }
is "$(ids plain -p 'A<|eot|>')" '65 258 ' "a control token in a prompt"
is "$(ids bos -p A)" '256 65 ' "a token that the tokenizer adds"
turn() { "$heed" chat -m "$1" --template "$work/template" -p "$2" -n 1 --json -t 1 2>"$work/err" |
  grep -o '"prompt_tokens":[0-9]*'; }
printf '%s' "$template" >"$work/template"
is "$(turn "$work/bos" AB)" '"prompt_tokens":2' "chat adds no token"
is "$(turn "$work/bos" 'A<|eot|>')" '"prompt_tokens":2' "a control token in a message"
is "$(turn "$fixtures/gguf-llama-q8_0/model.gguf" hello)" '"prompt_tokens":6' \
  "GGUF: chat adds no token"
is "$(turn "$fixtures/gguf-llama-q8_0/model.gguf" '<s>hello')" '"prompt_tokens":7' \
  "GGUF: a control token in a message"
begin=$("$heed" generate -m "$fixtures/gguf-llama-q8_0/model.gguf" -p hello -n 1 --logprobs 0 -t 1 \
  2>/dev/null | grep -o '"prompt_tokens":\[{"id":[0-9]*')
is "$begin" '"prompt_tokens":[{"id":1' "GGUF: generate adds its token"

# A prompt longer than the context is an error; --truncate keeps its end.
long=$(awk 'BEGIN { while (i++ < 300) printf "A" }')
say plain -p "$long" -n 3 && fail "a long prompt was cut without a word"
has --truncate
is "$(say plain -p "$long" -n 3 --truncate)" BC "--truncate"
has 'its first 47 tokens were left out'

# Keys and values are kept in f32.
scores() {
  "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 6 --logprobs 0 -t 1 "$@" 2>/dev/null
}
is "$(scores)" "$(scores --cache f32)" "the type of the cache"
[ "$(scores)" != "$(scores --cache i8)" ] || fail "--cache i8 changes nothing"

# The man page has them all.
"$heed" --man >"$work/heed.1"
for word in 'SH DEFAULTS' do_sample top_k max_length 'stop string' 'control token' \
  'beginning of text' 'truncate' OMP_NUM_THREADS; do
  grep -q "$word" "$work/heed.1" || fail "the man page does not say \"$word\""
done
exit $failed
