#!/usr/bin/env bash
# As much of systemctl as the start-up and shutdown scripts of a relay VM need, for a root without systemd: reads the
# real unit and its drop-ins, and runs ExecStart as the unit's user with its folders, environment, capability and limit.
# The sandbox options are not applied. Keeps pid and exit code of each unit below /run/units.
set -euo pipefail

setting() { # UNIT KEY: the last value given, %i replaced
  local number="${1#*@}" template="/etc/systemd/system/${1%%@*}@.service"
  sed -n "s/^$2=//p" "$template" "$template.d"/*.conf | tail -n 1 | sed "s/%i/${number%.service}/g"
}

folders() { # UNIT KIND BASE
  local folder mode
  folder="$(setting "$1" "$2Directory")"
  mode="$(setting "$1" "$2DirectoryMode")"
  mkdir -p "$3/$folder"
  chown "$(setting "$1" User):" "$3/$folder"
  chmod "$mode" "$3/$folder"
}

run() { # UNIT: in the foreground
  local unit="$1" user limit environment command
  user="$(setting "$unit" User)"
  folders "$unit" State /var/lib
  folders "$unit" Cache /var/cache
  folders "$unit" Runtime /run
  read -r -a environment <<<"$(setting "$unit" Environment)"
  read -r -a command <<<"$(setting "$unit" ExecStart)"
  limit="$(setting "$unit" LimitNOFILE)"
  # A container may not raise it.
  ulimit -n "$limit" 2>/dev/null || ulimit -n "$(ulimit -H -n)"
  umask "$(setting "$unit" UMask)"
  setpriv --reuid "$user" --regid "$user" --init-groups --no-new-privs \
    --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service --bounding-set=-all,+net_bind_service \
    env -i PATH=/usr/bin "${environment[@]}" "${command[@]}" >>"/var/log/$unit.log" 2>&1 &
  echo $! >"/run/units/$unit.pid"
  local code=0
  wait $! || code=$?
  echo "$code" >"/run/units/$unit.exit"
}

stop() { # UNIT
  local pid until
  pid="$(cat "/run/units/$1.pid")"
  kill -TERM "$pid" 2>/dev/null || return 0
  until=$((SECONDS + $(setting "$1" TimeoutStopSec)))
  until [[ -e /run/units/$1.exit ]]; do
    ((SECONDS < until)) || kill -KILL "$pid"
    sleep 0.05
  done
}

mkdir -p /run/units
case "$1" in
  daemon-reload) ;;
  start)
    [[ -e /run/units/$2.pid && ! -e /run/units/$2.exit ]] && exit 0
    rm -f "/run/units/$2.exit"
    setsid "$0" run "$2" </dev/null >/dev/null 2>&1 &
    ;;
  run) run "$2" ;;
  stop)
    cd /run/units
    # The pattern is systemd's and the shell's alike.
    # shellcheck disable=SC2086
    for file in ${2}.pid; do stop "${file%.pid}" & done
    wait
    ;;
  *) exit 64 ;;
esac
