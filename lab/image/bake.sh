# Run in a mount namespace of its own: bake.sh DISK OFFSET DEB IDENTITY MOUNTPOINT
# Everything mounted here is gone when the namespace is.
set -eu
disk=$1 offset=$2 deb=$3 identity=$4 root=$5

mount -o "loop,offset=$offset,noatime" -t ext4 "$disk" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"

# No service is started while packages are installed into an image.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
cp "$deb" "$root/run/package.deb"
chroot "$root" dpkg --install /run/package.deb
rm "$root/usr/sbin/policy-rc.d"

mkdir -p "$root/etc/bootswain"
install -m 0600 -o root -g root "$identity" "$root/etc/bootswain/identity"

umount "$root/run" "$root/proc" "$root"
