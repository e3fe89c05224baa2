#!/bin/sh
# What a model folder or a GGUF file says about generation holds in every copy of the model.
#   test_settings.sh HEED SOURCE-FOLDER CHAIN-MODEL
set -u
. "$2/tests/cli/expect.sh"
cd "$work" || exit 1
quiet() { "$@" >out 2>&1 </dev/null || { fail "$*"; cat out >&2; }; }
ids() { "$heed" generate -m "$1" -p A --ids -t 1 2>err | tr -d ' '; }
printf 'hello world, hello world, hello world, hello world' >text.txt
tune() {
  quiet "$heed" train --init "$1" --data text.txt --out "$2" --max-steps 1 --learning-rate 1e-9 \
    --context 8 --batch-size 1 -t 1
}

# copies NAME: the model of that name in every form that heed writes
copies() {
  quiet "$heed" convert "$1" --out "$1.folder"
  quiet "$heed" convert "$1" --out "$1.gguf"
  quiet "$heed" convert "$1.gguf" --out "$1.back"
  quiet "$heed" convert "$1.gguf" --out "$1.2.gguf"
  tune "$1" "$1.run"
  tune "$1.gguf" "$1.run.gguf"
}
all() { echo "$1 $1.folder $1.gguf $1.back $1.2.gguf $1.run $1.run.gguf"; }
# holds NAME IDS [OPTIONS]: every copy answers A with these ids
holds() {
  name=$1 wanted=$2
  shift 2
  for copy in $(all "$name"); do
    is "$("$heed" generate -m "$copy" -p A --ids -t 1 "$@" 2>err | tr -d ' ')" "$wanted" "$copy $*"
  done
}

# --- ids that end a text ---
"$chain_model" list --eos 257,258
"$chain_model" own --eos 257 --generation '{"eos_token_id": [258, 257]}'
"$chain_model" nested --eos none --config '"text_config": {"eos_token_id": [257, 258]}'
"$chain_model" single --eos 257 --generation '{"eos_token_id": 258}'
"$chain_model" many --eos 256,257,259,258
for model in list own nested single many; do
  copies $model
  holds $model '[66,67,258]' --temp 0 -n 8
done
holds list '[66,67,258]' --beams 2
holds own '[66,67,258]' --beams 3 --temp 0
for copy in $(all many); do
  is "$("$heed" generate -m "$copy" -p A --temp 0 -n 8 -t 1 2>err)" BC "$copy text"
done
# Several ids have a key in GGUF, the fourth has none: said.
"$heed" convert many --out again.gguf 2>err
has '1 of 4 ids that end a text have no key'
"$chain_model" bare --eos 257,258 --without-tokenizer
quiet "$heed" convert bare --out bare.gguf
quiet "$heed" convert bare.gguf --out bare.back
for copy in bare bare.gguf bare.back; do
  is "$("$heed" generate -m "$copy" --prompt-ids 65 --temp 0 -n 8 --ids 2>err | tr -d ' ')" \
    '[66,67,258]' "$copy"
done

# --- settings, in generation_config.json and in config.json ---
settings='{"do_sample": true, "temperature": 1e-3, "top_k": 1, "max_new_tokens": 3,
  "bad_words_ids": [[90]], "x_unknown": [1, {"a": 1e-05}], "top_p": 0.95}'
"$chain_model" file --generation "$settings"
"$chain_model" older --config '"max_length": 4, "no_repeat_ngram_size": 2, "num_beams": 2,
  "task_specific_params": {"summarization": {"num_beams": 7}}'
"$chain_model" forced --config '"forced_eos_token_id": 257, "text_config": {"max_length": 3}'
"$chain_model" off --generation '{"suppress_tokens": [66], "max_new_tokens": 1}'
echo '{"bos_token": "<|bos|>", "x_token": "<|eot|>"}' >file/special_tokens_map.json
echo 'model' >file/tokenizer.model
for model in file older forced off; do copies $model; done
holds file "[66,67,258]"
holds older '[66,67,258]'
holds forced '[66,257]'
holds off '[0]'
for copy in file.folder file.back file.run file.run.gguf; do
  same_files file $copy generation_config.json
done
for copy in file.folder file.run; do
  same_files file $copy special_tokens_map.json tokenizer.model
done
for copy in older.folder older.run; do
  grep -q '"num_beams": 7' $copy/config.json || fail "$copy: task_specific_params are lost"
done
"$heed" convert file --out again.gguf 2>err
has 'GGUF has no key for: .*bad_words_ids'
lacks 'top_k' # GGUF has a key for it

# --- models of random weights: what their configuration says ---
quiet "$heed" convert --random older/config.json --out random
quiet "$heed" convert --random list/config.json --out random.gguf
grep -q '"max_length": 4' random/config.json || fail "a random model lost its settings"
"$heed" info random.gguf --json | tr -d ' \n' | grep -q '"eos_token_id":\[257,258\]' ||
  fail "a random model lost its ends"

# --- files that GGUF has no place for, and names of classes ---
"$heed" convert file --out again.gguf 2>err
has 'GGUF has no place for special_tokens_map.json$'
cp -r "$2/tests/fixtures/bert-seqcls" classes
sed -i 's/"LABEL_\([0-9]\)"/"name \1"/' classes/config.json
quiet "$heed" convert classes --out classes.folder
grep -q '"name 1": 1' classes.folder/config.json || fail "names of classes are lost"
grep -q '"1": "name 1"' classes.folder/config.json || fail "names of classes are lost"

# --- what has no effect is said, and info shows what has ---
"$chain_model" idle --generation '{"eos_token_id": [257, 999], "penalty_alpha": 0.5, "top_k": 3}' \
  --tokenizer-config '"chat_template": {"rag": "R", "default": "D"}'
ids idle >out
is "$(cat out)" '[66,67,258,88,89,90,257]' idle
has '"penalty_alpha" has no effect'
has 'names 999, but the vocabulary has 260 ids'
"$heed" info idle --json | tr -d ' \n' >out
has '"generation":{"eos_token_id":\[257,999\],"penalty_alpha":0.5,"top_k":3}' out
has '"chat_templates":\["rag","default"\]' out

# --- a conversation ends where the template ends a turn ---
turn='{% if messages[0].role != "system" %}{{ raise_exception("no") }}{% endif
  %}{% for m in messages %}{{ m.content | upper }} <|eot|>{% endfor %}A'
"$chain_model" talk --template "$turn"
copies talk
for copy in $(all talk); do
  is "$("$heed" chat -m "$copy" --system s -p x --temp 0 -n 8 -t 1 2>err | tr -d '\n')" BC "$copy"
done

# --- templates by name: a run and its checkpoints have all of them ---
"$chain_model" named --tokenizer-config '"chat_template": "old"'
mkdir named/additional_chat_templates
echo 'file' >named/chat_template.jinja
echo '{% for m in messages %}R{{ m.content }}<|eot|>{% endfor %}A' \
  >named/additional_chat_templates/rag.jinja
copies named
for copy in named.folder named.run named.run/last; do
  same_files named $copy chat_template.jinja additional_chat_templates/rag.jinja
done
for copy in $(all named); do
  is "$("$heed" chat -m "$copy" --template rag -p x --temp 0 -n 8 -t 1 2>err | tr -d '\n')" BC \
    "$copy"
done
"$heed" chat -m named --template rog -p x 2>err && fail "a template that is not there"
has "templates are: default, rag"

# --- a tokenizer that heed cannot read: its files go along ---
"$chain_model" strange --eos 257,258
echo '{"model": {"type": "Unheard"}}' >strange/tokenizer.json
quiet "$heed" convert strange --out strange.folder
same_files strange strange.folder tokenizer.json tokenizer_config.json
exit $failed
