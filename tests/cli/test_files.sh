#!/bin/sh
# What stands at the path of an output decides how it is written, and nothing else is touched:
# links, pipes, devices,
# stdout, names that end in .tmp; several processes at once; signals and a full disk; token files
# that change.
#   test_files.sh HEED SOURCE-FOLDER
set -u
. "$2/tests/cli/expect.sh"
cd "$work" || exit 1

characters model
prompt='--prompt-ids 1,2,3,4 -n 2 --temp 0 --ids -t 1'

# Each writes its output to the path that is its last argument.
translate() { "$heed" translate -m model --in text.txt -n 3 --temp 0 -t 1 --out "$1"; }
forward() {
  "$heed" forward "$fixtures/llama" --in "$fixtures/llama/oracle.safetensors" -t 1 --out "$1"
}
convert() { "$heed" convert "$fixtures/llama" --dtype q8_0 --out "$1"; }
cache() { "$heed" generate -m "$fixtures/llama" $prompt --prompt-cache "$1" >/dev/null; }
chat() {
  "$heed" chat $chatml -p Hi -n 2 --temp 0 -t 1 --save "$1" >/dev/null
}

# same FILE WANTED WHAT
same() { cmp -s "$1" "$2" || fail "$3: not what is written to a new file"; }
kind() { stat -c %F "$1"; }

# --- links, pipes, devices, names that end in .tmp ---
for tool in translate forward convert cache chat; do
  mkdir "$tool" && cd "$tool" || exit 1
  ln -s ../model ../text.txt .
  e=.gguf
  $tool new$e 2>../err || fail "$tool: $(cat ../err)"
  printf old >target$e
  ln -s target$e relative$e
  ln -s "$PWD/absolute-target$e" absolute$e
  ln -s dangling-target$e second$e
  ln -s second$e chain$e
  rm target$e
  for link in relative$e absolute$e chain$e; do
    $tool $link 2>../err || fail "$tool $link: $(cat ../err)"
    is "$(kind $link)" "symbolic link" "$tool $link"
    same $link new$e "$tool $link"
  done
  mkfifo pipe$e
  timeout 20 cat pipe$e >piped &
  reader=$!
  $tool pipe$e 2>../err || fail "$tool pipe: $(cat ../err)"
  wait $reader
  is "$(kind pipe$e)" fifo "$tool pipe"
  same piped new$e "$tool pipe"
  if [ $tool != convert ]; then
    $tool /dev/null 2>../err || fail "$tool /dev/null: $(cat ../err)"
    is "$(kind /dev/null)" "character special file" "$tool /dev/null"
  fi
  if mknod device$e c 1 3 2>/dev/null && : >device$e 2>/dev/null; then
    $tool device$e 2>../err || fail "$tool device: $(cat ../err)"
    is "$(kind device$e)" "character special file" "$tool device"
  fi
  printf mine >file$e.tmp
  printf mine >.file$e.tmp
  ln -s victim link$e.tmp
  $tool file$e 2>../err && $tool link$e 2>../err || fail "$tool beside a .tmp: $(cat ../err)"
  is "$(cat file$e.tmp)$(cat .file$e.tmp)" minemine "$tool: a user's .tmp"
  is "$(kind link$e.tmp)" "symbolic link" "$tool: a user's link"
  [ ! -e victim ] || fail "$tool followed a link that ends in .tmp"
  rm -f new2$e
  printf old >kept$e
  chmod 640 kept$e
  [ $tool = cache ] && cp new$e kept$e
  $tool kept$e 2>../err || fail "$tool over a file: $(cat ../err)"
  is "$(stat -c %a kept$e)" 640 "$tool: permissions"
  mkdir folder$e
  $tool folder$e 2>../err && fail "$tool wrote over a folder"
  is "$(find . -name '.heed*' | wc -l)" 0 "$tool: temporary names"
  cd "$work" || exit 1
done

# --- stdout ---
translate - >dash.txt 2>err || fail "translate --out -: $(cat err)"
same dash.txt translate/new.gguf "translate --out -"
[ ! -e ./- ] || fail "translate --out - made a file"
{ echo first; translate /dev/stdout; } >appended.txt 2>err ||
  fail "translate --out /dev/stdout: $(cat err)"
{ echo first; cat translate/new.gguf; } >wanted.txt
same appended.txt wanted.txt "translate --out /dev/stdout after a line"
translate /dev/stdout 2>err | cmp -s - translate/new.gguf ||
  fail "translate --out /dev/stdout into a pipe"
translate /proc/self/fd/3 3>third.txt 2>err || fail "translate --out /proc/self/fd/3: $(cat err)"
same third.txt translate/new.gguf "translate --out /proc/self/fd/3"
forward - 2>err | cmp -s - forward/new.gguf || fail "forward --out -"
"$heed" chat $chatml -p Hi -n 2 --temp 0 -t 1 --save - 2>err |
  tail -n "$(wc -l <chat/new.gguf)" | cmp -s - chat/new.gguf ||
    fail "chat --save -: $(cat err)"

# --- four processes and one prompt cache ---
for round in 1 2 3 4 5 6 7 8; do
  [ $((round % 2)) = 0 ] || rm -f shared.cache
  for i in 1 2 3 4; do
    "$heed" generate -m "$fixtures/llama" $prompt --prompt-cache shared.cache >answer.$i 2>err.$i ||
      echo "$?" >>lost &
  done
  wait
  for i in 1 2 3 4; do same answer.$i answer.1 "round $round, process $i"; done
done
[ ! -e lost ] || fail "prompt caches: $(cat err.?)"
is "$(find . -maxdepth 1 -name '*.tmp' -o -maxdepth 1 -name '.heed*' | wc -l)" 0 \
  "temporary files of prompt caches"
"$heed" generate -m "$fixtures/llama" $prompt --prompt-cache shared.cache >/dev/null 2>err ||
  fail "the cache: $(cat err)"

# --- a full disk, for which a limit on the size of files stands ---
printf old >limited.gguf
(ulimit -f 8 && convert limited.gguf) 2>err && fail "a file that does not fit"
grep -q 'limited.gguf: ' err || fail "a full disk: $(cat err)"
is "$(cat limited.gguf)" old "a full disk"
is "$(find . -name '.heed-*' | wc -l)" 0 "temporary files after a full disk"

# --- signals in the middle of a conversion ---
cat >large.json <<END
{"model_type": "llama", "vocab_size": 8000, "hidden_size": 512, "intermediate_size": 1536,
 "num_hidden_layers": 8, "num_attention_heads": 8, "max_position_embeddings": 64}
END
"$heed" convert --random large.json --out large >/dev/null 2>&1 || fail "no large model"
printf old >signal.gguf
for signal in TERM INT; do
  for delay in 0.05 0.15 0.3; do
    for out in signal.gguf signal; do
      "$heed" convert large --out $out --dtype bf16 >/dev/null 2>err &
      process=$!
      wait_for catches $process
      sleep $delay
      kill -$signal $process 2>/dev/null
      wait $process
      status=$?
      [ $status = 0 ] || [ $status = 130 ] ||
        fail "convert --out $out: status $status after SIG$signal: $(cat err)"
      if [ $status = 0 ]; then # it was faster
        rm -rf signal
        printf old >signal.gguf
      fi
      is "$(cat signal.gguf)" old "convert after SIG$signal"
      [ ! -e signal ] || fail "convert after SIG$signal leaves $(find signal | head -3)"
    done
  done
done
is "$(find . -name '.heed-*' | wc -l)" 0 "temporary files after signals"

# --- a token file that changes during a training ---
train() {
  "$heed" train --data tokens.bin --out "$1" --family llama $small --max-steps 1000000 \
    --save-steps 1000000 -t 1 >/dev/null 2>"$1.err"
}
fill() {
  awk -v n="$1" -v s="$2" 'BEGIN { for (i = 0; i < n; i++) printf "%s", s }' |
    tr ab '\001\377'
}
for change in ids end; do
  fill 2000 a >tokens.bin
  fill 2000 a >>tokens.bin
  train "run-$change" &
  process=$!
  wait_for [ -s "run-$change/log.jsonl" ]
  if [ $change = ids ]; then fill 4000 b |
    dd of=tokens.bin conv=notrunc 2>/dev/null; else : >tokens.bin; fi
  wait $process
  is $? 1 "a training whose tokens change ($change)"
  grep -q 'tokens.bin: ' "run-$change.err" || fail "$change: $(tail -2 "run-$change.err")"
  grep -q "heed train --resume run-$change goes on from update" "run-$change.err" &&
    [ -e "run-$change/last/model.safetensors" ] ||
    fail "$change left no checkpoint: $(tail -2 "run-$change.err")"
done
exit $failed
