# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# xenpv-setup: installed kernels and the initramfs of each.

# list_kernels: all of them, and those that have our drivers
list_kernels() {
	kernels='' kernels_ours=''
	for dir in "$root"/lib/modules/*/; do
		kernel=$(basename "$dir")
		[ -e "$root/boot/vmlinuz-$kernel" ] || continue
		kernels="$kernels $kernel"
		! has_ours "$kernel" || kernels_ours="$kernels_ours $kernel"
	done
	kernels=${kernels# } kernels_ours=${kernels_ours# }
}

has_ours() {
	! xenpv_lacks "$1" "$root"
}

# image_path KERNEL: into $image, what it boots with. dracut makes it under the name that the
# distribution gives it: Debian's, its own, SUSE's.
image_path() {
	image=/boot/initrd.img-$1
	! have mkinitramfs || return 0
	for image in "/boot/initrd.img-$1" "/boot/initramfs-$1.img" "/boot/initrd-$1"; do
		[ ! -e "$root$image" ] || return 0
	done
	image=/boot/initramfs-$1.img
}

image_list() {
	if have mkinitramfs; then
		in_root lsinitramfs "$1"
	else
		in_root lsinitrd "$1"
	fi 2>/dev/null
}

# holds LIST MODULE...: are they in the list of an image?
holds() {
	list=$1
	shift
	for module; do
		printf '%s\n' "$list" |
			grep -qE "/$module\.ko(\.(gz|xz|zst))?( |\$)" || return 1
	done
}

image_has_ours() {
	image_path "$1"
	[ -e "$root$image" ] && holds "$(image_list "$image")" xenpv-core xen-vbd xen-vnif
}

# What an image must hold before it may be booted from. The kernel's own frontend is in each.
good_image() {
	list=$(image_list "$2") || return 1
	builtin=$root/lib/modules/$3/modules.builtin
	if ! grep -qs '/xen-blkfront\.ko' "$builtin" && ! holds "$list" xen-blkfront; then
		fail "the initramfs made for $3 lacks xen-blkfront"
		return 1
	fi
	if [ "$1" = ours ]; then
		if ! holds "$list" xenpv-core xen-vbd xen-vnif ||
			! printf '%s\n' "$list" | grep -q 'lib/xenpv/xenpv-boot'; then
			fail "the initramfs made for $3 lacks a driver of ours"
			return 1
		fi
	elif holds "$list" xen-vbd; then
		fail "the initramfs made for $3 still has xen-vbd"
		return 1
	elif printf '%s\n' "$list" | grep -q 'etc/modprobe\.d/xenpv\.conf' &&
		grep -qs '^blacklist xen-blkfront' "$root/etc/modprobe.d/xenpv.conf"; then
		fail "the initramfs made for $3 still has /etc/modprobe.d/xenpv.conf, which is not as we wrote it: take it away"
		return 1
	fi
}

# make_image WHICH KERNEL FILE
make_image() {
	if have mkinitramfs; then
		if [ "$1" = stock ]; then
			XENPV_OMIT=yes in_root mkinitramfs -o "$3" "$2"
		else
			in_root mkinitramfs -o "$3" "$2"
		fi
	elif [ "$1" = stock ]; then
		in_root dracut --force --omit xenpv --add-drivers "xen-blkfront xen-netfront" "$3" "$2"
	else
		in_root dracut --force --add xenpv "$3" "$2"
	fi
}

# room_for FILE: is there space beside it for one as large and a half?
room_for() {
	need=$(($(stat -c %s "$1") * 3 / 2048))
	free=$(df -Pk "$(dirname "$1")" | awk 'NR == 2 { print $4 }')
	[ "${free:-0}" -ge "$need" ] || {
		fail "$(dirname "${1#"$root"}") has $free KiB free, the new initramfs may need $need: make room"
		return 1
	}
}

# replace_image WHICH KERNEL: the old one stays in place until the new one is known to be good
replace_image() {
	image_path "$2"
	kept=$image.xenpv-stock new=$image.xenpv-new
	! plan "rebuild $image" || return 0
	[ ! -e "$root$image" ] || room_for "$root$image" || return 1
	rm -f "$root$new"
	if ! make_image "$1" "$2" "$new" >"$state/build.log" 2>&1; then
		tail -n 5 "$state/build.log" >&2
		fail "no initramfs for $2: $image stays as it was"
		rm -f "$root$new"
		return 1
	fi
	if ! good_image "$1" "$new" "$2"; then
		fail "$image stays as it was"
		rm -f "$root$new"
		return 1
	fi
	# A second name for the old one costs no space. It has the fallback entry boot what booted.
	if [ "$1" = ours ] && [ -e "$root$image" ] && [ ! -e "$root$kept" ] &&
		! image_has_ours "$2"; then
		ln "$root$image" "$root$kept" 2>/dev/null || cp -p "$root$image" "$root$kept" || {
			rm -f "$root$kept" "$root$new"
			fail "$image cannot be kept as $kept: it stays as it was"
			return 1
		}
	fi
	if ! sync "$root$new" || ! mv -f "$root$new" "$root$image" || ! sync "$root/boot"; then
		fail "$image cannot be replaced"
		rm -f "$root$new"
		return 1
	fi
}

# drop_kept: once no entry of the boot menu names them any more
drop_kept() {
	for kept in "$root"/boot/*.xenpv-stock; do
		[ -e "$kept" ] || continue
		plan "remove ${kept#"$root"}" || rm -f "$kept"
	done
}

# restore_kept KERNEL: the image that booted before us, where no new one can be made without us
restore_kept() {
	image_path "$1"
	[ -e "$root$image.xenpv-stock" ] || return 1
	mv -f "$root$image.xenpv-stock" "$root$image" &&
		note "$image is the one from before the set-up"
}

# drop_orphans: what was kept for kernels that are no longer there
drop_orphans() {
	for kept in "$root"/boot/*.xenpv-stock; do
		[ -e "$kept" ] || continue
		kernel=$(basename "$kept" .xenpv-stock)
		kernel=${kernel#initrd.img-}
		kernel=${kernel#initramfs-}
		kernel=${kernel#initrd-}
		kernel=${kernel%.img}
		[ -e "$root/boot/vmlinuz-$kernel" ] || plan "remove ${kept#"$root"}" || rm -f "$kept"
	done
}

# build_images ours|stock: counts in images_done and images_failed
build_images() {
	images_done=0 images_failed=0
	drop_orphans
	wanted=$kernels
	[ "$1" = stock ] || wanted=$kernels_ours
	for kernel in $wanted; do
		if [ "$1" = stock ] && ! image_has_ours "$kernel"; then
			images_done=$((images_done + 1))
		elif replace_image "$1" "$kernel"; then
			images_done=$((images_done + 1))
		elif [ "$1" = stock ] && restore_kept "$kernel"; then
			images_done=$((images_done + 1))
		else
			images_failed=$((images_failed + 1))
		fi
	done
}
