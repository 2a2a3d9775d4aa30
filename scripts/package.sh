#!/usr/bin/env bash
# Builds the function as it is deployed: dist/main (static, linux/amd64) and dist/chatexport.zip with main at its root.
# The same commit and the same Go version give the same bytes, in any folder and at any time.
set -euo pipefail
if [[ ${1-} == -h || ${1-} == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."

if [ $# -gt 0 ]; then
  echo 'usage: scripts/package.sh' >&2
  exit 2
fi

# The version is day and hash of the commit, not a tag: a shallow clone has no tags. The go command's own stamp is
# switched off for that reason, too. Without git, or outside a clone, it is "devel".
version=devel
if head=$(TZ=UTC0 git log -1 --format=%cd-%H --date=format-local:%Y%m%d 2>/dev/null); then
  version=${head:0:21} # the day, a dash and 12 digits of the hash
  if [ -n "$(git status --porcelain 2>/dev/null)" ]; then
    version+=-dirty
    echo 'package: there are changes that are not committed: the version says so' >&2
  fi
fi

printf 'version %s, %s\n' "$version" "$(go env GOVERSION)"
mkdir -p dist
# Everything that could change the bytes is named here; the environment has no say.
GOFLAGS=-trimpath GOOS=linux GOARCH=amd64 GOAMD64=v1 GOEXPERIMENT='' GOFIPS140=off CGO_ENABLED=0 \
  go build -trimpath -buildvcs=false -ldflags="-s -w -buildid= -X chatexport/internal/version.stamp=$version" -o dist/main ./function

go run ./scripts/pack dist/main dist/chatexport.zip
