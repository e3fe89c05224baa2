# What the tests of the program share. Each begins with
#   . "$2/tests/cli/expect.sh"
# and has the arguments HEED SOURCE-FOLDER, and CHAIN-MODEL if it makes models with chain_model.
heed=$1
chain_model=${3:-}
fixtures=$2/tests/fixtures
shakespeare=$2/share/shakespeare
chatml="-m $fixtures/smollm2 --template $fixtures/chat-templates/chatml.jinja" # a model that chats
# a training of seconds
small='--layers 1 --d-model 16 --heads 2 --context 16 --batch-size 4 --seed 5'
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# The test goes on after a failure and ends with: exit $failed
failed=0
fail() { echo "FAILED: $*" >&2; failed=1; }

# expect STATUS PATTERN COMMAND...: exit status, and a pattern in stdout and stderr together, which
# are then in $work/out
expect() {
  wanted=$1 pattern=$2
  shift 2
  "$@" >"$work/out" 2>&1 </dev/null
  status=$?
  [ $status -eq "$wanted" ] || {
    fail "status $status instead of $wanted: $*"
    cat "$work/out" >&2
  }
  [ -z "$pattern" ] || grep -q -e "$pattern" "$work/out" || {
    fail "no \"$pattern\" in the output of: $*"
    cat "$work/out" >&2
  }
}

# is FOUND WANTED WHAT: two texts
is() { [ "$1" = "$2" ] || fail "$3: \"$1\" instead of \"$2\""; }

# has PATTERN [FILE], lacks PATTERN [FILE]: in $work/err, unless a file is named
has() { grep -q -e "$1" "${2:-$work/err}" ||
  fail "no \"$1\" in: $(head -c 600 "${2:-$work/err}")"; }
lacks() { ! grep -q -e "$1" "${2:-$work/err}" ||
  fail "\"$1\" in: $(head -c 600 "${2:-$work/err}")"; }

# same_files A B NAME...: the files of these names in two folders
same_files() {
  one=$1 other=$2
  shift 2
  for file; do
    cmp -s "$one/$file" "$other/$file" || fail "$one/$file and $other/$file differ"
  done
}

# catches PID: the process handles SIGTERM, or has ended; before that a signal just kills it. Where
# there is no /proc this is not known, and the answer is yes.
catches() {
  caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
  [ -z "$caught" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" ||
    [ $((0x$caught >> 14 & 1)) = 1 ]
}

# wait_for COMMAND...: until it succeeds, a minute at most
wait_for() {
  tries=0
  until "$@" 2>/dev/null; do
    [ $tries -lt 600 ] || { fail "waited for: $*"; return; }
    sleep 0.1
    tries=$((tries + 1))
  done
}

# characters FOLDER: a model whose tokens are the characters of two lines, which stay in
# $work/text.txt
characters() {
  mkdir "$1"
  cp "$fixtures/gpt2/config.json" "$fixtures/gpt2/model.safetensors" "$1"
  printf 'To be\nor not to be\n' >"$work/text.txt"
  "$heed" tokenize --train char --data "$work/text.txt" --out "$work/char" 2>/dev/null ||
    fail "no tokenizer"
  cp "$work"/char/*.json "$1"
}
