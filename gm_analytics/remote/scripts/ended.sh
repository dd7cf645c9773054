# shellcheck shell=sh
# Ends commands and waits until they have ended. They are found by a mark in their command line or
# environment, so nothing has to be written, and what a command started is found as well.
#
#   ended MARK SECONDS
#
# MARK     an extended regular expression that does not match itself, such as [m]ark
# SECONDS  how long they have from SIGTERM to SIGKILL

# Prints the marked processes of this account.
marked() {
    grep -lsE -e "$1" /proc/[0-9]*/cmdline /proc/[0-9]*/environ | cut -d / -f 3 | sort -u |
    while read -r pid; do [ ! -O "/proc/$pid" ] || echo "$pid"; done
}

# Sets `state` and `group` of a process, and when it `began`.
look_at() {
    state=Z group=0 began=''
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 0
    # shellcheck disable=SC2086  # numbers
    set -- ${stat##*) }
    # shellcheck disable=SC2034  # lock.sh uses it
    began=${20}
    state=$1 group=$3
}

# Tells whether somebody is left in the process groups, such as sudo, which is root's.
grouped() {
    [ "$groups" != ' ' ] || return 1
    for place in /proc/[0-9]*; do
        look_at "${place#/proc/}"
        case $state in [ZX]) continue ;; esac
        case $groups in *" $group "*) return 0 ;; esac
    done
    return 1
}

ended() {
    groups=' ' signal=TERM left=$(($2 * 10)) quiet=0
    # Nobody, twice: a process that is just becoming another program shows no mark.
    while [ "$quiet" -lt 2 ]; do
        found=$(marked "$1") fresh=$signal
        for pid in $found; do
            look_at "$pid"
            case $groups in *" $group "*) continue ;; esac
            case $group in 0) ;; *) groups="$groups$group " fresh=TERM ;; esac
        done
        if [ -n "$found" ] || grouped; then quiet=0; else quiet=$((quiet + 1)); fi
        if [ "$left" -le 0 ]; then fresh=KILL; fi
        if [ -n "$fresh" ]; then
            for pid in $found; do kill -s "$fresh" "$pid" 2>/dev/null || :; done
            for group in $groups; do kill -s "$fresh" -- "-$group" 2>/dev/null || :; done
        fi
        signal='' left=$((left - 1))
        [ "$quiet" -ge 2 ] || sleep 0.1
    done
}
