# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Has a kernel our drivers? For xenpv-setup, the hooks of the initramfs and the boot menu.

# xenpv_has KERNEL MODULE [ROOT]: with all that it depends on, as files. modules.dep is no proof:
# it names what was there when depmod ran.
xenpv_has() {
	xenpv_insmods=$(modprobe ${3:+-d "$3"} -S "$1" -q --show-depends "$2" 2>/dev/null) || return 1
	printf '%s\n' "$xenpv_insmods" | while read -r xenpv_word xenpv_file _; do
		[ "$xenpv_word" != insmod ] || [ -e "$xenpv_file" ] || exit 1
	done
}

# xenpv_lacks KERNEL [ROOT]: into $xenpv_lacking the first driver of disks and networks that is not
# there; exit status 1 if all are
xenpv_lacks() {
	for xenpv_lacking in xenpv-core xen-vbd xen-vnif; do
		xenpv_has "$1" "$xenpv_lacking" ${2:+"$2"} || return 0
	done
	xenpv_lacking=
	return 1
}
