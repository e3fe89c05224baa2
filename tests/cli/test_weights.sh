#!/bin/sh
# Weights as people have them: paths of files, capitals in names, split and damaged files, heads of
# their own, numbers that are too
# large. Usage: test_weights.sh PROGRAM SOURCE
set -u
. "$2/tests/cli/expect.sh"

# greedy MODEL: the ids of a short answer.
greedy() {
    "$heed" generate -m "$1" --prompt-ids 1,5,9 -n 3 --temp 0 --ids 2>"$work/err"
}

copy() {
    rm -rf "$work/$2"
    mkdir "$work/$2"
    cp "$fixtures/$1"/*.json "$work/$2/"
    cp "$fixtures/$1"/*.safetensors "$work/$2/"
    rm -f "$work/$2"/oracle*
    chmod -R u+w "$work/$2"
}

# ---- a file of weights as the model ----
copy llama one
want=$(greedy "$work/one")
[ -n "$want" ] || fail "no answer: $(cat "$work/err")"
[ "$(greedy "$work/one/model.safetensors")" = "$want" ] || fail "a .safetensors path is no model"
(cd "$work/one" && [ "$("$heed" generate -m model.safetensors --prompt-ids 1,5,9 -n 3 --temp 0 \
  --ids)" = "$want" ]) ||
    fail "a .safetensors path without a folder is no model"
"$heed" tokenize -m "$work/one/model.safetensors" -p hello >"$work/ids" ||
  fail "no tokenizer beside the weights"
"$heed" tokenize -m "$work/one" -p hello | cmp -s - "$work/ids" ||
  fail "another tokenizer beside the weights"
"$heed" convert "$work/one" --out "$work/from-folder" &&
  "$heed" convert "$work/one/model.safetensors" --out "$work/from-file" ||
    fail "convert of a .safetensors path"
(cd "$work/from-folder" && for name in *; do cmp "$name" "../from-file/$name" || exit 1; done) ||
    fail "a .safetensors path loses what lies beside it"
mkdir "$work/alone"
cp "$work/one/model.safetensors" "$work/alone/"
greedy "$work/alone/model.safetensors" >/dev/null && fail "weights alone are a model"
has "weights alone are no model: put config.json"
greedy "$work/absent.safetensors" >/dev/null && fail "an absent file is a model"
has "absent.safetensors: cannot open"

# ---- shards ----
copy llama-bf16-sharded shards
want=$(greedy "$work/shards")
[ "$(greedy "$work/shards/model-00002-of-00002.safetensors")" = "$want" ] ||
  fail "a shard does not stand for all"
has "is one shard of a model"
mv "$work/shards/model-00002-of-00002.safetensors" "$work/kept"
greedy "$work/shards" >/dev/null && fail "a needed shard may be missing"
has "model-00002-of-00002.safetensors: cannot open"
head -c 1000 "$work/kept" >"$work/shards/model-00002-of-00002.safetensors"
greedy "$work/shards" >/dev/null && fail "a needed shard may be cut short"
has "model-00002-of-00002.safetensors"
cp "$work/kept" "$work/shards/model-00002-of-00002.safetensors"
sed 's/"weight_map": {/&"rotary_emb.inv_freq": "nobody.safetensors",/' \
  "$work/shards/model.safetensors.index.json" >"$work/index"
cp "$work/index" "$work/shards/model.safetensors.index.json"
[ "$(greedy "$work/shards")" = "$want" ] ||
  fail "a shard that nobody needs is needed: $(cat "$work/err")"
has "this model does not need"

# ---- GGUF by any name ----
for name in a.gguf b.GGUF c.Gguf; do
    "$heed" convert "$work/one" --out "$work/$name" 2>/dev/null || fail "convert --out $name"
    [ "$(head -c 4 "$work/$name")" = GGUF ] || fail "$name is no GGUF file"
done
cp "$work/a.gguf" "$work/other.bin"
want=$(greedy "$work/a.gguf")
[ "$(greedy "$work/other.bin")" = "$want" ] || fail "a GGUF file with another name is not read"
mkdir "$work/inside"
cp "$work/a.gguf" "$work/inside/"
greedy "$work/inside" >/dev/null && fail "a folder with a GGUF file is a model"
has "give its path"

# ---- files that are something else ----
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n' >"$work/lfs.gguf"
greedy "$work/lfs.gguf" >/dev/null && fail "a pointer is a model"
has "Git LFS pointer"
cp "$work/lfs.gguf" "$work/alone/model.safetensors"
cp "$work/one/config.json" "$work/alone/"
greedy "$work/alone" >/dev/null && fail "a pointer is a model"
has "Git LFS pointer"
: >"$work/empty.gguf"
greedy "$work/empty.gguf" >/dev/null && fail "an empty file is a model"
has "0 bytes"

# ---- a head of its own in a model that is tied ----
want=$("$heed" generate -m "$work/one" --prompt-ids 1,5,9 -n 3 --temp 0 --ids)
copy llama tied
sed 's/"tie_word_embeddings": false/"tie_word_embeddings": true/' "$work/one/config.json" \
  >"$work/tied/config.json"
[ "$(greedy "$work/tied")" = "$want" ] || fail "a head of its own is dropped"
has "both are kept"
"$heed" info "$work/tied" | grep -q "both are kept" || fail "info does not say that both are kept"
"$heed" convert "$work/tied" --out "$work/untied" 2>"$work/err" ||
  fail "convert of a head of its own"
has "both are kept"
grep -q '"tie_word_embeddings": false' "$work/untied/config.json" || fail "what is written is tied"
[ "$(greedy "$work/untied")" = "$want" ] || fail "the head is not written"
grep -v tokenizer_class "$work/err" && fail "a note about what was written: $(cat "$work/err")"
"$heed" convert "$work/tied" --out "$work/untied.gguf" 2>/dev/null
[ "$(greedy "$work/untied.gguf")" = "$want" ] || fail "the head is not in the GGUF file"

exit $failed
