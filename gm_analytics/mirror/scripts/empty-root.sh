#!/bin/sh -eu
# Empties an install root, and becomes the command that uses it. Of the host it has the variables of
# repository files: yum 3 and dnf 4 read them below the root that they install into.
#
#   empty-root DIRECTORY COMMAND [ARGUMENT...]
#
# Exits  as the command does

rm -rf "$1"; mkdir -p "$1"
for file in /etc/yum/vars/* /etc/dnf/vars/*; do
    [ -f "$file" ] || continue
    mkdir -p "$1${file%/*}"
    cp "$file" "$1$file" || :  # it says why, and yum which address it then has
done
shift
exec "$@"
