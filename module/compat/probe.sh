#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh PROBES.c HEADER COMPILER FLAG...   which parts of PROBES.c the compiler takes; see there
set -eu

probes=$1 header=$2
shift 2
export LC_ALL=C
die() { grep -v '^probe/' "$header.log" >&2; echo "tcpfsm: $1" >&2; rm -f "$header"; exit 1; }

# Apart, since a compiler that complains does not say on which headers its answer rests.
"$@" -E -o "$header.i" "$probes"
for flag; do
	shift
	case $flag in -Wp,-M*) ;; *) set -- "$@" "$flag" ;; esac
done
"$@" -fsyntax-only -x cpp-output "$header.i" 2> "$header.log" || :

faults() { sed -n 's/^\(.*\):[0-9]*:[0-9]*: \(fatal \)\{0,1\}error: .*/\1/p; /^[^:]*: \(fatal \)\{0,1\}error: /p' "$header.log" | sort -u; }
faulty=" $(faults | sed -n 's,^probe/\([a-z0-9_]*\)$,\1,p' | tr '\n' ' ')"
case $faulty in *' nothing '*) ;; *) die "$1 finds no fault with what no kernel has" ;; esac
! faults | grep -qv '^probe/' || die "$1 does not take the headers of this kernel"

{
	echo "/* Made by compat/probe.sh from compat/probes.c */"
	have=
	# shellcheck disable=SC2013 # words
	for name in $(sed -n 's,^#line 1 "probe/\([a-z0-9_]*\)"$,\1,p' "$probes"); do
		[ "$name" != nothing ] || continue
		is=1
		case $faulty in *" $name "*) is=0 ;; *) have="$have $name" ;; esac
		echo "#define TCPFSM_HAVE_$(echo "$name" | tr '[:lower:]' '[:upper:]') $is"
	done
	echo "#define TCPFSM_COMPAT \"${have# }\""
} > "$header"
rm -f "$header.i"
