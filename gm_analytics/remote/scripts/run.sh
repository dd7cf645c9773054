#!/bin/sh -eu
# Runs a command, if the lock that it needs is held.
#
#   run MARK PROCESS START LOST SECONDS COMMAND [ARGUMENT...]
#
# MARK            as in becomes.sh; the shell that runs this has it in its command line
# PROCESS, START  the process that stands for the lock, and when it began; empty without a lock
# SECONDS         after which the command is stopped
# Exits           LOST: the lock is not held any more, and nothing was run
#                 as the command does

. ./becomes.sh

umask 022  # whatever the account has: a web server reads what is made here

# The order is what makes it safe: lock.sh lets that process end, and then looks for marks. So it
# either finds this shell, or this shell finds nobody.
held() {
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
    started=$2
    # shellcheck disable=SC2086  # numbers
    set -- ${stat##*) }
    case $1 in [ZX]) return 1 ;; esac
    [ "${20}" = "$started" ]
}

mark=$1 process=$2 start=$3 lost=$4 seconds=$5; shift 5
[ -z "$process" ] || held "$process" "$start" || exit "$lost"
# In a process of its own: that one was killed is seen by the exit code of this shell alone.
(becomes "$mark" timeout --kill-after=10 "$seconds" "$@") || exit $?
