#!/usr/bin/env bash
# As much of systemctl as our scripts and packages need, for a root without systemd: reads the real unit and its
# drop-ins, and runs ExecStart as the unit's user with its folders, environment, capability and limit. The sandbox
# options are not applied. Keeps pid and exit code of each unit below /run/units.
set -euo pipefail

file_of() { # UNIT: where its settings are, in the order in which they count
  local name="$1" folder
  [[ $name != *@* ]] || name="${name%%@*}@.service"
  for folder in /usr/lib/systemd/system /etc/systemd/system; do
    [[ ! -f $folder/$name ]] || echo "$folder/$name"
  done | tail -n 1
  compgen -G "/etc/systemd/system/$name.d/*.conf" || true
}

settings() { # UNIT KEY: all values given, %i replaced
  local number="${1#*@}" files
  mapfile -t files < <(file_of "$1")
  sed -n "s/^$2=//p" "${files[@]}" | sed "s/%i/${number%.service}/g"
}

setting() { # UNIT KEY: the last one
  settings "$@" | tail -n 1
}

folders() { # UNIT KIND BASE
  local folder mode
  folder="$(setting "$1" "$2Directory")"
  [[ -n $folder ]] || return 0
  mode="$(setting "$1" "$2DirectoryMode")"
  mkdir -p "$3/$folder"
  chown "$(setting "$1" User):" "$3/$folder"
  chmod "$mode" "$3/$folder"
}

environment_of() { # UNIT: one variable a line
  local file
  settings "$1" Environment | tr ' ' '\n'
  file="$(setting "$1" EnvironmentFile)"
  [[ ! -f ${file#-} ]] || grep '^[A-Z_]*=' "${file#-}" || true
}

run() { # UNIT: in the foreground
  local unit="$1" user limit environment command rights=-all
  user="$(setting "$unit" User)"
  folders "$unit" State /var/lib
  folders "$unit" Cache /var/cache
  folders "$unit" Runtime /run
  mapfile -t environment < <(environment_of "$unit")
  read -r -a command <<<"$(setting "$unit" ExecStart)"
  limit="$(setting "$unit" LimitNOFILE)"
  [[ $(setting "$unit" AmbientCapabilities) != CAP_NET_BIND_SERVICE ]] || rights=-all,+net_bind_service
  # A container may not raise it.
  ulimit -n "$limit" 2>/dev/null || ulimit -n "$(ulimit -H -n)"
  umask "$(setting "$unit" UMask)"
  setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs \
    --inh-caps="$rights" --ambient-caps="$rights" --bounding-set="$rights" \
    env -i PATH=/usr/bin "${environment[@]}" "${command[@]}" >>"/var/log/$unit.log" 2>&1 &
  echo $! >"/run/units/$unit.pid"
  local code=0
  wait $! || code=$?
  echo "$code" >"/run/units/$unit.exit"
}

is_active() { [[ -e /run/units/$1.pid && ! -e /run/units/$1.exit ]]; }

start() { # UNIT
  local condition
  condition="$(setting "$1" ConditionPathExists)"
  [[ -z $condition || -e $condition ]] || return 0
  ! is_active "$1" || return 0
  rm -f "/run/units/$1.exit" "/run/units/$1.pid"
  setsid "$0" run "$1" </dev/null >/dev/null 2>&1 &
  until [[ -e /run/units/$1.pid ]]; do sleep 0.05; done
}

reload() { # UNIT
  local signal
  signal="$(setting "$1" ExecReload)"
  signal="${signal#/bin/kill -}"
  kill -s "${signal%% *}" "$(cat "/run/units/$1.pid")"
}

stop() { # UNIT
  local pid until
  is_active "$1" || return 0
  pid="$(cat "/run/units/$1.pid")"
  kill -TERM "$pid" 2>/dev/null || true
  until=$((SECONDS + $(setting "$1" TimeoutStopSec)))
  until [[ -e /run/units/$1.exit ]]; do
    ((SECONDS < until)) || kill -KILL "$pid"
    sleep 0.05
  done
}

mkdir -p /run/units
while [[ ${1:-} == --* ]]; do shift; done
verb="$1"
shift
while [[ ${1:-} == --* ]]; do shift; done
case "$verb" in
  daemon-reload) ;;
  start | run | reload) "$verb" "$1" ;;
  restart)
    stop "$1"
    start "$1"
    ;;
  stop)
    cd /run/units
    # The pattern is systemd's and the shell's alike.
    # shellcheck disable=SC2086
    for file in $(compgen -G "${1}.pid" || true); do stop "${file%.pid}" & done
    wait
    ;;
  # Links in /etc alone, which the real one can do without a running systemd.
  preset) exec /usr/bin/systemctl --quiet --root=/ preset "$1" ;;
  is-active) is_active "$1" ;;
  is-enabled) [[ ! -L /etc/systemd/system/multi-user.target.wants/$1 ]] || echo enabled ;;
  *) exit 64 ;;
esac
