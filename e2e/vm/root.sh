#!/usr/bin/env bash
# root.sh ROOT COMMAND...: runs a command in a file system of its own, in which /usr is this machine's, read-only, and
# everything else is ROOT: nothing outside it can change. Called inside `unshare --mount`.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$1"
shift

mount --make-rprivate /
mkdir -p "$root"/{usr,dev,proc,etc,opt,run,tmp,var/lib,var/cache,var/log}
chmod 1777 "$root/tmp"
for name in bin sbin lib lib32 lib64 libx32; do
  [[ -L /$name && ! -L $root/$name ]] && ln -s "$(readlink "/$name")" "$root/$name"
done
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount -t tmpfs tmpfs "$root/usr/local"
mkdir "$root/usr/local/bin"
install -m 755 "$here/systemctl.sh" "$root/usr/local/bin/systemctl"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
if [[ ! -e $root/etc/passwd ]]; then
  echo 'root:x:0:0:root:/root:/bin/bash' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  : >"$root/etc/shadow"
  : >"$root/etc/login.defs"
  echo 'passwd: files' >"$root/etc/nsswitch.conf"
fi
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin HOME=/ "$@"
