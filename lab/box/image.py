"""The box: a Debian disk for libvirt with everything that the cookbooks install already in it.

It is the root filesystem of `make lab` with a kernel, what Vagrant expects of a box, and the
service's Python packages: the machines have no way out. Kept in `.cache/hosts/`.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

from lab.hosts import rootfs
from lab.hosts.shell import CACHE, run, say

NAME = "gm_lab"
"""The box's name for Vagrant."""
SIZE_GB = 4
_OWN = Path(__file__).parent
_INSECURE_KEY = "/usr/share/rubygems-integration/all/gems/vagrant-*/keys/vagrant.pub"

_PACKAGES = ("linux-image-cloud-amd64", "initramfs-tools", "rsync")

# The kernel is started directly, so there is no boot loader; its names of interfaces are those
# of the kernel's command line. Each machine makes host keys of its own.
_CUSTOMIZE = """
printf '/dev/vda / ext4 errors=remount-ro 0 1\\n' > /etc/fstab
printf 'auto eth0\\niface eth0 inet dhcp\\n' > /etc/network/interfaces.d/eth0
printf 'vagrant ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
printf '%s\\n' '{key}' > /home/vagrant/.ssh/authorized_keys
chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
cat > /etc/systemd/system/ssh-host-keys.service <<'UNIT'
[Unit]
Description=Make the SSH host keys
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=ssh.service
UNIT
systemctl enable --quiet ssh ssh-host-keys
printf 'MODULES=list\\n' > /etc/initramfs-tools/conf.d/box
printf '%s\\n' virtio_pci virtio_blk virtio_net ext4 >> /etc/initramfs-tools/modules
update-initramfs -u
"""


def build() -> Path:
    """Give the .box file; make it when there is none for these packages and requirements."""
    key = next(Path("/").glob(_INSECURE_KEY[1:])).read_text(encoding="ascii").strip()
    root = rootfs.build("boxroot", _PACKAGES, _CUSTOMIZE.replace("{key}", key))
    wheels = rootfs.wheels(root)
    own = rootfs.key_of([root.name, wheels.name, *(f.read_text() for f in _parts())])
    box = CACHE / f"{NAME}-{own}.box"
    if box.exists():
        return box
    for old in CACHE.glob(f"{NAME}-*.box"):
        old.unlink()
    say("packing the box")
    place = CACHE / "box.new"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    _make_disk(root, wheels, place / "box.img")
    shutil.copyfile(next((root / "boot").glob("vmlinuz-*")), place / "vmlinuz")
    shutil.copyfile(next((root / "boot").glob("initrd.img-*")), place / "initrd.img")
    for part in _parts():
        shutil.copyfile(part, place / part.name)
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": SIZE_GB}
    (place / "metadata.json").write_text(json.dumps(metadata), encoding="ascii")
    new = box.with_suffix(".new")
    with tarfile.open(new, "w") as archive:
        for part in sorted(place.iterdir()):
            archive.add(part, part.name)
    new.rename(box)
    shutil.rmtree(place)
    return box


def _parts() -> list[Path]:
    return [_OWN / "Vagrantfile"]


def _make_disk(root: Path, wheels: Path, image: Path) -> None:
    """Write a qcow2 with an ext4 of the root filesystem, the wheels in their place."""
    over, tree, raw = (image.with_suffix(end) for end in (".over", ".tree", ".raw"))
    shutil.copytree(wheels, over / rootfs.WHEELS.lstrip("/"))
    tree.mkdir()
    run("mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={over}:{root}", tree)
    try:
        run("mke2fs", "-q", "-t", "ext4", "-d", tree, raw, f"{SIZE_GB}G")
    finally:
        run("umount", tree)
    run("qemu-img", "convert", "-O", "qcow2", raw, image)
    raw.unlink()
    shutil.rmtree(over)
    tree.rmdir()
