#!/bin/sh
# A removed package leaves settings and data; a purged one leaves nothing.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload || true
fi

if [ "$1" = purge ]; then
  # Debian's own tools for units may be gone by now.
  if command -v deb-systemd-helper >/dev/null; then
    deb-systemd-helper purge '@unit@' >/dev/null || true
  fi
  rm -rf '/var/lib/@user@' '/var/cache/@user@' @folders@
  if getent passwd '@user@' >/dev/null; then userdel '@user@'; fi
fi
