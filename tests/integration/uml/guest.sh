#!/bin/sh
# guest.sh OUTDIR COMMAND   Runs COMMAND in a user-mode-linux guest whose kernel has SCTP; the exit code is COMMAND's.
# The host's root file system is the guest's, read-only; OUTDIR is writable there at /run/out, and so is /run.
# Needs the Debian packages user-mode-linux and busybox-static. Boots in 2-4 s. LIMIT: seconds, MEM: as linux.uml has it.
set -eu
out=$(realpath "$1")
command=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
printf '%s\n' "$command" > "$scratch/command"
pwd > "$scratch/directory"
cat > "$scratch/init" <<'INIT'
#!/bin/busybox sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run PYTHONDONTWRITEBYTECODE=1
box=/bin/busybox
$box mount -t proc proc /proc
$box mount -t sysfs sys /sys
$box mount -t tmpfs tmp /run
$box mount -t devtmpfs dev /dev 2>/dev/null
modules=/usr/lib/uml/modules/$(uname -r)/kernel
# hmac first: without it a listening SCTP socket says ENOSYS.
for module in crypto/hmac lib/crc-ccitt net/ipv6/ipv6 net/ipv4/udp_tunnel net/ipv6/ip6_udp_tunnel net/sctp/sctp; do
	$box insmod "$modules/$module.ko" || echo "guest: insmod $module failed"
done
$box ip link set lo up
$box mkdir -p /run/out
$box mount -t hostfs none /run/out -o "$OUTDIR"
cd "$($box cat "$SCRATCH/directory")"
sh -c "$($box cat "$SCRATCH/command")"
echo "GUEST-EXIT $?"
$box poweroff -f
INIT
chmod 755 "$scratch" "$scratch/init"
timeout "${LIMIT:-120}" linux.uml mem="${MEM:-512M}" rootfstype=hostfs rootflags=/ ro init="$scratch/init" \
	SCRATCH="$scratch" OUTDIR="$out" quiet con=null con0=null,fd:1 con1=null </dev/null > "$scratch/log" 2>&1 || true
cat "$scratch/log"
exit "$(sed -n 's/^GUEST-EXIT \([0-9]*\).*/\1/p' "$scratch/log" | tail -1 | grep . || echo 99)"
