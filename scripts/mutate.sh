#!/usr/bin/env bash
# Shows that the tests would notice: applies one small patch of scripts/mutations after another to a copy of the tree,
# runs the tests that the patch names, and expects one of them to fail. Arguments are names of patches, all by default.
#
# A patch begins with the lines "Mutant: what it breaks" and "Test: package name-of-test", one for each test.
set -euo pipefail
if [[ ${1-} == -h || ${1-} == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tree=$scratch/tree
mkdir "$tree"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  if [ -e "$file" ]; then printf '%s\0' "$file"; fi
done >"$scratch/files"
tar --null -T "$scratch/files" -cf - | tar -xf - -C "$tree"

if [ $# -eq 0 ]; then
  for patch in scripts/mutations/*.patch; do set -- "$@" "$(basename "$patch" .patch)"; done
fi

# header prints the values of a patch's header lines of one kind.
header() { sed -n "/^diff /q; s/^$1: //p" "$2"; }

# Outside the repository git apply is a strict patch: it takes a patch whole, without fuzz, or not at all.
apply() { (cd "$tree" && GIT_CEILING_DIRECTORIES=$scratch git apply "$@"); }

# tests runs the tests that a patch names; what they print is in $scratch/log.
tests() {
  local package test failed=0
  : >"$scratch/log"
  while read -r package test; do
    (cd "$tree" && go test -count=1 -run "^$test\$" "$package") >>"$scratch/log" 2>&1 || failed=1
  done < <(header Test "$1")
  return "$failed"
}

width=0
for name in "$@"; do
  patch=scripts/mutations/$name.patch
  [ -f "$patch" ] || die "$patch does not exist"
  [ -n "$(header Mutant "$patch")" ] && [ -n "$(header Test "$patch")" ] || die "$patch does not say what it breaks, or which test notices"
  apply --check "$PWD/$patch" || die "$patch does not apply any more: make it again"
  [ ${#name} -le $width ] || width=${#name}
done

survived=0
for name in "$@"; do
  patch=$PWD/scripts/mutations/$name.patch
  tests "$patch" || die "$name: its tests fail without it:
$(cat "$scratch/log")"
  ! grep -q 'no tests to run' "$scratch/log" || die "$name: a test that it names does not exist"
  apply "$patch"
  verdict=SURVIVED
  if ! tests "$patch"; then
    # A tree that does not build proves nothing.
    grep -q '^ *--- FAIL: ' "$scratch/log" || die "$name: the tests end without a failed one:
$(cat "$scratch/log")"
    verdict=killed
  fi
  [ "$verdict" = killed ] || survived=$((survived + 1))
  printf '%-*s  %-8s  %s\n' "$width" "$name" "$verdict" "$(header Mutant "$patch")"
  sed -n 's/^ *--- FAIL: \([^ ]*\) .*/\1/p; s/^ *[a-z_]*_test\.go:[0-9]*: //p' "$scratch/log" | cut -c 1-150 |
    awk -v pad="$width" '!seen[$0]++ && n++ < 4 { printf "%*s  | %s\n", pad, "", $0 }'
  apply --reverse "$patch"
done

[ "$survived" -eq 0 ] || die "$survived of $# mutants survived"
printf '%d mutants, all killed\n' $#
