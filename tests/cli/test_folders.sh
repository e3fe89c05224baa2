#!/bin/sh
# Output folders and empty values: what is refused, what is replaced, what stays whole.
# test_folders.sh HEED SOURCE-FOLDER
set -u
export OMP_NUM_THREADS=1 # many small tasks
. "$2/tests/cli/expect.sh"
# same A B: two folders hold the same files
same() { diff -r -x .lock "$1" "$2" >"$work/diff" 2>&1 ||
  { fail "$1 and $2 differ"; cat "$work/diff" >&2; }; }
cd "$work" || exit 1
printf 'to be or not to be that is the question\n' >text.txt

# --- an empty value is a mistake, wherever a path or a name stands ---
for command in info tokenize forward generate chat train eval translate bench convert; do
  for option in $("$heed" --completion | sed -n "s/^  $command) options=\"\(.*\)\" ;;/\1/p"); do
    line=$("$heed" $command --help | grep -e "^  \(-.,\|   \) $option " | head -1)
    case "$command $option $line" in
      *' FILE'*|*' DIR'*|*' MODEL '*|*' RUN '*|*' NAME '*|*' TYPE '*|*'|DIR'*|*'|none '*|*' KIND '*)
        expect 2 'empty' "$heed" $command $option ""
        expect 2 'empty' "$heed" $command "$option="
        tried=$((${tried:-0} + 1)) ;;
    esac
  done
  expect 2 'empty' "$heed" $command ""
done
[ "${tried:-0}" -ge 35 ] || fail "only ${tried:-0} options were tried with an empty value"
expect 0 '' "$heed" generate -m "$fixtures/llama" -p "" -n 2 --temp 0
expect 0 '^\[\]$' "$heed" tokenize -m "$fixtures/gpt2" -p ""

# --- convert: a new folder, an empty one, one of its own ---
expect 0 '' "$heed" convert "$fixtures/gpt2" --out deep/a
expect 0 '' "$heed" convert "$fixtures/gpt2" --out deep/a --dtype bf16
mkdir empty
ln -s empty link
expect 0 '' "$heed" convert "$fixtures/llama" --out link/
[ -L link ] || fail "a link to a folder was replaced"
expect 0 '"llama"' "$heed" info empty --json
cp -r empty before
(cd empty && expect 0 '' "$heed" convert "$fixtures/llama" --out .)
same empty before
expect 0 '' "$heed" convert empty --out empty # in place: read before it is replaced
same empty before
expect 1 'no-such-model' "$heed" convert no-such-model --out new/folder
[ ! -e new ] || fail "a conversion that failed left a folder"
expect 1 'no-such-model' "$heed" convert no-such-model --out empty
same empty before
expect 0 '' "$heed" convert "$fixtures/gpt2" --out m.gguf
cp m.gguf other.gguf
expect 0 '' "$heed" convert m.gguf --out m.gguf
cmp m.gguf other.gguf || fail "a file converted in place differs"

# --- convert: what is not its own is refused by name and stays ---
cp -r "$fixtures/gpt2" foreign
cp -r foreign foreign.before
expect 1 'foreign: the folder holds config.json.*choose another folder' "$heed" convert \
  "$fixtures/llama" --out foreign
expect 1 'foreign: the folder holds config.json' "$heed" convert foreign --out foreign
expect 1 'config.json' "$heed" convert foreign --out ./foreign/../foreign/
expect 1 'found a file' "$heed" convert "$fixtures/gpt2" --out text.txt
expect 1 'expected a folder' "$heed" convert "$fixtures/gpt2" --out -
expect 1 'expected a folder' "$heed" convert "$fixtures/gpt2" --out /dev/null
expect 1 'expected a folder' "$heed" tokenize --train char --data text.txt --out -
ln -s nowhere dangling
expect 1 'does not exist' "$heed" convert "$fixtures/gpt2" --out dangling
same foreign foreign.before
cp text.txt empty/notes.txt
expect 1 'but not notes.txt' "$heed" convert "$fixtures/gpt2" --out empty
rm empty/notes.txt
printf '{}' >empty/config.json
expect 1 'config.json was changed after heed wrote it' "$heed" convert "$fixtures/gpt2" --out empty
sed 's/hidden/HIDDEN/' before/config.json >empty/config.json # as long as before
expect 1 'config.json was changed after heed wrote it' "$heed" convert "$fixtures/gpt2" --out empty
cp before/config.json empty/config.json
same empty before

# --- a disk that is full: the old model stays, nothing else is left ---
expect 1 'File too large' sh -c 'ulimit -f 100; exec "$@"' sh "$heed" convert "$fixtures/llama" \
  --out empty --dtype f32
same empty before
expect 1 'File too large' sh -c 'ulimit -f 100; exec "$@"' sh "$heed" convert "$fixtures/llama" \
  --out none
[ ! -e none ] || fail "a conversion that ran out of space left a folder"
expect 0 '' "$heed" convert "$fixtures/gpt2" --out empty
expect 0 '"gpt2"' "$heed" info empty --json

# --- tokenizers ---
expect 0 '' "$heed" tokenize --train char --data text.txt --out tok
expect 0 '' "$heed" tokenize --train bpe --vocab-size 260 --data text.txt --out tok
expect 0 '' "$heed" tokenize -m tok -p "to be"
expect 1 'foreign: the folder holds config.json' "$heed" tokenize --train char --data text.txt \
  --out foreign
expect 1 'heed wrote a model there' "$heed" tokenize --train char --data text.txt --out empty
expect 1 'heed wrote a tokenizer there' "$heed" convert "$fixtures/gpt2" --out tok
same foreign foreign.before

# --- trainings ---
small="$small --context 8 --tokenizer char --max-steps 3 --save-steps 3 -q"
train() { "$heed" train $small "$@"; }
expect 0 '' train --data text.txt --out runs/new
[ -L runs/new/config.json ] && [ -L runs/new/last ] || fail "a run has no links"
cp -r runs/new run.before
expect 1 'holds a training already (3 updates)' train --data text.txt --out runs/new
expect 1 'is the folder of a training' "$heed" convert runs/new --out runs/new
expect 1 'is the folder of a training' "$heed" convert runs/new --out runs/new/last
ln -s runs/new/checkpoint-3 alias
expect 1 'is the folder of a training' "$heed" convert runs/new --out alias
expect 1 'is the folder of a training' "$heed" convert runs/new --out runs/new/checkpoint-9
expect 1 'is the folder of a training' train --data text.txt --out runs/new/inner
same runs/new run.before
expect 0 '' "$heed" convert runs/new --out runs/converted
expect 1 'holds config.json, which is not from a training' train --data text.txt --out foreign
expect 1 'holds .heed.json\|holds config.json' train --data text.txt --out runs/converted
same foreign foreign.before
expect 1 'found a file' train --data text.txt --out text.txt
expect 1 'found a file' train --data text.txt --out /dev/null
expect 1 'expected a folder' train --data text.txt --out -
mkdir taken
ln -s text.txt taken/mine.tmp
expect 1 'holds mine.tmp' train --data text.txt --out taken
[ -L taken/mine.tmp ] || fail "a link of others was removed"
rm taken/mine.tmp
printf '{"mine": 1}\n' >taken/run.json
printf 'mine\n' >taken/log.jsonl
cp -r taken taken.before
expect 1 'run.json that is not from a training of heed' train --data text.txt --out taken
same taken taken.before
rm taken/run.json
expect 1 'holds log.jsonl' train --data text.txt --out taken
rm taken/log.jsonl
expect 0 '' train --data text.txt --out taken/
mkdir books here
cp text.txt books/
expect 1 'lies in the data folder' train --data books --out books
expect 1 'lies in the data folder' train --data books --out books/run
[ ! -e books/run ] || fail "a training that was refused left a folder"
expect 1 'lies in the data folder' train --data text.txt --valid books --out books/a/run
(cd here && expect 0 '' train --data ../text.txt --out .)
expect 1 'holds config.json' "$heed" train --data text.txt --init foreign --out foreign
[ "$(find . -name '.heed-*' | wc -l)" = 0 ] ||
  fail "temporary files are left: $(find . -name '.heed-*')"

# --- a run without a checkpoint yet is begun again, unless others wrote there ---
mkdir begun
cp runs/new/run.json runs/new/log.jsonl begun/
cp text.txt begun/model.safetensors
expect 1 'holds model.safetensors' train --data text.txt --out begun
rm begun/model.safetensors
ln -s ../text.txt begun/notes.tmp
expect 1 'holds notes.tmp' train --data text.txt --out begun
rm begun/notes.tmp
expect 0 '' train --data text.txt --out begun
[ "$(wc -l <begun/log.jsonl)" = 3 ] || fail "the log of the run before is kept"

# --- going on in a run whose links were replaced by files ---
expect 0 '' train --data text.txt --out torn --stop-at 2
cp text.txt torn/own.tmp
ln -s ../text.txt torn/link.tmp
cp torn/config.json torn/config.copy
mv -f torn/config.copy torn/config.json
expect 1 'config.json is a file of its own' "$heed" train --resume torn -q
rm torn/config.json
expect 0 '' "$heed" train --resume torn -q
[ -L torn/config.json ] && [ -L torn/link.tmp ] && [ -f torn/own.tmp ] ||
  fail "a run that goes on lost files of others"
exit $failed
