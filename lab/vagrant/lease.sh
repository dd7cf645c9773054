#!/bin/sh
# Raise the lab interface, which Vagrant leaves down, so that it takes a lease from dhcp_server.
#   lease.sh NETWORK
set -eu
network=$1
prefix=${network%.*}.

# The network card that Vagrant does not use: the one without the default route.
lab_device() {
    for path in /sys/class/net/*; do
        device=${path##*/}
        [ -e "$path/device" ] || continue
        [ -n "$(ip -4 route show default dev "$device")" ] || { echo "$device"; return; }
    done
}

leased() { ip -4 -o address show dev "$device" | grep -F " inet $prefix"; }

device=$(lab_device)
[ -n "$device" ] || { echo 'lease: found no network card for the lab' >&2; exit 1; }

if command -v nmcli >/dev/null && nmcli -t general >/dev/null 2>&1; then
    nmcli -g NAME connection show | grep -qx gm-lab ||
        nmcli connection add type ethernet con-name gm-lab ifname "$device" \
            ipv4.method auto ipv4.never-default yes ipv6.method disabled >/dev/null
    leased >/dev/null || nmcli --wait 60 connection up gm-lab >/dev/null || :
elif [ -d /etc/network/interfaces.d ] && command -v ifup >/dev/null; then
    printf 'auto %s\niface %s inet dhcp\n' "$device" "$device" >/etc/network/interfaces.d/gm-lab
    leased >/dev/null || { ifdown "$device" 2>/dev/null || :; ifup "$device" || :; }
else
    printf '[Match]\nName=%s\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseRoutes=no\nUseGateway=no\n' "$device" \
        >/etc/systemd/network/10-gm-lab.network
    systemctl enable --now systemd-networkd
    networkctl reload
fi

for _ in $(seq 30); do
    if line=$(leased); then echo "lease: $line"; exit 0; fi
    sleep 1
done
# Not an error: a role can be brought up alone, and the lease comes when the server does.
echo "lease: none yet on $device; is dhcp_server up?" >&2
