#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_growing.sh build/tcpfsm: --follow, a recording that is still being written
# shellcheck disable=SC2016,SC2317,SC2034,SC2094,SC2015 # conditions are evaluated later; outputs have the names of commands
set -u

bin=$(realpath "${1:?usage: test_growing.sh PATH-OF-TCPFSM}")
make_recording=$(dirname "$bin")/tests/make_recording
subject=growing
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1
trap 'kill $(jobs -p) 2>/dev/null; mux kill-server 2>/dev/null; rm -rf "$tmp"' EXIT

# record DIR SECONDS KIND: its process is recorder
record() {
	"$make_recording" "$@" & recorder=$!
	dir=$1
	soon eval '[ -e "$dir/cpu_1" ] || [ -e "$dir/000001/cpu_1" ] || [ -e "$dir/000001/cpu_1.zst" ]'
}
# follow_twice DIR: the second one, late, is stopped on its way
follow_twice() {
	"$bin" trace -r "$1" --follow --json >trace 2>err & follower=$!
	"$bin" trace -r "$1" --follow --json >late 2>late.err & late=$!
	soon lines late 100
	kill -STOP $late
}
# The recorder and both, with their status in status and late.
both_end() {
	kill -CONT $late
	wait $recorder
	wait $follower
	status=$?
	wait $late
	late=$?
}
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
alive() { kill -0 "$1" 2>/dev/null; }
# same NAME FILE FILE: not empty either
same() { if [ -s "$2" ] && cmp "$2" "$3" >cmp.out 2>&1; then ok "$1"; else not_ok "$1" "$(cat cmp.out)" "$(tail -n 2 "$2" "$3")"; fi; }

# ---- to its end ----------------------------------------------------------------------------

record live 8 live
followers=()
for command in trace conns 'ladder --json' 'listen -w 1 --json' 'timewait -w 1 --json' 'connect -w 1 --json' 'explain -w 1 --json' \
	'diagram --json'; do
	# shellcheck disable=SC2086 # words
	"$bin" $command -r live --follow --strict >"${command%% *}" 2>"${command%% *}.err" & followers+=($!)
done
"$bin" trace -r live --follow -d 2 -T >part 2>part.err & part=$!
comes 'lines come while it is written' 'lines trace 100 && lines conns 20 && alive $recorder'
comes 'ladders, too' 'lines ladder 5 && alive $recorder'
comes '-w shows what there is' 'lines listen 2 && lines timewait 2 && lines connect 2 && lines explain 2 && lines diagram 2 && alive $recorder'
wait $part
status=$?
comes '-d ends before the recorder' '[ $status = 0 ] && lines part 100 && alive $recorder && [ ! -s part.err ]'
statuses=
wait $recorder
for pid in "${followers[@]}"; do
	wait "$pid"
	statuses+=" $?"
done
comes 'all of them end when it ends, and nothing is missing' '[ "$statuses" = " 0 0 0 0 0 0 0 0" ]'
for command in trace conns 'ladder --json'; do
	# shellcheck disable=SC2086
	"$bin" $command -r live >after 2>/dev/null
	same "${command%% *}: as after its end" after "${command%% *}"
done
"$bin" listen -r live --json >after 2>/dev/null
tail -n "$(wc -l <after)" listen | jq -c 'select(.event == "listener") | [.conn, .syn, .accepted]' >listen.last
jq -c 'select(.event == "listener") | [.conn, .syn, .accepted]' after >after.last
same 'listen: the last reading is that of the end' after.last listen.last

# ---- it dies -------------------------------------------------------------------------------

record killed 60 live
"$bin" conns -r killed --follow --strict >conns 2>err & follower=$!
soon lines conns 100
{ kill -KILL $recorder; wait $recorder; } 2>/dev/null
wait $follower
status=$?
"$bin" conns -r killed >after 2>/dev/null
comes 'a recorder that was killed: it ends, and says so' '[ $status = 6 ] && grep -q "was not ended (its recorder was killed" err'
same 'a recorder that was killed: all that it wrote' after conns

# ---- chunks come and go --------------------------------------------------------------------

record chunks 20 chunks
follow_twice chunks
comes 'old chunks go meanwhile' '[ -e chunks/000012 ] && [ ! -e chunks/000002 ] && alive $recorder'
both_end
jq -c 'select(.event == "transition" and .new == "SYN_SENT") | .conn' trace >conns
seq 1000 2 "$(tail -n 1 conns)" >want
comes 'nothing is missing at their borders' '[ $status = 0 ] && [ ! -s err ] && lines conns 1000 && ! grep -q lost trace'
same 'each connection once' want conns
told=$(jq -s 'map(select(.event == "lost") | .count) | add' late)
comes 'who was too slow is told of the loss' '[ $late = 0 ] && [ "${told#null}" ] && grep -q "^tcpfsm: $told records lost" late.err'
tail -n 100 trace >after
tail -n 100 late >late.last
same 'and goes on to the end' after late.last

# ---- chunks are compressed -----------------------------------------------------------------

record packed 10 packed
follow_twice packed
comes 'chunks that are closed are compressed' '[ -e packed/000003/cpu_1.zst ] && [ ! -e packed/000003/cpu_1 ] && alive $recorder'
"$bin" trace -r packed --json >now 2>now.err
status=$?
comes 'one reads them while it is written' '[ $status = 0 ] && lines now 100 && grep -q "still being written" now.err'
"$bin" record --unpack packed 2>unpack.err
status=$?
comes 'they are not made plain meanwhile' '[ $status = 1 ] && grep -q "it is still being written; end it first" unpack.err && alive $recorder'
soon eval '[ -e packed/000006/cpu_1.zst ]'
both_end
"$bin" trace -r packed --json --strict >after 2>after.err
comes 'none of them misses a thing' '[ $status$late$? = 000 ] && [ ! -s err ] && [ ! -s late.err ] && [ ! -s after.err ]'
same 'who follows reads the same' after trace
same 'so does who was late' after late
"$bin" record --unpack packed 2>err
status=$?
"$bin" trace -r packed --json >plain
same 'and who reads it after it was made plain' after plain
comes 'plain it is, then' '[ $status = 0 ] && [ ! -s err ] && [ -e packed/000003/cpu_1 ] && [ -z "$(find packed -name "*.zst" -o -name ".?*")" ]'
if command -v babeltrace2 >/dev/null; then
	babeltrace2 packed >babel 2>&1
	comes 'babeltrace2 reads it' '[ $(grep -c "tcpfsm:state: " babel) -gt 1000 ]'
else
	ok 'babeltrace2 reads it # skip: no babeltrace2'
fi

# ---- top -----------------------------------------------------------------------------------

record top 12 live
start 80 24 -- -r top --follow
shows 'top: what happens now' '^EACH SECOND' '^opens +[1-9]'
keys 4
shows 'top: connections' '^STATE +FOR.+PROCESS/PID' 'curl/80123'
wait $recorder
shows 'top: its end' 'the recording has ended'
keys q
ended 'top: leaves' 0

# ---- words ---------------------------------------------------------------------------------

"$bin" trace --follow 2>err
status=$?
comes 'it is for recordings' '[ $status = 2 ] && grep -q "give it with -r" err'
"$bin" trace -r live -r top --follow 2>err
status=$?
comes 'one at a time' '[ $status = 2 ] && grep -q "one recording at a time" err'
timeout 60 "$bin" conns -r live --follow >conns 2>err
status=$?
comes 'one that is complete is read as ever' '[ $status = 0 ] && lines conns 100 && [ ! -s err ]'
exit $failed
