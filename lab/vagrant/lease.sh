#!/bin/sh
# Raise the lab's interface with a lease from dhcp_server. It must be no default route: the lab has
# no way out. A machine that is brought up before dhcp_server goes on without a lease.
#
#   lease.sh MAC
set -eu
interface=
for path in /sys/class/net/*; do
    [ "$(cat "$path/address")" = "$1" ] && interface=${path##*/}
done
[ -n "$interface" ] || { echo "lease: no interface has the address $1" >&2; exit 1; }

if command -v nmcli >/dev/null; then
    nmcli -t connection show gm_lab >/dev/null 2>&1 ||
        nmcli connection add type ethernet con-name gm_lab ifname "$interface" \
            ipv4.method auto ipv4.never-default yes ipv6.method disabled
    nmcli --wait 30 connection up gm_lab || :
elif command -v ifup >/dev/null; then
    printf 'allow-hotplug %s\niface %s inet dhcp\n' "$interface" "$interface" \
        > /etc/network/interfaces.d/gm_lab
    grep -q '^source' /etc/network/interfaces ||
        echo 'source /etc/network/interfaces.d/*' >> /etc/network/interfaces
    timeout 40 ifup "$interface" || :
else
    echo "lease: expected NetworkManager or ifupdown" >&2; exit 1
fi

lease=$(ip -4 -o address show dev "$interface" | awk '{print $4}')
if [ -n "$lease" ]; then echo "lease: $interface has $lease"
else echo "lease: $interface has none; vagrant up dhcp_server, then vagrant provision here" >&2
fi
