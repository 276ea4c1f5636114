#!/usr/bin/env bash
# container.sh ROOT LAYER UID COMMAND...: runs a command as a container would: process 1 of its own, a user without any
# right, a read-only file system in which LAYER lies over this machine's /usr, and only /data and /tmp to write.
# ROOT/etc and ROOT/data are the caller's. Called inside `unshare --mount --pid --fork`.
set -euo pipefail
root="$1" layer="$2" uid="$3"
shift 3

mount --make-rprivate /
mkdir -p "$root"/{usr,dev,proc,etc,tmp,data}
for name in bin sbin lib lib32 lib64 libx32; do
  [[ -L /$name && ! -L $root/$name ]] && ln -s "$(readlink "/$name")" "$root/$name"
done
mount --bind "$root" "$root"
mount -t overlay overlay -o "lowerdir=$layer/usr:/usr" "$root/usr"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777,noexec,nosuid,nodev tmpfs "$root/tmp"
mount --bind "$root/data" "$root/data"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
  --inh-caps=-all --bounding-set=-all /usr/bin/env -i "$@"
