# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# xenpv-setup: interfaces keep their names, and old systems their aliases.

LINK=/etc/systemd/network/10-xenpv-

# keep_nic_names: a name that came from the device or the driver that an interface has now would
# not survive the change. enX0 and eth0 do: they come from the number in xenstore, or from the
# kernel's order, which are the same with any driver.
keep_nic_names() {
	for nic in "$root"/sys/class/net/*; do
		[ -e "$nic/device" ] || continue
		[ "$(cat "$nic/type" 2>/dev/null)" = 1 ] || continue
		name=$(basename "$nic")
		read -r mac <"$nic/address" || continue
		case $name in
		eth[0-9]* | enX[0-9]*) continue ;;
		esac
		case $name$mac in
		*[!a-zA-Z0-9:._-]*)
			note "interface $name: its name is not kept, for its characters"
			continue
			;;
		esac
		put_file "$LINK$name.link" <<END || return 1
# Written by xenpv-setup: the name that this interface had before its driver changed.
[Match]
MACAddress=$mac
Type=ether

[Link]
Name=$name
END
	done
}

# old_modprobe_conf: /etc/modprobe.conf of old systems, which names the driver of each interface and
# disk. What emulated cards had goes to xen-vnif; disks get xen-vbd beside what they have.
old_modprobe_conf() {
	[ -f "$root/etc/modprobe.conf" ] || return 0
	awk '
		/^alias eth[0-9]+ (8139cp|8139too|e1000|ne2k-pci|pcnet32|xennet|xen-netfront)$/ {
			if ($3 == "8139cp" || $3 == "8139too") { black["8139cp"] = black["8139too"] = 1 }
			else black[$3] = 1
			$0 = "alias " $2 " xen-vnif"
			nic[++nics] = $0
			next
		}
		/^blacklist / { seen[$2] = 1 }
		/^alias scsi_hostadapter1 xen-vbd$/ { disk = 1; next }
		/^alias eth[0-9]+ xen-vnif$/ { nic[++nics] = $0; next }
		{ line[++lines] = $0 }
		END {
			n = split("8139cp 8139too e1000 ne2k-pci pcnet32 xennet xen-netfront", names, " ")
			for (i = 1; i <= n; i++)
				if (names[i] in black && !(names[i] in seen)) print "blacklist " names[i]
			for (i = 1; i <= lines; i++) print line[i]
			for (i = 1; i <= nics; i++) print nic[i]
			print "alias scsi_hostadapter1 xen-vbd"
		}' "$root/etc/modprobe.conf" | put_file /etc/modprobe.conf
}
