#!/bin/sh -eu
# Runs a command so that hold.sh stops it if the connection ends before the command does.
#
#   tracked RUNNING COMMAND [ARGUMENT...]
#
# RUNNING  the file for the command's process id; it is there as long as the command runs
# Exits    as the command does

running=$1; shift
"$@" &
{ echo $! > "$running"; } 2>/dev/null || :
code=0; wait $! || code=$?
rm -f "$running"
exit $code
