#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dracut: our drivers, beside the kernel's frontends, which are the fallback.

xenpv_modules=(xenpv-core xen-vbd xen-vnif)
xenpv_stock=(xen-blkfront xen-netfront)

# Does the kernel that the image is for have our drivers?
xenpv_complete() {
	# shellcheck source=/dev/null
	. "${dracutsysrootdir:-}/usr/lib/xenpv/setup/drivers.sh" || return 1
	! xenpv_lacks "${kernel:?}" "${dracutsysrootdir:-}"
}

check() {
	# The blacklist is what xenpv-setup switches us on with.
	[ -e "${dracutsysrootdir:-}/etc/modprobe.d/xenpv.conf" ] || return 255
	require_binaries modprobe mkdir sleep || return 1
	# shellcheck disable=SC2154 # hostonly is dracut's
	[ -z "$hostonly" ] || [ "$(systemd-detect-virt 2>/dev/null)" = xen ] || return 255
	return 0
}

depends() {
	echo udev-rules
}

installkernel() {
	# By name, as modules of updates/ and extra/ are not found by directory; and whatever
	# drives the disks now.
	hostonly='' instmods "${xenpv_stock[@]}"
	xenpv_complete || return 0
	hostonly='' instmods "${xenpv_modules[@]}" xen-balloon
}

install() {
	if ! xenpv_complete; then
		dwarn "xenpv: kernel $kernel has no ${xenpv_lacking:-driver of ours}: it boots on the kernel's own frontends"
		# They are blacklisted for the sake of kernels that have ours.
		# shellcheck disable=SC2154 # initdir is dracut's
		rm -f "$initdir/etc/modprobe.d/xenpv.conf"
		return 0
	fi
	inst_multiple mkdir sleep modprobe
	inst_simple /usr/lib/xenpv/xenpv-boot
	inst_simple /usr/lib/udev/xenpv-vdev
	inst_rules 61-xenpv-vbd.rules 60-xenpv-memory.rules
	inst_multiple -o /etc/xenpv/initramfs.conf /etc/modprobe.d/xenpv.conf
	# shellcheck disable=SC2154 # moddir is dracut's
	inst_hook pre-udev 01 "$moddir/xenpv-start.sh"
	inst_hook initqueue/settled 50 "$moddir/xenpv-poll.sh"
}
