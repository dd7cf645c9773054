#!/bin/sh
# Process 1 of the enclosure: see enclosure.py. Everything ends with it, mounts included.
#
#   enclosure.sh DIRECTORY
set -eu
place=$1

# A /dev without kvm: where only root may open it, libvirt probes QEMU anew for each machine.
dev=$place/dev
mount -t tmpfs -o mode=0755 dev "$dev"
mkdir "$dev/pts" "$dev/shm" "$dev/net"
for node in null zero full random urandom tty net/tun; do
    : > "$dev/$node"
    mount --bind "/dev/$node" "$dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$dev/pts"
mount -t tmpfs -o mode=1777 shm "$dev/shm"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
mount --move "$dev" /dev

# This network's /sys, and no control groups: libvirt would leave some behind.
umount --recursive --lazy /sys
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=0755 run /run
for part in etc lib cache log; do
    mkdir -p "$place/$part"
done
mount --bind "$place/etc" /etc/libvirt
mount --bind "$place/lib" /var/lib/libvirt
mount --bind "$place/cache" /var/cache/libvirt
mount --bind "$place/log" /var/log/libvirt

cat > /etc/libvirt/libvirtd.conf <<'CONF'
auth_unix_rw = "none"
unix_sock_group = "root"
CONF
cat > /etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
security_driver = "none"
namespaces = [ ]
cgroup_controllers = [ ]
stdio_handler = "file"
CONF

# Not exec: the first process of such a namespace has to take in the orphans.
libvirtd &
wait $!
