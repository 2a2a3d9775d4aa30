#!/usr/bin/env bash
# Every check that a change must pass, cheap ones first. Tools are pinned and built by the go command: nothing needs
# to be installed. FUZZTIME (default 3s) is what each fuzz target gets.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${FUZZTIME:=3s}"
gofumpt=mvdan.cc/gofumpt@v0.12.0
shfmt=mvdan.cc/sh/v3/cmd/shfmt@v3.14.1
golangci=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

step() { printf '\n== %s\n' "$*"; }

fail() {
  printf 'FAIL: %s\n' "$*" >&2
  exit 1
}

# nothing_printed runs a command that lists what is wrong, and fails when it lists anything.
nothing_printed() {
  local what=$1 found
  shift
  found=$("$@") || fail "$what: the check itself failed"
  if [ -n "$found" ]; then
    printf '%s\n' "$found" >&2
    fail "$what"
  fi
}

# fuzz runs one target. On a busy machine the go command sometimes reports its own end of time as a failure ("context
# deadline exceeded"), so a failure without a failing input is tried again by the caller.
fuzz() {
  if go test -run='^$' -fuzz="^$2\$" -fuzztime="$FUZZTIME" "$1" </dev/null >"$scratch/fuzz" 2>&1; then
    tail -n 1 "$scratch/fuzz"
    return
  fi
  cat "$scratch/fuzz" >&2
  grep -q 'context deadline exceeded' "$scratch/fuzz" || fail "$2"
  ! grep -q 'Failing input' "$scratch/fuzz" || fail "$2"
  return 1
}

step 'gofumpt'
nothing_printed 'files are not gofumpt-ed (see above)' go run "$gofumpt" -l .

step 'shfmt'
go run "$shfmt" -d .ci/run scripts/*.sh

step 'mutations still fit'
for patch in scripts/mutations/*.patch; do git apply --check "$patch" || fail "make $patch again"; done

step 'go mod tidy'
go mod tidy -diff

step 'go vet'
go vet ./... ./testdata

step 'dependencies of the function'
go list -deps ./function >"$scratch/deps"
if grep -E '^chatexport/(internal/emulator|internal/objstore/(storetest|memstore)|internal/archive/archivetest|testdata)|^testing$|^net/http/httptest$' "$scratch/deps"; then
  fail 'the function links what is for tests only (see above)'
fi

step 'build of the function, static, as it is deployed'
CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -o "$scratch/main" ./function

step 'golangci-lint'
go run "$golangci" config verify
go run "$golangci" run ./...

step 'tests, race detector on, any order, the long ones shortened'
go test -race -shuffle=on -short -p 1 ./... # one package after the other: some tests hold batches to short time limits

step "fuzzing, $FUZZTIME a target"
grep -rEo '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . >"$scratch/targets" || [ $? -eq 1 ]
while IFS=: read -r file target; do
  target=${target#func }
  printf '%s %s\n' "$(dirname "$file")" "$target"
  fuzz "$(dirname "$file")" "$target" || fuzz "$(dirname "$file")" "$target" || fail "$target"
done <"$scratch/targets"

step 'all checks passed'
