#!/bin/sh
# Options that contradict each other, that have no effect, and that change when a training goes on.
# test_options.sh HEED SOURCE-FOLDER
set -u
export OMP_NUM_THREADS=1 # many small tasks
. "$2/tests/cli/expect.sh"
cd "$work" || exit 1
head -c 1500 "$shakespeare/valid.txt" >text.txt
head -c 800 "$shakespeare/test.txt" >other.txt

# --- options of trainings without effect: each row is a choice, and what is said about it ---
small="--data text.txt $small -q"
begin() { rm -rf run; "$heed" train $small --out run --max-steps 2 "$@"; }
while IFS='|' read -r options pattern; do
  expect 0 "$pattern" begin $options
  [ -n "$pattern" ] || ! grep -q 'no effect' "$work/out" ||
    { fail "an option with effect: $options"; cat "$work/out" >&2; }
done <<'END'
--momentum 0.9|note: --momentum has no effect with --optimizer adamw
--momentum 0|note: --momentum has no effect with --optimizer adamw
--optimizer adam --nesterov|note: --nesterov has no effect with --optimizer adam
--optimizer sgd --adam-beta2 0.9|note: --adam-beta2 has no effect with --optimizer sgd
--optimizer sgd --adam-beta1 0.9|note: --adam-beta1 has no effect with --optimizer sgd
--optimizer sgd --adam-epsilon 1e-8|note: --adam-epsilon has no effect with --optimizer sgd
--optimizer sgd --momentum 0.9 --nesterov|
--adam-beta1 0.9 --adam-beta2 0.9 --adam-epsilon 1e-6|
--decay-steps 1|note: --decay-steps has no effect with --lr-scheduler-type cosine
--lr-scheduler-type warmup_stable_decay --decay-steps 1 --min-lr-rate 0.1|
--min-lr-rate 0.1|note: --min-lr-rate has no effect with --lr-scheduler-type cosine
--lr-scheduler-type cosine_with_min_lr --min-lr-rate 0.2|
--lr-scheduler-type constant --warmup-steps 1|note: --warmup-steps has no effect with
--lr-scheduler-type constant --warmup-ratio 0.1|note: --warmup-ratio has no effect
--lr-scheduler-type constant_with_warmup --warmup-steps 1|
--optimizer sgd --decay-all|note: --decay-all has no effect without --weight-decay
--decay-all|
--family gpt2 --kv-heads 1|note: --kv-heads has no effect with --family gpt2
--family llama --kv-heads 1|
--template none|note: --template has no effect without conversations
--template-time 5|note: --template-time has no effect without conversations
--eval-steps 1|note: --eval-steps has no effect without --valid
--eval-steps 1 --valid other.txt|
--stop-at 5|note: --stop-at has no effect: the training ends before, after 2 updates
--average-last 1|note: --average-last 1 has no effect
END
expect 2 'warmup-steps and --warmup-ratio contradict' begin --warmup-steps 1 --warmup-ratio 0.1
expect 1 'layers, d_model, heads.*belong to a family' begin --config "$fixtures/gpt2/config.json"

# --- options of the other commands ---
expect 0 'note: --skip-special has no effect without --decode' "$heed" tokenize \
  -m "$fixtures/gpt2" -p x --skip-special
expect 0 'note: --vocab-size has no effect without --train' "$heed" tokenize -m "$fixtures/gpt2" \
  -p x --vocab-size 9
expect 0 'note: --decode has no effect with --prompt' "$heed" tokenize -m "$fixtures/gpt2" -p x \
  --decode
expect 2 'contradict' "$heed" tokenize --train char --data text.txt --out tok \
  --masking --sentence-ends
expect 0 'note: --each has no effect without --choices' "$heed" eval -m "$fixtures/gpt2" \
  --text other.txt --max-tokens 9 --each
expect 0 'note: --temp has no effect without --pairs' "$heed" eval -m "$fixtures/gpt2" \
  --text other.txt --max-tokens 9 --temp 1
expect 0 'note: --seed has no effect without --random' "$heed" convert "$fixtures/gpt2" \
  --out converted --seed 1
expect 0 'note: --prompt-tokens has no effect with --lengths' "$heed" bench -m "$fixtures/bert" \
  --batch 2 --lengths 2-4 --rounds 1 -p 5

expect 0 'note: --prompt is given more than once: the last value counts' "$heed" tokenize \
  -m "$fixtures/gpt2" -p x -p y
expect 0 '' "$heed" eval -m "$fixtures/gpt2" --text other.txt --text other.txt --max-tokens 9 \
  --json --json
! grep -q 'more than once' "$work/out" || fail "a list that is given in parts"

# --- a saved conversation and another system prompt ---
speak() { "$heed" chat $chatml -n 2 --temp 0 "$@"; }
expect 0 '' speak -p Hello --system first --save saved.json
expect 0 '' speak -p again --system second --load saved.json --save saved.json
grep -q '"second"' saved.json && ! grep -q '"first"' saved.json ||
  fail "--system beside --load was passed over"
grep -q '"Hello"' saved.json || fail "--system beside --load lost the conversation"

# --- options of a generation: with what is chosen beside them, and with generation_config.json ---
while IFS='|' read -r options pattern; do
  expect 0 "$pattern" "$heed" generate -m "$fixtures/gpt2" --prompt-ids 5,6 -n 2 --ids $options
  [ -n "$pattern" ] || ! grep -q 'no effect' "$work/out" ||
    { fail "an option with effect: $options"; cat "$work/out" >&2; }
done <<'END'
--top-k 5|note: --top-k has no effect while the likeliest token is taken each time
--temp 0 --top-p 0.5|note: --top-p has no effect
--min-p 0.1|note: --min-p has no effect
--typical-p 0.5|note: --typical-p has no effect
--epsilon-cutoff 0.1|note: --epsilon-cutoff has no effect
--eta-cutoff 0.1|note: --eta-cutoff has no effect
--length-penalty 2|note: --length-penalty has no effect without beams
--early-stopping|note: --early-stopping has no effect without beams
--temp 1 --top-k 5 --top-p 0.5 --min-p 0.1 --seed 1|
--temp 0 --top-k 0 --top-p 1|
--beams 2 --length-penalty 2 --early-stopping|
END
expect 0 'note: --top-k has no effect' "$heed" chat $chatml -p Hi -n 2 --temp 0 --top-k 5
cp -r "$fixtures/gpt2" drawing
printf '{"do_sample": true, "temperature": 0.8}' >drawing/generation_config.json
expect 0 '' "$heed" generate -m drawing --prompt-ids 5,6 -n 2 --ids --top-k 5
! grep -q 'no effect' "$work/out" || fail "a model that draws"

# --- two kinds of record in one line; a tokenizer that is not the model's ---
tune() {
  rm -rf run
  "$heed" train --init "$fixtures/gpt2" --data lines.jsonl --out run --max-steps 1 \
    --batch-size 1 -q "$@"
}
while IFS='|' read -r line pattern; do
  printf '{"text": "a text"}\n%s\n' "$line" >lines.jsonl
  if [ -n "$pattern" ]; then expect 1 "lines.jsonl, line 2: .*$pattern" tune
  else expect 0 '' tune; fi
done <<'END'
{"text": "b", "messages": [{"role": "user", "content": "x"}]}|"text", but "messages" too
{"text": "b", "prompt": "x", "completion": "y"}|"text", but "prompt" and "completion" too
{"text": "b", "source": "x", "target": "y"}|"text", but "source" and "target" too
{"messages": [{"role": "user", "content": "x"}], "prompt": "x", "completion": "y"}|but "prompt"
{"text": "b", "source": "a web page", "messages": null}|
{"text": "b", "prompt": "of something"}|
END
expect 0 '' tune --tokenizer "$fixtures/gpt2"
expect 0 '' tune --tokenizer "$fixtures/gpt2/tokenizer.json"
expect 1 'the id 0 is "<unk>" there and "!" in .*gpt2' tune --tokenizer "$fixtures/llama"
expect 1 'leave --tokenizer out' tune --tokenizer char

# --- going on: the same values are fine, others are refused by name ---
start() { rm -rf run && cp -a kept run; }
"$heed" train $small --out kept --max-steps 20 --save-steps 5 --stop-at 10 2>/dev/null ||
  fail "train --stop-at"
"$heed" train $small --out whole --max-steps 20 --save-steps 5 2>/dev/null || fail "train"
"$heed" train $small --out long --max-steps 40 --save-steps 5 2>/dev/null || fail "train"
while read -r options; do
  start
  expect 0 '' "$heed" train --resume run -q $options
  cmp run/checkpoint-20/model.safetensors whole/checkpoint-20/model.safetensors ||
    fail "other weights after: $options"
done <<END

$small
--out ./run/
--data $work/text.txt
--learning-rate 1e-3 --optimizer adamw --warmup-ratio 0.05 --save-steps 5 -t 1
--logging-steps 5
--eval-steps 2 --valid other.txt
--average-last 2 --save-steps 4 --save-total-limit 3
END
[ -e run/average ] || fail "--average-last of a training that went on was passed over"
while IFS='|' read -r options pattern; do
  start
  expect 1 "$pattern" "$heed" train --resume run -q $options
  cmp -s run/run.json kept/run.json && [ ! -e run/checkpoint-15 ] ||
    fail "a refused option changed the run: $options"
done <<'END'
--learning-rate 0.1|--learning-rate 0.1: the run was started with 0.001: leave it out, or begin
--optimizer sgd|--optimizer sgd: the run was started with adamw
--seed 6|--seed 6: the run was started with 5
--layers 2|--layers 2: the run was started with 1
--batch-size 8|--batch-size 8: the run was started with 4
--context 8|--context 8: the run was started with 16
--nesterov|--nesterov: the run was started without it
--dropout 0|--dropout 0: the run was started without it
--init whole|--init whole: the run was started without it
--tokenizer whole|--tokenizer whole: the run was started without it
--lr-scheduler-type linear|--lr-scheduler-type linear: the run was started with cosine
--out other|--out other: .*cp -a run other
--max-steps 9|that is 9 updates, and the run has 10 already
--stop-at 9|--stop-at 9: the run has 10 updates already
--data other.txt|the training data is not what it was
--data nothing.txt|nothing.txt: not there
--max-steps many|expected updates (2000), epochs
END
start
mkdir moved
mv text.txt moved/
expect 1 'text.txt: not there; if the files of --data have moved' "$heed" train --resume run -q
expect 0 '' "$heed" train --resume run -q --data moved/text.txt --stop-at 12
expect 0 '' "$heed" train --resume run -q
cmp run/checkpoint-20/model.safetensors whole/checkpoint-20/model.safetensors ||
  fail "other weights after the data moved"
mv moved/text.txt .

# --- going on with a template: a file was read once, since then the tokenizer keeps it ---
cat >talk.jsonl <<'END'
{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
END
cp "$fixtures/chat-templates/chatml.jinja" own.jinja
sed 's/im_start/im_begin/' own.jinja >another.jinja
"$heed" train --init "$fixtures/smollm2" --data talk.jsonl --template own.jinja --out talk \
  --max-steps 3 --stop-at 1 --batch-size 1 -q 2>/dev/null || fail "train --template"
expect 1 'not the template that the run was started with' "$heed" train --resume talk \
  --template another.jinja -q
expect 1 'the run was started without it' "$heed" train --resume talk --template none -q
expect 0 '' "$heed" train --resume talk --template own.jinja -q --stop-at 2
expect 0 '' "$heed" train --resume talk --template default -q

# --- going on for longer: the rates are those of a training that was begun so ---
rates() { sed -n 's/^{"step":\([0-9]*\),.*"lr":\([^,]*\),.*/\1 \2/p' "$1/log.jsonl" | sed '1,10d'; }
start
expect 0 'learning rates are now those of a training of 40 updates: the next is' "$heed" train \
  --resume run --max-steps 40 --stop-at 15 -q
expect 0 '' "$heed" train --resume run -q # the new length is kept
[ -e run/checkpoint-40 ] || fail "the new length of a training was forgotten"
[ "$(rates run)" = "$(rates long)" ] ||
  fail "other rates than of a training of 40 updates: $(rates run)"
start
expect 0 'rates are now those of a training of 12 updates' "$heed" train --resume run \
  --max-steps 12 -q
[ -e run/checkpoint-12 ] && [ ! -e run/checkpoint-13 ] || fail "a training that became shorter"
expect 0 'training of 14 updates' "$heed" train --resume run --max-steps 14 -q
[ -e run/checkpoint-14 ] || fail "a training that had ended did not go on"
exit $failed
