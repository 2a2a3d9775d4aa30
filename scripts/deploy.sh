#!/usr/bin/env bash
# Deploys the function: checks the variables and serverless.yml, builds the package, deploys it with the Serverless
# command line (or, where that is not installed, with node through the code of its component), sets what serverless.yml
# cannot, and asks all services whether they would do what the function needs.
#
#   scripts/deploy.sh            does it; stops at the first step that fails, and can be started again
#   scripts/deploy.sh --dry-run  prints the steps; needs nothing but bash
#
# Variables come from the environment, which has precedence, or from a file .env beside serverless.yml: NAME=value lines.
# They are read, not run: no value means anything to a shell.
set -euo pipefail
if [[ ${1-} == -h || ${1-} == --help ]]; then
  sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
  exit
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."

dry=
case "${1-}" in
  --dry-run) dry=1 ;;
  '') ;;
  *)
    echo 'usage: scripts/deploy.sh [--dry-run]' >&2
    exit 2
    ;;
esac

# read_env takes from .env what the environment does not say, which has precedence, as for the Serverless command line and
# the Go programs. All parts of a key are of one place, since a key with another one's token is refused by every service.
# Names that are none of the deployment's are left alone: they could change what the tools themselves do.
read_env() {
  local keys='TENCENTCLOUD_SECRETID TENCENTCLOUD_SECRETKEY TENCENTCLOUD_SESSIONTOKEN TENCENT_SECRET_ID TENCENT_SECRET_KEY TENCENT_TOKEN'
  local own_key=${TENCENTCLOUD_SECRETID-}${TENCENT_SECRET_ID-} n=0 line name value
  while IFS= read -r line || [ -n "$line" ]; do
    n=$((n + 1))
    if [ $n -eq 1 ]; then line=${line#$'\xef\xbb\xbf'}; fi
    line=${line%$'\r'}
    [[ ! $line =~ ^[[:space:]]*(#.*)?$ ]] || continue
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=[[:space:]]*(.*)$ ]] || refuse_env "$n" 'is not NAME=value'
    name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
    case $name in
      CHAT* | COS_* | CMQ_* | CLS_* | CLOUD_* | EXPORT_* | MEDIA_* | LOG_LEVEL | REQUEUE | TENCENT*) ;;
      *) continue ;;
    esac
    case $value in
      \'*\'*) value=${value#\'} value=${value%%\'*} ;;
      *[\$\`\\]*) refuse_env "$n" 'has a $, ` or \: put the value into single quotes, so that it means the same to every reader' ;;
      \"*\"*) value=${value#\"} value=${value%%\"*} ;;
      [\'\"]*) refuse_env "$n" 'has a quote that does not end on it' ;;
      *) [[ $value =~ ^(.*[^[:space:]])?[[:space:]]+#.*$ ]] && value=${BASH_REMATCH[1]} ;;
    esac
    [[ $line == *[\'\"]* ]] || value=${value%"${value##*[![:space:]]}"}
    clean "$name" "$value" || refuse_env "$n" "$unclean"
    case $value in
      ... | … | '<'*'>') value= ;; # what an example has
    esac
    if [ -z "${!name-}" ] && [[ -z $own_key || " $keys " != *" $name "* ]]; then
      export "$name=$value"
    fi
  done <.env
}

refuse_env() {
  echo "deploy: .env, line $1: $2" >&2
  exit 1
}

# clean refuses what no service would take as it was meant.
clean() {
  unclean="$1: its value has control characters, or spaces around it: write it anew"
  [[ ! $2 =~ [[:cntrl:]]|^[[:space:]]|[[:space:]]$ ]]
}

if [ -e .env ]; then
  problem=
  if [ ! -f .env ]; then
    problem='is no file, where a file of variables is looked for'
  elif [ ! -r .env ]; then
    problem='cannot be read'
  elif [ -n "$(find -L .env -prune ! -user 0 ! -user "$(id -u)")" ]; then
    problem='belongs to another user, who could send your keys elsewhere: make a copy of your own of it, or chown it'
  elif [ -n "$(find -L .env -prune \( -perm -020 -o -perm -002 \))" ]; then
    problem='may be written by others, who could send your keys elsewhere: chmod 600 .env'
  elif ! tr -d '\000' <.env | cmp -s - .env; then
    problem='is no UTF-8 text, but UTF-16 perhaps, as some editors on Windows write it: save it as UTF-8'
  fi
  if [ -n "$problem" ]; then
    echo "deploy: .env $problem" >&2
    exit 1
  fi
  read_env
fi

# The Serverless command line and the function's own code call the parts of a key by other names.
if [ -z "${TENCENTCLOUD_SECRETID-}" ]; then
  TENCENTCLOUD_SECRETID=${TENCENT_SECRET_ID-}
  TENCENTCLOUD_SECRETKEY=${TENCENT_SECRET_KEY-}
  TENCENTCLOUD_SESSIONTOKEN=${TENCENT_TOKEN-}
fi
export TENCENTCLOUD_SECRETID TENCENTCLOUD_SECRETKEY=${TENCENTCLOUD_SECRETKEY-} TENCENTCLOUD_SESSIONTOKEN=${TENCENTCLOUD_SESSIONTOKEN-}
export TENCENT_SECRET_ID=$TENCENTCLOUD_SECRETID TENCENT_SECRET_KEY=$TENCENTCLOUD_SECRETKEY
if [ -n "$TENCENTCLOUD_SESSIONTOKEN" ]; then
  export TENCENT_TOKEN=$TENCENTCLOUD_SESSIONTOKEN
else
  unset TENCENT_TOKEN
fi

missing=()
need() {
  if [ -z "${!1-}" ]; then
    missing+=("$1")
    printf '  %-24s missing: %s\n' "$1" "$2"
  elif ! clean "$1" "${!1}"; then
    echo "deploy: $unclean" >&2
    exit 1
  else
    printf '  %-24s set\n' "$1"
  fi
}

step=0
# run says a step's command and does it, unless this is a dry run.
run() {
  local title=$1
  shift
  step=$((step + 1))
  printf '\n%d. %s\n   $ %s\n' "$step" "$title" "$*"
  if [ -z "$dry" ]; then
    "$@"
  fi
}

echo 'Variables:'
need CHAT_SDKAPPID 'the Chat app'
need CHAT_SECRET_KEY 'the key of the Chat app (console, basic configuration)'
need COS_BUCKET 'name-appid of a bucket of its own; versioning never enabled'
need COS_REGION 'the region of the bucket and of the function, such as ap-guangzhou'
need CHATEXPORT_ROLE 'name of the execution role; go run ./scripts/deploy policy prints its policy'
need TENCENTCLOUD_SECRETID 'key of the account that deploys'
need TENCENTCLOUD_SECRETKEY 'its secret'

if [ -z "$dry" ]; then
  if [ ${#missing[@]} -gt 0 ]; then
    echo "deploy: set ${missing[*]} in the environment or in .env" >&2
    exit 1
  fi
  if ! command -v go >/dev/null; then
    echo 'deploy: go is not installed' >&2
    exit 1
  fi
fi

# The Serverless command line, where it is installed; otherwise what its component runs, at the version that the tests use.
deployer=(scf deploy)
if ! command -v scf >/dev/null; then
  deployer=(go run ./scripts/toolkit --deploy)
  for tool in node npm; do
    if [ -z "$dry" ] && ! command -v "$tool" >/dev/null; then
      echo "deploy: neither scf, the Serverless command line (npm package serverless-cloud-framework), nor $tool is installed; node and npm are enough" >&2
      exit 1
    fi
  done
fi

limits=(--memory MB --time-limit DURATION)
if [ -z "$dry" ]; then
  text=$(go run ./scripts/deploy limits)
  read -ra limits <<<"$text"
fi

run 'Check serverless.yml and the variables against the limits of the platform and the function' \
  go run ./scripts/deploy check
run 'Build dist/main, static and reproducible' \
  bash scripts/package.sh
run 'Create or update the function and its triggers; triggers that serverless.yml does not list are removed' \
  "${deployer[@]}"
run 'Set retries and age of asynchronous events and the cap on instances, which serverless.yml cannot' \
  go run ./scripts/deploy settings
run 'Ask Chat, COS and the cloud API whether they do what the function needs' \
  go run ./scripts/chatexport doctor "${limits[@]}"

if [ -n "$dry" ]; then
  printf '\nNothing was done: this was a dry run.\n'
  if [ ${#missing[@]} -gt 0 ]; then
    printf 'Before the real one, set: %s\n' "${missing[*]}"
  fi
else
  printf '\nDeployed. The sweep runs every night (serverless.yml). To begin now, as somebody who may invoke the function:\n'
  printf '%s\n' "echo '{\"sweep\":{}}' | go run ./scripts/chatexport resume --from -"
fi
