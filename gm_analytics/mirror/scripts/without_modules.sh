# shellcheck shell=sh
# Offers metadata without their modules: where two repositories have other defaults of a module, dnf
# takes neither, and what was published would stand against what upstream says now.
#
#   without_modules FILE DIRECTORY ROOT PLACE BELOW
#
# FILE       the repository file that offers DIRECTORY
# ROOT       where the RPMs are, which are linked: an address is of metadata and RPMs
# PLACE      a directory for the links; the metadata go to BELOW it, as far as RPMs are above

without_modules() {
    if [ ! -e "$1" ] || ! grep -aqs '<data type="modules"' "$2/repodata/repomd.xml"; then return 0; fi
    from=$(readlink -f "$2/repodata")
    mkdir -p "$4/$5/repodata"
    sed '/<data type="modules"/,/<\/data>/d' "$from/repomd.xml" > "$4/$5/repodata/repomd.xml"
    if ! grep -aq '</repomd>' "$4/$5/repodata/repomd.xml"; then rm "$1"; return 0; fi
    find "$from" -maxdepth 1 -type f ! -name 'repomd.xml*' -exec ln -sf -t "$4/$5/repodata" -- {} +
    find "$3" -maxdepth 1 -name '*.rpm' -exec ln -sf -t "$4" -- {} +
    for link in Packages gm-packages; do ln -sfn "$3" "$4/$5/$link"; done
    sed -i "s|^baseurl=.*|baseurl=file://$4/$5|" "$1"
}
