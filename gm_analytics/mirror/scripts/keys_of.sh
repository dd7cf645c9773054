# shellcheck shell=sh
# Prints the values of gpgkey of the enabled repositories of a directory, on one line.
#
#   keys_of REPOSDIR

keys_of() {
    cat "$1"/*.repo 2>/dev/null | awk '
        function flush() { if (enabled) all = all " " keys; enabled = 1; keys = "" }
        /^[ \t]*[#;]/ { next }
        /^\[/ { flush(); name = ""; next }
        /^[ \t]/ { if (name == "gpgkey") keys = keys " " $0; next }
        {
            name = value = $0; sub(/[ \t]*[=:].*/, "", name); sub(/^[^=:]*[=:]/, "", value)
            if (name == "gpgkey") keys = value
            if (name == "enabled" && tolower(value) ~ /^[ \t]*(0|no|false|off)[ \t]*$/) enabled = 0
        }
        END { flush(); $0 = all; $1 = $1; print }'
}
