#!/bin/sh
# Runs the blocks of docs/install.md in a bare root, in their order, each in a shell of its own;
# then those of docs/maintenance.md and docs/github.md, for what was installed so.
set -eu
cd /root
begun=$(date +%s)
exec 3<&0 </dev/null
PIP_PROXY=$(cat /install/proxy)
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PIP_PROXY

# What this root lacks of two hosts on the Internet: names, authorities, a policy of services.
cat /install/hosts >>/etc/hosts
cp /install/stand-in.crt /usr/local/share/ca-certificates/
update-ca-certificates >/dev/null 2>&1
for name in CURL_CA_BUNDLE PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE; do
    export "$name=/etc/ssl/certs/ca-certificates.crt"
done
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
cp /install/systemctl /usr/local/bin/
mkdir -p /etc/nginx/conf.d
cp /install/stand-in.conf /etc/nginx/conf.d/
cp /install/*.whl /root/

for block in /install/install/*; do
    echo "== ${block##*/}"
    case $(cat "$block") in
        *'gm-analytics init '*) sh -eu "$block" <&3 ;;  # on a terminal, where a person answers
        *) sh -eu "$block" ;;
    esac
    case $(cat "$block") in
        *mirror-setup.sh*)
            # The script says that no systemd runs here, and which two it would have started.
            kill -HUP "$(cat /run/sshd.pid)"
            systemctl enable --now nginx
            echo '== both commands again: they find all that they made'
            gm-analytics init >again </dev/null
            sh mirror-setup.sh >>again
            ! grep -E '^made|: made|: kept' again ;;
        *'systemctl enable --now gm-analytics'*)
            i=0
            until curl -fs http://127.0.0.1:8080/healthz >/dev/null; do
                i=$((i + 1)); [ "$i" -lt 300 ] || exit 1; sleep 0.1
            done ;;
        *ci.example.com/healthz*)
            echo '== GitHub delivers the pull request'
            gm-analytics replay /install/delivery.json \
                --url https://ci.example.com/ci_server/updates >reply
            id=$(sed -n 's/.*"update_id": "\([^"]*\)".*/\1/p' reply)
            runuser -u gm_analytics -- gm-analytics updates "$id" --follow ;;
    esac
done
echo '== what the client has'
rpm -q tree
echo "the client has it after $(($(date +%s) - begun)) s"

for block in /install/maintenance/* /install/github/*; do
    echo "== ${block#/install/}"
    cd /root
    case $(cat "$block") in
        *gm-analytics\ init*) sh -eu "$block" <&3 ;;
        # They need ngrok, or a ping from outside: tests/integration/test_webhooks.py has both.
        'gm-analytics webhook register' | 'gm-analytics tunnel') echo 'not here' ;;
        *'cat > /etc/gm_analytics/github_token'*)
            echo lab-token | sh -eu "$block"
            cat /install/github.yaml >>/etc/gm_analytics/config.yaml ;;
        *) sh -eu "$block" ;;
    esac
done
echo '== the last state'
i=0
until curl -fs http://127.0.0.1:8080/healthz | grep alive; do
    i=$((i + 1)); [ "$i" -lt 300 ] || exit 1; sleep 0.1
done
runuser -u gm_analytics -- gm-analytics check
