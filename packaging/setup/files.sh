# shellcheck shell=sh disable=SC2154
# SPDX-License-Identifier: GPL-2.0-or-later
# xenpv-setup: files that are written, with the way back.
#
# $state/saved/PATH is what was there before us, $state/written/PATH what we wrote. A file that
# differs from the latter has been changed by the administrator, whose it then is.

# begin_files: what put_file does from here on is what undo_files takes back. A file has the
# list, as put_file mostly is at the end of a pipe, and so in a process of its own.
begin_files() {
	rm -f "$state/touched"
}

# put_file PATH: its content is standard input. Repeats harmlessly.
put_file() {
	path=$1
	content=$(cat && echo .) || return 1
	content=${content%.}
	if [ -e "$root$path" ] && [ "$(cat "$root$path" && echo .)" = "$content." ]; then
		# Also where it was so before us: then it is not ours to remove.
		return 0
	fi
	if [ -e "$state/written/${path#/}" ] && { [ ! -e "$root$path" ] ||
		! cmp -s "$state/written/${path#/}" "$root$path"; }; then
		note "$path has been changed by hand and stays as it is"
		return 0
	fi
	! plan "write $path" || return 0
	mkdir -p "$state/saved/$(dirname "${path#/}")" "$state/written/$(dirname "${path#/}")" \
		"$(dirname "$root$path")" || return 1
	if [ -e "$root$path" ] && [ ! -e "$state/written/${path#/}" ]; then
		cp -p "$root$path" "$state/saved/${path#/}" || return 1
	fi
	if ! echo "$path" >>"$state/touched" ||
		! printf %s "$content" >"$root$path.xenpv-new" ||
		! chmod 644 "$root$path.xenpv-new" ||
		! printf %s "$content" >"$state/written/${path#/}" ||
		! mv -f "$root$path.xenpv-new" "$root$path"; then
		rm -f "$root$path.xenpv-new"
		fail "$path cannot be written"
		return 1
	fi
}

# drop_file PATH: as it was before us
drop_file() {
	written=$state/written/${1#/} saved=$state/saved/${1#/}
	[ -e "$written" ] || return 0
	! plan "restore $1" || return 0
	if [ -e "$root$1" ] && ! cmp -s "$written" "$root$1"; then
		mv -f "$root$1" "$root$1.xenpv-save" || return 1
		note "$1 has been changed by hand: kept as $1.xenpv-save"
	fi
	if [ -e "$saved" ]; then
		mv -f "$saved" "$root$1" || return 1
	else
		rm -f "$root$1" || return 1
	fi
	rm -f "$written"
}

undo_files() {
	[ -e "$state/touched" ] || return 0
	while IFS= read -r path; do
		drop_file "$path" || fail "$path cannot be restored: its old content is in $state/saved"
	done <"$state/touched"
	begin_files
}

restore_files() {
	[ -d "$state/written" ] || return 0
	rc=0
	for path in $(cd "$state/written" && find . -type f | sort); do
		drop_file "${path#.}" || rc=1
	done
	[ $rc -eq 0 ] || fail "not everything could be restored: see $state/saved"
	return $rc
}
