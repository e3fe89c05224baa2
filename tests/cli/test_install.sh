#!/bin/sh
# Installs the library into a folder of its own, compiles the example through pkg-config, runs it on a fixture.
#   test_install.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$1" --prefix "$prefix" >/dev/null
export PKG_CONFIG_PATH="$(dirname "$(find "$prefix" -name heed.pc)")"
[ "$(pkg-config --modversion heed)" = "$("$prefix/bin/heed" --version | cut -d' ' -f2)" ]
flags=$(pkg-config --define-variable=prefix="$prefix" --cflags --libs --static heed)
${CC:-cc} -std=c17 -Wall -Wextra -Werror ${CFLAGS:-} "$2/examples/continue.c" $flags -o "$prefix/continue"
[ "$(wc -l < "$2/examples/continue.c")" -le 30 ]
text=$("$prefix/continue" "$2/tests/fixtures/gpt2" "Hello")
[ -n "$text" ] || { echo "the example wrote nothing" >&2; exit 1; }
[ "$text" = "$("$prefix/bin/heed" generate -m "$2/tests/fixtures/gpt2" -p Hello -n 40)" ] || { echo "example and program differ" >&2; exit 1; }
