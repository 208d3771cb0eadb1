#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_top.sh build/tcpfsm: tcpfsm top as a user has it, in tmux, with recordings
# and without a module.
# shellcheck disable=SC2016,SC2317,SC2034 # conditions are evaluated later
set -u

bin=$(realpath "${1:?usage: test_top.sh PATH-OF-TCPFSM}")
make_recording=$(dirname "$bin")/tests/make_recording
subject=top
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1

# holds NAME COMMAND...
holds() {
	local name=$1 log
	shift
	if log=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$*" "$log"; fi
}

"$make_recording" all 50 && "$make_recording" slow 30 slow && "$make_recording" many 3000 open && "$make_recording" idle 2 idle || exit 1

# ---- views ------------------------------------------------------------------------------

start 80 24 -- -r slow
shows 'overview: the verdict, rates, the worst listener' '^critical acceptq_app_slow: nginx' \
	'^EACH SECOND +now +10 s +1 min' '^opens +[0-9]' '^SOCKETS ' 'TIME_WAIT [0-9]+  100% of curl/80123' \
	'WORST LISTENER (0.0.0.0|192.168.100.200):80 nginx/799' 'refused 45683/min'
shows 'menu, status and keys' '^ 1 Overview 2 Listeners 3 TIME_WAIT 4 Connections 5 Diagram 6 Log 7 Out ' \
	'^recording 0:[0-9]+  x1' '^\? help  q quit  space pause  f filter'
keys Enter
shows 'overview: what helps' '^critical acceptq_app_slow$' 'the comparison: accept queue' '^q back'
keys G
shows 'the end of a page' 'What it costs|info |What to do'
keys q
shows 'back' '^EACH SECOND'
keys 2
shows 'listeners: the worst first' '^LISTENER +OWNER' '^0.0.0.0:80 +nginx/799 +1/0/129 +129/129/129' '^  ACCQ COOKIE CLAMP'
keys s
shows 'listeners: by address' '^sorted by address'
comes 'listeners: port 22 is before port 80' '[ "$(screen | grep -Eo "^[^ ]+:(22|80) " | head -n 1)" = "[2001:db8::1]:22 " ]'
keys '<'
shows 'listeners: the worst again' '^sorted by worst'
keys / nginx Enter Enter
shows 'listeners: the connections of one' 'filter: netns 4026531840 and sport 80' '^STATE +FOR.*PROCESS/PID'
keys BSpace
shows 'listeners: back' '^LISTENER +OWNER'
# press and release, on LISTENER and on the LIMITS below
keys -H 1b 5b 4d 20 23 23 1b 5b 4d 23 23 23
comes 'listeners: a click on LISTENER sorts by address' '[ "$(screen | grep -Eo "^[^ ]+:(22|80) " | head -n 1)" = "[2001:db8::1]:22 " ]'
keys -H 1b 5b 4d 20 24 24 1b 5b 4d 23 24 24
comes 'listeners: a click on LIMITS sorts by the worst' '[ "$(screen | grep -Eo "^[^ ]+:(22|80) " | head -n 1)" = "0.0.0.0:80 " ]'
comes 'listeners: it stands out what they are sorted by' 'mux capture-pane -e -p | tr -d "\033" | grep -Eq "^  (\[[0-9;]*m)*\[[0-9;]*7m(\[[0-9;]*m)*LIMITS"'
keys w
shows 'the name of a file is proposed' '^write to: tcpfsm-listeners-[0-9]+\.txt'
keys C-u view.txt Enter
shows 'a view is written' '^written: view\.txt, [1-9][0-9]* lines'
if grep -q '^LISTENER  *OWNER' view.txt && grep -q '^0\.0\.0\.0:80  *nginx/799' view.txt && [ "$(stat -c %a view.txt)" = 600 ]; then
	ok 'all of it'
else
	not_ok 'all of it' "$(cat view.txt)"
fi
keys w C-u view.txt Enter
shows 'a file is not written over' '^view\.txt: File exists'
keys g c
shows 'a namespace folds' '^netns 4026531840: [1-9][0-9]* listeners?, [0-9]+ refusing \.\.\.'
if grep -q '^0\.0\.0\.0:80' "$tmp/seen"; then not_ok 'its listeners are not shown' ; else ok 'its listeners are not shown'; fi
keys c
shows 'and unfolds' '^0.0.0.0:80 +nginx/799'
keys C
shows 'all fold' '^netns 4026531840: .* refusing \.\.\.'
keys 3
shows 'in TIME_WAIT, too' '^netns 4026531840: TIME_WAIT .* \.\.\.'
if grep -q '^in all ' "$tmp/seen"; then not_ok 'to a line'; else ok 'to a line'; fi
keys C
keys 3
shows 'time-wait' 'mini-sockets' '^netns 4026531840: TIME_WAIT' '^in all '
keys / '> 192' Enter Enter
shows 'time-wait: the connections of a destination' 'filter: netns 4026531840 .*dst 192.168.100.200:80' '^STATE +FOR.*PROCESS/PID'
keys BSpace
shows 'time-wait: back' '^netns 4026531840: TIME_WAIT'
keys z
shows 'time-wait: counted from now on' 'mini-sockets counted since [0-9:]+$' '^since then +[0-9]'
keys t
shows 'time-wait: in all again' '^in all '
keys Tab Tab
shows 'diagram' 'otherwise +since [0-9:]+$' '\[ESTABLISHED ' '\[TIME_WAIT ' 'rcv FIN' 'STATE sockets now'
keys j j j l Enter
shows 'diagram: who took an arrow' '^[1-9][0-9]* went this way in the last 65536 records; Backspace leads back' 'SYN_SENT.>ESTABLISHED rcv_synack' \
	'filter: state SYN_SENT and state ESTABLISHED and cause rc'
keys BSpace
shows 'diagram: back, and all counts as before' 'active OPEN' 'STATE sockets now'
keys BTab
shows 'connections' '^[0-9]+ connections, ended ones included, by FOR, shortest first' '^STATE +FOR.*PROCESS/PID' \
	'^CLOSE +[0-9.]+m?s curl/80123 +4'
keys 6
shows 'log' '^TIME +LPORT REMOTE' 'CLOSE->SYN_SENT active_open curl' 'TIME_WAIT->CLOSE 2msl'
keys 7
shows 'out: who connects where' '^DESTINATION +PROCESS +TRIES +OK' '^192\.168\.100\.200:80 curl/80123 +[1-9][0-9]* +[1-9]' '^ +closed first: we [1-9]'
keys s
shows 'out: sorted' '^sorted by failed'
keys b
shows 'out: by host' '^by host' '^HOST +TRIES'
keys / 1 9 2 . 1 6 8 Enter Enter
shows 'out: the connections of a row' 'filter: dst 192.168.100.200' '^STATE +FOR.*PROCESS/PID'
keys BSpace
shows 'out: back' '^HOST +TRIES'
keys z
shows 'out: counted from now on' 'connections opened from here since [0-9:]+$'
keys t
shows 'out: all again' 'connections opened from here$'
keys F1
shows 'help' '^Views' 'PgUp PgDn' '^Finding'
keys Escape 5
shows 'a view after help' '\[ESTABLISHED '
# press and release, as terminals report them
keys -H 1b 5b 4d 20 30 21 1b 5b 4d 23 30 21
shows 'a click in the menu' '^LISTENER +OWNER'
keys -H 1b 5b 4d 61 30 25 1b 5b 4d 61 30 25
shows 'the wheel' '^recording'
keys q
ended 'q' 0

# ---- many that nobody calls ------------------------------------------------------------------

start 80 24 -- -r idle
keys +++++++++++ 2
shows 'idle listeners are hidden' '5000 listeners, 0 refusing, 4990 idle hidden; rates of the last' '^0\.0\.0\.0:500 '
keys i
shows 'and shown' '5000 listeners, 0 refusing; SYNs a second'
keys i
shows 'and hidden again' '4990 idle hidden'
keys Q

# ---- counts from now on -------------------------------------------------------------------

start 80 24 -- -r slow
keys 2
shows 'a first reading of listeners' '^LISTENER +OWNER'
keys z
shows 'counts are zeroed' '^counts begin with the next reading of the totals'
keys + + + + + +
shows 'from a reading on' '; counts since ' '^  LIMITS THAT BITE +SYN +COOKIE +REFUSED +DONE'
keys t
shows 'and as before' 'SYNs a second and times of the last'
keys Q

# ---- moving, searching, filtering, sorting ---------------------------------------------------

start 80 24 -- -r slow
keys +++++++++++
shows 'a recording to its end' '^recording 0:3[0-9]   end '
keys 6 g
shows 'log: its beginning' 'listen backlog 128 clamped from 4096'
keys / cookie Enter
shows 'search' 'SYN cookie sent' 'search: cookie'
keys n N / nowhere Enter
shows 'search for what is not there' '^not found: nowhere'
keys Escape f 'lport 40005' Enter
shows 'filter' 'filter: lport 40005' '40005 192.168.100.200:80 +FIN_WAIT2->TIME_WAIT'
comes 'filter: nothing else' '[ "$(screen | grep -c ^00:)" = 7 ]'
keys 1
shows 'filter: rates are those of what passes' '^opens +0 +0 +0.0' '^refused +0 +0 +0$'
keys f C-u 'lport 80,' Enter
shows 'a filter that is none, and can be mended' '^filter: 80,: a value is missing beside the comma' '^filter: lport 80, *$'
keys C-u frob Enter
shows 'a word that is none' '^filter: frob: not one of src dst'
keys C-u Enter 4
shows 'all again' '^6[0-9] connections'
keys s s g
shows 'sort: by process' 'by PROCESS, a first$' '^TIME_WAIT +[0-9.]+m?s curl/80123|^CLOSE +[0-9.]+m?s curl/80123'
keys S
shows 'sort: the other way round' 'by PROCESS, z first$' '^STATE .*PROCESS/PID *▼'
comes 'sort: nginx comes after curl' '[ "$(screen | awk "NR == 4 { print \$3 }")" = - ]'
keys '<' '<'
shows 'sort: the column before' 'by FOR, longest first$'
# on the headline: LPORT
keys -H 1b 5b 4d 20 48 23 1b 5b 4d 23 48 23
shows 'sort: a click on the headline' 'by LPORT, lowest first$'
keys j j k Enter
shows 'the ladder of one' 'CLOSE +│ +│ LISTEN' 'SYN_SENT +│── SYN seq=0 (─)+►│ SYN_RECV' '^q back'
keys Escape
shows 'back to the list' 'by LPORT, lowest first$'
keys 6 G k k Enter
shows 'the ladder of a line of the log' 'SYN_SENT +│── SYN seq=0'
keys Q
ended 'Q from a page' 0

start 100 24 -- -r many -L 40001
keys +++++++++++
shows 'filters of the command line' 'filter: lport 40001'
keys 4
shows 'nothing passes' '^0 connections' 'no connection passes the filter|no connection'
keys f C-u Enter
shows 'more connections than rows' '^3000 connections, .* the first 1000 \(f: filter\)'
keys G
sleep 0.3
keys C-c
ended 'Ctrl-C' 0

# ---- time of a recording --------------------------------------------------------------------

start 80 24 -- -r slow
shows 'it begins to play' '^recording 0:0[0-9]  x1'
keys Space
shows 'pause' '^recording 0:.*PAUSED'
screen >one; sleep 0.7; screen >two
holds 'paused: it stands still' cmp one two
keys 6 . . . .
shows 'steps' 'PAUSED'
keys f 'lport 40005,40006' Enter
shows 'filter of two' 'filter: lport 40005,40006'
# Nothing moves but the screen, which may be half drawn.
steady() { screen >one; sleep 0.3; screen | cmp -s - one; }
soon steady
lines=$(grep -c '^00:' one)
keys .
comes 'a step is one line more' '[ "$(screen | grep -c ^00:)" = $((lines + 1)) ]'
keys f C-u Enter
keys Right
shows 'ten seconds on' '^recording 0:1[0-9].*PAUSED'
keys Left
shows 'ten seconds back' '^recording 0:0[0-9].*PAUSED'
keys Left Left .
comes 'back and a step at once: the first line' '[ "$(screen | grep -c ^00:)" = 1 ]'
keys Space + +
shows 'faster' '^recording 0:.*x5'
keys - - - -
shows 'slower' '^recording 0:.*x0.25'
keys Right Right Right Right
shows 'to the end' '^recording 0:3[0-9]   end '
keys Left
shows 'and back from it' '^recording 0:2[0-9]  x0.25'
keys F10
ended 'F10' 0

start 80 24 -- -r all
keys +++++++++++
shows 'losses' 'LOST 251 records'
keys q
ended 'losses are told at the end, too' 0 '^tcpfsm: 251 records lost'

# ---- terminals -----------------------------------------------------------------------------------

start 80 24 -- -r slow
shows 'UTF-8: graphs' '▁|▂|▃|▄|▅|▆|▇|█'
for size in '60 12' '132 43' '240 67' '80 24'; do
	# shellcheck disable=SC2086 # two words
	set -- $size
	mux resize-window -x "$1" -y "$2"
	shows "resized to ${size/ /x}" '^EACH SECOND' '^recording 0:'
done
for key in 2 3 4 5 6; do
	# Before that, it may be what tmux has made of the larger one.
	mux resize-window -x 60 -y 12
	keys F1
	shows "help before view $key" '^Views'
	keys Escape $key
	shows "view $key in 60x12" '^recording 0:' '^\? help'
	[ $key != 2 ] || shows 'more to the right has a mark' '^  LIMITS THAT BITE .*►$'
	mux resize-window -x 240 -y 67
	shows "view $key in 240x67" '^recording 0:' '^\? help'
done
mux resize-window -x 40 -y 5
shows 'too small' '^terminal too small$' '^60x12 needed,$' '^it has 40x5$'
mux resize-window -x 1 -y 1
sleep 0.5
mux resize-window -x 80 -y 24
shows 'large enough again' '^recording 0:'
comes 'colours' 'mux capture-pane -e -p | grep -q "$(printf "\033")\[[0-9;]*3[0-7]m"'
keys C-z
soon [ -s stopped ]
holds 'Ctrl-Z stops it, and the terminal is as it was' cmp before stopped
shows 'and it goes on' '^ 1 Overview' '^recording 0:'
kill -TERM "$(cat pid)"
ended 'SIGTERM' 0

start 80 24 LC_ALL=C NO_COLOR=1 -- -r slow
shows 'ASCII: graphs' '^opens .*[#|:.]$'
if screen | LC_ALL=C grep -q '[^ -~]'; then not_ok 'ASCII: nothing else'; else ok 'ASCII: nothing else'; fi
if mux capture-pane -e -p | grep -q "$(printf '\033')\[[0-9;]*3[0-7]m"; then not_ok 'NO_COLOR'; else ok 'NO_COLOR'; fi
kill -HUP "$(cat pid)"
ended 'SIGHUP' 1 '^tcpfsm: top: the terminal has gone$'

# The terminal vanishes, and nobody says so.
start 80 24 -- -r slow
shows 'a terminal to be closed' '^recording'
mux kill-server
gone() { ! kill -0 "$(cat pid)" 2>/dev/null; }
soon gone
if kill -0 "$(cat pid)" 2>/dev/null; then
	not_ok 'it does not outlive its terminal'
	kill -KILL "$(cat pid)"
elif grep -qx 'tcpfsm: top: the terminal has gone' err; then
	ok 'it does not outlive its terminal'
else
	not_ok 'it does not outlive its terminal' "$(cat err)"
fi

# refused NAME STATUS PATTERN [NAME=VALUE...] -- ARGS...: on a terminal, before the screen is taken
refused() {
	local name=$1 status=$2 pattern=$3
	shift 3
	start 80 24 "$@"
	ended "$name" "$status" "$pattern"
}

refused 'TERM=dumb' 1 'this terminal cannot show it \(TERM is dumb\)' TERM=dumb -- -r slow
refused 'TERM unknown' 1 'this terminal cannot show it \(TERM is frob\)' TERM=frob -- -r slow
refused 'no TERM' 1 'this terminal cannot show it \(TERM is not set\)' -u TERM -- -r slow
refused 'no module' 3 'module not loaded' -- --device /nowhere
refused 'no recording' 1 'no recording there' -- -r nowhere
refused 'usage' 2 'unknown option' -- --frob
"$bin" top -r slow >out 2>err </dev/null
if [ $? = 1 ] && grep -q 'needs a terminal' err && [ ! -s out ]; then ok 'not a terminal'; else not_ok 'not a terminal' "$(cat err)"; fi

cp -r slow cut && truncate -s -100 cut/cpu_0
start 80 24 -- -r cut
keys +++++++++++
shows 'a damaged recording: what there is' 'the recording is damaged' '^EACH SECOND'
keys q
ended 'a damaged recording: told at the end' 1 'cpu_0: .*record it again'

exit $failed
