# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# xenpv-setup: labels and UUIDs that the host's disks have, too.
#
# A host that finds its root by a label may boot from a guest's disk that has the same one. It
# tells its labels (tell-labels of xenpv-backendd.conf) in vm-data/xenpv/host-labels of the guest's home in xenstore, as words
# "LABEL=..." and "UUID=...", one a line.

# own_labels: lines "LABEL=name device", of this guest's file systems
own_labels() {
	# What a shell might take for something else has a backslash before it.
	in_root blkid -o export 2>/dev/null | sed 's/\\\(.\)/\1/g' | awk -F= '
		$1 == "DEVNAME" { device = $2 }
		($1 == "LABEL" || $1 == "UUID" || $1 == "PARTUUID") && $2 != "" { print $0, device }'
}

told_labels() {
	if [ -n "$host_labels" ]; then
		cat "$host_labels"
	elif [ -z "$root" ] && command -v xenstore-read >/dev/null 2>&1; then
		xenstore-read vm-data/xenpv/host-labels 2>/dev/null
	fi
}

# check_labels: 1 if there is a clash
check_labels() {
	clashes=0
	if [ -n "$host_labels" ] && [ ! -r "$host_labels" ]; then
		fail "--host-labels $host_labels cannot be read"
		return 2
	fi
	own=$(own_labels)
	told=$(told_labels)
	twice=$(printf '%s\n' "$own" | sed 's/ [^ ]*$//' | sort | uniq -d)
	both=$(printf '%s\n' "$own" | sed 's/ [^ ]*$//' | sort -u | while IFS= read -r word; do
		[ -z "$word" ] || ! printf '%s\n' "$told" | grep -qxF -e "$word" || echo "$word"
	done)
	if [ -n "$twice" ]; then
		clashes=1
		printf '%s\n' "$twice" | while IFS= read -r word; do
			fail "$word is on more than one disk: what is mounted by it is left to chance"
		done
	fi
	if [ -n "$both" ]; then
		clashes=1
		printf '%s\n' "$both" | while IFS= read -r word; do
			fail "$word is on a disk of the host, too: the host may boot from this guest's disk." \
				"Give it another with e2label, mkswap -L or tune2fs -U, and /etc/fstab as well"
		done
	fi
	[ -n "$told" ] || note "the host tells no labels (vm-data/xenpv/host-labels): not compared"
	[ "$clashes" -eq 0 ]
}
