#!/bin/sh
# The names that users of other programs type, and the words that heed answers in. test_names.sh
# HEED SOURCE-FOLDER
set -u
export OMP_NUM_THREADS=1 # many small tasks
. "$2/tests/cli/expect.sh"
cd "$work" || exit 1
gpt2=$fixtures/gpt2
export HF_HOME="$work/hf"
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE
head -c 1500 "$shakespeare/valid.txt" >text.txt

# --- options of generation: each row has the other program's words and heed's own ---
ids() { "$heed" generate -m "$gpt2" --prompt-ids 5,6,7 --ids --seed 3 "$@"; }
while IFS='|' read -r other own; do
  wanted=$(ids $own) && found=$(ids $other) || fail "not taken: $other"
  is "$found" "$wanted" "$other"
done <<'END'
--max-new-tokens 4|-n 4
--max_new_tokens=4|-n 4
--n-predict 3 --temperature 0.9|-n 3 --temp 0.9
-n 5 --temp 1 --top_p 0.4 --top_k=9 --min_p 0.01|-n 5 --temp 1 --top-p 0.4 --top-k 9 --min-p 0.01
-n 5 --repetition_penalty 1.3|-n 5 --repeat-penalty 1.3
-n 5 --num_beams 2 --num_return_sequences 2|-n 5 --beams 2 --num-return 2
-n 5 --ctx-size 20|-n 5 -c 20
END
ids -n 100 --ctx-size 8 >short 2>/dev/null && ids -n 100 >long 2>/dev/null || fail "--ctx-size"
cmp -s short long && fail "--ctx-size has no effect"
printf '/params max_new_tokens 3\n/params temperature 0.5\n' >lines
"$heed" chat $chatml <lines >/dev/null 2>err || fail "/params: $(cat err)"
has '^n  *3$' err; has '^temp  *0.5$' err

# --- options of training ---
"$heed" train --data text.txt --out run $small -q --lr 0.002 --epochs 2 --batch 8 2>err ||
  fail "train with other names: $(cat err)"
for field in '"learning_rate": *0.002' '"max_steps": *"2e"' '"batch_size": *8'; do
  has "$field" run/run.json
done
"$heed" train --data text.txt --out steps $small -q --steps 2 --n_embd 16 -c 16 2>err ||
  fail "train --steps: $(cat err)"
has '"max_steps": *"2"' steps/run.json
expect 2 '^heed train: --epochs many: expected a number' "$heed" train --data text.txt --out wrong \
  --epochs many
expect 1 "max_steps '-1e': expected" "$heed" train --data text.txt --out wrong --epochs -1
expect 2 '^heed train: --epochs: the value is empty\|--max-steps: the value is empty' "$heed" \
  train --data text.txt --out wrong --epochs ''

# --- what is not an alias gets a hint, and never a guess at another meaning ---
while IFS='|' read -r words pattern; do
  expect 2 "$pattern" "$heed" $words
  lacks 'did you mean' "$work/out"
done <<'END'
run m|heed chat -m MODEL holds a conversation, heed generate -m MODEL -p TEXT continues a text
quantize m|heed convert MODEL --out FILE.gguf --dtype q4_k
perplexity m|heed eval -m MODEL --text FILE
finetune m|heed train --init MODEL --data FILE --out RUN
fine_tune m|heed train --init MODEL
pull m|hf download
generate m -p x --do_sample|--temp above 0 samples
generate m -p x --max_length 9|-n the number of new tokens
generate m -p x -ngl 99|heed computes on the CPU
generate m -p x --device=cuda|heed computes on the CPU
generate m -p x --max-p 0.5|unknown option --max-p$
generate m -p x --no-early-stopping|unknown option --no-early-stopping
generate m -p x --batch 5|unknown option --batch
generate m -p x --steps 5|unknown option --steps
train --max-lr-rate 1|unknown option --max-lr-rate
eval m --lr 1|unknown option --lr
END
while IFS='|' read -r words pattern; do
  expect 2 "did you mean $pattern?" "$heed" $words
done <<'END'
gernerate|generate
generate m -p x --max-new-tokns 5|-n
generate m -p x --temprature 1|--temp
generate m -p x --tmep 1|--temp
train --learnig_rate 1|--learning-rate
train --epoch 3|--max-steps
END

# --- -V; -c is the context everywhere ---
is "$("$heed" -V)" "$("$heed" --version)" "heed -V"
is "$("$heed" generate -V)" "$("$heed" --version)" "heed generate -V"
"$heed" --help >help || fail "--help"
has 'an underscore counts as a hyphen' help
"$heed" train --help >help || fail "train --help"
has 'Also: --lr\.' help
has '--epochs N' help
for command in info tokenize forward generate chat train eval translate bench convert; do
  "$heed" $command --help | grep -e '^  -c, ' | grep -v -e '^  -c, --context ' &&
    fail "$command -c is not the context"
done
for command in generate chat train eval; do
  "$heed" $command --help | grep -q -e '^  -c, --context ' || fail "$command lacks -c"
done
expect 0 perplexity "$heed" eval -m "$gpt2" --text text.txt --max-tokens 20 -c 8

# --- models that are not there: a GGUF file, a name on the hub ---
each_command() { # MODEL: runs each command that takes one
  while read -r words; do
    printf '%s\n' "--- $words"
    "$heed" $words 2>&1 </dev/null
  done <<END
info $1
tokenize -m $1 -p x
forward $1 --in $gpt2/oracle.safetensors --out out.safetensors
generate -m $1 --prompt-ids 1 -n 2 --ids
chat -m $1 -p x
eval -m $1 --text text.txt --max-tokens 20
translate -m $1 --in text.txt --out translated.txt
bench -m $1 -p 2 -n 1 --rounds 1
convert $1 --out converted
train --init $1 --data text.txt --out tuned --max-steps 1 --batch-size 1
train --tokenizer $1 --data text.txt --out tuned --max-steps 1 $small
END
}
each_command x.gguf >out
is "$(grep -c '^heed [a-z]*: x.gguf: cannot open: No such file or directory' out)" 11 \
  "commands that name the GGUF file: $(cat out)"
each_command own/model >out
folder=$HF_HOME/hub/models--own--model
is "$(grep -c "^heed [a-z]*: own/model: no such file or folder, .* no such model: $folder is" out)" \
  11 "commands that name the place in the cache: $(cat out)"
has 'or download the model: hf download own/model$' out
expect 1 "has no such model: $work/hub/models--gpt9 is not there" env HF_HUB_CACHE="$work/hub" \
  "$heed" info gpt9
expect 1 "$work/.cache/huggingface/hub/models--gpt9 is not there" env HF_HOME= XDG_CACHE_HOME= \
  HOME="$work" "$heed" info gpt9

# --- a model in the cache, by its name ---
mkdir -p "$folder/refs" "$folder/snapshots/0123abc"
expect 1 "has $folder, but its refs/main names no snapshot" "$heed" info own/model
printf 0123abc >"$folder/refs/main"
for file in "$gpt2"/*; do ln -s "$file" "$folder/snapshots/0123abc/"; done
is "$("$heed" generate -m own/model --prompt-ids 5,6,7 -n 4 --ids)" "$(ids -n 4)" \
  "generate from the cache"
is "$("$heed" tokenize own/model -p Hello)" "$("$heed" tokenize "$gpt2" -p Hello)" "tokenize"
expect 0 'model_type gpt2' "$heed" train --init own/model --data text.txt --out tuned \
  --max-steps 1 --batch-size 1
expect 0 '' "$heed" train --tokenizer own/model --data text.txt --out own --max-steps 1 $small -q
quantized=$HF_HOME/hub/models--own--gguf
mkdir -p "$quantized/refs" "$quantized/snapshots/4"
printf '4\n' >"$quantized/refs/main"
"$heed" convert "$gpt2" --out "$quantized/snapshots/4/b.gguf" 2>/dev/null || fail "convert"
is "$("$heed" generate -m own/gguf --prompt-ids 5,6,7 -n 4 --ids)" "$(ids -n 4)" "the GGUF file"
cp "$quantized/snapshots/4/b.gguf" "$quantized/snapshots/4/a.gguf"
expect 1 "own/gguf: it has 2 GGUF files: name one of them, as in $quantized/snapshots/4/a.gguf" \
  "$heed" info own/gguf
mkdir -p own/model
expect 1 'own/model/config.json: cannot open' "$heed" info own/model # what is here comes first

# --- words ---
expect 0 'M parameters, family heed (model_type llama), objective clm' "$heed" train \
  --data text.txt --valid text.txt --out plain --family heed --max-steps 1 $small
has 'validation loss [0-9.]*, best ' "$work/out"
lacks 'nats per label' plain/loss.svg
has '>loss<' plain/loss.svg
expect 0 'M parameters, family heed (model_type llama)' "$heed" train --data text.txt \
  --out asked --max-steps 1 $small
expect 0 '^loss  *[0-9.]* (mean nll per token)' "$heed" eval -m plain --text text.txt
lacks 'nats' "$work/out"
expect 0 '"nll": ' "$heed" eval -m plain --text text.txt --json
expect 0 '' "$heed" forward "$gpt2" --in "$gpt2/oracle.safetensors" --out out.safetensors \
  --trace trace
has ' mean [-0-9.e]* min [-0-9.e]* max [-0-9.e]* ' trace
expect 0 '^prefill .*tokens/s' "$heed" bench -m "$gpt2" -p 4 -n 2 --rounds 1
has '^decode .*tokens/s' "$work/out"
exit $failed
