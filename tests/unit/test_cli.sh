#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_cli.sh build/tcpfsm: options, exit status, output and its ends, with
# recordings and without a module.
# shellcheck disable=SC2016,SC2317,SC2034 # conditions are evaluated later
set -u

bin=$(realpath "${1:?usage: test_cli.sh PATH-OF-TCPFSM}")
make_recording=$(dirname "$bin")/tests/make_recording
subject=cli
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1

# run ARGS...: sets status; stdout and stderr in files
run() {
	timeout 300 "$bin" "$@" >out 2>err </dev/null
	status=$?
}

# expect NAME STATUS [PATTERN of stderr [PATTERN of stdout]]: of the last run
expect() {
	local lines
	if [ "$status" != "$2" ]; then
		not_ok "$1" "exit status $status, not $2" "$(head -3 err)"
	elif [ -n "${3-}" ] && ! grep -Eq -- "$3" err; then
		not_ok "$1" "stderr has no /$3/:" "$(head -3 err)"
	elif [ -z "${3-}" ] && [ -s err ]; then
		not_ok "$1" "stderr is not empty:" "$(head -3 err)"
	elif [ -n "${4-}" ] && ! grep -Eq -- "$4" out; then
		not_ok "$1" "stdout has no /$4/:" "$(head -3 out)"
	else
		lines=$(wc -l <err)
		if [ "$2" -gt 0 ] && [ "$lines" != 1 ]; then
			not_ok "$1" "$lines lines on stderr, not one" "$(head -3 err)"
		else
			ok "$1"
		fi
	fi
}

# usage NAME PATTERN ARGS...
usage() {
	local name=$1 pattern=$2
	shift 2
	run "$@"
	expect "$name" 2 "^tcpfsm: $pattern"
}

# ---- help and usage -------------------------------------------------------------

run -h; expect 'help' 0 '' '^  record DIR '
run trace -h; expect 'help of a command' 0 '' 'usage: tcpfsm trace'
run --help record; expect 'help before the command' 0 '' 'usage: tcpfsm record DIR'
run -V; expect 'version' 0 '' '^tcpfsm [0-9.]+ \(ABI [0-9]+\)$'
run -h
if [ "$(awk '{ if (length($0) > 80) n++ } END { print n + 0 }' out)" = 0 ]; then
	ok 'help fits 80 columns'
else
	not_ok 'help fits 80 columns' "$(awk 'length($0) > 80' out)"
fi

run; expect 'alone: what to type first' 0 '' '^  tcpfsm explain  '
if [ "$(sed '/^commands/,$d' out | grep -c '^  tcpfsm ')" = 5 ] && [ "$(sed -n '/^commands/,/^$/p' out | wc -l)" = 16 ]; then
	ok 'alone: five lines for an incident, then the commands'
else
	not_ok 'alone: five lines for an incident, then the commands' "$(cat out)"
fi
if [ ! -e /dev/tcpfsm ]; then
	run; expect 'alone: the module is loaded first' 0 '' '^  make -C /.* load$'
fi
run help; mv out helped
run -h
if cmp -s out helped; then ok 'help as a word'; else not_ok 'help as a word'; fi
commands=$(sed -n '/^commands/,/^$/s/^  \([a-z]*\).*/\1/p' out)
for command in $commands; do
	run help "$command"; mv out helped
	run "$command" --help; expect "help of $command" 0 '' "^usage: tcpfsm $command "
	if cmp -s out helped; then ok "help $command is $command --help"; else not_ok "help $command is $command --help"; fi
	if [ "$(awk 'length($0) > 80' out)" ] || ! grep -qx 'what is shown' out; then
		not_ok "help of $command fits 80 columns and says what is shown" "$(awk 'length($0) > 80' out)"
	else
		ok "help of $command fits 80 columns and says what is shown"
	fi
	# They are words that the command takes: here there is no module, and no recording.
	sed -n '/^examples/,/^$/s/^    tcpfsm \([^;|]*\).*/\1/p' helped >examples
	while read -r line; do
		# shellcheck disable=SC2086 # words
		run $line --device "$tmp/no-such-device"
		case "$status $(cat err)" in
		'3 '*'module not loaded'* | '1 '*/var/tmp/*'no recording there'* | '1 '*'needs a terminal'*) ok "example: $line" ;;
		*) not_ok "example: $line" "exit status $status" "$(head -3 err)" ;;
		esac
	done <examples
	if [ "$(wc -l <examples)" = 2 ]; then ok "two examples of $command"; else not_ok "two examples of $command" "$(cat examples)"; fi
done

usage 'no command' 'no command; use one of: trace, .*record, report, info$' -4
usage 'nearly a command' 'lsiten: unknown command; did you mean listen\?' lsiten
usage 'the beginning of two commands' 'co: unknown command; did you mean conns or connect\?' co
usage 'help of an unknown command' 'tarce: unknown command; did you mean trace\?' help tarce
usage 'help of two commands' 'top: one argument too many' help trace top
usage 'nearly an option' '--lprot: unknown option; did you mean --lport or --rport\? See tcpfsm help trace$' trace --lprot
usage 'nearly an option, with an argument' '--stae=LISTEN: unknown option; did you mean --state\?' trace --stae=LISTEN
usage 'nearly an option of another command' '--what-ij: unknown option; use one of: --lport .* --version$' trace --what-ij
usage 'a letter that is no option' '-x: unknown option; use one of: -L .* -V$' trace -x
usage 'no state' '-s SYN_SNT: only ESTABLISHED SYN_SENT .* LISTEN .* are states; see tcpfsm help trace$' trace -s SYN_SNT
usage 'no cause' '-C LISTEN,rst: only active_open .* netns_exit .*are causes; see' trace -C LISTEN,rst
usage 'no setting' '--what-if mss=1: not one of: backlog=N ports=LOW-HIGH tw_reuse=' explain --what-if mss=1
usage 'unknown command' 'frobnicate: unknown command; use one of: trace, .*record, report, info$' frobnicate
usage 'unknown long option' '--frob: unknown option' trace --frob
usage 'option without its argument' '-L: needs an argument' trace -L
usage 'long option without its argument' '-d: needs an argument' trace --duration
usage 'argument too many' 'more: one argument too many' info more
usage 'no word of a filter' 'filter: sprot: not one of src dst .*; see tcpfsm help trace' trace dst 10.0.0.1 and sprot 80
usage 'half a filter' 'filter: at the end: a condition is missing' conns 'dport = 80 and'
usage 'an unknown order of connect' '--sort growth: not one of attempts, ' connect --sort growth
usage 'an unknown sum of connect' '--by moon: not one of destination, ' connect --by moon
usage 'flag with an argument' '--json=1: takes no argument' trace --json=1
usage 'record without a directory' 'record: needs a directory' record
usage 'record with an empty directory name' 'record: needs a directory' record ''
usage 'record from a recording' 'record: reads the device' record d -r r
usage 'two directories' 'filter: e' record d e
for bad in '' x 0 65536 -1 '80,' ,80 80,x '80 ' 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 99999999999999999999; do
	usage "bad port '$bad'" '-L ' trace -L "$bad"
	usage "bad remote port '$bad'" '-D ' -D "$bad" trace
done
for bad in '' x 0 -5 1.5 99999999999 18446744073709551617; do
	usage "bad pid '$bad'" '-p .*not a process id' trace -p "$bad"
done
for bad in '' x -1 1e5 0x10 inf nan 1.2.3 . ' 1' 1s 99999999999; do
	usage "bad duration '$bad'" '-d ' trace -d "$bad"
done
for bad in '' x 0 -1 1.5 18446744073709551616; do
	usage "bad count '$bad'" '-c .*not a number' trace -c "$bad"
done
for bad in '' x 0 0x sk: 0xg sk:12345678901234567 99999999999999999999999 -1 ' 1'; do
	usage "bad cookie '$bad'" '--conn .*not a socket cookie' ladder --conn "$bad"
done
usage 'empty directory to read' '-r ' trace -r ''
usage 'a line whatever the arguments' 'a\?b: unknown command' $'a\nb'

run trace -N nosuchns; expect 'unknown network namespace' 1 'nosuchns: No such file'
run trace -N /etc/passwd; expect 'not a network namespace' 1 '/etc/passwd: not a namespace'
run trace -N ''; expect 'no network namespace' 1 'no name'
run trace -N "$(printf 'x%.0s' {1..5000})"; expect 'a network namespace of 5000 letters' 2 'name too long'

# ---- no module --------------------------------------------------------------------

device=$tmp/no-such-device
for command in trace diagram listen explain info "record $tmp/new"; do
	# shellcheck disable=SC2086 # a command and its argument
	run $command --device "$device"
	expect "${command%% *} without the module" 3 \
		'no-such-device: module not loaded; run: make -C /.* load(; this kernel wants it signed.*)?$'
done
if [ ! -e "$tmp/new" ]; then
	ok 'record without the module leaves nothing behind'
else
	not_ok 'record without the module leaves nothing behind'
fi
# Outside of its tree it is an installed one.
cp "$bin" "$tmp" &&
	"$tmp/tcpfsm" trace --device "$device" >out 2>err
status=$?
expect 'installed, without the module' 3 'no-such-device: module not loaded; run: modprobe tcpfsm(; this kernel .*, see man 4 tcpfsm)?$'
run trace --device "$device" -4 -6 -T -c 5 -d 1.5 --json --raw -L 80,443 -D 1 -p 1 -N 4026531840 -W -w
expect 'every option is taken' 3 'module not loaded'
run --json -d .5 trace -N "/proc/$$/ns/net" --device "$device"
expect 'options before the command; a namespace by path' 3 'module not loaded'
run trace --device /dev/null; expect 'another device' 1 '/dev/null: not the device of the tcpfsm module'
if [ ! -e /dev/tcpfsm ]; then
	run trace; expect 'no /dev/tcpfsm' 3 '/dev/tcpfsm: module not loaded'
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	: >locked
	chmod 0 locked
	chmod 755 "$tmp"
	timeout 300 setpriv --reuid 65534 --clear-groups "$bin" trace --device "$tmp/locked" >out 2>err
	status=$?
	# The binary itself may be out of reach in a private directory.
	if [ $status != 126 ] && [ $status != 127 ]; then
		expect 'no permission' 5 'permission denied; run tcpfsm as root'
	fi
fi

# ---- not a recording ----------------------------------------------------------------

run trace -r /no/such/dir; expect 'no recording' 1 '/no/such/dir: no recording there'
run info -r /no/such/dir; expect 'info of no recording' 1 '/no/such/dir: no recording there'
mkdir empty
run trace -r empty; expect 'an empty directory is no recording' 1 '^tcpfsm: empty: '
run trace -r /etc/passwd; expect 'a file is no recording' 1 '^tcpfsm: /etc/passwd: '

# ---- output without a reader ---------------------------------------------------------

if [ -e /dev/full ]; then
	"$bin" -h >/dev/full 2>err
	status=$? ; : >out
	expect 'help to a full disk' 1 'standard output: No space left on device; free'
fi
"$bin" -h 2>err | true
status=${PIPESTATUS[0]}
expect 'help to a closed pipe' 0
"$bin" -V >&- 2>err
status=$?
expect 'no stdout at all' 1 'standard output: Bad file descriptor'

run record --keep 5 new; expect 'record: not what can be kept' 2 "--keep 5: neither a size .* nor a time"
run record --keep 1M new; expect 'record: too little to keep' 2 '--keep 1M: less than 8M'
run record --keep 30s new; expect 'record: too short to keep' 2 '--keep 30s: less than 60s'
run record --on-finding=bad new; expect 'record: no severity' 2 '--on-finding bad: neither critical nor warning'
run record --after x new; expect 'record: not so long' 2 '--after x: not a number of seconds'
run record new nonsense; expect 'record: no filter' 2 'filter: nonsense'
run record --max-size 5000000T new; expect 'record: no size' 2 '--max-size 5000000T: not a size'
run record --unpack new; expect 'record: nothing to unpack' 1 'new: No such file or directory; check the path'

# ---- recordings ------------------------------------------------------------------------

if [ ! -x "$make_recording" ]; then
	echo "ok - cli: recordings # skip: $make_recording is not built"
	exit $failed
fi
"$make_recording" rec 3 && "$make_recording" big 5000 || exit 1
lost='^tcpfsm: [0-9]+ records lost'

run trace -r rec; expect 'trace of a recording' 0 "$lost" 'SYN_RECV->ESTABLISHED 14us acceptq 1/129'
run trace -4 -r rec
if [ "$(awk 'length($0) > 80' out | wc -l)" = 0 ]; then
	ok 'text fits 80 columns for IPv4'
else
	not_ok 'text fits 80 columns for IPv4' "$(awk 'length($0) > 80' out | head -3)"
fi
run trace -4 -r rec -T
if [ "$(awk 'length($0) > 80' out | wc -l)" = 0 ]; then
	ok 'with the time of day too'
else
	not_ok 'with the time of day too' "$(awk 'length($0) > 80' out | head -3)"
fi

# explained NAME HEADINGS ARGS...: help has each heading
explained() {
	local word missing=
	run help "$3"
	sed -n '/^what is shown/,/^options/p' out >shown
	run "${@:3}"
	for word in $(grep -E "$2" out | tr ',' ' '); do
		case $word in *[A-Z][A-Z]* | IN/s | OUT/s) ;; *) continue ;; esac
		grep -qi -e "$word" shown || missing="$missing $word"
	done
	if [ -z "$missing" ] && grep -qE "$2" out; then ok "$1"; else not_ok "$1" "missing:$missing" "$(cat shown)"; fi
}
explained 'help tells the columns of trace' 'REMOTE' trace -r rec
explained 'and of its wide text' 'REMOTE' trace -r rec -w
explained 'help tells the columns of conns' 'REMOTE' conns -r rec
explained 'and of its wide text' 'REMOTE' conns -r rec -w
explained 'help tells the columns of timewait' '^(DESTINATION|OWNER|AGE)' timewait -r rec

for command in trace conns ladder; do
	run $command -r rec dport 4711; expect "$command: a filter that nothing passes is told" 0 "^tcpfsm: $command: nothing passed the filter\$"
done
run ladder -r rec --conn 4711; expect 'ladder: a cookie that nobody has is told' 0 '^tcpfsm: ladder: no connection with this cookie in the recording$'

# An older ABI: the metadata says where what is, and all is there.
older='^tcpfsm: old: recorded by an older version of tcpfsm \(ABI 0\); what it did not tell is not known$'
cp -r rec old && sed -i 's/tcpfsm_abi = 1;/tcpfsm_abi = 0;/' old/metadata
for command in trace conns ladder timewait; do
	run "$command" --json -r rec
	cp out today
	run "$command" --json -r old
	expect "$command of an older ABI" 0 "($older|$lost)" '^\{'
	if cmp out today >cmp.out 2>&1 && grep -qE "$older" err; then
		ok "$command of an older ABI, all of it"
	else
		not_ok "$command of an older ABI, all of it" "$(cat cmp.out err)"
	fi
done
sed -i 's/tcpfsm_abi = 0;/tcpfsm_abi = 2;/' old/metadata
run trace -r old
expect 'a younger ABI' 4 '^tcpfsm: old: recorded by a younger version of tcpfsm, with another ABI; use the tcpfsm it was recorded with$'

# Two hosts, whose clocks are 1.5 s apart: one picture, and what became of each SYN.
if "$make_recording" client 20 client && "$make_recording" server 20 server; then
	joined='^tcpfsm: server: its clock is 1\.500[0-9]+ s ahead of that of client, to 0\.000[0-9]+ s, as 14 handshakes say; times here are those of client$'
	run ladder -r client -r server --json; expect 'two hosts: the clocks' 0 "$joined"
	cp out joined.json
	if grep -q '^tcpfsm: client and server: 18 connections of which both ends are there, 2 of them by sequence numbers alone (NAT)$' err &&
		grep -q '^tcpfsm: server: no SYN of 2 connections that client opened to a port served there$' err &&
		grep -q '^tcpfsm: server: refused each SYN of 2 connections that client opened$' err; then
		ok 'two hosts: what is joined'
	else
		not_ok 'two hosts: what is joined' "$(cat err)"
	fi
	# Lost in between, dropped by the server, never seen there, and NAT: by the port of the client.
	fates() { jq -c --argjson port "$1" 'select(.ends[0].port == $port) | [[.ends[] | .host], [.steps[] | select(.flags == ["SYN"]).fate], .exact]' joined.json; }
	for case in '41000 [[1,2],["arrived"],true]' '41003 [[1,2],["lost","arrived"],true]' '41005 [[1,null],["arrived","arrived"],true]' \
		'41007 [[1,null],["not_seen","not_seen"],false]' '41009 [[1,2],["arrived"],true]'; do
		if [ "$(fates "${case%% *}")" = "${case#* }" ]; then ok "two hosts: port ${case%% *}"; else not_ok "two hosts: port ${case%% *}" "$(fates "${case%% *}")"; fi
	done
	run ladder -r server -r client 'port = 41003'; expect 'two hosts: in the time of the other' 0 'client: its clock is 1.5[0-9]+ s behind that of server' 'SYN seq=0 .* lost '
	run trace -r client -r server; expect 'two hosts: trace' 0 "$joined" '^2 +0\.000175 +80 10\.0\.0\.1:41000 +LISTEN->SYN_RECV'
	run trace -r client -r server --json; expect 'two hosts: JSON' 0 "$joined" '"conn":1001,"netns":4026531840,.*"cpu":0,"host":2,'
	run conns -r client -r server; expect 'two hosts: conns' 0 "$joined" '^1 curl +41000 '
	run trace -r client -r server netns 4026531840 -c 1; expect 'two hosts: a filter' 0 "$joined" '^1 '
	run trace -r client -r rec -c 1; expect 'two hosts: SYNs that may have come' 0 '^tcpfsm: rec: no SYN of 1[0-9] connections that client opened to a port served there; [1-9][0-9]* that may have come there were lost or left out by the recorder$'
	# Each has its totals, and is judged by itself; then how they fit together.
	"$make_recording" busy 3 totals && "$make_recording" quiet 0 totals
	run explain -r busy -r quiet; expect 'two hosts: explain' 0 '^tcpfsm: busy and quiet: 0 connections of which both ends are there, 0 of them' '^busy:$'
	if [ "$(sed -n '/^[a-z]*:$/p; s/^\(warning acceptq\)_.*/\1/p' out | tr '\n' ' ')" = 'busy: warning acceptq quiet: warning acceptq ' ]; then ok 'two hosts: each is judged'; else not_ok 'two hosts: each is judged' "$(cat out)"; fi
	run explain -r busy -r quiet --json
	if jq -se '[.[].host? // empty] == [1, 2] and ([.[] | select(.verdict | tostring | startswith("acceptq"))] | length) == 2' out >/dev/null; then ok 'two hosts: explain --json'; else not_ok 'two hosts: explain --json' "$(head -c 600 out)"; fi
	run trace -r client -r nowhere; expect 'two hosts: one that is none' 1 '^tcpfsm: nowhere: no recording there'
	usage 'two recordings at a time' 'listen: reads one recording at a time' listen -r client -r server
	usage 'three recordings' '-r rec: two recordings at most' trace -r client -r server -r rec
	run trace -r rec -r bare_none; expect 'two hosts: neither' 1 '^tcpfsm: bare_none: no recording there'
fi

# What is missing from a recording, in one line of every command; and none where nothing is.
for command in trace conns ladder diagram listen timewait explain check info; do
	"$bin" $command -r rec >/dev/null 2>err.whole; whole=$?
	"$bin" $command -r rec --strict >/dev/null 2>err; status=$?
	[ $status = $whole ] || not_ok "$command --strict of a whole recording" "status $status, not $whole"
	for damage in 'rm marks:it was not ended .its recorder was killed, or the machine went down.: what came after [-0-9: ]+ is not in it' \
		'rm cpu_0:file cpu_0 missing' 'truncate -s 0 cpu_1:file cpu_1 cut: shorter than recorded'; do
		rm -rf broken && cp -r rec broken
		(cd broken && ${damage%%:*})
		"$bin" $command -r broken >out 2>err; status=$?
		"$bin" $command -r broken --strict >/dev/null 2>/dev/null; strict=$?
		if [ "$(grep -cE "^tcpfsm: broken: ${damage#*:}" err)" = 1 ] && ! grep -q '\<0 lost' out &&
			[ $status = $whole ] && [ $strict = $((whole ? whole : 6)) ]; then
			ok "$command: ${damage%%:*}"
		else
			not_ok "$command: ${damage%%:*}" "status $status, with --strict $strict" "$(cat err)"
		fi
	done
done
rm -rf broken
if [ "$(stat -c %a rec rec/metadata rec/cpu_0 rec/marks | tr '\n' ' ')" = '700 600 600 600 ' ]; then
	ok 'a recording is only for its owner'
else
	not_ok 'a recording is only for its owner' "$(ls -la rec)"
fi

# check
if "$make_recording" even 0 totals && "$make_recording" odd 3 totals; then
	run check -r even; expect 'check' 0 '' '^TcpExtListenDrops +999 +999 +0 *$'
	expect 'check tells why counters differ' 0 '' '^TcpExtTCPTimeouts +1 +0 +1 explained$'
	if [ "$(awk 'length($0) > 80' out | wc -l)" = 0 ]; then ok 'check fits 80 columns'; else not_ok 'check fits 80 columns'; fi
	explained 'help tells the columns of check' '^COUNTER' check -r even
	run check -r even -w; expect 'check tells the parts' 0 '' '^   = 990 syn_dropped.acceptq_full \+ 9 syn_dropped.no_route$'
	run check -r odd; expect 'check finds a difference' 1 '^tcpfsm: 1 counter differs and nothing explains it' \
		'^SYNs seen, SYNs judged +1003 +1000 +3 unexplained$'
	run check -r odd --json; status=$((status == 1 ? 0 : 9)); : >err
	if jq -es 'length == 17 and all(.netns == 4026531840 and .since_ts == 1000000000 and .ts > .since_ts)
		and (map(select(.status == "equal")) | length == 15 and all(.difference == 0 and (has("reason") | not)))
		and (map(select(.status == "unexplained")) | length == 1 and .[0].counter == "syn"
		     and .[0].seen == 1003 and .[0].tcpfsm == 1000)
		and any(.counter == "TcpExtListenDrops" and .nstat == 1004 and .kernel == 999
			and .parts == { "syn_dropped.acceptq_full": 990, "syn_dropped.no_route": 9 })' out >/dev/null; then
		ok 'check --json'
	else
		not_ok 'check --json' "$(head -3 out)"
	fi
	run check -r odd -N 1; expect 'check -N finds nothing' 1 '^tcpfsm: -N: no totals of this network namespace'
	run check -r even -L 80; expect 'check takes no filter but -N' 0 '-L \(as every filter but -N\) has no effect'
	run trace -r even; expect 'totals are no events' 0 '' '^   TIME'
fi
# listen
for bad in '' x 0 0.09 -1 1s; do
	usage "bad interval '$bad'" '-w ' listen -w "$bad"
done
usage 'an interval is for listen' '--interval: unknown option; use one of' trace --interval 1
usage 'listen is always as wide as it needs' '--wide: unknown option' listen --wide
run -w 2 --device "$device" listen; expect 'an interval before the command' 3 'module not loaded'
run listen -h; expect 'help of listen' 0 '' '^  -w, --interval SECONDS '
if "$make_recording" listeners 5 listeners; then
	lost_listeners='^tcpfsm: more listeners than the module.s table holds.*larger listeners=$'
	run listen -r listeners; expect 'listen' 0 "$lost_listeners" '^0.0.0.0:80 +nginx/799 +1/0/129 +129/129/129$'
	explained 'help tells the columns of listen' '^(LISTENER|  LIMITS)' listen -r listeners
	run listen -r listeners
	expect 'the fate of SYNs, and why' 0 "$lost_listeners" '^  ACCQ COOKIE CLAMP +5000 +1000 +3525 +495 +- +-$'
	expect 'since when it refuses' 0 "$lost_listeners" '^    since 1970-01-0[^ ]* ..:..:03, last 7s ago; full: SYNQ 250ms, ACCQ 10m$'
	expect 'a group of SO_REUSEPORT' 0 "$lost_listeners" '^0.0.0.0:443 +2 by SO_REUSEPORT +0/0/1024 +4/23/1024$'
	expect 'its members' 0 "$lost_listeners" '^  sk:17 +a-name-15-long!/723 +0/0/512 +2/23/512$'
	expect 'a hostile name of a process' 0 "$lost_listeners" '^  sk:15 +\?\[2J"\\\?x/721 '
	expect 'a listener without a SYN' 0 "$lost_listeners" '^\[2001:db8::1\]:22 +- +0/0/0 +0/0/129$'
	expect 'a closed listener' 0 "$lost_listeners" '^  closed 12s ago +3 +0 +0 +0 +- +-$'
	expect 'what is of no listener that is shown' 0 "$lost_listeners" '^\(closed, or not in the module.s table\)$'
	expect 'a listener that is not counted' 0 "$lost_listeners" '^  not counted ACCQ +- +- +- +- +- +-$'
	expect 'another network namespace' 0 "$lost_listeners" '^netns 4026532999: '
	if [ "$(awk 'length($0) > 80' out | wc -l)" = 0 ]; then ok 'listen fits 80 columns'; else not_ok 'listen fits 80 columns'; fi
	if [ "$(grep -Eo '^[^ ]+:(80|443|8080|22|65535) ' out | tr -d '\n')" = \
		'0.0.0.0:80 0.0.0.0:443 127.0.0.1:8080 [2001:db8::1]:22 255.255.255.255:65535 ' ]; then
		ok 'the worst listener is the first'
	else
		not_ok 'the worst listener is the first' "$(grep -E '^[^ ]+:[0-9]+ ' out)"
	fi
	run listen -r listeners sport 80 and dst 10.0.0.1
	expect 'filter: listeners have no peers' 0 'listen: what the filter says of peers, states and causes has no effect here' '^0.0.0.0:80 '
	run listen -r listeners not sport 80; expect 'filter: no listener is left' 0 "$lost_listeners"
	if grep -q '^0.0.0.0:80 ' out; then not_ok 'filter: none of port 80'; else ok 'filter: none of port 80'; fi
	run check -r listeners; cp out brief
	if grep -q '^1 other network namespace, [0-9]* counters: no difference (-w shows them)$' brief && ! grep -q 4026532999 brief; then
		ok 'check: equal network namespaces are a line'
	else
		not_ok 'check: equal network namespaces are a line' "$(cat brief)"
	fi
	run check -r listeners -w
	if grep -q '^network namespace 4026532999, ' out && ! grep -q 'shows them' out; then
		ok 'check -w: all of them'
	else
		not_ok 'check -w: all of them' "$(cat out)"
	fi
	run check -r listeners -w -n 1
	if grep -q '^network namespace 4026531840, ' out && ! grep -q 4026532999 out && grep -qE '^1 other network namespace, [0-9]+ counters: no difference$' out; then
		ok 'check -n: differences first'
	else
		not_ok 'check -n: differences first' "$(cat out)"
	fi
	run check -r listeners -n 1 --json
	if jq -es 'length > 9 and all(.netns == 4026531840)' out >/dev/null; then ok 'check -n --json'; else not_ok 'check -n --json' "$(cut -c1-80 out)"; fi
	run explain -r listeners -n 1; expect 'explain -n: the worst' 0 '' '^critical '
	expect 'explain -n: the rest in a line' 0 '' '^\.\.\. and [1-9][0-9]* more findings: [0-9]+ warning'
	if [ "$(grep -Ec '^(critical|warning|info|ok) ' out)" = 1 ]; then ok 'explain -n: no other'; else not_ok 'explain -n: no other' "$(cat out)"; fi
	run explain -r listeners -n 1 --json
	if [ "$(jq -s length out)" = 1 ]; then ok 'explain -n --json'; else not_ok 'explain -n --json' "$(cut -c1-80 out)"; fi
	run listen -r listeners --busy; expect 'listen --busy: how many are hidden' 0 "$lost_listeners" '^[^ ]+ +6 listeners, 1 refusing, 1 idle hidden; '
	if grep -q '^\[2001:db8::1\]:22 ' out || ! grep -q '^  sk:15 ' out || ! grep -q '^  not counted' out; then
		not_ok 'listen --busy: but who is called, or is not counted' "$(cat out)"
	else
		ok 'listen --busy: but who is called, or is not counted'
	fi
	run listen -r listeners --busy --json
	if [ "$(jq -s 'map(select(.lport == 22)) | length' out)" = 0 ]; then ok 'listen --busy --json'; else not_ok 'listen --busy --json' "$(cut -c1-80 out)"; fi
	run check -r listeners -N 4026532999; expect 'check -N: its counters' 0 '' '^TcpExtListenDrops +0 +0 +0 *$'
	run listen -r listeners -n 1; expect 'listen -n' 0 "$lost_listeners" '^0.0.0.0:80 +nginx/799 '
	expect 'and how many more' 0 "$lost_listeners" '^\.\.\. and [1-9][0-9]* more listeners$'
	if [ "$(grep -Ec '^(\[|[0-9]+\.[0-9.]+:)' out)" = 1 ]; then ok 'and none of them'; else not_ok 'and none of them' "$(cat out)"; fi
	run listen -r listeners -n 1 --json
	if [ "$(jq -s 'map(select(.event == "listener")) | length' out)" = 1 ]; then ok 'listen -n --json'; else not_ok 'listen -n --json' "$(cut -c1-80 out)"; fi
	run listen -r listeners --json
	if jq -es 'map(select(.event == "listener")) as $l | map(select(.event == "netns")) as $n
		| ($l | length == 6 and all(.ts == 71000000000 and .refused >= 0 and (.synq_length | length == 32)
			and (.syn_dropped | length == 13) and .asked != 0 and has("pid") and (has("somaxconn") | not)))
		and ($l[0] | .limits == ["acceptq_full", "syn_cookies", "clamped"] and .conn == 99 and .asked == 4096
			and .backlog == 128 and .syn_dropped.acceptq_full == 3500 and .pid == 799 and .comm == "nginx"
			and .acceptq_peak_ts == 3000000000 and .handshake_p50_us == null)
		and any(.event == "listener_group" and .members == 2 and .syn == 500 and .lport == 443)
		and ($l | any(.comm == "\u001b[2J\"\\\nx") and any(.pid == null and .family == 6)
			and (map(select(.place == 0)) | length == 1 and .[0].lport == 65535)
			and any(.gone_ts == 58500000000) and any(.handshake_p50_us == 95 and .accept_p99_us > 1024))
		and ($n | length == 2 and .[0].listeners_lost == 17 and .[0].somaxconn == 128
			and .[0].kernel.TcpExtListenDrops == 3530 and .[0].kernel_base.TcpExtListenDrops == 5
			and (.[0] | has("synq") | not))' out >/dev/null; then
		ok 'listen --json'
	else
		not_ok 'listen --json' "$(head -1 out)"
	fi
	run listen -r listeners --histogram -L 80; expect 'histograms' 0 "$lost_listeners" '^       128 -> 255        : 3750     \|\*{40}\|$'
	expect 'a histogram of nothing' 0 "$lost_listeners" '^  none$'
	run listen -r listeners -p 723; [ "$(grep -c '^0.0.0.0:443 .*/723 ' out)" = 1 ] && ! grep -q ':80 ' out; status=$?
	expect 'listen -p' 0 "$lost_listeners"
	run listen -r listeners -6; [ "$(grep -c '^\[' out)" = 1 ] && ! grep -q ':80 ' out; status=$?
	expect 'listen -6' 0 "$lost_listeners"
	run listen -r listeners -N 4026532999; expect 'listen -N' 0 '' '^255.255.255.255:65535 +veth/751 '
	run listen -r listeners -N 1; expect 'listen -N finds nothing' 0 '' ' 0 listeners'
	run listen -r listeners -N 4026532999 -w 1; expect 'no interval in a recording' 0 '-w has no effect here'
	run listen -r listeners -N 4026532999 -d 5; expect 'no end without an interval' 0 '-d has no effect without -w'
	run listen -r listeners -N 4026532999 -D 80; expect 'no peers of a listener' 0 '-D \(or -s, -C\) has no effect here'
fi
run listen -r rec; expect 'listen without totals' 1 '^tcpfsm: rec: no totals in this recording'

run check -r rec; expect 'check without totals' 1 '^tcpfsm: no totals'

# explain
run explain -r even; expect 'explain' 0 '' '^warning acceptq_' '^  Do: '
if ! grep -q 'the comparison' out; then ok 'explain: two lines'; else not_ok 'explain: two lines'; fi
run explain -r even --exit-code
if [ $status = 10 ] && [ ! -s err ]; then ok 'explain: a warning as exit status'; else not_ok 'explain: a warning as exit status'; fi
run explain -r even -v; expect 'explain shows the comparison' 0 '' 'the comparison: accept queue' '^  What to do:' \
	'^  What it costs: '
if [ "$(awk 'length($0) > 80' out | wc -l)" = 0 ]; then ok 'explain fits 80 columns'; else not_ok 'explain fits 80 columns'; fi
if ! LC_ALL=C grep -q '[^ -~]' out; then ok 'explain is plain text in a file'; else not_ok 'explain is plain text in a file'; fi
run explain -r even --json
expect 'explain --json' 0
if jq -es 'length > 1 and all(.event == "finding" and .ts > 0 and .netns == 4026531840 and .family == 4
		and .lport == 80 and (.verdict | length > 0) and (.evidence | type == "array" and length > 0)
		and has("conn") and has("laddr") and has("remedy") and has("cost"))
		and (.[0].severity == "warning") and any(.verdict == "refused_otherwise")' out >/dev/null; then
	ok 'a finding has all its keys'
else
	not_ok 'a finding has all its keys' "$(head -3 out)"
fi
run explain -r even -L 81; expect 'explain of nobody' 0 '' '^ok no_listener'
"$make_recording" bare 2 open
run explain -r bare; expect 'explain without totals' 1 '^tcpfsm: bare: this recording has no listener totals'
for words in backlog backlog=x ports=9-5 tw_reuse=7 somaxconn=5; do
	run explain -r even --what-if backlog=5 --what-if $words
	expect "explain --what-if $words" 2 "^tcpfsm: --what-if $words: "
done
run explain -r even --what-if backlog=64
expect 'explain --what-if: nothing to replay' 0 '^tcpfsm: explain: no connection was seen that could be replayed'
"$make_recording" ports 100 ports
run explain -r ports --what-if ports=1024-65535 --what-if tw_reuse=1
expect 'explain --what-if' 0 '' '^    - none of 114 connect\(\) would have failed for want of a port; 14 did$'
run explain -r ports --json --what-if ports=1024-65535 --what-if tw_reuse=1
if jq -es 'map([.event, .setting, .value, .attempts, .failed_before, .failed, .rport])
	== [["what_if", "ports", "1024-65535", 114, 14, 0, 80], ["what_if", "tw_reuse", 1, 114, 14, 0, 80]]' out >/dev/null; then
	ok 'explain --what-if --json'
else
	not_ok 'explain --what-if --json' "$(cat out)"
fi
run explain -r even -T -c 1; expect 'explain: options without effect' 0 '-c has no effect' '^warning'

# A recording of a module with features off.
cp -r even blind
sed -i 's/^\ttcpfsm_record_size.*/&\n\ttcpfsm_error_syn = 16;\n\ttcpfsm_error_tw_enter = 16;/' blind/metadata
off='^tcpfsm: features off: .*(syn|tw_enter); what they see is missing here: kernel.ftrace_enabled was 0'
for command in trace conns ladder diagram listen timewait; do
	run $command -r blind
	expect "$command: features that were off" 0 "$off"
done
run explain -r blind; expect 'explain: features that were off' 0 '' '^warning not_judged'
run info -r blind; expect 'info: features that were off' 0 '' '^feature off +syn: kernel.ftrace_enabled was 0'
run info -r blind --json; expect 'info --json: features that were off' 0 '' '"features_off":\["syn","tw_enter"\]}$'
run info -r even --json; expect 'info --json: no feature was off' 0 '' '"features_off":\[\]}$'
run conns -r rec --json; mv out conns
run ladder -r rec --json
# The recording gives cookies twice.
if jq -n -e --slurpfile conns conns --slurpfile ladders out '
	def same: [.conn, .laddr, .lport, .raddr, .rport];
	[$ladders[] | select(.event == "ladder") | . as $l | $conns[] | select(same == ($l | same)) | { said: .closed_first,
		local: (if $l.ends[0].seen then [0] else [1] end), remote: (if $l.ends[0].seen then [1] else [0] end),
		both: [0, 1], none: [], drawn: $l.closed_first }]
	| length >= 5 and all(.[.said] == .drawn)' >jq.out 2>&1; then
	ok 'ladder and conns say alike who closed first'
else
	not_ok 'ladder and conns say alike who closed first' "$(head -3 jq.out)"
fi

# conns
run conns -4 -r rec
expect 'conns' 0 "$lost" '^curl +40001 192.168.100.200:80 .* we fin$'
if [ "$(awk 'length($0) > 80' out | wc -l)" = 0 ]; then
	ok 'conns fits 80 columns for IPv4'
else
	not_ok 'conns fits 80 columns for IPv4' "$(awk 'length($0) > 80' out | head -3)"
fi
run conns --json -r rec
if jq -es 'map(select(.event == "conn")) | length >= 6 and all(.closed_first and .end and .ms and
	(.handshake_ms // 1) > 0) and any(.unfinished) and any(.role == "passive")' out >/dev/null; then
	ok 'conns --json'
else
	not_ok 'conns --json' "$(head -3 out)"
fi
run conns -r rec -s SYN_SENT -C rcv_synack -L 40001; expect 'conns by state and cause' 0 "$lost" '^curl'
# A million open connections in 256 MiB, and what is more is forgotten and said.
"$make_recording" open 1048581 open || exit 1
(
	ulimit -d 262144
	run conns -r open
	expect 'a million open connections fit in 256 MiB' 0 '^tcpfsm: 5 connections forgotten'
	exit $failed
) || failed=1
rm -rf open
if LC_ALL=C grep -q $'[\001-\010\013-\037\177-\377]' out; then
	not_ok 'no control characters reach the terminal' "$(LC_ALL=C grep -m1 $'[\001-\010\013-\037]' out | od -c | head -3)"
else
	ok 'no control characters reach the terminal'
fi
run trace -r rec; grep -q 'SYN dropped: accept queue 129 > 128$' out &&
	grep -q '^ *(listen(4096) clamped by somaxconn=128)$' out; status=$?; : >err
expect 'a drop tells the comparison' 0
run trace -w -r rec
expect 'and all of it in wide text' 0 "$lost" 'SYN dropped: accept queue 129 > 128 \(listen\(4096\) clamped by somaxconn=128\)$'
expect 'the last quarter' 0 "$lost" 'SYN dropped: tcp_max_syn_backlog 128 - 97 queued = 31 < 32, its last quarter$'
expect 'the comparison is true of the numbers' 0 "$lost" 'SYN dropped: SYN queue 128 >= 128 \('
expect 'a client that believes' 0 "$lost" 'ACK ignored: accept queue 129 > 128 .*; the client believes it is connected$'
expect 'an answer with a cookie' 0 "$lost" 'SYN cookie sent: SYN queue 129 > 128 \('
run trace -r rec -L 80; expect 'records left out' 0 "$lost" ' 80 - +\.\.\. 45678 SYNs and ACKs left out in 20us$'
run trace -r rec -L 81
if grep -q 'left out' out; then not_ok 'records left out are filtered'; else ok 'records left out are filtered'; fi
run conns -r rec
if grep -q 'left out' out; then not_ok 'conns misses nothing by them'; else ok 'conns misses nothing by them'; fi
run trace -r rec -w; expect 'wide text' 0 "$lost" 'curl +10.0.0.1:4000[0-9] +192.168.100.200:80 '
run trace --raw -r rec; expect 'raw text' 0 "$lost" 'FIN_WAIT2->CLOSE'
run trace --raw --json -r rec; expect 'raw JSON' 0 "$lost" '"state":"NEW_SYN_RECV"'
run trace --json -r rec
if grep -q NEW_SYN_RECV out; then
	not_ok 'NEW_SYN_RECV is for --raw only'
else
	ok 'NEW_SYN_RECV is for --raw only'
fi
if command -v python3 >/dev/null; then
	python3 -c '
import json, sys
always = ["ts", "event", "conn", "netns", "family", "laddr", "lport", "raddr", "rport", "cpu"]
n = 0
for line in sys.stdin.buffer:
    event = json.loads(line.decode("utf-8"))
    if event.get("kind") != "overrun":
        assert list(event)[:10] == always, event
    n += 1
assert n > 50
' <out 2>err
	status=$?
	: >out
	expect 'JSON: every line parses' 0
fi
run trace -r rec -c 7 --json
if [ "$(wc -l <out)" = 7 ]; then ok '-c stops after N events'; else not_ok '-c stops after N events' "$(wc -l <out)"; fi
run trace -r rec -L 80 --json
if grep -v '"event":"lost"' out | grep -qv '"lport":80,'; then not_ok '-L'; else ok '-L'; fi
run trace -r rec -D 80,81 --json
if grep -v '"event":"lost"' out | grep -qv '"rport":80,'; then not_ok '-D'; else ok '-D'; fi
run trace -r rec -6 --json
if grep -v '"event":"lost"' out | grep -qv '"family":6,'; then not_ok '-6'; else ok '-6'; fi
run trace -r rec -p 700 --json
if grep -v '"event":"lost"' out | grep -qv '"pid":700,'; then not_ok '-p'; else ok '-p'; fi
run trace -r rec -N 1 --json
if grep -qv '"event":"lost"' out; then not_ok '-N'; else ok '-N'; fi
run trace -r rec -d 0.0001 --json
n=$(wc -l <out)
run trace -r rec --json
if [ "$n" -gt 5 ] && [ "$n" -lt "$(wc -l <out)" ]; then
	ok '-d of a recording is its own time'
else
	not_ok '-d of a recording is its own time' "$n events"
fi
run trace -r rec -W -c 1; expect '-W of a recording' 0 'trace: -W has no effect here'
run info -r rec; expect 'info of a recording' 0 '' '^records +958 on 2 CPUs, 251 lost'
run info -r rec
if [ "$(awk '/^  [a-z_]+ +[0-9]+$/ { n += $2 } END { print n }' out)" = 958 ]; then
	ok 'the types of records add up'
else
	not_ok 'the types of records add up' "$(cat out)"
fi
run info -r rec --json; expect 'info of a recording as JSON' 0 '' '^\{"version":.*"records":958,"lost":251,'
run info -r rec -L 80; expect 'a filter on info' 0 'info: -L \(as every filter\) has no effect here'

# ---- diagram -----------------------------------------------------------------------------

run diagram -r rec; expect 'diagram as text' 0 "$lost" '\[SYN_RECV .*\[SYN_SENT '
for locale in C C.UTF-8; do
	LC_ALL=$locale run diagram -r rec
	wide=$(LC_ALL=C.UTF-8 wc -L <out)
	if [ "$wide" = 80 ]; then
		ok "diagram fits 80 columns ($locale)"
	else
		not_ok "diagram fits 80 columns ($locale)" "$wide"
	fi
done
LC_ALL=C run diagram -r rec
if LC_ALL=C grep -q '[^ -~]' out; then not_ok 'diagram in ASCII'; else ok 'diagram in ASCII'; fi
missing=
for state in CLOSED LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT; do
	grep -q "\[ *$state [0-9 ]*\]\|\[ *$state *\]" out || missing="$missing $state"
done
if [ -z "$missing" ]; then ok 'diagram has all states'; else not_ok 'diagram has all states' "$missing"; fi

# transitions [FILTER...]: as trace tells them, and as the diagram counts them
transitions() { "$bin" trace --json -r rec "$@" 2>/dev/null | grep -c '"event":"transition"'; }
if command -v jq >/dev/null; then
	for filter in '' '-L 80' '-6' '-s SYN_SENT' '-C rcv_rst,timeout' '-p 700' '-N 1'; do
		# shellcheck disable=SC2086 # words
		{
			n=$(transitions $filter)
			run diagram --json -r rec $filter
		}
		if [ "$status" = 0 ] && [ "$(wc -l <out)" = 1 ] && jq -e --argjson n "${n:-0}" '
			.event == "diagram" and .transitions == $n and ([.arrows[].count] | add // 0) == $n and
			(.states | length == 10 and all(. >= 0)) and
			(.arrows | all(has("old") and has("new") and has("cause")))' out >/dev/null; then
			ok "diagram --json counts what trace shows${filter:+: $filter}"
		else
			not_ok "diagram --json counts what trace shows${filter:+: $filter}" "$n" "$(head -c 300 out)"
		fi
	done
	run diagram --json -r rec -c 7
	if jq -e '.transitions == 7' out >/dev/null; then ok 'diagram -c'; else not_ok 'diagram -c' "$(cat out)"; fi
	# Who is where does not depend on which of their transitions are counted.
	run diagram --json -r rec -L 80; jq .states out >states
	run diagram --json -r rec -L 80 -s SYN_SENT; jq .states out | cmp -s - states; status=$?; : >err
	expect 'diagram: sockets of a filter for states' 0
fi
run diagram -r rec -N 1
expect 'diagram of nothing' 0 "$lost" 'transitions 0  sockets 0  filtered'

run diagram -r rec --svg picture.svg; expect 'diagram --svg' 0 "$lost" 'TIME_WAIT'
if [ "$(grep -c '<rect' picture.svg)" = 12 ] && grep -q '>ESTABLISHED<' picture.svg; then
	ok 'the picture has all states'
else
	not_ok 'the picture has all states' "$(grep -c '<rect' picture.svg)"
fi
if command -v python3 >/dev/null; then
	python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' picture.svg 2>err
	status=$? ; : >out
	expect 'the picture is well-formed' 0
fi
run diagram -r rec --svg /no/such/dir/x.svg
expect 'diagram: a picture that cannot be written' 1 '/no/such/dir/x.svg: No such file or directory; check the path'
if [ -e /dev/full ]; then
	run diagram -r rec --svg /dev/full; sed -Ei "/$lost/d" err
	expect 'diagram: a picture to a full disk' 1 '/dev/full: No space left on device; free'
	"$bin" diagram -r rec >/dev/full 2>err
	status=$? ; : >out; sed -Ei "/$lost/d" err
	expect 'diagram to a full disk' 1 'standard output: No space left on device'
fi

# On a terminal.
on_screen() { screen | grep -q "$1"; }
if command -v tmux >/dev/null && mux new -d -x 80 -y 24 "exec env -u NO_COLOR PS1='$ ' LC_ALL=C.UTF-8 sh"; then
	start="$bin diagram -r $tmp/rec"
	mux send-keys "clear; $start; echo status \$?" Enter
	shows 'diagram on a terminal of 80x24' '^q quit  space pause'
	shows 'it is all there' '^tcpfsm diagram  transitions' 'SYN_RECV .*◄──.*SYN_SENT' 'TIME_WAIT .*2MSL.*CLOSE'
	mux capture-pane -pe >seen
	if grep -q $'\033\\[[0-9;]*3[1-6]m' seen; then ok 'in colour'; else not_ok 'in colour'; fi
	mux resize-window -x 79 -y 24
	shows 'too narrow: one line tells it' '^80x24 needed, this terminal has 79x24$'
	comes 'and nothing else' '[ "$(screen | grep -c .)" = 1 ]'
	mux resize-window -x 80 -y 23
	shows 'too low' '^80x24 needed, this terminal has 80x23$'
	mux resize-window -x 120 -y 40
	shows 'larger: more words' 'rcv SYN / snd SYN,ACK .*SEND / snd SYN'
	mux resize-window -x 80 -y 24
	mux send-keys r
	shows 'r resets the counts' 'transitions 0  sockets'
	mux send-keys Space
	shows 'space pauses' 'go on .* paused'
	mux send-keys q
	shows 'q quits' '^status 0'
	mux send-keys "clear; NO_COLOR=1 $start; echo status \$?" Enter
	soon on_screen '^q quit'
	mux capture-pane -pe >seen
	if grep -q $'\033\\[[0-9;]*3[1-6]m' seen; then not_ok 'diagram: NO_COLOR'; else ok 'diagram: NO_COLOR'; fi
	mux send-keys C-c
	shows 'Ctrl-C ends it' '^status 0'
	mux send-keys "clear; sh -c 'echo \$\$ >pid; exec $start'; echo status \$?; stty -a" Enter
	soon on_screen '^q quit'
	kill -TERM "$(cat pid)"
	shows 'SIGTERM restores the terminal' '[^-]echo '
	for term in dumb ''; do
		mux send-keys "clear; TERM=$term $start; echo status \$?" Enter
		shows "TERM='$term'" 'diagram: this terminal cannot show it .TERM is '
		soon on_screen '^status 1'
	done
	mux send-keys "clear; $start </dev/null; echo status \$?" Enter
	soon on_screen '^q quit'; mux send-keys q
	shows 'keys when stdin is another file' '^status 0'
	mux kill-server
fi

"$bin" trace -r big 2>err | head -n 1 >out
status=${PIPESTATUS[0]}
expect 'trace to a closed pipe' 0 '' '^ *TIME'
"$bin" trace -r big --json 2>err | head -n 3 >out
status=${PIPESTATUS[0]}
if [ "$(tail -c 2 out)" = '}' ]; then expect 'JSON to a closed pipe' 0; else not_ok 'JSON to a closed pipe'; fi
if [ -e /dev/full ]; then
	"$bin" trace -r big --json >/dev/full 2>err
	status=$?
	sed -i "/$lost/d" err
	: >out
	expect 'trace to a full disk' 1 'standard output: No space left on device'
	"$bin" info -r rec >/dev/full 2>err
	status=$?
	expect 'info to a full disk' 1 'standard output: No space left on device'
fi
# A reader that is slow and a pipe that does not block: nothing is lost.
run trace -r big --json
"$bin" trace -r big --json 2>err | { sleep 0.3; cat >slow; }
if cmp out slow >differs 2>&1; then
	ok 'a slow reader'
else
	not_ok 'a slow reader' "$(head -1 differs)" "status $status, $(wc -l <out) and $(wc -l <slow) lines" "$(head -3 err)"
fi
# Options and words are one thing, and the words of a shell.
same_lines() { # NAME COMMAND OPTIONS -- WORDS...
	local name=$1 command=$2 options=() words=()
	shift 2
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	run "$command" -r rec "${options[@]}"; mv out by_option
	run "$command" -r rec "$@"
	if [ -s out ] && cmp -s out by_option; then ok "$name"; else not_ok "$name" "$(diff by_option out | head -5)"; fi
}
same_lines 'filter: -L is sport' trace -L 80 -- sport = :80
same_lines 'filter: -D is dport' trace -D 80 -- '(dport=80)'
same_lines 'filter: -4 -6 is ipv4 ipv6' trace -4 -6 -4 -- ipv4 ipv6 ipv4
same_lines 'filter: -p and -s' trace -p 700 -s time-wait -- pid 700 and state time-wait
same_lines 'filter: -s of conns' conns -s time-wait -L 80 -- 'sport 80 and state time-wait'
same_lines 'filter: not' trace -D 80 -- 'not ( not dport 80 )'
same_lines 'filter: of the ledger' timewait -D 80 -- dport 80
same_lines 'filter: names of services' trace -L 80 -- sport = http
run trace -r rec not port 80 and not port 443 and host 10.0.0.0/8; expect 'filter: nothing is left' 0 "$lost"

# A filter takes lines away and changes none.
run trace -r rec --json
cp out all
for filter in '-L 80' '-D 80' -4 -6 '-p 700' '-s TIME_WAIT,close' '-C 2msl,rcv-rst' '-N 4026531840'; do
	# shellcheck disable=SC2086 # two words
	run trace -r rec --json $filter
	if [ -s out ] && [ "$(wc -l <out)" -lt "$(wc -l <all)" ] || [ "${filter%% *}" = -N ] &&
	   ! grep -qvxFf all out; then
		ok "filter $filter"
	else
		not_ok "filter $filter" "$(grep -vxFf all out | head -2)"
	fi
done
if command -v python3 >/dev/null; then
	sum=$(md5sum <slow)
	nonblock=$(python3 -c '
import os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
p = subprocess.Popen(sys.argv[1:], stdout=w, stderr=subprocess.DEVNULL)
os.close(w)
time.sleep(0.2)
while chunk := os.read(r, 1 << 16):
    sys.stdout.buffer.write(chunk)
sys.exit(p.wait())
' "$bin" trace -r big --json | md5sum)
	if [ "$sum" = "$nonblock" ]; then ok 'a pipe that does not block'; else not_ok 'a pipe that does not block'; fi
fi
if command -v script >/dev/null; then
	script -qec "TERM=xterm '$bin' trace -r rec" /dev/null </dev/null >out 2>/dev/null
	if grep -q $'\033\[' out; then ok 'colour on a terminal'; else not_ok 'colour on a terminal'; fi
	script -qec "TERM=xterm NO_COLOR=1 '$bin' trace -r rec" /dev/null </dev/null >out 2>/dev/null
	if grep -q $'\033\[' out; then not_ok 'NO_COLOR'; else ok 'NO_COLOR'; fi
fi

# ---- ladders ---------------------------------------------------------------------------

# fits NAME: nothing but IPv6 is wider than 80 columns
fits() {
	local wide
	wide=$(grep -v '2001:db8' out | LC_ALL=C.UTF-8 wc -L)
	if [ "$wide" -le 80 ]; then ok "$1"; else not_ok "$1" "$wide columns"; fi
}

# svg NAME: the picture is well-formed
svg() {
	if command -v xmllint >/dev/null; then
		xmllint --noout picture.svg 2>err
		status=$?
	elif command -v python3 >/dev/null; then
		python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("picture.svg")' 2>err
		status=$?
	else
		echo "ok - cli: $1 # skip: neither xmllint nor python3"
		return
	fi
	cp picture.svg out
	expect "$1" 0 '' '^<svg '
}

export LC_ALL=C
run ladder -r rec; expect 'ladder' 0 "$lost" '^0\.000000 SYN_SENT    \|-- SYN seq=0 -+>\| SYN_RECV synq 1/128$'
fits 'a ladder fits 80 columns'
grep -q '^0.000049 FIN_WAIT2   |<- ACK ack=2 -' out; status=$?; : >err
expect 'a ladder has both ends' 0
if LC_ALL=C grep -q $'[\001-\010\013-\037\177-\377]' out; then
	not_ok 'no control characters in a ladder'
else
	ok 'no control characters in a ladder'
fi
run ladder -r rec -T -4; fits 'with the time of day too: a ladder'
LC_ALL=C.UTF-8 run ladder -r rec -4; expect 'a ladder in UTF-8' 0 "$lost" '│── SYN seq=0 ─.*▶│'
fits 'a ladder in UTF-8 fits 80 columns'
run ladder -r rec -w; expect 'a wide ladder' 0 "$lost" 'SYN,ACK seq=3000000000 ack=1000001 '
run ladder -r rec --raw -c 1; expect '--raw has no effect on a ladder' 0 'ladder: --raw has no effect here'
for cookie in 1002 0x3ea sk:3ea 3ea 1003; do
	run ladder -r rec --conn $cookie --json
	if [ "$(grep -c '"conn":1002,.*"conn":1003,' out)" = 1 ] && [ "$(wc -l <out)" = 1 ]; then
		ok "--conn $cookie"
	else
		not_ok "--conn $cookie" "$(cut -c 1-99 out)"
	fi
done
run ladder -r rec --conn 424242; expect 'a ladder of no connection' 0 "$lost"
if [ -s out ]; then not_ok 'no connection, no output'; else ok 'no connection, no output'; fi
run ladder -r rec -c 2 --json
if [ "$(wc -l <out)" = 2 ]; then ok '-c stops after N ladders'; else not_ok '-c stops after N ladders'; fi
run ladder -r rec -D 80 -p 80123 --json
if [ "$(grep -c '"comm":"nginx"' out)" = 3 ]; then
	ok 'a filter chooses connections with both ends'
else
	not_ok 'a filter chooses connections with both ends' "$(wc -l <out)"
fi
if command -v python3 >/dev/null; then
	run ladder -r rec --json
	python3 -c '
import json, sys
n = 0
for line in sys.stdin.buffer:
    ladder = json.loads(line.decode("utf-8"))
    assert ladder["event"] == "ladder" and len(ladder["ends"]) == 2, ladder
    assert [step["ts"] for step in ladder["steps"]] == sorted(step["ts"] for step in ladder["steps"])
    n += ladder["finished"]
assert n >= 3, n
' <out 2>err
	status=$?
	: >out
	expect 'ladders as JSON: every line parses' 0
fi
run ladder -r rec --svg picture.svg; expect 'ladder --svg' 0 "$lost"
svg 'the picture is well-formed'
run ladder -r rec --conn 424242 --svg picture.svg; expect 'ladder --svg of nothing' 0 "$lost"
svg 'an empty picture is well-formed'
run ladder -r rec --svg /no/such/dir/x.svg -4; expect 'ladder --svg to nowhere' 1 '^tcpfsm: /no/such/dir/x.svg: No such file'
if [ -e /dev/full ]; then
	run ladder -r rec --svg /dev/full
	sed -E -i "/$lost/d" err
	expect 'ladder --svg to a full disk' 1 '/dev/full: No space left on device'
fi
# ---- timewait -------------------------------------------------------------------

run timewait -h; expect 'help of timewait' 0 '' '^  -n, --top N '
usage 'a bad number of rows' '-n 0' timewait -n 0
usage 'a key that there is not' '--sort x: not one of population, in, out, growth, ports, failed; see tcpfsm help timewait' timewait --sort x
run timewait -n 3 --device "$device"; expect 'timewait without the module' 3 'module not loaded'
run timewait -r rec; expect 'timewait' 0 "$lost" '^netns 4026531840: TIME_WAIT [0-9]+, FIN_WAIT2 0; kernel 1234 of 262144$'
fits 'timewait fits 80 columns'
expect 'losses make it uncertain' 0 "$lost" '^UNCERTAIN: [0-9]+ records lost, 0 sockets without a place$'
expect 'a destination' 0 "$lost" '^10.0.0.1 > 192.168.100.200:80 +1 +0 '
expect 'no rates of so short a time' 0 "$lost" '^a second +- +- +- '
expect 'an owner' 0 "$lost" '^curl/80123 +1 +0 '
run timewait -r rec --json
if jq -es 'map(select(.event == "timewait_total")) as $t | map(select(.event == "timewait_owner")) as $o
	| all(.conn == 0 and .cpu == 0 and has("raddr") and has("rport"))
	and ($t | length == 1 and .[0].uncertain and .[0].since_attach.denied == 1 and .[0].tw_max == 262144)
	and any(.event == "timewait_destination" and .raddr == "192.168.100.200" and .rport == 80
		and .direction == "out" and .ports == null and .maker_comm == "curl" and .maker_pid == 80123)
	and any($o[]; .pid == 80123 and .comm == "curl" and .closed_first.local == 1)' <out >err 2>&1; then
	ok 'timewait --json'
else
	not_ok 'timewait --json' "$(head -1 out)"
fi
run timewait -r rec --json -p 80123; [ "$(grep -c timewait_owner out)" = 1 ]; status=$?
expect 'timewait -p' 0 "$lost"
run timewait -r rec -w 1; expect 'timewait: no interval in a recording' 0 'timewait: -w has no effect here'
run timewait -r rec -c 1; expect 'timewait: no count without an interval' 0 'timewait: -c has no effect without -w'
run timewait -r rec -s TIME_WAIT; expect 'timewait: no states' 0 'timewait: -s and -C have no effect here'
if "$make_recording" million 1000000 timewait; then
	status=$( (ulimit -v 204800; run timewait -r million -n 2; echo $status) )
	expect 'a million in TIME_WAIT in 200 MiB' 0 '' '^netns 4026531840: TIME_WAIT 1.0M, '
	expect 'usable ports' 0 '' 'settles at 3429, 12% of 28232 ports; all together take 1.0M: see explain$'
	for key in population in out growth ports FAILED; do
		run timewait -r million -n 1 --sort $key
		expect "timewait --sort $key" 0 '' '^10.0.0.1 > 192.168.0.0:80 +400 '
	done
	run timewait -r million -n 2
	expect 'the rest is summed' 0 '' '^all others +999200 '
	fits 'a million fits 80 columns'
	rm -r million
fi

if "$make_recording" burst 100000 timewait; then
	run timewait -r burst -n 1
	expect 'buckets overflow' 0 '' '^  settles at 8.6M; tcp_max_tw_buckets is reached in [0-9]+ s$'
	expect 'before the ports run out' 0 '' '% of 28232 ports; tcp_max_tw_buckets is reached first$'
	fits 'a forecast fits 80 columns'
	rm -r burst
fi

# ---- names in a recording ---------------------------------------------------------

"$make_recording" named 10 named
# The numbers of two hosts may be the same: they have no names then.
cp -r named other
run conns -r named -r other --json
if grep -q '"netns":4026531840' out && ! grep -q netns_name out; then ok 'of two recordings there are no names'; else not_ok 'of two recordings there are no names' "$(head -c 600 out)"; fi
run timewait -r named; expect 'a recording has the name of a network namespace' 0 "$lost" '^netns web1 \(4026531840\): TIME_WAIT '
expect 'and the container of an owner' 0 "$lost" '^ +/system.slice/cron.service$'
run timewait -r named --json; expect 'and JSON' 0 "$lost" '"netns":4026531840,.*"netns_name":"web1"'
run connect -r named --by container --json
expect 'the container of a process that has gone' 0 "$lost" '"container":"cron.service"'
run timewait -r named -N web1; expect 'a namespace of a recording, by name' 0 "$lost" '^netns web1 '
run listen -r named -N web1; expect 'its listeners' 0 "$lost_listeners" '^0.0.0.0:80 +nginx/799 '
for command in trace conns ladder listen timewait connect explain 'explain --what-if backlog=1000' check; do
	# shellcheck disable=SC2086 # words
	run $command -r named -N web1 --json
	if [ -s out ] && jq -es 'map(select(.netns == 4026531840)) | length > 0 and all(.netns_name == "web1")' out >/dev/null; then
		ok "netns_name of $command"
	else
		not_ok "netns_name of $command" "$(cut -c1-200 out | head -2)" "$(head -2 err)"
	fi
done
run trace -r named --json -N web1; cp out by_name
run trace -r named --json -N 4026531840
if [ -s out ] && cmp -s out by_name; then ok 'and by inode the same'; else not_ok 'and by inode the same' "$(head -3 by_name)"; fi
run trace -r named -N web2; expect 'a namespace that a recording has not' 1 '^tcpfsm: -N web2: no such name in the recording; give an inode, a name of ip netns '
run trace -r named -N 'web;reboot'; expect 'a name that no shell takes as it is' 1 'no such name in the recording'
run conns -r named container 0123456789ab and port 80; expect 'a container of a recording' 0 "$lost" '^nginx '
if grep -q '^curl' out; then not_ok 'and no other' "$(head -3 out)"; else ok 'and no other'; fi
run conns -r named cgroup /system.slice/cron.service; expect 'a cgroup of a recording' 0 "$lost" '^curl '
usage 'a recording without cgroups' 'filter: the recording does not tell of which cgroup a process is' top -r rec cgroup /
if ! command -v babeltrace2 >/dev/null; then
	ok 'babeltrace2 reads names # skip: no babeltrace2'
elif babeltrace2 named 2>&1 | grep -q ':mark: .* conn = 4026531840, .* comm = "web1"'; then
	ok 'babeltrace2 reads names'
else
	not_ok 'babeltrace2 reads names' "$(babeltrace2 named 2>&1 | grep ':mark:' | head -3)"
fi
if "$make_recording" other 10; then
	run trace -r named -r other -N web1
	expect 'two recordings have no names' 1 '^tcpfsm: -N web1: no such name in the recording; '
fi

# ---- connect --------------------------------------------------------------------

run connect --device "$device"; expect 'connect without the module' 3 'module not loaded'
run connect -r rec -4
expect 'connect' 0 "$lost" '^192\.168\.100\.200:80 curl/80123 +[1-9][0-9]* +[1-9][0-9]* +0 +1 +[0-9]+us +[0-9]+us +1 +0 +0 +-$'
expect 'connect: why, and who closed first' 0 "$lost" '^    failed: ECONNREFUSED 1; closed first: we [0-9]+$'
expect 'connect: losses make it uncertain' 0 "$lost" '^UNCERTAIN: [0-9]+ records lost, 0 sockets without a place$'
fits 'connect fits 80 columns'
run connect -r rec
expect 'connect: a refused one' 0 "$lost" '^    failed: ECONNREFUSED 1$'
for by in destination host net port process container; do
	run connect -r rec --json --by $by
	if jq -es '(map(.attempts) | add) as $all | $all > 1 and all(.event == "connect" and .by == "'$by'"
		and .failed == (.failed_by | add) and (.handshake_us | add) <= .established
		and .established + .failed + .given_up + .in_progress >= .attempts
		and .attempts >= .established + .failed + .given_up
		and (.closed_first | add) + .live >= .established)
		and any(.failed_by.ECONNREFUSED == 1)' out >sums 2>&1; then
		ok "connect --json --by $by adds up"
	else
		not_ok "connect --json --by $by adds up" "$(cat out)"
	fi
done
run connect -r rec --json
if jq -es 'all(.histogram_le[:4] == [0, 1, 3, 7] and (.histogram_le | length) == (.handshake_us | length) and .histogram_le[31] == null)' out >/dev/null; then
	ok 'a histogram has its bounds'
else
	not_ok 'a histogram has its bounds' "$(head -1 out)"
fi
run connect -r rec -n 1 --json
if jq -es 'length == 2 and .[1].rest and .[1].rows >= 1 and .[1].pid == null' out >/dev/null; then
	ok 'connect: the rest is summed'
else
	not_ok 'connect: the rest is summed' "$(cat out)"
fi
# One connection is what conns and connect have of it.
run conns -r rec --json 'dport = :80' and ipv4
mv out lives
run connect -r rec --json 'dport = :80' and ipv4
if [ "$(jq -s 'map(.established) | add' out)" = "$(jq -s 'map(select(.handshake_ms)) | length' lives)" ] && [ -s lives ]; then
	ok 'connect has the connections that conns has'
else
	not_ok 'connect has the connections that conns has' "$(head -2 lives)" "$(cat out)"
fi
if "$make_recording" million 1000000 open; then
	status=$( (ulimit -v 204800; run connect -r million -n 2; echo $status) )
	expect 'a million connections in 200 MiB' 0 '' '^192.168.100.200:80 .* 1.0M +1.0M +0 +0 .* 1.0M +-$'
	rm -r million
fi
if "$make_recording" none 40000 ports; then
	run connect -r none
	expect 'connect: ports that are taken, and none left' 0 '' ' 100.0%$'
	expect 'connect: why it fails then' 0 '' '^    failed: EADDRNOTAVAIL [0-9]+; closed first: we [0-9]+$'
	rm -r none
fi

"$bin" ladder -r big 2>err | head -n 1 >out
status=${PIPESTATUS[0]}
expect 'ladder to a closed pipe' 0 '' '^[0-9.]+:'
unset LC_ALL

exit $failed
