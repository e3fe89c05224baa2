#!/bin/sh
# Settings at the ends of their ranges, multiple choice, /params: numbers mean what they say, or are
# refused.
# test_numbers.sh HEED SOURCE-FOLDER CHAIN-MODEL
set -u
. "$2/tests/cli/expect.sh"
"$chain_model" "$work/chain" || exit 1

# --- temperatures: as they fall, the answer is the greedy one ---
say() { "$heed" generate -m "$work/chain" -p A -n 8 -t 1 "$@" 2>"$work/err"; }
[ "$(say --temp 0)" = BCXYZ ] || fail "the chain model says $(say --temp 0)"
for temperature in 1e-20 1e-37 1e-38 1e-45 1e-46 1e-300 2.3e-308 4.9e-324 1e-400; do
  for cut in '--top-k 3' '--top-p 0 --min-p 1' '--typical-p 0.5' \
    '--repeat-penalty 1.1 --eta-cutoff 0.01'; do
    [ "$(say --temp $temperature $cut | head -n 1)" = BCXYZ ] ||
      fail "--temp $temperature $cut: $(cat "$work/err")"
  done
done
say --temp 1e-300 --logprobs 1 --json | grep -q '"text":"BCXYZ".*"id":66,"logprob":0.0' ||
  fail "--logprobs with a low temperature: $(cat "$work/err")"
printf '{"do_sample": true, "temperature": 1e-300, "top_k": 50, "eos_token_id": 257}' \
  >"$work/chain/generation_config.json"
[ "$(say)" = BCXYZ ] || fail "temperature 1e-300 of generation_config.json: $(cat "$work/err")"
rm "$work/chain/generation_config.json"
say --temp 1e300 >/dev/null || fail "--temp 1e300: $(cat "$work/err")"
for wrong in '--temp inf' '--temp -1e-300' '--temp nan' '--repeat-penalty inf' \
  '--repeat-penalty 0' '--presence-penalty 1e39' '--top-p 1.5' \
    '--typical-p 0' '--length-penalty 1e7'; do
  say $wrong >/dev/null && fail "$wrong was taken"
  has 'expected'
  lacks 'weights'
done
for penalty in '--repeat-penalty 1e-38' '--repeat-penalty 4.9e-324' '--repeat-penalty 1e300' \
  '--presence-penalty -3e38 --frequency-penalty -3e38' \
    '--logit-bias 66=3e38 67=3e38'; do
  say --temp 0.7 --seed 1 $penalty >/dev/null || fail "$penalty: $(cat "$work/err")"
done
for penalty in -1e6 -1000 1000 1e6; do
  [ "$(say --beams 2 --length-penalty $penalty)" = BCXYZ ] ||
    fail "--length-penalty $penalty says \"$(say --beams 2 --length-penalty $penalty)\""
done

# --- multiple choice ---
ask() {
  "$heed" eval -m "${model:-$work/chain}" --choices "$work/asked.jsonl" -t 1 "$@" 2>"$work/err"
}
asked() {
  printf '{"context": "%s", "choices": %s, "answer": %s}\n' "$1" "$2" "$3" >"$work/asked.jsonl"
}
many() { awk -v n="$1" 'BEGIN { while (n--) printf "B" }'; }
asked A '["B", "X"]' 0
ask --delimiter '' --json | grep -q '"acc": 1.0' || fail "a question: $(cat "$work/err")"
[ ! -s "$work/err" ] || fail "a plain question gives a message: $(cat "$work/err")"
asked '' '["<|bos|>", "X"]' 0
ask --delimiter '' && fail "a choice without tokens was scored"
has 'asked.jsonl: line 1: choice 0, "<|bos|>", has no tokens of its own'
asked A "[\"$(many 257)\", \"X\"]" 0
ask --delimiter '' && fail "a choice longer than the context was scored"
has 'asked.jsonl: line 1: choice 0 has 257 tokens, but the model.s context has 256'
asked "$(many 300)" '["C", "X"]' 0
ask --delimiter '' --json | grep -q '"cut": 2' || fail "a long context: $(cat "$work/err")"
has 'left out'
model=$fixtures/gpt2
asked 'hello the' '["re", "x"]' 0
ask --delimiter '' --json | grep -q '"joined": 1' || fail "a joined choice: $(cat "$work/err")"
has 'share a token'
model=
for wrong in '"B" "no"' '["B","X"] 2' '["B","X"] -1' '["B","X"] 1.0' '["B","X"] "1"' \
  '["B","X"] true' '["B"] 0' '[] 0' '["B",""] 0'; do
  asked A "${wrong% *}" "${wrong##* }"
  ask && fail "$wrong was taken"
  has 'asked.jsonl: line 1: expected'
  has "found ${wrong##* }\|found $(echo "${wrong% *}" | sed 's/\[/\\[/')"
done

# --- /params: the checks and words of the command line, and nothing changed by what they refuse ---
"$chain_model" "$work/talk" --template '{% for m in messages %}{{ m.content }}{% endfor %}' \
  --generation '{"do_sample": true, "temperature": 0.6, "top_p": 0.9,
    "eos_token_id": [257, 258]}' || exit 1
talk() { printf '%s\n' "$@" | "$heed" chat -m "$work/talk" -t 1 2>"$work/err"; }
shown() { for line in "$@"; do has "^$line\$"; done; }
talk /params || fail "/params: $(cat "$work/err")"
shown 'temp  *0.6' 'top-p  *0.9' 'top-k  *0' 'seed  *from the clock' 'n  *as many as fit'
talk '/params temp 0.25 ' '/params top_k 7' '/params --min-p=0.1' '/params seed 12345678901' \
  '/params n 3' /params || fail "/params NAME VALUE: $(cat "$work/err")"
shown 'temp  *0.25' 'top-k  *7' 'min-p  *0.1' 'seed  *12345678901' 'n  *3'
talk '/params temp' || fail "/params temp: $(cat "$work/err")"
[ "$(cat "$work/err")" = "temp             0.6" ] || fail "/params temp shows $(cat "$work/err")"
for wrong in 'temp abc' 'temp 0.7 0.8' 'temp nan' 'temp -1' 'temp inf' 'top_k 1.5' 'top-k -1' \
  'top_p 2' 'min_p 1.5' 'typical_p 0' 'repeat_penalty 0' \
    'seed -1' 'n 0' 'n 99999999999999999999' 'beams 2'; do
  talk "/params $wrong" && fail "/params $wrong was taken"
  grep -q 'expected\|no beams' "$work/err" || fail "/params $wrong: $(cat "$work/err")"
done
talk '/params top_k 7' || fail "/params top_k: $(cat "$work/err")"
lacks 'no effect'
talk '/params temp 0' '/params top_k 7' || fail "/params top_k: $(cat "$work/err")"
has 'note: --top-k has no effect'; has '^top-k  *7$'
talk '/params tmp 1' && fail "an unknown parameter was taken"
has 'did you mean temp'
talk '/params bad-words x' && fail "/params bad-words was taken"
has 'on the command line alone'
for row in temp top-k top-p; do # the same words, but for what stands before them
  "$heed" generate -m "$work/talk" -p A --$row x 2>"$work/line"
  talk "/params $row x"
  [ "$(sed -n 's/.*: expected/expected/p' "$work/err")" = \
    "$(sed -n 's/.*: expected/expected/p' "$work/line")" ] ||
    fail "$row: other words than on the command line"
done

exit $failed
