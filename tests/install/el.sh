#!/bin/sh
# Runs the mirror's script twice where dnf is in apt-get's place and sshd knows no Include, as on
# EL 8; the programs of EL are stubs that print how they were called.
set -eu
rm /usr/bin/apt-get
for program in dnf firewall-cmd nginx ssh-keygen sshd; do
    # shellcheck disable=SC2016  # for the stub's own shell
    printf '#!/bin/sh\necho "%s $*"\n' "$program" >"/usr/bin/$program"
    chmod 755 "/usr/bin/$program"
done
mkdir -p /etc/ssh /etc/nginx
echo 'Port 22' >/etc/ssh/sshd_config
sh /install/mirror-setup.sh
echo '== again'
sh /install/mirror-setup.sh
echo '== made'
cat /etc/ssh/sshd_config
stat -c '%n %U %a' /var/repo /etc/gm-mirror/authorized_keys
