#!/bin/sh
# Stops the service when the package is removed. At an upgrade it runs on.
set -e

if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop '@unit@'
fi
