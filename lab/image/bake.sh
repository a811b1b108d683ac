# Run in mount and process namespaces of its own, in the directory of the new
# image: bake.sh BASE OFFSET DEB. What is mounted or started here ends with it.
set -eu
base=$1 offset=$2 deb=$3

# The image is what differs from the base. It is served as a raw file, so that
# the kernel can mount it and nothing needs to be copied or compared.
qemu-img create -q -f qcow2 -b "$base" -F raw root.qcow2
mkdir root
: >disk
qemu-storage-daemon \
	--blockdev driver=qcow2,node-name=root,cache.no-flush=on,discard=unmap,file.driver=file,file.filename=root.qcow2 \
	--export type=fuse,id=root,node-name=root,mountpoint=disk,writable=on &
daemon=$!
while [ ! -s disk ]; do
	kill -0 "$daemon"
	sleep 0.02
done
mount -o "loop,offset=$offset,noatime" -t ext4 disk root
mount -t proc proc root/proc
mount -t tmpfs -o mode=0755 tmpfs root/run

# No service is started while packages are installed into an image.
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 0755 root/usr/sbin/policy-rc.d
cp "$deb" root/run/package.deb
chroot root dpkg --install /run/package.deb
rm root/usr/sbin/policy-rc.d

# Where the laboratory answers for AWS.
printf '\naws:\n  endpoints:\n' >>root/etc/bootswain/bootswain.yaml
for service in ec2 kms s3 secretsmanager ssm; do
	printf '    %s: http://169.254.169.251\n' "$service" >>root/etc/bootswain/bootswain.yaml
done

# The rest is what whoever bakes an image does last.
chroot root bootswain image prepare --identity - <identity
chroot root bootswain image check

umount root/run root/proc root
kill "$daemon"
wait "$daemon" || true
qemu-img check -q root.qcow2
# The identity lives in the image and nowhere else.
rm identity disk
rmdir root
