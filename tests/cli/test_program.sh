#!/bin/sh
# The program as a user meets it: help, formats, exit statuses, messages. test_program.sh HEED
# SOURCE-FOLDER
set -u
. "$2/tests/cli/expect.sh"

# --- help and usage ---
expect 0 'Usage: heed COMMAND' "$heed" --help
[ ! -w /dev/full ] || expect 1 'cannot write to stdout' sh -c '"$1" --help >/dev/full' sh "$heed"
expect 0 '^heed [0-9]*\.[0-9]*\.[0-9]*$' "$heed" --version
expect 2 'Usage: heed COMMAND' "$heed"
expect 2 'did you mean generate' "$heed" genrate
expect 0 'complete -o filenames' "$heed" --completion
for command in info tokenize forward generate chat train eval translate bench; do
  expect 0 "Usage: heed $command" "$heed" $command --help
  expect 0 "Usage: heed $command" "$heed" help $command
  expect 2 'unknown option' "$heed" $command --no-such-option
done
expect 0 'TH HEED 1' "$heed" --man
"$heed" --man >"$work/heed.1"
for command in $("$heed" --completion | sed -n 's/^  \([a-z]*\)) options.*/\1/p'); do
  grep -q "SS heed $command" "$work/heed.1" || fail "the man page lacks $command"
  for option in $("$heed" --completion | sed -n "s/^  $command) options=\"\(.*\)\" ;;/\1/p"); do
    "$heed" $command --help | grep -q -e "^  \(-.,\|   \) $option\( \|\$\)" ||
      fail "$command --help lacks $option"
  done
done
expect 0 '^\[16, 16, ' "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 8 --temp 0 \
  --ids --weights q8_0
expect 0 '^\[16, 16, ' "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 8 --temp 0 \
  --ids --cache i8
expect 0 '^\[16, 16, ' "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 8 --temp 0 \
  --ids --cache f16
expect 0 '^\[16, 16, ' "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 8 --temp 0 \
  --ids --compute bf16
expect 0 '^\[16, 16, ' "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 8 --temp 0 \
  --ids --reference
expect 1 'matmuls of type "f16"; expected f32 or bf16' "$heed" generate -m "$fixtures/llama" \
  --prompt-ids 1,2,3 -n 8 --ids --compute f16
expect 1 'a cache of type "q4_0"; expected f32, f16, bf16 or i8' "$heed" generate \
  -m "$fixtures/llama" --prompt-ids 1,2,3 -n 8 --ids --cache q4_0
expect 1 'cannot be rounded to "float5"; expected f32' "$heed" generate -m "$fixtures/llama" \
  --prompt-ids 1,2,3 -n 8 --ids --weights float5
expect 0 '' "$heed" forward "$fixtures/llama" --in "$fixtures/llama/oracle.safetensors" \
  --out "$work/rounded.safetensors" --compute bf16 --weights q8_0
expect 1 'expected f32 or bf16' "$heed" forward "$fixtures/llama" \
  --in "$fixtures/llama/oracle.safetensors" --out "$work/rounded.safetensors" --compute f64
expect 1 'weights as stored' "$heed" forward "$fixtures/llama" \
  --in "$fixtures/llama/oracle.safetensors" --out "$work/rounded.safetensors" --grad --weights q8_0
expect 2 'expected 1 to 256 threads' "$heed" bench -m x -t 4294967297
expect 2 'unexpected "more"' "$heed" info x more
expect 2 'did you mean --temp' "$heed" generate -m x -p y --tmp 1
expect 2 'expected a whole number' "$heed" generate -m x -p y -n many
expect 2 'expected a number' "$heed" generate -m x -p y --temp hot
for wrong in '-n -5' '--top-k -1' '--seed -1' '--temp -1' '--repeat-penalty -2' '--logprobs -1' \
  '--beams -3' '-t -1' '-c -1'; do # below 0 is no "nobody chose"
  expect 2 'expected' "$heed" generate -m "$fixtures/gpt2" --prompt-ids 1 --ids $wrong
done
for wrong in '--learning-rate -2' '--layers -1' '--warmup-steps -1' '--dropout -0.5' \
  '--eval-steps -1' '--batch-size -4' '--stop-at -2' '--weight-decay -inf'; do
  expect 2 'expected' "$heed" train --data "$shakespeare/valid.txt" --out "$work/wrong" $wrong
done
expect 1 'expected a number from 4 to 16777216$' "$heed" train --data "$shakespeare/valid.txt" \
  --out "$work/wrong" --context 1
expect 1 'this one (bert) has an encoder' "$heed" train --data "$shakespeare/valid.txt" \
  --out "$work/wrong" --family bert --objective clm
[ ! -e "$work/wrong" ] || fail "a training that did not begin left a folder"
expect 2 'expected -m MODEL' "$heed" generate -p y
expect 2 'expected one of' "$heed" generate -m x
expect 2 'takes no value' "$heed" generate -m x -p y --ids=1
expect 1 '0 new tokens' "$heed" generate -m "$fixtures/gpt2" --prompt-ids 1 -n 0 --ids
expect 2 'token ids, as in' "$heed" generate -m "$fixtures/gpt2" --prompt-ids 1,x
expect 2 'expected --data' "$heed" train --out "$work/run"
expect 2 'expected --in FILE' "$heed" forward "$fixtures/gpt2"

# --- info ---
expect 0 'instruction set' "$heed" info
expect 0 'gpt2' "$heed" info "$fixtures/gpt2"
"$heed" info "$fixtures/gpt2" --json >"$work/info.json" || fail "info --json"
grep -q '"parameters"' "$work/info.json" || fail "info --json lacks parameters"
expect 1 'no-such-model' "$heed" info no-such-model
expect 1 'expected generic, avx2 or avx512' env HEED_ISA=fancy "$heed" info

# --- tokenize ---
printf '{"text": "Hello world"}\n{"text": ""}\n' >"$work/texts.jsonl"
expect 0 '^\[[0-9, ]*\]$' "$heed" tokenize -m "$fixtures/gpt2" --jsonl "$work/texts.jsonl"
expect 0 '"offsets": \[\[0, ' "$heed" tokenize -m "$fixtures/gpt2" --jsonl "$work/texts.jsonl" \
  --offsets
ids=$("$heed" tokenize -m "$fixtures/gpt2" -p 'Hello world')
printf '{"ids": %s}\n' "$ids" >"$work/ids.jsonl"
expect 0 '^"Hello world"$' "$heed" tokenize -m "$fixtures/gpt2" --jsonl "$work/ids.jsonl" --decode
printf '{"text": 5}\n' >"$work/bad.jsonl"
expect 1 'line 1: "text"' "$heed" tokenize -m "$fixtures/gpt2" --jsonl "$work/bad.jsonl"
printf 'no json\n' >"$work/bad.jsonl"
expect 1 'line 1' "$heed" tokenize -m "$fixtures/gpt2" --jsonl "$work/bad.jsonl"
expect 1 'no-such-file' "$heed" tokenize -m "$fixtures/gpt2" --jsonl no-such-file

# --- forward ---
expect 0 '' "$heed" forward "$fixtures/gpt2" --in "$fixtures/gpt2/oracle.safetensors" \
  --out "$work/out.safetensors" --grad
[ -s "$work/out.safetensors" ] || fail "forward wrote nothing"
printf 'broken' >"$work/broken.safetensors"
expect 1 'broken.safetensors' "$heed" forward "$fixtures/gpt2" --in "$work/broken.safetensors" \
  --out "$work/x.safetensors"
[ -e "$work/x.safetensors" ] && fail "a failed forward left a file"

# --- generate: new text only, ids as JSON, the same for 1 to 3 threads ---
one=$("$heed" generate -m "$fixtures/gpt2" --prompt-ids 5,6,7 -n 8 --temp 0 --ids -t 1) ||
  fail "generate --ids"
for threads in 2 3; do
  [ "$one" = "$("$heed" generate -m "$fixtures/gpt2" --prompt-ids 5,6,7 -n 8 --temp 0 \
    --ids -t $threads)" ] || fail "other ids with $threads threads"
done
a=$("$heed" generate -m "$fixtures/gpt2" -p Hello -n 8 --temp 1 --seed 4) &&
  b=$("$heed" generate -m "$fixtures/gpt2" -p Hello -n 8 --temp 1 --seed 4)
[ "$a" = "$b" ] || fail "one seed, two texts"
expect 0 '"finish":' "$heed" generate -m "$fixtures/gpt2" -p Hello -n 4 --temp 0 --logprobs 2
# More returned sequences of one prompt than prompts run at once.
expect 0 "" "$heed" generate -m "$fixtures/gpt2" --prompt-ids 5,6 -n 1 --num-return 40 --temp 1 \
  --seed 3 --ids
long=$(seq -s, 1 60)
expect 1 'has 60 tokens, but the context has 48 positions.*--truncate' "$heed" generate \
  -m "$fixtures/gpt2" --prompt-ids "$long" -n 4 --ids
expect 0 'left out' "$heed" generate -m "$fixtures/gpt2" --prompt-ids "$long" -n 4 --ids --truncate
expect 1 '99999' "$heed" generate -m "$fixtures/gpt2" --prompt-ids 99999 -n 4 --ids
expect 1 'writes no tokens\|encoder' "$heed" generate -m "$fixtures/bert" --prompt-ids 5 -n 4 --ids

# --- train, interrupt by count, go on, evaluate, generate ---
head -c 6000 "$shakespeare/valid.txt" >"$work/text.txt"
small="$small --tokenizer char --dropout 0.1"
"$heed" train --data "$work/text.txt" --out "$work/whole" $small --max-steps 6 --save-steps 3 \
  >"$work/out" 2>&1 || { fail "train"; cat "$work/out" >&2; }
"$heed" train --data "$work/text.txt" --out "$work/parts" $small --max-steps 6 --save-steps 3 \
  --stop-at 4 -t 1 >"$work/out" 2>&1 || fail "train --stop-at"
"$heed" train --resume "$work/parts" >"$work/out" 2>&1 ||
  { fail "train --resume"; cat "$work/out" >&2; }
same_files "$work/whole/checkpoint-6" "$work/parts/checkpoint-6" \
  model.safetensors config.json tokenizer.json
expect 0 'all 6 updates were done before' "$heed" train --resume "$work/parts"
[ -s "$work/whole/loss.svg" ] && [ -s "$work/whole/log.jsonl" ] || fail "no loss.svg or log.jsonl"
expect 0 '"nll"' "$heed" eval -m "$work/whole" --text "$work/text.txt" --json
expect 0 '.' "$heed" generate -m "$work/whole" -p "The" -n 5 --temp 0
expect 1 '' "$heed" train --data "$work/text.txt" --out "$work/whole" $small --max-steps 6
: >"$work/empty.txt"
expect 1 'empty' "$heed" train --data "$work/empty.txt" --out "$work/none" $small --max-steps 6

# --- text that is none ---
printf 'fine\nb\377d\n' >"$work/broken.txt"
expect 1 'broken.txt, line 2: byte 6' "$heed" train --data "$work/broken.txt" --out "$work/none" \
  $small --max-steps 2
expect 1 'broken.txt, line 2: byte 6' "$heed" eval -m "$work/whole" --text "$work/broken.txt"
expect 1 'broken.txt, line 2: byte 6' "$heed" tokenize --train char --data "$work/broken.txt" \
  --out "$work/none"
expect 1 'broken.txt, line 2: byte [0-9]* of the file (0x[0-9a-f]*) is not valid UTF-8' "$heed" \
  generate -m "$work/whole" --file "$work/broken.txt" -n 2
expect 2 'not valid UTF-8' "$heed" generate -m "$work/whole" -p "$(printf 'caf\351')" -n 2
expect 2 'not valid UTF-8' "$heed" tokenize -m "$work/whole" -p "$(printf 'caf\351')"
"$heed" generate -m "$work/whole" -p "" -n 2 >"$work/out" 2>/dev/null &&
  fail "an empty prompt passed"
[ -s "$work/out" ] && fail "a failed generation wrote to stdout"
expect 2 '0 or more' "$heed" generate -m "$work/whole" -p "T" -n 2 --temp -1
expect 2 ' -n: expected a value' "$heed" generate -m x -p y -n

# --- stopped by Ctrl-C, killed, tried twice at once ---
"$heed" train --data "$work/text.txt" --out "$work/busy" $small --max-steps 1000000 --save-steps 5 \
  2>"$work/busy.err" &
pid=$!
wait_for [ -e "$work/busy/last" ]
expect 1 'is being trained in by process' "$heed" train --resume "$work/busy"
expect 1 'is being trained in by process' "$heed" train --data "$work/text.txt" --out "$work/busy" \
  $small
kill -9 $pid
wait $pid 2>/dev/null
expect 0 '' "$heed" info "$work/busy"
"$heed" train --resume "$work/busy" 2>"$work/again.err" &
pid=$!
wait_for grep -q updates "$work/again.err"
kill -INT $pid
wait $pid
status=$?
[ $status -eq 130 ] || { fail "Ctrl-C: status $status"; cat "$work/again.err" >&2; }
grep -q 'stopped .*update' "$work/again.err" &&
  grep -q "resume $work/busy goes on" "$work/again.err" ||
  { fail "Ctrl-C: no word about it"; cat "$work/again.err" >&2; }
expect 0 '.' "$heed" generate -m "$work/busy" -p "The" -n 5 --temp 0

# --- observers: the same in every command that computes ---
OMP_NUM_THREADS=1
export OMP_NUM_THREADS
for observed in "generate -m $fixtures/gpt2 -p Hello -n 3 --temp 0" \
  "eval -m $fixtures/gpt2 --text $work/text.txt --max-tokens 60" \
  "bench -m $fixtures/gpt2 -p 4 -n 2" \
  "forward $fixtures/gpt2 --in $fixtures/gpt2/oracle.safetensors --out $work/y.safetensors --grad" \
  "train --data $work/text.txt --out $work/observed $small --max-steps 2"; do
  rm -rf "$work/observed"
  expect 0 'GB/s' "$heed" $observed --profile
  rm -rf "$work/observed"
  expect 0 'not fused: ' "$heed" $observed --dump text
  rm -rf "$work/observed"
  expect 0 '^digraph heed' "$heed" $observed --dump dot --no-passes
  rm -rf "$work/observed"
  expect 0 '' "$heed" $observed --nan-guard --trace "$work/trace"
  grep -q '^%[0-9]* .* mean ' "$work/trace" || fail "no trace: $observed"
done
rm -rf "$work/observed"
expect 0 '^optimizer *adamw' "$heed" train --data "$work/text.txt" --out "$work/observed" $small \
  --max-steps 2 --profile
expect 0 'read from memory .* GB/s' "$heed" bench --machine -t 1
for key in flops_per_second bf16_flops_per_second int8_ops_per_second memory_bytes_per_second \
  one_thread barrier_seconds; do
  expect 0 "\"$key\"" "$heed" bench --machine -t 2 --json
done
expect 0 'of the compute peak' "$heed" bench -m "$fixtures/gpt2" -p 4 -n 2
expect 0 '"decode_bandwidth_share"' "$heed" bench -m "$fixtures/gpt2" -p 4 -n 2 --batch 2 \
  --depth 3 --rounds 1 --json
expect 0 'prefill' "$heed" bench -m "$fixtures/bert" --batch 3 --lengths 2-9
expect 2 'as in 8-128' "$heed" bench -m "$fixtures/bert" --lengths 9-2
expect 2 'at least 1' "$heed" bench -m "$fixtures/gpt2" --rounds 0
expect 2 'expected -m MODEL' "$heed" bench --machine --on-request
printf 'go\ngo\n' | "$heed" bench -m "$fixtures/gpt2" -p 4 -n 1 --on-request >"$work/rounds" ||
  fail "bench --on-request"
[ "$(grep -c '"round": ' "$work/rounds")" = 3 ] ||
  { fail "two requests are not answered by two rounds"; cat "$work/rounds" >&2; }
expect 0 '256 threads are asked for' "$heed" info -t 256
expect 2 'expected -m MODEL or --machine' "$heed" bench
expect 2 'expected text or dot' "$heed" bench -m "$fixtures/gpt2" --dump svg
expect 1 'cannot open for the trace' "$heed" bench -m "$fixtures/gpt2" \
  --trace "$work/no/such/folder"
rm -rf "$work/observed"
wild="train --data $work/text.txt --out $work/observed $small --max-steps 60 --optimizer sgd
  --learning-rate 1e6 --lr-scheduler-type constant --max-grad-norm 0"
expect 1 'is no longer finite' "$heed" $wild
rm -rf "$work/observed"
expect 1 'made .*nan\|made .*inf' "$heed" $wild --nan-guard
unset OMP_NUM_THREADS

# --- data on stdout, a full disk is an error ---
"$heed" generate -m "$fixtures/gpt2" -p Hello -n 2 --temp 0 2>/dev/null | grep -q . ||
  fail "no text on stdout"
if [ -w /dev/full ]; then
  "$heed" generate -m "$fixtures/gpt2" -p Hello -n 2 --temp 0 >/dev/full 2>/dev/null &&
    fail "writing to a full disk went unnoticed"
fi
exit $failed
