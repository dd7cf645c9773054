# shellcheck shell=sh
# Becomes a command that has a known environment, whatever a login or a person sets there. Nothing of
# the account's home counts: rpm would read macros there, and Python modules.
#
#   becomes MARK COMMAND [ARGUMENT...]
#
# MARK   what ended.sh knows the command and its children by
# Exits  as the command does

becomes() {
    mark=$1; shift
    if [ ! -d "${TMPDIR-}" ] || [ ! -w "$TMPDIR" ]; then unset TMPDIR; fi
    exec env -i "GM_MARK=$mark" LC_ALL=C "PATH=$PATH" HOME=/ \
        ${USER+"USER=$USER"} ${LOGNAME+"LOGNAME=$LOGNAME"} ${TMPDIR+"TMPDIR=$TMPDIR"} \
        ${http_proxy+"http_proxy=$http_proxy"} ${https_proxy+"https_proxy=$https_proxy"} \
        ${ftp_proxy+"ftp_proxy=$ftp_proxy"} ${all_proxy+"all_proxy=$all_proxy"} \
        ${no_proxy+"no_proxy=$no_proxy"} ${HTTPS_PROXY+"HTTPS_PROXY=$HTTPS_PROXY"} \
        ${FTP_PROXY+"FTP_PROXY=$FTP_PROXY"} ${ALL_PROXY+"ALL_PROXY=$ALL_PROXY"} \
        ${NO_PROXY+"NO_PROXY=$NO_PROXY"} ${HTTP_PROXY+"HTTP_PROXY=$HTTP_PROXY"} "$@"
}
