#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_power_loss.sh PATH-OF-TCPFSM: what is left of a recording when the machine goes down
#
# An ext4 is copied each second while it is mounted and a recorder at work: what a loss of power leaves.
set -u
bin=$(realpath "${1:?usage: test_power_loss.sh PATH-OF-TCPFSM}")
make_recording=$(dirname "$bin")/tests/make_recording
tmp=$(mktemp -d)
cd "$tmp" || exit
trap 'kill $(jobs -p) 2>/dev/null; wait; ! mountpoint -q mnt || umount mnt; rm -rf "$tmp"' EXIT
failed=0
ok() { echo "ok - power loss: $1"; }
not_ok() { failed=1; printf '# %s\n' "${@:2}"; echo "not ok - power loss: $1"; }

mkdir mnt
if ! { truncate -s 200M disk && mkfs.ext4 -q -F disk && mount -o loop disk mnt; } 2>mount.err; then
	echo "ok - power loss # skip: $(tail -n 1 mount.err)"
	exit
fi
now_ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }

"$make_recording" mnt/rec 60 live & recorder=$!
until [ -s mnt/rec/sockets ] || [ -s mnt/rec/metadata ]; do sleep 0.05; done
for second in 1 2 3 5; do
	sleep $((second - ${before:-0}))
	before=$second
	now_ms >at.$second
	cp --sparse=always disk disk.$second
done
{ kill -KILL $recorder; wait $recorder; } 2>/dev/null
umount mnt

for second in 1 2 3 5; do
	name="$second s after the recorder began, all but the last second is there"
	mount -o loop disk.$second mnt || { not_ok "$name" 'cannot mount'; continue; }
	"$bin" info -r mnt/rec --json >out 2>err
	status=$?
	"$bin" info -r mnt/rec --strict >text 2>/dev/null
	strict=$?
	umount mnt
	# It told CLOCK_MONOTONIC. A busy machine may be late to write by a second more.
	behind=$(($(cat at.$second) - $(jq .to_ts/1000000 out | cut -d. -f1)))
	if [ $status = 0 ] && [ $strict = 6 ] && [ $behind -lt 2000 ] && jq -e '.records > 0 and .complete == false and .lost == null' out >jq.out &&
		grep -q 'it was not ended' err && ! grep -q '\<0 lost' text; then
		ok "$name"
	else
		not_ok "$name" "status $status, strict $strict, $behind ms behind" "$(cat out err text)"
	fi
done
exit $failed
