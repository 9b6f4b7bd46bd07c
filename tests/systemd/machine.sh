# Boots a systemd over a copy of this machine's files in which bananasd is installed as the documentation says.
# To be run as the first process of its own namespaces of mounts and pids: when it is killed, nothing of it is left.
#
# $1 an empty directory   $2 the clone   $3 a name for the machine

set -eu

# A cgroup of its own, where nspawn makes those of the machine: two machines at a time must not share them.
while IFS=: read -r _ controllers path; do
    case $controllers in
    "") top=/sys/fs/cgroup/unified; [ -d $top ] || top=/sys/fs/cgroup ;;
    name=systemd) top=/sys/fs/cgroup/systemd ;;
    *) continue ;;
    esac
    mkdir "$top$path/$3"
    echo $$ >"$top$path/$3/cgroup.procs"
done </proc/self/cgroup

mount -t tmpfs -o size=1G tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root

# Neither what this machine does at its start nor an installation that it may have.
rm -rf etc/systemd/system/*.wants etc/systemd/system/bananasd* opt/bananasd etc/bananasd var/lib/bananasd*
: >etc/fstab

# Before the boot, for the machine will have no network. The clone is read-only: installing writes nothing into it.
mkdir -p srv/bananasd dev proc
mount --bind -o ro "$2" srv/bananasd
mount --rbind /dev dev
mount -t proc proc proc
chroot . make -C /srv/bananasd install
# Once more, as for an upgrade.
echo '# A line of the user.' >>etc/bananasd/bananas.toml
rm etc/bananasd/handlers/user_signup.py
chroot . make -C /srv/bananasd install
umount -l dev proc

# Its console is a pipe, and nobody writes into it.
exec systemd-nspawn --quiet --directory=. --machine="$3" --boot --private-network --register=no --keep-unit \
    --link-journal=no --console=pipe -- --unit=multi-user.target </dev/null
