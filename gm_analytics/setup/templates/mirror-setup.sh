#!/bin/sh
# Prepares the mirror @host@: Debian 12 and 13, EL 8 to 10. Run it there as root; it may be
# run again. Made by `gm-analytics mirror-setup`. What is there already is kept; a file that would be
# another one now is put beside it as FILE.new.
# shellcheck disable=SC2154  # assigned below, from the configuration
set -eu
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
@values@

say() { printf 'mirror-setup: %s\n' "$*"; }

# Writes a file of root's, from standard input.
put() {
    if [ -e "$1" ]; then
        cat > "$1.new"
        if cmp -s "$1" "$1.new"; then rm "$1.new"; else say "kept $1; see $1.new"; fi
    else
        mkdir -p "${1%/*}"
        cat > "$1"
        say "made $1"
    fi
}

[ "$(id -u)" -eq 0 ] || { say "run this as root" >&2; exit 1; }

# Packages.
if command -v apt-get >/dev/null; then
    sshd=ssh
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        createrepo-c dnf nginx openssh-server rpm util-linux >/dev/null
else
    sshd=sshd
    dnf -q -y install createrepo_c dnf nginx openssh-server rpm util-linux diffutils
fi

# The account, which owns the mirror and nothing else. `*` is no password, yet not a lock.
if ! id "$account" >/dev/null 2>&1; then
    useradd --system --user-group --home-dir "$root" --no-create-home --shell /bin/sh \
        --password '*' "$account"
    say "made the account $account"
fi
[ -d "$root" ] || install -d -o "$account" -g "$account" -m 0755 "$root"
owner=$(stat -c %U "$root")
[ "$owner" = "$account" ] ||
    say "kept $root, which belongs to $owner: the service can use it once it is $account's"

# How the service logs in: its key in a file of root's.
mkdir -p /etc/gm-mirror /run/sshd
touch /etc/gm-mirror/authorized_keys
grep -qxF -e "$key" /etc/gm-mirror/authorized_keys ||
    printf '%s\n' "$key" >> /etc/gm-mirror/authorized_keys
if grep -Eqi '^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config\.d/' /etc/ssh/sshd_config; then
    printf '%s\n' "$sshd_conf" | put /etc/ssh/sshd_config.d/10-gm-mirror.conf
elif ! grep -q "^Match User $account\$" /etc/ssh/sshd_config; then
    printf '\n%s\n' "$sshd_conf" >> /etc/ssh/sshd_config  # OpenSSH 8.0 knows no Include
fi
ssh-keygen -A >/dev/null
sshd -t

# Where packages come from.
mkdir -p "$reposdir"
for file in "$reposdir"/*.repo; do
    [ -e "$file" ] || printf '%s\n' "$upstream_repo" | put "$reposdir/upstream.repo"
    break
done

# What clients read.
printf '%s\n' "$nginx_conf" | put /etc/nginx/conf.d/gm-mirror.conf
nginx -t -q
if [ -e /sys/fs/selinux/enforce ]; then
    dnf -q -y install policycoreutils-python-utils
    semanage fcontext -a -t httpd_sys_content_t "$root(/.*)?" 2>/dev/null ||
        semanage fcontext -m -t httpd_sys_content_t "$root(/.*)?"
    restorecon -R "$root"
fi
if command -v firewall-cmd >/dev/null && firewall-cmd --quiet --state; then
    firewall-cmd --quiet --permanent --add-service=http --add-service=ssh
    firewall-cmd --quiet --add-service=http --add-service=ssh
fi

if [ -d /run/systemd/system ]; then
    systemctl enable --quiet --now "$sshd" nginx
    systemctl reload "$sshd" nginx
else
    say "no systemd runs here: start sshd and nginx, or have them read their configuration again"
fi
setpriv --reuid "$account" --regid "$account" --clear-groups \
    unshare --user --map-root-user true 2>/dev/null ||
    say "accounts may make no user namespaces here: install the root helper (docs/operations.md)"
say "host key: $(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)"
