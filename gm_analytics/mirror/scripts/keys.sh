#!/bin/sh -eu
# Prints the public keys that the enabled repositories of a directory name, as yum would read them.
#
#   keys REPOSDIR RELEASEVER ARCH
#
# LARGEST  bytes of one
# Prints   key BASE64, for each address that could be read
#          failed ADDRESS, for each other one

. ./keys_of.sh

reposdir=$1 releasever=$2 arch=$3
[ -n "$arch" ] || arch=$(uname -m)
case $arch in
    i?86 | athlon) basearch=i386 ;;
    armv7*) basearch=armhfp ;;
    *) basearch=$arch ;;
esac

# Prints sed's commands that put the values of yum's variables in, the longest names first.
variables() {
    {
        printf 'releasever %s\nbasearch %s\narch %s\n' "$releasever" "$basearch" "$arch"
        printf 'releasever_major %s\n' "${releasever%%.*}"
        for file in /etc/yum/vars/* /etc/dnf/vars/*; do
            if [ -f "$file" ]; then printf '%s %s\n' "${file##*/}" "$(head -n 1 "$file")"; fi
        done
    } | grep -aE '^[A-Za-z0-9_]+ [A-Za-z0-9._:/+-]*$' |
        awk '{ value[$1] = $2 } END { for (name in value) print length(name), name, value[name] }' |
        sort -rn | while read -r _ name value; do
            printf 's|[$]{%s}|%s|g\ns|[$]%s|%s|g\n' "$name" "$value" "$name" "$value"
        done
}

# Fetches an address as yum does it, by the proxy that it is set to.
fetch() {
    proxy=$(cat /etc/dnf/dnf.conf /etc/yum.conf 2>/dev/null |
        sed -n 's/^proxy[ \t]*=[ \t]*\([^ \t]*\).*/\1/p' | head -n 1)
    if command -v curl > /dev/null; then
        set -- "$1" ${proxy:+--proxy "$proxy"}
        curl -fsSL --proto '=http,https,ftp' --max-time 20 --max-filesize "$LARGEST" "$@"
    else
        GM_PROXY=$proxy python3 -c '
import os, sys, urllib.request
proxy = os.environ["GM_PROXY"]
hands = [urllib.request.ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
with urllib.request.build_opener(*hands).open(sys.argv[1], timeout=20) as reply:
    sys.stdout.buffer.write(reply.read(int(sys.argv[2]) + 1))' "$1" "$LARGEST"
    fi
}

place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
variables > "$place/variables"
keys_of "$reposdir" | tr -s ' ,\t' '\n' | sed -f "$place/variables" | grep . | sort -u | head -n 50 |
while read -r address; do
    case $address in
        file:///*) [ -f "${address#file://}" ] && head -c "$((LARGEST + 1))" "${address#file://}" ;;
        /*) [ -f "$address" ] && head -c "$((LARGEST + 1))" "$address" ;;
        http://* | https://* | ftp://*) fetch "$address" ;;
        *) false ;;
    esac > "$place/key" 2>/dev/null || : > "$place/key"
    size=$(wc -c < "$place/key")
    if [ "$size" -gt 0 ] && [ "$size" -le "$LARGEST" ]
    then printf 'key '; base64 -w 0 < "$place/key"; echo
    else printf 'failed %s\n' "$(printf '%s\n' "$address" | sed 's|//[^/]*@|//|' |
        tr -c ' -~\n' '?' | cut -b 1-300)"
    fi
done
