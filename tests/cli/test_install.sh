#!/bin/sh
# Installs the library into a folder of its own and uses it as somebody else would: pkg-config,
# CMake, the man page, the completion.
#   test_install.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
fail() { echo "$1" >&2; exit 1; }
cmake --install "$1" --prefix "$prefix" >/dev/null
library=$(dirname "$(find "$prefix" -name libheed.a)")
export PKG_CONFIG_PATH="$library/pkgconfig" LD_LIBRARY_PATH="$library"
[ "$(pkg-config --modversion heed)" = "$("$prefix/bin/heed" --version | cut -d' ' -f2)" ]

# The example through pkg-config, with the shared library and with the archive alone.
wanted=$("$prefix/bin/heed" generate -m "$2/tests/fixtures/gpt2" -p Hello -n 40)
[ "$(wc -l < "$2/examples/continue.c")" -le 30 ]
for static in "" --static; do
  flags=$(pkg-config --define-variable=prefix="$prefix" --cflags --libs $static heed)
  [ -z "$static" ] || flags=$(echo "$flags" | sed "s#-lheed#$library/libheed.a#")
  ${CC:-cc} -std=c17 -Wall -Wextra -Werror ${CFLAGS:-} "$2/examples/continue.c" $flags \
    -o "$prefix/continue"
  [ "$("$prefix/continue" "$2/tests/fixtures/gpt2" "Hello")" = "$wanted" ] ||
    fail "example and program differ ($static)"
done

# The program that README.md shows, as it stands there. It leaves freeing to its end, which the
# sanitizer would call a leak; examples/continue.c above frees everything.
sed -n '/^```c$/,/^```$/p' "$2/README.md" | sed '1d;$d' > "$prefix/readme.c"
${CC:-cc} -std=c17 -Wall -Wextra -Werror ${CFLAGS:-} "$prefix/readme.c" \
  $(pkg-config --define-variable=prefix="$prefix" --cflags --libs heed) -o "$prefix/readme"
ln -s "$2/tests/fixtures/gpt2" "$prefix/run"
wanted=$("$prefix/bin/heed" generate -m "$prefix/run" -p ROMEO: -n 40)
shown=$(cd "$prefix" && ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0" ./readme)
[ "$shown" = "$wanted" ] || fail "the program of README.md and heed generate differ"

# A project of its own through find_package.
cmake -S "$2/tests/cli/package" -B "$prefix/outside" -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_C_COMPILER="${CC:-cc}" \
  -DCMAKE_C_FLAGS="${CFLAGS:-}" -DCMAKE_CXX_FLAGS="${CFLAGS:-}" >/dev/null
cmake --build "$prefix/outside" >/dev/null
for program in with_library with_archive with_cpp; do
  [ ! -x "$prefix/outside/$program" ] || "$prefix/outside/$program" >/dev/null ||
    fail "$program failed"
done
[ -x "$prefix/outside/with_library" ] && [ -x "$prefix/outside/with_archive" ]

# The shared library exports what the public headers declare, no more and no less.
if [ -e "$library/libheed.so" ]; then
  printf '#include <heed/heed.h>\n#include <heed/graph.h>\n' |
    ${CC:-cc} -E -P -I"$prefix/include" - | grep -v '^#' | tr -d '\n' | tr ';{}' '\n\n\n' |
    grep -vE 'typedef|static inline' | grep -oE '^[^(]*[ *]heed_[a-z0-9_]+ *\(' | grep -oE 'heed_[a-z0-9_]+ *\($' |
      tr -d ' (' | sort -u > "$prefix/declared"
  nm -D --defined-only "$library/libheed.so" | awk '{print $3}' |
    grep -vE '^__|^_(init|fini|end|edata)$|^__bss_start$' | sed 's/@.*//' |
    sort -u > "$prefix/exported"
  [ "$(wc -l < "$prefix/declared")" -ge 50 ] ||
    fail "the public headers declare fewer functions than expected"
  diff "$prefix/declared" "$prefix/exported" >&2 || fail "declared (<) and exported (>) differ"
fi

# Man page and completion.
grep -q '^.SH COMMANDS' "$(find "$prefix" -name heed.1)" || fail "no man page"
completion=$(find "$prefix" -path '*bash-completion*' -name heed)
bash -n "$completion" && grep -q generate "$completion" || fail "no completion"
