#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_tables.sh build/tcpfsm: columns stand below their titles, and lines fit the terminal, whatever is in them:
# IPv6 addresses of 39 characters beside short ones, names of 15, numbers of 12 digits.
# shellcheck disable=SC2034 # failed is for who sources lib.sh
set -u

bin=$(realpath "${1:?usage: test_tables.sh PATH-OF-TCPFSM}")
subject=tables
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1
"$(dirname "$bin")"/tests/make_recording wide 30 wide || exit 1

# At WIDTH columns; 0: in a pipe.
shown() {
	if [ "$1" = 0 ]; then
		"$bin" "${@:2}" 2> /dev/null
	else
		script -qec "stty cols $1 rows 24; exec $bin ${*:2} 2>/dev/null" /dev/null < /dev/null | tr -d '\r' | sed 's/\x1b\[[0-9;]*m//g'
	fi
}

# hold WIDTH MINIMUM ROWS TITLES ARGS...: lines that match ROWS, at least so many, have something that ends where each
# title of TITLES does (">TITLE": begins there; title_with_blanks), and none is longer than WIDTH.
hold() {
	local name="${*:5}: $1 columns"
	shown "$1" "${@:5}" > table
	if awk -v width="$1" -v least="$2" -v rows="$3" -v titles="$4" '
		function at(s, i) { return substr(s, i, 1) }
		BEGIN { n = split(titles, title, " "); for (i in title) { left[i] = sub(/^>/, "", title[i]); gsub(/_/, " ", title[i]) } }
		width && length($0) > width { print "longer than " width ": " $0; bad = 1 }
		{
			is = 1
			for (i = 1; i <= n; i++) if (!index($0, title[i])) is = 0
			if (is) {
				for (i = 1; i <= n; i++) {
					where[i] = index($0, title[i])
					if (!left[i]) where[i] += length(title[i]) - 1
				}
				headers++
				next
			}
		}
		headers && $0 ~ rows {
			found++
			for (i = 1; i <= n; i++) {
				x = where[i]
				beside = left[i] ? (x > 1 ? at($0, x - 1) : "") : at($0, x + 1)
				if (at($0, x) ~ /^ ?$/ || beside !~ /^ ?$/) { print title[i] " is not where it should be: " $0; bad = 1 }
			}
		}
		END { if (found < least) { print found + 0 " rows"; bad = 1 } exit bad }' table > why; then
		ok "$name"
	else
		not_ok "$name" "$(head -3 why)" "$(head -12 table)"
	fi
}

for width in 0 80 100 200; do
	hold $width 200 '->' '>OLD->NEW' trace -r wide
	hold $width 60 ' (fin|2msl)' 'SETUP ESTAB CLOSE TW >CLOSED_BY' conns -r wide
	hold $width 2 '[0-9]/[0-9]+/[0-9]+$|-/[0-9]+/-$' '>OWNER SYNQ_now/peak/max ACCQ_now/peak/max' listen -r wide
	hold $width 3 ' [0-9.]+m?s/[0-9.]+m?s$| +-$' 'SYN COOKIE REFUSED DONE SETUP_p50/p99 WAIT_p50/p99' listen -r wide
	hold $width 1 '[0-9]%$| -$' 'TW FINW2 IN/s OUT/s PORTS' timewait -r wide
	hold $width 1 ' [0-9]+ +[0-9]+$' '>OWNER TW FINW2 WE_FIRST DENIED FAILED' timewait -r wide
	hold $width 2 '%$|[0-9] +-$' 'TRIES OK NOW FAIL P50 P99 RTX RST LIVE PORTS' connect -r wide
	hold $width 1 '^192[.]168[.]100[.]200:80 ' '>DESTINATION >PROCESS TRIES' connect -r wide
	hold $width 60 '^01234567[+] ' '>COMM LPORT' conns -r wide
	hold $width 1 ' 0123456789ab[+]/4194304 ' '>OWNER' listen -r wide
done
# What --wide has is as long as it is.
hold 0 200 '->' '>LOCAL >REMOTE >OLD->NEW' trace -w -r wide
hold 0 60 ' (fin|2msl)' '>LOCAL >REMOTE SETUP ESTAB TW >CLOSED_BY' conns -w -r wide
hold 0 20 "^Tcp.*[0-9]$" 'KERNEL TCPFSM DIFFERENCE' check -w -r wide
exit $failed
