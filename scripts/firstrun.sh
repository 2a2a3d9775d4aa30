#!/usr/bin/env bash
# The first hour against the real services: what the documentation leaves open, one question after the other, each with
# what the answer means. It writes a few small objects below state/sweep/, reads pages of the groups named and fetches
# some of their files; nothing is changed in Chat, and what must be refused is tried without doing it. It needs the same
# variables as scripts/deploy.sh, from the environment or from .env; best are the execution role's own keys, since rights
# matter, too.
#
#   scripts/firstrun.sh --group '@TGS#...' [--community '@TGS#_...'] [--avchatroom '@TGS#...'] [--expired-url URL] [--overload]
#   scripts/firstrun.sh --list   shows the questions, and asks none
#
# --group is best one with files, with recalled and with expired messages; --expired-url names a file whose message has
# expired; --overload exceeds the app's quota for two seconds, which its other users notice.
set -euo pipefail
if [[ ${1-} == -h || ${1-} == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."

if [[ ${1-} == --list ]]; then
  exec go run ./scripts/firstrun --list
fi

go run ./scripts/firstrun --list "$@" >/dev/null # what it cannot read is told before anything is done

echo '== what can be known beforehand'
text=$(go run ./scripts/deploy limits)
read -ra limits <<<"$text"
go run ./scripts/chatexport doctor "${limits[@]}"

printf '\n== what only the services know\n'
go run ./scripts/firstrun "$@"

cat <<'TEXT'

== what only a deployed function shows
Invoke it once, asynchronously, with {"group_id":"..."} and LOG_LEVEL=debug, and look at its log lines:

- no line at all: the package did not start. Status 437 is a zip without main at its root, 439 a process that ended.
- "configuration is not usable": the names of variables that did not arrive. If one has the value that you set, the
  platform refuses its characters (the console wants letters, digits and _): say so.
- outcome "error" with UnauthorizedOperation at the end of a batch: the role may not invoke the function.
- outcome "continued", and no second line within a minute: the continuation was accepted, but not delivered. Look at the
  function's asynchronous events in the console.
- the time of the first tick of a timer shows the cron expression's time zone (commonly UTC+8).
TEXT
