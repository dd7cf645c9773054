#!/bin/sh -u
# Says that the lock is held, and holds it until standard input ends. That is the end of the
# connection, so the lock cannot outlive it, nor can the command that tracked.sh runs outlive the
# lock.
#
#   hold RUNNING
#
# RUNNING  the file in which tracked.sh notes the process id of its command
# Prints   locked

rm -f "$1"
echo locked
cat
# The connection has ended. A command that did not end before it would go on without the lock.
if running=$(cat "$1" 2>/dev/null); then
    kill "$running" 2>/dev/null
    while kill -0 "$running" 2>/dev/null; do sleep 0.1; done
fi
