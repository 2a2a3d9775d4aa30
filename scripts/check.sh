#!/usr/bin/env bash
# Every check that a change must pass, cheap ones first. Tools are pinned and built by the go command: nothing needs
# to be installed. FUZZTIME (default 1s) is what each fuzz target gets; GOVULNDB is where known vulnerabilities are
# looked up.
#
# scripts/tools/go.mod pins the tools with their hashes, apart from go.mod, so that what they need never decides what the
# function is built from. golangci-lint is not in it: with its hundreds of modules it would drown the others, and the
# go command has its hash from the checksum database.
set -euo pipefail
if [[ ${1-} == -h || ${1-} == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."

if [ $# -gt 0 ]; then
  echo 'usage: scripts/check.sh' >&2
  exit 2
fi

: "${FUZZTIME:=1s}"
tools=scripts/tools/go.mod
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

# vulnerabilities fails for a module that has a known one in code that is called. One of the standard library is told, but
# fails nothing: the change cannot help it, a newer Go does. Without the database nothing is waited for.
vulnerabilities() {
  local db=${GOVULNDB:-https://vuln.go.dev} found=$scratch/vulnerabilities
  go build -modfile="$tools" -o "$scratch/govulncheck" golang.org/x/vuln/cmd/govulncheck
  if [[ $(timeout 10 "$scratch/govulncheck" -db "$db" -version 2>&1) != *'DB updated'* ]]; then
    echo "NOT LOOKED FOR: $db cannot be reached from here"
  elif timeout 300 "$scratch/govulncheck" -db "$db" ./... >"$found" 2>&1; then
    tail -n 1 "$found"
  elif grep -q '^  Module: ' "$found"; then
    cat "$found" >&2
    fail 'a module has a known vulnerability (see above)'
  elif grep -q '^  Standard library' "$found"; then
    echo "$(go env GOVERSION) has known vulnerabilities: build the function with a newer Go"
    grep -E '^ +Fixed in: ' "$found" | sort -u
  else
    tail -n 3 "$found"
    echo 'NOT LOOKED FOR: the scan did not end well'
  fi
}

step 'gofumpt'
nothing_printed 'files are not gofumpt-ed (see above)' go tool -modfile="$tools" gofumpt -l .

step 'shfmt'
go tool -modfile="$tools" shfmt -d .ci/run scripts/*.sh

step 'mutations still fit'
for patch in scripts/mutations/*.patch; do git apply --check "$patch" || fail "make $patch again"; done

step 'go mod tidy'
go mod tidy -diff
go -C scripts/tools mod tidy -diff

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

step 'known vulnerabilities'
vulnerabilities

# The programs themselves are run whole by go test ./...; here are the packages that they are made of.
step 'tests, race detector on, any order, the long ones shortened'
go test -race -shuffle=on -short ./internal/... ./scripts/chatexport/internal/... ./scripts/internal/...

step "fuzzing, $FUZZTIME a target"
grep -rEo '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . >"$scratch/targets" || [ $? -eq 1 ]
while IFS=: read -r file target; do
  target=${target#func }
  printf '%s %s\n' "$(dirname "$file")" "$target"
  fuzz "$(dirname "$file")" "$target" || fuzz "$(dirname "$file")" "$target" || fail "$target"
done <"$scratch/targets"

step 'all checks passed'
