#!/bin/sh -eu
# Takes the writer's lock of a mirror, and holds it for as long as a dot comes now and then. Then it
# ends the commands under the lock, and only after that lets go; at once if `!` says that none runs.
#
#   lock ROOT CODE ALL OURS PATIENCE GRACE WORD [COMMAND [ARGUMENT...]]
#
# ALL, OURS  as MARK of ended.sh: of all commands that need this root's lock, of this session's
# PATIENCE   seconds without a dot after which nobody is believed to be there
# GRACE      seconds that the commands have to end by themselves
# COMMAND    what is run with the lock before it is said to be held
# Prints     what COMMAND prints; then, on a line, WORD, COMMAND's exit code, PROCESS and START as
#            run.sh wants them; then a dot for each dot
# Exits      CODE: another process has had the lock for two seconds

. ./becomes.sh
. ./ended.sh

umask 022  # whatever the account has: a web server reads what is made here

# The lock is this shell's and that process's which stands for it: whoever is killed, it is held
# as long as commands believe in it.
beat() {
    while byte=$(exec 9>&-; timeout "$patience" head -c 1 || :) && [ "$byte" = . ]; do
        printf .
    done
    [ "$byte" = ! ]
}

root=$1 code=$2 all=$3 ours=$4 patience=$5 grace=$6 word=$7; shift 7
for name in staging publications cache; do
    [ -d "$root/.$name" ] || mkdir -p "$root/.$name"
done
exec 3<&0 < /dev/null 9>> "$root/.lock"
flock --timeout 2 --conflict-exit-code "$code" 9
# Left by a holder that was killed.
if grep -qsE -e "$all" /proc/[0-9]*/cmdline /proc/[0-9]*/environ; then ended "$all" "$grace"; fi
[ ! -e "$root/.running" ] || rm -f "$root/.running"  # of an older version
said=0
[ $# -eq 0 ] || (exec 3<&- 9>&-; becomes '' timeout 20 "$@") || said=$?
beat <&3 3<&- &
beating=$!
exec 3<&-
trap 'kill "$beating" 2>/dev/null || :' TERM HUP INT
look_at "$beating"
printf '\n%s %s %s %s\n' "$word" "$said" "$beating" "$began"
while kill -0 "$beating" 2>/dev/null; do
    if wait "$beating"; then exit 0; fi
done
ended "$ours" "$grace"
