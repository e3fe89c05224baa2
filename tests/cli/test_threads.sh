#!/bin/sh
# How many threads the program uses, and why.   test_threads.sh HEED SOURCE-FOLDER
set -u
. "$2/tests/cli/expect.sh"

# A value that OpenMP does not know is told, never taken for another number.
for value in 3500m 1.0 abc 0 -1 '' 99999999999 4,abc 4, 0x2; do
  said=$(OMP_NUM_THREADS=$value "$heed" generate -m "$fixtures/llama" --prompt-ids 1,2,3 -n 2 \
    --temp 0 --ids 2>&1 >/dev/null)
  case $said in
    *"OMP_NUM_THREADS is \"$value\", expected a whole number"*) ;;
    *) fail "OMP_NUM_THREADS=$value: \"$said\"" ;;
  esac
  said=$(OMP_NUM_THREADS=$value "$heed" info -t 1 2>&1 | grep OMP_NUM_THREADS) &&
    fail "a variable that does not count is told: $said"
done
for value in 1 ' 1 ' 1,2; do
  said=$(OMP_NUM_THREADS=$value "$heed" info 2>&1)
  echo "$said" | grep -q '^threads  *1$' || fail "OMP_NUM_THREADS=$value: $said"
  echo "$said" | grep -q '^threads from  *OMP_NUM_THREADS$' ||
    fail "info does not say that OMP_NUM_THREADS=$value counts: $said"
done
"$heed" info -t 1 --json | grep -q '"threads_from": *"asked for"' ||
  fail 'info does not say that -t counts'
exit $failed
