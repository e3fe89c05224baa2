#!/bin/sh
# What the system refuses: memory, address space, file sizes, disk space. The program says so and
# ends with 1, and a training goes on
# from its newest checkpoint to the bytes that it would have reached anyway. test_limits.sh HEED
# SOURCE-FOLDER
set -u
. "$2/tests/cli/expect.sh"
within() { # within KIBIBYTES COMMAND...: of address space
  (ulimit -v "$1" && shift && exec "$@")
}
files_within() { # files_within BLOCKS COMMAND...: of 512 bytes a file
  (ulimit -f "$1" && shift && exec "$@")
}

head -c 6000 "$shakespeare/valid.txt" >"$work/text.txt"
small="--data $work/text.txt --tokenizer char $small -t 1"

# --- memory: sanitizers take address space of their own and cannot run within a limit ---
if within 400000 "$heed" --version >/dev/null 2>&1; then
  expect 1 'the system refuses 25600000000 bytes of address space for 1 sequences' \
    within 400000 "$heed" generate -m "$fixtures/llama" -c 100000000 --prompt-ids 5,6 -n 2 \
      --ids -t 1
  fits=$(sed -n 's/.*a context of \([0-9]*\) positions for each would fit.*/\1/p' "$work/out")
  [ "${fits:-0}" -gt 64 ] || fail "the message names no context that would fit"
  expect 0 '^\[' within 400000 "$heed" generate -m "$fixtures/llama" -c "$((fits / 2))" \
    --prompt-ids 5,6 -n 2 --ids -t 1
  expect 1 'bytes wanted for activations; use a smaller model, batch or context' within 300000 \
    "$heed" train --out "$work/wide" $small \
    --max-steps 2 --layers 4 --d-model 256 --context 4096 --batch-size 64
  [ -e "$work/wide/last" ] && fail "a training that never began left a checkpoint"
fi

# --- files may not grow: the first checkpoint stands, the second cannot be written ---
expect 0 . "$heed" train --out "$work/whole" $small --max-steps 6 --save-steps 3
expect 0 . "$heed" train --out "$work/run" $small --max-steps 6 --save-steps 3 --stop-at 3
expect 1 'cannot write.*File too large' files_within 8 "$heed" train --resume "$work/run" -t 1
[ "$(readlink "$work/run/last")" = checkpoint-3 ] ||
  fail "last is not the newest checkpoint that could be written"
[ -e "$work/run/checkpoint-6" ] && fail "half a checkpoint was left behind"
expect 0 '"nll"' "$heed" eval -m "$work/run" --text "$work/text.txt" --json
expect 0 . "$heed" train --resume "$work/run" -t 1
same_files "$work/whole/checkpoint-6" "$work/run/checkpoint-6" \
  model.safetensors optimizer.safetensors trainer.json
expect 1 'File too large' files_within 8 "$heed" forward "$fixtures/gpt2" \
  --in "$fixtures/gpt2/oracle.safetensors" --out "$work/out.safetensors"
[ -e "$work/out.safetensors" ] && fail "half an output was left behind"
expect 1 'File too large' files_within 1 "$heed" tokenize --train bpe --data "$work/text.txt" \
  --vocab-size 400 --out "$work/tokenizer"
[ -e "$work/tokenizer/tokenizer.json" ] && fail "half a tokenizer was left behind"

# --- a disk that runs full, if a small one can be mounted ---
# The mount namespace ends with the shell.
cat >"$work/disk.sh" <<'END'
heed=$1 work=$2
shift 2
mkdir "$work/disk" && mount -t tmpfs -o size=200k tmpfs "$work/disk" || exit 77
"$heed" train --out "$work/disk/run" "$@" --max-steps 40 --save-steps 4
echo "status $?"
readlink "$work/disk/run/last"
"$heed" generate -m "$work/disk/run" -p The -n 4 --temp 0 && echo "it still speaks"
END
if unshare -m sh -c "mkdir '$work/try' && mount -t tmpfs -o size=64k tmpfs '$work/try'" \
  2>/dev/null; then
  expect 0 'No space left on device' unshare -m sh "$work/disk.sh" "$heed" "$work" $small
  for pattern in '^status 1$' '^checkpoint-[0-9]*$' '^it still speaks$'; do
    grep -q "$pattern" "$work/out" ||
      { fail "no \"$pattern\" after the disk ran full"; cat "$work/out" >&2; }
  done
else
  echo "no small disk can be mounted here; that case was left out"
fi
exit $failed
