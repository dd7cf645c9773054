# shellcheck shell=sh
# Prints the ids of the repositories of a directory that are nothing but a directory of this host.
#
#   local_of REPOSDIR

local_of() {
    cat "$1"/*.repo 2>/dev/null | awk '
        function flush() { if (id != "" && here && !listed) print id; id = ""; here = listed = 0 }
        /^[ \t]*[#;]/ || /^[ \t]*$/ { next }
        /^\[/ { flush(); id = $0; sub(/^\[[ \t]*/, "", id); sub(/[ \t]*\].*/, "", id); next }
        {
            value = $0
            if ($0 !~ /^[ \t]/) {
                name = $0; sub(/[ \t]*[=:].*/, "", name); sub(/^[^=:]*[=:]/, "", value)
            }
            sub(/^[ \t]*/, "", value)
            if (name == "baseurl" && value ~ /^(file:|\/)/) here = 1
            if ((name == "mirrorlist" || name == "metalink") && value != "") listed = 1
        }
        END { flush() }'
}
