#!/bin/sh
# How work ends: what was made is kept when something cannot be written, and signals end a task in
# good order.   test_stop.sh HEED SOURCE-FOLDER
set -u
. "$2/tests/cli/expect.sh"
generate() { "$heed" generate -m "$fixtures/llama" -p "hello world" -n 5 --temp 0 -t 1 "$@"; }
talk="chat $chatml -n 5 --temp 0 -t 1"
chat() { "$heed" $talk -c 200 "$@"; }

# --- a prompt cache that cannot be written ---
# The disk is full: the answer comes first, then the error. A pipe keeps the limit off the answer;
# what loading says about the tokenizer is left out.
echo x >"$work/file"
for format in --ids --json ''; do
  generate $format >"$work/right" 2>"$work/err" || fail "generate $format: $(cat "$work/err")"
  { (ulimit -f 1; generate $format --prompt-cache "$work/cache" 2>&1; echo "status $?") |
    sed /tokenizer_class/d; } >"$work/out"
  head -n 1 "$work/out" >"$work/answer"
  cmp -s "$work/right" "$work/answer" || fail "the answer ($format) was lost: $(cat "$work/out")"
  sed -n 2p "$work/out" | grep -q 'cannot write: File too large' ||
    fail "no error after the answer: $(cat "$work/out")"
  has '^status 1$' "$work/out"
done
# What can be known is known before anything is computed.
for path in "$work/none/cache" "$work/file/cache" "$work" "$work/none/"; do
  generate --prompt-cache "$path" --trace "$work/trace" >"$work/out" 2>"$work/err"
  is $? 1 "a cache at \"$path\""
  [ -s "$work/trace" ] && fail "a cache at \"$path\" was found out after the work"
done
# Other outputs, asked for before a model is loaded or run.
for path in "$work/none/x" "$work/file/x" "$work"; do
  "$heed" forward "$fixtures/gpt2" --in "$fixtures/gpt2/oracle.safetensors" --out "$path" \
    --trace "$work/trace" 2>"$work/err"
  is $? 1 "forward --out \"$path\""
  [ -s "$work/trace" ] && fail "forward --out \"$path\" computed first"
  printf 'a b\n' >"$work/source"
  "$heed" translate -m "$fixtures/marian" --in "$work/source" --out "$path" --trace "$work/trace" \
    -n 2 2>"$work/err"
  is $? 1 "translate --out \"$path\""
  [ -s "$work/trace" ] && fail "translate --out \"$path\" computed first"
done

# --- stdout ---
if [ -w /dev/full ]; then
  for command in "generate -m $fixtures/llama -p hello -n 5 -t 1" \
    "generate -m $fixtures/llama -p hello -n 5 --ids -t 1" "info" \
      "info $fixtures/llama --json" "tokenize -m $fixtures/llama -p hello" \
        "eval -m $fixtures/llama --text $work/source --json"; do
    "$heed" $command >/dev/full 2>"$work/err"
    is $? 1 "$command to a full disk"
    has 'cannot write to stdout: No space left on device'
  done
  chat -p Hello >/dev/full 2>"$work/err"
  is $? 1 'chat to a full disk'
fi
# A closed stdout is no file that happens to get its number.
generate --ids --prompt-cache "$work/cache" >&- 2>"$work/err"
is $? 1 'a closed stdout'
has 'cannot write to stdout: Bad file descriptor'
generate --ids >"$work/right"
generate --ids --prompt-cache "$work/cache" >"$work/out" 2>"$work/err"
cmp -s "$work/right" "$work/out" || fail "the cache of a closed stdout: $(cat "$work/err")"

# --- chat --save ---
ends_a_line() { [ "$(wc -l <"$1")" = 1 ]; }
saved() { grep -c '"role": "assistant"' "$work/talk"; }
for path in "$work/none/talk" "$work/file/talk" "$work"; do
  echo Hello | chat --save "$path" >"$work/out" 2>"$work/err"
  is $? 1 "chat --save \"$path\""
  [ -s "$work/out" ] && fail "chat --save \"$path\" was found out after the first answer"
done
# A message that fails ends the program; the turns before it are kept.
{ echo one; echo two; yes word | head -n 300 | tr '\n' ' '; } |
  chat --save "$work/talk" >"$work/out" 2>"$work/err"
is $? 1 'a message that does not fit'
is "$(saved)" 2 'turns kept after a failed message'
printf 'one\n/nothing\n' | chat --save "$work/talk" >"$work/out" 2>"$work/err"
is "$(saved)" 1 'turns kept after an unknown command'
# Where the file cannot be written, the conversation goes elsewhere, and the program says where.
mkdir "$work/temporary"
{ (ulimit -f 1; for i in 1 2 3 4 5 6 7 8 9; do echo "message $i"; done |
   TMPDIR=/dev/null/none "$heed" $talk -c 2000 --save "$work/talk" 2>&1; echo "status $?") |
     cat; } >"$work/out"
has '^status 1$' "$work/out"
has 'the next turn tries again' "$work/out"
is "$(grep -c 'tries again' "$work/out")" 1 'notes about one trouble'
has 'could not be kept in /dev/null/none either' "$work/out"
mkdir "$work/folder"
mkfifo "$work/lines"
TMPDIR=$work/temporary "$heed" $talk --save "$work/folder/talk" <"$work/lines" >"$work/out" \
  2>"$work/err" & pid=$!
exec 3>"$work/lines"
echo one >&3
wait_for [ -s "$work/folder/talk" ]
rm -rf "$work/folder"
echo two >&3
exec 3>&-
wait $pid
is $? 1 'chat --save into a folder that went away'
kept=$(sed -n 's/.*the conversation is kept in \([^:]*\):.*/\1/p' "$work/err")
[ -n "$kept" ] && grep -q '"two"' "$kept" || fail "no rescued conversation: $(cat "$work/err")"
# What is written through gets the conversation once.
printf 'one\ntwo\n' | chat --save - >"$work/out" 2>"$work/err" ||
  fail "chat --save -: $(cat "$work/err")"
is "$(grep -c '"messages"' "$work/out")" 1 'conversations on stdout'
is "$(grep -c '"role": "assistant"' "$work/out")" 2 'answers in the conversation on stdout'
# Whoever talks through pipes gets a whole line after each turn.
"$heed" $talk --json <"$work/lines" >"$work/out" 2>"$work/err" & pid=$!
exec 3>"$work/lines"
echo Hello >&3
wait_for ends_a_line "$work/out"
is "$(wc -l <"$work/out" | tr -d ' ')" 1 'lines after the first turn'
exec 3>&-
wait $pid
# Every signal that ends the program finds the conversation saved.
for signal in INT TERM HUP; do
  rm -f "$work/talk"
  "$heed" $talk --save "$work/talk" <"$work/lines" >"$work/out" 2>"$work/err" & pid=$!
  exec 3>"$work/lines"
  echo Hello >&3
  wait_for [ -s "$work/talk" ]
  is "$(saved)" 1 "a conversation of one turn, before SIG$signal"
  kill -$signal $pid
  exec 3>&-
  wait $pid
  code=$?
  # sh starts background jobs with SIGINT ignored: one that is sent to the program counts all the
  # same.
  is $code 130 "chat ended by SIG$signal"
  is "$(saved)" 1 "a conversation of one turn, after SIG$signal"
done

# --- training ---
head -c 6000 "$shakespeare/valid.txt" >"$work/text.txt"
small="--data $work/text.txt --tokenizer char $small -t 1"
for signal in INT TERM HUP; do
  rm -rf "$work/run"
  "$heed" train --out "$work/run" $small --max-steps 1000000 --save-steps 1000000 \
    --eval-steps 1000000 2>"$work/err" & pid=$!
  wait_for [ -s "$work/run/log.jsonl" ]
  kill -$signal $pid
  kill -HUP $pid 2>/dev/null # a terminal that closes may send it again
  wait $pid
  is $? 130 "a training ended by SIG$signal"
  [ -e "$work/run/last/model.safetensors" ] ||
    fail "SIG$signal left no checkpoint: $(cat "$work/err")"
done
# nohup: SIGHUP that was ignored stays ignored.
(trap '' HUP; exec "$heed" train --out "$work/kept" $small --max-steps 300 2>"$work/err") & pid=$!
wait_for [ -s "$work/kept/log.jsonl" ]
kill -HUP $pid 2>/dev/null
wait $pid
is $? 0 'a training whose SIGHUP is ignored'

# The picture and the log are secondary: told once, tried again, and the weights are those of an
# undisturbed training.
mkdir "$work/torn"
"$heed" train --out "$work/whole" $small --max-steps 40 --save-steps 4 2>"$work/err" ||
  fail "train: $(cat "$work/err")"
"$heed" train --out "$work/torn" $small --max-steps 40 --save-steps 4 --stop-at 4 2>"$work/err"
rm "$work/torn/loss.svg"; mkdir -p "$work/torn/loss.svg/in the way"
"$heed" train --resume "$work/torn" -t 1 2>"$work/err" ||
  fail "a picture ended the training: $(cat "$work/err")"
is "$(grep -c 'loss.svg.*tries again' "$work/err")" 1 'notes about the picture'
same_files "$work/whole/checkpoint-40" "$work/torn/checkpoint-40" model.safetensors
exit $failed
