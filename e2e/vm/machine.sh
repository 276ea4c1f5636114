#!/usr/bin/env bash
# machine.sh FOLDER: a machine like this one, whose every change stays in FOLDER/upper, in memory: its packages can be
# installed and removed. Called inside `unshare --mount`; it prints "ready" and stays, and others come in by nsenter.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$1"

mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
mkdir "$root"/{upper,work,machine}
mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/machine"
cd "$root/machine"
mount --rbind /dev dev
mount --rbind /proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
# As where systemd runs.
mkdir -p run/systemd/system
install -m 755 "$here/systemctl.sh" usr/local/bin/systemctl
rm -f usr/sbin/policy-rc.d
echo ready
exec sleep infinity
