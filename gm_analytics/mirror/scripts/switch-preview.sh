#!/bin/sh -eu
# Makes the candidate a pull request's preview by one rename(2). May be run twice.
#
#   switch-preview ROOT STAGING NUMBER DIRECTORY
#
# DIRECTORY  what the candidate becomes, below .previews/
# PREVIEW    as in preview_of.sh
# REPO_FILE  what clients take of it, served as previews/NUMBER.repo
# Prints     the SHA-256 of the preview's repomd.xml

. ./preview_of.sh

root=$1 staging=$2 number=$3 next=$4; cd "$root"
mkdir -p previews .previews
chmod 0755 previews .previews  # an older version left them to the account's umask
old=$(preview_of "$number")
if [ -d "$staging/candidate" ]; then
    rm -rf ".previews/$next"; mv -T "$staging/candidate" ".previews/$next"
fi
rm -f "$staging/link"; ln -s "../.previews/$next" "$staging/link"
printf %s "$REPO_FILE" > "$staging/repo_file"
chmod 0644 "$staging/repo_file"
mv -fT "$staging/repo_file" "previews/$number.repo"
sync -f ".previews/$next/repodata/repomd.xml" 2>/dev/null || :
mv -T "$staging/link" "previews/$number"
# What was there goes when no client can be using it any more; its time starts now.
if [ -n "$old" ] && [ "$old" != "../.previews/$next" ]; then touch "previews/$old"; fi
sha256sum < "previews/$number/repodata/repomd.xml" | cut -d ' ' -f 1
