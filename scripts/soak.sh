#!/usr/bin/env bash
# The built function under random faults of everything around it, for as long as asked: kills, lost and doubled
# deliveries, failing services, new keys, growing groups, messages with files, expiring messages. Prints what happened and the verdict:
# whether every archive is whole. A seed chooses the faults; when they happen also depends on the machine.
set -euo pipefail
if [[ ${1-} == -h || ${1-} == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."

if [ $# -gt 2 ] || [[ ! ${1:-1} =~ ^[0-9]+$ ]] || [[ ! ${2:-1} =~ ^[0-9]+$ ]]; then
  echo "usage: scripts/soak.sh [MINUTES [SEED]]" >&2
  exit 2
fi
exec go test ./function -run '^TestSoak$' -count=1 -timeout=0 -v -soak="${1:-1}m" -seed="${2:-1}"
