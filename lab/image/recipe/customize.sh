# Run by mmdebstrap: customize.sh RECIPE ROOT
set -eu
recipe=$1
root=$2

cp -r --no-preserve=mode,ownership "$recipe/files/." "$root/"

# What must differ between machines is not in their image. An empty machine-id
# is filled at boot without the semantics of a first boot (presets).
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/resolv.conf" "$root/var/lib/dbus/machine-id"
: >"$root/etc/machine-id"
echo lab >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 lab\n' >"$root/etc/hosts"
chroot "$root" passwd --quiet --lock root

# The journal outlives a boot.
mkdir -p "$root/var/log/journal"

# The guest brings up no second console and nothing that only costs time.
chroot "$root" systemctl --quiet enable systemd-networkd.service
chroot "$root" systemctl --quiet mask \
	apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
	e2scrub_all.timer e2scrub_reap.service fstrim.timer xfs_scrub_all.timer \
	mdcheck_start.timer mdcheck_continue.timer mdmonitor-oneshot.timer \
	getty@tty1.service ldconfig.service systemd-pstore.service systemd-binfmt.service \
	modprobe@.service systemd-modules-load.service kmod-static-nodes.service \
	sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
	sys-fs-fuse-connections.mount dev-hugepages.mount \
	proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
	systemd-network-generator.service systemd-networkd-persistent-storage.service \
	systemd-udev-load-credentials.service systemd-sysext.socket

# A machine's first boot would compile some hundred profiles of programs that it
# has not got, before anything else starts.
for profile in $(chroot "$root" dpkg -L apparmor 2>/dev/null | grep '^/etc/apparmor.d/[^/]*$'); do
	[ ! -f "$root$profile" ] || rm "$root$profile"
done

# What systemd does once after /usr changed is done here.
chroot "$root" journalctl --quiet --update-catalog
touch "$root/etc/.updated" "$root/var/.updated"

# Without a cache of packages the image is a quarter smaller.
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/lib/apt/lists/*
# depmod's files are there; the packed kernel is not needed beside the unpacked,
# nor an initramfs, which would be made anew with every package that is baked in.
rm -f "$root"/vmlinuz "$root"/vmlinuz.old "$root"/initrd.img "$root"/initrd.img.old "$root"/boot/initrd.img-*
