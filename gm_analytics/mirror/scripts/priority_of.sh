# shellcheck shell=sh
# Prints the line `priority=NUMBER` with the least wanted of a directory's repositories, if one is
# wanted less than those that say nothing (99). The pool must hide nothing that is newer there.
#
#   priority_of REPOSDIR

priority_of() {
    cat "$1"/*.repo 2>/dev/null | awk '
        tolower($0) ~ /^priority[ \t]*[=:]/ {
            sub(/^[^=:]*[=:]/, "")
            if ($0 + 0 > least) least = $0 + 0
        }
        END { if (least > 99) printf "priority=%d\n", least }'
}
