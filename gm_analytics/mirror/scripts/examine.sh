#!/bin/sh -eu
# Tries in a root what an update does there, and looks at what it needs, for `Examined.parse`.
#
#   examine ROOT WORD MANAGER CREATEREPO
#
# WORD                 what the files hold that a web server is then asked for
# MANAGER, CREATEREPO  the programs, or nothing
# Prints               a fact a line, WORD VALUE:
#   probe NAME         a directory below ROOT that the caller removes, by unprobe.sh. It has WORD as
#                      plain/repodata/repomd.xml and, behind a link, linked/repodata/repomd.xml
#   fails WHAT: WHY    what cannot be done in ROOT
#   others as they say

root=$1 word=$2 manager=$3 createrepo=$4

# Prints one line of a program's version, or nothing.
version() {
    if [ -n "$1" ]; then "$1" --version 2>/dev/null | head -n 1 | cut -c 1-100; fi
}
# Does something, or says that it fails.
try() {
    what=$1; shift
    said=$("$@" 2>&1) || {
        printf 'fails %s: %s\n' "$what" "$(printf '%s\n' "$said" | head -n 1 | cut -c 1-300)"
        exit 0
    }
}
# Prints what is there in the place of a directory.
absent() {
    above=$1
    while [ ! -d "$above" ]; do above=$(dirname "$above"); done
    if [ ! -x "$above" ]; then echo "root closed $above"
    elif [ -L "$1" ]; then echo "root dangling"
    elif [ -e "$1" ]; then echo "root file"
    else echo "root missing"
    fi
}

echo "now $(date +%s)"
echo "account $(id -un 2>/dev/null || id -u)"
echo "manager $(version "$manager")"
echo "createrepo $(version "$createrepo")"
if [ ! -d "$root" ]; then absent "$root"; exit 0; fi
stat -Lc 'owner %U %a' "$root"
inodes=$(df -Pi "$root" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4) || inodes=''
echo "inodes $inodes"
for name in .lock .staging .publications .publications/added.txt .cache .previews previews; do
    if [ -e "$root/$name" ] && [ ! -w "$root/$name" ]; then
        echo "closed $(stat -Lc %U "$root/$name") $name"
    fi
done
find "$root" -mindepth 1 -maxdepth 1 -name '*.rpm' ! -readable -printf 'unreadable %f\n' \
    -quit 2>/dev/null || :
find "$root" -mindepth 1 -maxdepth 1 -type d -name 'gm-check.*' -user "$(id -u)" -mmin +60 \
    -exec rm -rf {} + 2>/dev/null || :  # left by one that was killed

probe=$(mktemp -d "$root/gm-check.XXXXXXXXXX" 2>&1) || {
    echo "fails making a directory: ${probe##*: }"; exit 0
}
trap 'rm -rf "$probe"' EXIT
cd "$probe"
chmod 0755 .
try 'making a directory' mkdir -p plain/repodata .held/repodata linked
# shellcheck disable=SC2016  # another shell's
try 'writing a file' sh -c 'printf %s "$1" | cat > "$2"' write "$word" plain/repodata/repomd.xml
try 'writing a file' cp plain/repodata/repomd.xml .held/repodata/repomd.xml
try 'making a symbolic link' ln -s ../.held/repodata linked/repodata
try 'making a hard link' ln plain/repodata/repomd.xml hard
try 'locking a file' flock --nonblock hard true
try 'renaming a link' mv -T linked/repodata linked/renamed
try 'renaming a link' mv -T linked/renamed linked/repodata
trap - EXIT
echo "probe ${probe##*/}"
