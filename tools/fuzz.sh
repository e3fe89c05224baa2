#!/usr/bin/env bash
# Runs the libFuzzer targets under the address and undefined-behavior sanitizers (clang; preset fuzz):
#   tools/fuzz.sh [RUNS] [TARGET...]    each target (default: all) that many times (default 1000000), from the fixtures as first inputs
# A target that finds something ends with its report and leaves the input in build/fuzz/found/.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-1000000}
shift || true
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  for source in tests/*/fuzz_*.c; do
    room=${source#tests/}
    targets+=("${room%%/*}_$(basename "$source" .c)")
  done
fi

cmake --preset fuzz -DBUILD_TESTING=ON >&2
cmake --build --preset fuzz --target "${targets[@]}" >&2
# Small quarantine and short stacks: a run allocates little, and what libFuzzer wants is many of them.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=4:malloc_context_size=4}
work=build/fuzz/work
mkdir -p "$work" build/fuzz/found

# First inputs, and the words that occur in them. A target without a line here begins with nothing.
seeds() {
  case "$1" in
    io_fuzz_safetensors) cp tests/fixtures/safetensors/*.safetensors "$2" ;;
    io_fuzz_gguf) cp tests/io/fuzz_gguf.gguf "$2" ;;
    text_fuzz_jinja) cp tests/fixtures/chat-templates/*.jinja "$2" ;;
    model_fuzz_gguf_config) head -c 281 /dev/zero >"$2/zeros" ;; # every record of a recipe, each the first key as 0
    model_fuzz_config) for file in tests/fixtures/*/config.json; do cp "$file" "$2/$(basename "$(dirname "$file")").json"; done ;;
    text_fuzz_tokenizer) for file in tests/fixtures/tokenizers/*/tokenizer.json; do
        [ "$(wc -c <"$file")" -gt 10000 ] || cp "$file" "$2/$(basename "$(dirname "$file")").json"
      done
      cp tests/text/fuzz_tokenizer.json "$2" ;;
    base_fuzz_json) cp tests/fixtures/gpt2/config.json "$2" ;;
  esac
}
for target in "${targets[@]}"; do
  corpus=$work/$target
  rm -rf "$corpus" && mkdir "$corpus"
  seeds "$target" "$corpus"
  words=$([ "$target" = text_fuzz_jinja ] && echo '[A-Za-z_]{2,24}|[{%}-]{2,3}' || echo '"[A-Za-z_]{2,24}"')
  grep -rhoaE "$words" "$corpus" | sed 's/^"*\(.*[^"]\)"*$/"\1"/' | sort | uniq -c | sort -rn | head -250 | awk '{print $2}' >"$work/$target.dict" || true
  echo "$target: $runs runs" >&2
  dictionary=()
  [ -s "$work/$target.dict" ] && dictionary=(-dict="$work/$target.dict")
  build/fuzz/tests/"$target" "$corpus" -runs="$runs" "${dictionary[@]}" -max_len=10000 -timeout=20 -rss_limit_mb=2000 \
    -artifact_prefix=build/fuzz/found/ -print_final_stats=1 2>&1 | grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|RELOAD|pulse)' | tail -40
done
