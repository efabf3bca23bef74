# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# xenpv-setup: kernel parameters and entries of the boot menu.

ENGINE_PARAMETER=initcall_blacklist=balloon_init

# read_balloon: into $balloon, from initramfs.conf
read_balloon() {
	balloon=
	[ ! -r "$root/etc/xenpv/initramfs.conf" ] ||
		balloon=$(sed -n 's/^BALLOON=\([^ 	#]*\).*/\1/p' "$root/etc/xenpv/initramfs.conf" | tail -n 1)
	balloon=${balloon:-policy}
}

# boot_parameters: the balloon engine needs the kernel's balloon out of the way
boot_parameters() {
	read_balloon
	case $balloon in
	policy | engine | no) ;;
	*)
		fail "/etc/xenpv/initramfs.conf: BALLOON=$balloon is neither policy, engine nor no"
		return 1
		;;
	esac
	if [ "$balloon" != engine ]; then
		drop_file /etc/default/grub.d/xenpv.cfg
		return
	fi
	if have grubby || [ -d "$root/etc/default/grub.d" ] || have update-grub; then
		put_file /etc/default/grub.d/xenpv.cfg <<END
# Written by xenpv-setup: xen-balloon is the balloon, not the kernel's own.
GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX $ENGINE_PARAMETER"
END
	else
		fail "the balloon engine needs $ENGINE_PARAMETER on the kernel's command line: add it by hand"
	fi
}

# bls_arguments: the same where the boot menu consists of files (Boot Loader Specification)
bls_arguments() {
	have grubby || return 0
	if [ -e "$root/etc/default/grub.d/xenpv.cfg" ]; then
		in_root grubby --update-kernel=ALL --args="$ENGINE_PARAMETER"
	elif grep -qs "$ENGINE_PARAMETER" "$root"/boot/loader/entries/*.conf; then
		in_root grubby --update-kernel=ALL --remove-args="$ENGINE_PARAMETER"
	fi
}

# bls_entries: beside the entry of each kernel one that boots it as before, never the default
bls_entries() {
	for entry in "$root"/boot/loader/entries/*.conf; do
		[ -e "$entry" ] || continue
		case $entry in *-xenpv-stock.conf) continue ;; esac
		stock=${entry%.conf}-xenpv-stock.conf
		kernel=$(sed -n 's/^version[[:space:]]*//p' "$entry")
		if [ ! -e "$state/installed" ] || ! has_ours "$kernel"; then
			rm -f "$stock"
			continue
		fi
		kept=initramfs-$kernel.img.xenpv-stock
		[ -e "$root/boot/$kept" ] || kept=initramfs-$kernel.img
		# A version of 0 sorts it behind all others.
		sed -e "s/^title[[:space:]].*/& (kernel's own Xen drivers)/" -e "s/^version[[:space:]].*/version 0-$kernel/" \
			-e 's/^options[[:space:]].*/& xenpv=off/' -e "s/ *$ENGINE_PARAMETER//" \
			-e "s|^\(initrd[[:space:]].*\)initramfs-$kernel\.img|\1$kept|" \
			"$entry" >"$stock.xenpv-new" && mv -f "$stock.xenpv-new" "$stock" || return 1
	done
}

# grub_menu: written anew beside the old one, which stays unless the new one has all kernels
grub_menu() {
	for cfg in /boot/grub/grub.cfg /boot/grub2/grub.cfg; do
		[ -e "$root$cfg" ] || continue
		tool=grub-mkconfig
		! have grub2-mkconfig || tool=grub2-mkconfig
		have $tool || continue
		rm -f "$root$cfg.xenpv-new"
		if ! in_root $tool -o "$cfg.xenpv-new" >/dev/null 2>&1; then
			rm -f "$root$cfg.xenpv-new"
			fail "$tool failed: $cfg stays as it was"
			return 1
		fi
		for kernel in $kernels; do
			if grep -q "vmlinuz-$kernel" "$root$cfg" &&
				! grep -q "vmlinuz-$kernel" "$root$cfg.xenpv-new"; then
				rm -f "$root$cfg.xenpv-new"
				fail "$tool left out kernel $kernel: $cfg stays as it was"
				return 1
			fi
		done
		mv -f "$root$cfg.xenpv-new" "$root$cfg" || return 1
	done
}

boot_entries() {
	! plan "write the boot menu" || return 0
	if [ -d "$root/boot/loader/entries" ]; then
		bls_arguments && bls_entries
	else
		grub_menu
	fi
}
