#!/bin/sh
# heed chat, heed eval --choices and prompt caches as a user runs them: pipes, commands, errors,
# context management.
set -u
. "$2/tests/cli/expect.sh"
chat() { "$heed" chat $chatml -c 200 -n 5 --temp 0 -t 1 "$@" 2>"$work/err"; }

# A turn from a pipe is the same as -p; the second turn reads only what is new; a saved conversation
# goes on.
printf 'Hello\nagain\n' | chat --json --save "$work/talk.json" >"$work/two" ||
  fail "two turns: $(cat "$work/err")"
[ "$(wc -l <"$work/two")" = 2 ] || fail "two turns give two lines"
sed -n 2p "$work/two" | grep -q '"kept_tokens":0,' && fail "the second turn read everything again"
chat -p Hello >"$work/one" || fail "-p: $(cat "$work/err")"
printf 'Hello\n' | chat >"$work/piped" && cmp -s "$work/one" "$work/piped" ||
  fail "a pipe and -p differ"
grep -q '"role": "assistant"' "$work/talk.json" || fail "nothing saved"
chat --load "$work/talk.json" -p more >/dev/null || fail "--load: $(cat "$work/err")"

# Commands.
printf '%s\n' '/system Be kind.' '/params temp 0' /params Hi /show /reset "/save $work/empty.json" \
  /help /quit never | chat >/dev/null || fail "commands: $(cat "$work/err")"
for pattern in 'system prompt is set' '^temp  *0$' 'Be kind.<|im_end|>' /quit 'Saved 1 messages'; do
  has "$pattern"
done
printf '/hepl\n' | chat && fail "an unknown command went unnoticed"
has 'did you mean /help'
printf '/params temp warm\n' | chat && fail "a bad parameter went unnoticed"
has 'expected a number'
printf '/load %s/none\n' "$work" | chat && fail "an absent file went unnoticed"
has 'none'
printf '{"messages": [{"role": 1}]}' >"$work/bad.json"
chat --load "$work/bad.json" -p x && fail "a broken conversation went unnoticed"
has 'message 0: expected strings'

# Ctrl-C while waiting for a line ends the program as interrupted.
mkfifo "$work/lines"
"$heed" chat $chatml -n 5 -t 1 <"$work/lines" >"$work/waiting" 2>"$work/err" & pid=$!
exec 3>"$work/lines"
echo Hello >&3
wait_for [ -s "$work/waiting" ]
sleep 0.2
kill -INT $pid
wait $pid
code=$?
[ $code = 130 ] || fail "Ctrl-C while waiting for a line: exit status $code"
exec 3>&-
has interrupted

# The context: what is left out is said, or an error; never silence.
for i in 1 2 3 4 5 6; do echo "word $i and more"; done | chat >/dev/null ||
  fail "a long conversation: $(cat "$work/err")"
has 'oldest messages were left out'
for i in 1 2 3 4 5 6; do echo "word $i and more"; done | chat --keep-all >/dev/null &&
  fail "--keep-all dropped messages"
has 'exceeds the context of 200'
chat -p "$(yes word | head -n 300 | tr '\n' ' ')" &&
  fail "a message longer than the context went unnoticed"
has 'shorten it'

# A model without a template, a template that refuses.
"$heed" chat -m "$fixtures/smollm2" -p x 2>"$work/err" && fail "no template went unnoticed"
has 'no chat template'
printf "{{ raise_exception('only on Sundays') }}" >"$work/refuses.jinja"
"$heed" chat -m "$fixtures/smollm2" --template "$work/refuses.jinja" -p x 2>"$work/err" &&
  fail "a refusal went unnoticed"
has 'refuses the conversation: only on Sundays'
"$heed" chat -m "$fixtures/marian" -p x 2>"$work/err" && fail "an encoder-decoder went unnoticed"

# Choices.
"$heed" eval -m "$fixtures/llama" --choices "$fixtures/choices/llama.jsonl" --json -t 1 \
  2>"$work/err" | grep -q '"questions": 39' || fail "choices: $(cat "$work/err")"
printf '{"context": "a", "choices": ["b", "c"], "answer": 5}\n' >"$work/broken.jsonl"
"$heed" eval -m "$fixtures/llama" --choices "$work/broken.jsonl" 2>"$work/err" &&
  fail "a broken question went unnoticed"
has 'line 1: expected "answer"'

# Prompt caches and logit bias.
ask() {
  "$heed" generate -m "$fixtures/llama" -p "hello world" -n 5 --temp 0 -t 1 "$@" 2>"$work/err"
}
ask >"$work/plain"
ask --prompt-cache "$work/cache" >"$work/first"
ask --prompt-cache "$work/cache" >"$work/second"
cmp -s "$work/plain" "$work/first" && cmp -s "$work/plain" "$work/second" ||
  fail "a prompt cache changed the text"
"$heed" generate -m "$fixtures/smollm2" -p hello -n 2 --prompt-cache "$work/cache" 2>"$work/err" &&
  fail "another model's cache went unnoticed"
has 'remove the file'
ask --ids --logit-bias 7=1000 | grep -q '^\[7, 7, 7, 7, 7\]$' ||
  fail "a logit bias did nothing: $(cat "$work/err")"
ask --logit-bias 7 && fail "a bad logit bias went unnoticed"
has 'expected a token id and a number'
# Fine-tuning on conversations, from a GGUF file to a GGUF file; the template goes along.
cat >"$work/talks.jsonl" <<'END'
{"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}
{"prompt": "a", "completion": "b"}
END
"$heed" train --init "$fixtures/gguf-llama-q8_0/model.gguf" \
  --template "$fixtures/chat-templates/zephyr.jinja" --data "$work/talks.jsonl" \
  --out "$work/tuned" --context 64 --max-steps 30 --learning-rate 1e-2 --dropout 0 -t 1 \
  2>"$work/err" ||
      fail "conversations: $(cat "$work/err")"
has 'heed chat -m'
"$heed" convert "$work/tuned" --out "$work/tuned.gguf" --dtype q8_0 2>"$work/err" ||
  fail "a tuned model to GGUF: $(cat "$work/err")"
for model in "$work/tuned" "$work/tuned.gguf"; do
    [ "$("$heed" chat -m "$model" -p one --temp 0 -n 8 -t 1 2>"$work/err")" = two ] ||
      fail "$model did not learn the answer: $(cat "$work/err")"
done
printf '{"prompt": "a", "completion": "b"}\n' >"$work/pairs.jsonl"
"$heed" train --init "$fixtures/smollm2" --template none --data "$work/pairs.jsonl" \
  --out "$work/untemplated" --context 64 --max-steps 1 -t 1 2>"$work/err" ||
  fail "prompts without a template: $(cat "$work/err")"
has 'next: heed generate -m' # heed chat would find no template
"$heed" train --init "$fixtures/smollm2" --data "$work/talks.jsonl" --out "$work/none" \
  --max-steps 1 2>"$work/err" && fail "messages without a template went unnoticed"
has 'line 1: messages need a chat template'
exit $failed
