# shellcheck shell=sh
# Asks rpm about files, none of which is misunderstood, and however many they are.
#
#   secret
#   query FORMAT
#
# Reads   query: the files' names, each with a null byte behind it; they begin with ./ or /
# Prints  secret: a word that no header can hold
#         query: what FORMAT makes of each file's header

secret() { od -A n -N 16 -t x1 /dev/urandom | tr -d ' \n'; }
# --nomanifest: a file that is no RPM would be read as a list of others, URLs among them.
query() { xargs -0 -r rpm -qp --nosignature --nomanifest --noglob --qf "$1"; }
