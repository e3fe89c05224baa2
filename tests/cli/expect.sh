# What the tests of the program share: the program as $heed, the fixtures, a scratch folder that is
# removed at the end, and expect. Sourced with the test's own arguments: HEED SOURCE-FOLDER.
heed=$1
fixtures=$2/tests/fixtures
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
fail() { echo "FAILED: $*" >&2; failed=1; }

# expect STATUS PATTERN COMMAND...: exit status, and a pattern in stdout and stderr together
expect() {
  wanted=$1 pattern=$2
  shift 2
  "$@" >"$work/out" 2>&1 </dev/null
  status=$?
  [ $status -eq "$wanted" ] || { fail "status $status instead of $wanted: $*"; cat "$work/out" >&2; }
  [ -z "$pattern" ] || grep -q -e "$pattern" "$work/out" || { fail "no \"$pattern\" in the output of: $*"; cat "$work/out" >&2; }
}
