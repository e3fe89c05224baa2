#!/bin/sh
# The defaults that README.md and the man page name, one by one.   test_defaults.sh HEED SOURCE-FOLDER CHAIN-MODEL
heed=$1 fixtures=$2/tests/fixtures chain_model=$3 failed=0
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $*"; failed=1; }
make() { name=$1; shift; "$chain_model" "$work/$name" "$@" || exit 1; }
say() { name=$1; shift; "$heed" generate -m "$work/$name" -t 1 "$@" 2>"$work/err"; }
same() { [ "$2" = "$3" ] || fail "$1: \"$2\", expected \"$3\": $(cat "$work/err")"; }
template='{% for m in messages %}{{ m.content }}{% endfor %}'
make plain
make ring --script AA --context 64
make tie --script AB --script AC
make bos --add-bos --template "$template"

# Without a temperature the likeliest token, whatever the seed; with one, or with do_sample, a draw.
same "greedy by default" "$(say plain -p A)" BCXYZ
same "no draw, no seed" "$(say tie -p A -n 1 --seed 1)$(say tie -p A -n 1 --seed 2)$(say tie -p A -n 1 --seed 3)" BBB
same "equal seeds" "$(say tie -p A -n 1 --temp 1 --seed 4)" "$(say tie -p A -n 1 --temp 1 --seed 4)"
[ "$(say tie -p A -n 1 --temp 1 --num-return 16 --seed 1 | sort -u | tr -d '\n')" = BC ] || fail "a temperature draws"
make sampled --script AB --script AC --generation '{"do_sample": true, "eos_token_id": 257}'
[ "$(say sampled -p A -n 1 --num-return 16 --seed 1 | sort -u | tr -d '\n')" = BC ] || fail "do_sample draws"
same "--temp 0 over do_sample" "$(say sampled -p A -n 1 --temp 0 --seed 3)" B

# top_k is off unless it is given, by an option or by the model's files.
draw() { "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 --ids --temp 100 -n 1 --num-return 400 --seed 1 -t 1 "$@" | sort -u | wc -l; }
[ "$(draw)" -gt 100 ] || fail "without --top-k $(draw) different tokens were drawn"
[ "$(draw --top-k 50)" -eq 50 ] || fail "with --top-k 50 $(draw --top-k 50) different tokens were drawn"
make cut --script AC --generation '{"top_k": 1, "eos_token_id": 257}'
same "top_k of the model's files" "$(say cut -p A -n 1 --temp 1000 --num-return 9 --seed 1 | sort -u)" C
"$heed" convert "$work/cut" --out "$work/cut.gguf" 2>"$work/err" || fail "convert: $(cat "$work/err")"
same "top_k of a GGUF file" "$("$heed" generate -m "$work/cut.gguf" --prompt-ids 65 --ids -n 1 --temp 1000 --num-return 9 --seed 1 2>"$work/err" | sort -u)" '[67]'
printf '/params\n' | "$heed" chat -m "$work/bos" -t 1 2>&1 | grep -q '^top-k  *0$' || fail "/params shows no top-k 0"

# Length: to the end of the context; max_length of the model's files counts the prompt, max_new_tokens does not.
same "to the end of the context" "$(say ring -p A | tr -d '\n' | wc -c)" 63
grep -q 'context is full' "$work/err" || fail "the end of the context is not told"
make short --script AA --context 64 --generation '{"max_length": 5, "eos_token_id": 257}'
same "max_length" "$(say short -p AA)" AAA
same "-n over max_length" "$(say short -p AA -n 6)" AAAAAA

# Repetition counts the prompt, presence and frequency do not.
same "a tie" "$(say tie -p BA -n 1)" B
same "--repeat-penalty and the prompt" "$(say tie -p BA -n 1 --repeat-penalty 1.1)" C
same "--presence-penalty and the prompt" "$(say tie -p BA -n 1 --presence-penalty 1 --frequency-penalty 1)" B

# Stop strings are looked for in the new text alone.
same "a stop string that begins in the prompt" "$(say plain -p A --stop AB)" BCXYZ
same "a stop string in the new text" "$(say plain -p A --stop CX)" B

# Control tokens spelled in a text are control tokens; generate adds what the tokenizer adds, chat what the template writes.
ids() { name=$1; shift; say "$name" -n 1 --logprobs 0 "$@" | sed 's/.*"prompt_tokens"//; s/"tokens".*//' | grep -o '"id":[0-9]*' | tr -dc '0-9\n' | tr '\n' ' '; }
same "a control token in a prompt" "$(ids plain -p 'A<|eot|>')" '65 258 '
same "a token that the tokenizer adds" "$(ids bos -p A)" '256 65 '
turn() { "$heed" chat -m "$1" --template "$work/template" -p "$2" -n 1 --json -t 1 2>"$work/err" | grep -o '"prompt_tokens":[0-9]*'; }
printf '%s' "$template" >"$work/template"
same "chat adds no token" "$(turn "$work/bos" AB)" '"prompt_tokens":2'
same "a control token in a message" "$(turn "$work/bos" 'A<|eot|>')" '"prompt_tokens":2'
same "GGUF: chat adds no token" "$(turn "$fixtures/gguf-llama-q8_0/model.gguf" hello)" '"prompt_tokens":6'
same "GGUF: a control token in a message" "$(turn "$fixtures/gguf-llama-q8_0/model.gguf" '<s>hello')" '"prompt_tokens":7'
same "GGUF: generate adds its token" "$("$heed" generate -m "$fixtures/gguf-llama-q8_0/model.gguf" -p hello -n 1 --logprobs 0 -t 1 2>/dev/null | grep -o '"prompt_tokens":\[{"id":[0-9]*')" '"prompt_tokens":[{"id":1'

# A prompt longer than the context is an error; --truncate keeps its end.
long=$(awk 'BEGIN { while (i++ < 300) printf "A" }')
say plain -p "$long" -n 3 && fail "a long prompt was cut without a word"
grep -q -- --truncate "$work/err" || fail "a long prompt: $(cat "$work/err")"
same "--truncate" "$(say plain -p "$long" -n 3 --truncate)" BC
grep -q 'its first 47 tokens were left out' "$work/err" || fail "--truncate: $(cat "$work/err")"

# Keys and values are kept in f32.
scores() { "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 6 --logprobs 0 -t 1 "$@" 2>/dev/null; }
same "the type of the cache" "$(scores)" "$(scores --cache f32)"
[ "$(scores)" != "$(scores --cache i8)" ] || fail "--cache i8 changes nothing"

# The man page has them all.
"$heed" --man >"$work/heed.1"
for word in 'SH DEFAULTS' do_sample top_k max_length 'stop string' 'control token' 'beginning of text' 'truncate' OMP_NUM_THREADS; do
  grep -q "$word" "$work/heed.1" || fail "the man page does not say \"$word\""
done
exit $failed
