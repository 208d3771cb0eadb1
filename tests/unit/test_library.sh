#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_library.sh build/tcpfsm: the library as another program has it, installed and found by
# pkg-config; the example of the manual counts the closes of a recording.
# shellcheck disable=SC1091,SC2317 # called by check
set -u

bin=$(realpath "${1:?usage: test_library.sh PATH-OF-TCPFSM}") || exit
cd "$(dirname "$0")/../.." || exit
. tests/check
out=$(dirname "$bin")
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
export LC_ALL=C.UTF-8
example=docs/examples/closes.c
compiles() {
	local flags
	flags=$(PKG_CONFIG_PATH=$tmp/usr/lib/pkgconfig pkg-config --cflags --libs libtcpfsm) || return
	# shellcheck disable=SC2086 # words
	cc -Wall -Wextra -Wpedantic -Werror -o "$tmp/closes" "$example" $flags
}

closes() { LD_LIBRARY_PATH=$tmp/usr/lib "$tmp/closes" "$@"; }

# Against the events that the command tells.
counts() {
	"$out/tests/make_recording" "$tmp/rec" 50 || return
	closes "$tmp/rec" >"$tmp/counted" || return
	"$bin" trace --json -r "$tmp/rec" 2>/dev/null |
		sed -n '/"cause":"close"/s/.*"pid":\([0-9]*\),"comm":"\([^"]*\)".*/\2\/\1/p' | sort | uniq -c |
		awk '{ printf "%8d  %s\n", $1, $2 }' >"$tmp/told"
	sort -k 2 "$tmp/counted" | diff "$tmp/told" - && grep -q '51  curl/80123' "$tmp/counted"
}

fails() { # what it says, ARGS...
	local said
	if said=$(closes "${@:2}" 2>&1 >/dev/null); then return 1; fi
	echo "$said"
	grep -q "$1" <<< "$said"
}

# As it is set in tcpfsm(3).
in_manual() {
	sed -n '/^\.EX$/,/^\.EE$/{ /^\.E[XE]$/d; s/\\e/\\/g; s/\\-/-/g; s/^\\&//; p; }' userspace/man/tcpfsm.3 |
		diff "$example" -
}

check 'library: make install' make -s -C userspace install OUT="$out" PREFIX="$tmp/usr" DESTDIR=
check 'library: manual pages are installed' test -e "$tmp/usr/share/man/man8/tcpfsm.8" -a -e "$tmp/usr/share/man/man3/tcpfsm.3"
names_what_is_installed() { ! grep -r /usr/local "$tmp/usr/share/man" && grep -rq "$tmp/usr/lib/udev" "$tmp/usr/share/man"; }
check 'library: manual pages name what is installed' names_what_is_installed
check 'library: completions are installed, for bash and zsh' test -s "$tmp/usr/share/bash-completion/completions/tcpfsm" -a \
	-s "$tmp/usr/share/zsh/vendor-completions/_tcpfsm"
installed_says() { "$tmp/usr/bin/tcpfsm" info --device /no/such/device 2>&1 | grep 'module not loaded; run: modprobe tcpfsm'; }
check 'library: what is installed says how an installed module is loaded' installed_says
check 'library: the example compiles with what pkg-config says' compiles
check 'library: the example counts the closes of a recording' counts
check 'library: the example says that there is no recording' fails 'not a recording' /etc
if [ ! -e /dev/tcpfsm ]; then
	check 'library: the example says that the module is not loaded' fails '/dev/tcpfsm: No such file'
fi
check 'library: the example of the manual page is the one that was run' in_manual
exit $failed
