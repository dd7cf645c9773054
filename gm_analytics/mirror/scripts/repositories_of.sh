# shellcheck shell=sh
# Prints what a directory of repository files has to offer: for `Repositories.parse`.
#
#   repositories_of REPOSDIR
#
# Prints  missing, or closed: there is no such directory, or the account may not read it
#         unreadable FILE: the account may not read it, so yum passes over it
#         enabled ID: a repository that is enabled, there or in yum's own configuration

. ./upstream_of.sh

repositories_of() {
    if [ ! -d "$1" ]; then echo missing
    elif [ ! -r "$1" ] || [ ! -x "$1" ]; then echo closed
    fi
    for file in "$1"/*.repo; do
        if [ -r "$file" ]; then :
        elif [ -e "$file" ] || [ -L "$file" ]; then echo "unreadable ${file##*/}"
        fi
    done
    enabled_in "$1" | head -n 100 | sed 's/^/enabled /'
    # yum takes repositories from its own files, too.
    grep -hs '^\[' /etc/dnf/dnf.conf /etc/yum.conf | grep -v '^\[main' | head -n 1 |
        sed 's/^/enabled /'
}
