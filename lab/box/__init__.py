"""A real `vagrant up` of the Vagrantfile's four machines, without KVM: `make vagrant-check`.

The box is made with Debian's tools; libvirt, its network and its emulated machines live in
namespaces of their own, so that all of it ends with one process. `docs/lab.md` says what this
covers and keeps what it printed.
"""
