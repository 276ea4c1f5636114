#!/bin/sh
# Makes the service's user, enables the unit, and starts it; at an upgrade the running service goes on in the new version.
set -e

make_user() {
  getent passwd '@user@' >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir '/var/lib/@user@' --shell /usr/sbin/nologin '@user@'
}

enable_unit() {
  deb-systemd-helper unmask '@unit@' >/dev/null
  if deb-systemd-helper --quiet was-enabled '@unit@'; then
    deb-systemd-helper enable '@unit@' >/dev/null
  else
    # The administrator has disabled it.
    deb-systemd-helper update-state '@unit@' >/dev/null
  fi
}

# Without systemd, as in an image that is being built, nothing runs.
run_unit() {
  [ -d /run/systemd/system ] || return 0
  systemctl --system daemon-reload
  if [ -n "$1" ] && systemctl --quiet is-active '@unit@'; then
    deb-systemd-invoke '@upgrade@' '@unit@'
  else
    deb-systemd-invoke start '@unit@'
  fi
}

case "$1" in
  configure)
    make_user
    enable_unit
    run_unit "$2" || echo '@package@: @unit@ does not run; systemctl status @unit@ says why' >&2
    ;;
  abort-upgrade | abort-remove | abort-deconfigure)
    enable_unit
    ;;
esac
