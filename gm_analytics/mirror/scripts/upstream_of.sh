# shellcheck shell=sh
# What upstream looks like by what yum has cached of it, below CACHE/MANAGER/REPOSITORY/, but for our
# own repositories, gm-*.
#
#   upstream_of REPOSDIR CACHE...       prints a SHA-256 that changes with the metadata and with the
#                                       repository files and their variables; nothing if no
#                                       metadata are cached
#   is_fresh REPOSDIR SECONDS CACHE...  tells whether the metadata of each repository that is
#                                       enabled were read, or found to be the same, since then

upstream_of() {
    reposdir=$1; shift
    cached=$(find "$@" -mindepth 1 -name 'gm-*' -prune -o -name repomd.xml -type f -print \
        2>/dev/null | sort) || :
    [ -n "$cached" ] || return 0
    {
        printf '%s\n' "$cached" | while read -r file; do
            name=${file%/repomd.xml}; name=${name%/repodata}; echo "${name##*/}"
            # Not its revision: metadata that are written again every night say nothing new by that.
            grep -aoE '<checksum[^>]*>[^<]*' "$file" || cat "$file" || :
        done
        cat "$reposdir"/*.repo 2>/dev/null || :
        # With what they mean there: a value that is another makes other addresses of them.
        grep -asH "" /etc/yum/vars/* /etc/dnf/vars/* || :
    } | sha256sum | cut -d ' ' -f 1
}

is_fresh() {
    reposdir=$1 seconds=$2; shift 2
    [ "$seconds" -gt 0 ] || return 1
    since=$(($(date +%s) - seconds))
    for id in $(enabled_in "$reposdir"); do
        # yum touches a file when it found that its copy is upstream's still.
        [ -n "$(find "$@" -mindepth 3 -maxdepth 4 -type f -newermt "@$since" ! -name '*.rpm' \
            \( -path "*/$id/*" -o -path "*/$id-????????????????/repodata/*" \) \
            -print -quit 2>/dev/null)" ] || return 1
    done
}

# Prints the ids of the repositories that yum uses: those of REPOSDIR, and those of its own files.
enabled_in() { _without enabled "$1"; }

# Prints the ids of those whose groups do not count.
without_groups_in() {
    enabled_in "$1" | grep -avxF -e "$(_without enablegroups "$1")" || :
}

# Prints the ids of the repositories but those for which an option is off.
_without() {
    cat "$2"/*.repo /etc/dnf/dnf.conf /etc/yum.conf 2>/dev/null | awk -v option="$1" '
        function flush() { if (on && id != "" && id != "main" && !seen[id]++) print id }
        /^[ \t]*[#;]/ { next }
        /^\[/ { flush(); id = $0; sub(/^\[/, "", id); sub(/\].*$/, "", id); on = 1; next }
        tolower($0) ~ "^" option "[ \t]*[=:][ \t]*(0|no|false|off)[ \t\r]*$" { on = 0 }
        END { flush() }'
}

# Prints the directory of the newest metadata that yum has cached of a repository.
#
#   cached_of ID CACHE...
cached_of() {
    # yum may have put the value of a variable into an id.
    pattern=$(printf '%s\n' "$1" | sed 's/\$[A-Za-z0-9_]*\({[A-Za-z0-9_]*}\)\{0,1\}/*/g'); shift
    find "$@" -mindepth 2 -maxdepth 4 -type f \( -path "*/$pattern/repomd.xml" -o \
        -path "*/$pattern-????????????????/repodata/repomd.xml" \) -printf '%T@ %h\n' 2>/dev/null |
        sort -rn | head -n 1 | cut -d ' ' -f 2-
}
