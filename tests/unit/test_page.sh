#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_page.sh build/tcpfsm: what tcpfsm report writes and tcpfsm serve -r shows, in a browser: Chromium, without a screen.
# Its numbers are those of --json, names are text, it asks nothing of a network, and says nothing on the console.
# shellcheck disable=SC2016,SC2034,SC2317 # of jq and JavaScript; functions by name
set -u

bin=$(realpath "${1:?usage: test_page.sh PATH-OF-TCPFSM}")
make_recording=$(dirname "$bin")/tests/make_recording
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/browser.sh
. "$(dirname "$0")/browser.sh"
server=
trap 'browser_end; [ -z "$server" ] || kill "$server"; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
export TZ=UTC LC_ALL=C.UTF-8

failed=0
ok() { echo "ok - page: $1"; }
not_ok() { failed=1; printf '%s\n' "${@:2}" | head -20 | sed 's/^/# /'; echo "not ok - page: $1"; }
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "is:        $2" "should be: $3"; fi; }

# ---- what it writes ---------------------------------------------------------------------------

# A path that ends the element it stands in, and a process of that kind.
dir='d</script><img src=x onerror=window.broken=1>'
mkdir -p 'd<'
"$make_recording" "$dir" 30 slow || exit
LC_ALL=C sed -i 's|a-name-15-long!|</script><b><i>|g' "$dir"/*
"$bin" report -r "$dir" page.html >out 2>err </dev/null
is 'a report is written' "$? $(cat out err)" '0 '
is 'it is for its owner only' "$(stat -c %a page.html)" 600
is 'only the page itself ends its scripts' "$(grep -o '<script' page.html | wc -l)" "$(grep -o '</script' page.html | wc -l)"

"$bin" report page.html >out 2>err </dev/null
is 'it needs a recording' "$? $(cat err)" '2 tcpfsm: report: needs a recording: -r DIR, which tcpfsm record makes'
"$bin" report -r "$dir" >out 2>err </dev/null
is 'it needs a file' "$? $(cat err)" '2 tcpfsm: report: needs a file to write to; see tcpfsm help report'
"$bin" report -r nothing there.html >out 2>err </dev/null
is 'no recording, no file' "$? $(wc -l <err) $(test -e there.html; echo $?)" '1 1 1'
echo kept >here.html
"$bin" report -r nothing here.html >out 2>err </dev/null
is 'no recording, and the file of before is as it was' "$(cat here.html)" kept
"$bin" report -r "$dir" /dev/full >out 2>err </dev/null
is 'a full disk' "$? $(grep -c 'No space left' err)" '1 1'

# ---- what it shows -----------------------------------------------------------------------------

browser_begin || { cat driver.log; not_ok 'Chromium starts' "$value"; exit 1; }
requests >/dev/null
open_page "file://$tmp/page.html" || { console; not_ok 'the page is shown' "$value"; exit 1; }
is 'nothing on the console' "$(console)" ''
# Chromium opens a tab of its own first.
is 'nothing is asked for but the page' "$(requests | grep -v '^chrome:' | grep -cv '^data:')" 1
run_js 'return [window.broken === undefined, document.querySelector("main b > i, main img, h1 img") === null, document.title]'
is 'a hostile path is text' "$value" "$(jq -cn --arg d "tcpfsm report: $dir" '[true, true, $d]')"
run_js 'return [...document.querySelectorAll("#listeners-table tbody tr td:nth-child(2)")].map(e => e.textContent).filter(s => s.includes("<"))'
is 'a hostile process is text' "$value" '["</script><b><i>/723"]'

# Rows of a table by what columns of --json they show; numbers as numbers.
rows='return [...document.querySelectorAll("#" + arguments[0] + "-table tbody tr")].map(tr => Object.fromEntries([...tr.cells].map(td => {
	const s = td.textContent, n = Number(s.replaceAll(",", ""));
	return [td.dataset.k, s === "–" ? null : td.classList.contains("num") && !Number.isNaN(n) ? n : s];
})))'
# So much of the recording is shown: options for all commands.
part=()
# same TABLE KEYS EVENT COMMAND...
same() {
	local name=$1 keys=$2 event=$3
	shift 3
	run_js "$rows" "[\"$name\"]"
	is "$name are those of tcpfsm $1 ${part[*]} --json: $keys" \
		"$(jq -c --arg keys "$keys" '($keys | split(" ")) as $k | map([.[$k[]]])' <<<"$value")" \
		"$("$bin" "$@" -r "$dir" "${part[@]}" --json 2>/dev/null | jq -sc --arg keys "$keys" --arg event "$event" '($keys | split(" ")) as $k |
			map(select(.event | test($event)) | . + (.since_attach // {}) + (.closed_first // {}) | [.[$k[]]])')"
}
numbers() {
	same listeners 'refused syn syn_cookie completed accepted synq synq_peak acceptq acceptq_peak backlog' '^listener' listen
	same spaces 'time_wait fin_wait2 tw_max enter expire reuse denied settles' timewait_total timewait
	same destinations 'time_wait fin_wait2 open ports_used ports connect_failed local' timewait_destination timewait
	same owners 'time_wait fin_wait2 enter connect_failed' timewait_owner timewait
	same connects 'attempts established failed in_progress syn_retransmits resets live ports_used ports' connect connect
	run_js 'return Number(document.getElementById("sum-transitions").textContent)'
	is "transitions are those of diagram ${part[*]}" "$value" "$("$bin" diagram -r "$dir" "${part[@]}" --json 2>/dev/null | jq .transitions)"
	run_js 'return Number(document.getElementById("sum-resets").textContent)'
	is "resets are those of trace ${part[*]}" "$value" "$("$bin" trace -r "$dir" "${part[@]}" --json 2>/dev/null | jq -s 'map(select(.event == "reset")) | length')"
}
judged() {
	run_js 'return [...document.querySelectorAll(".finding")].map(e => [...e.querySelectorAll("[data-k]")].map(x => x.textContent))'
	is 'findings are those of explain' "$value" "$("$bin" explain -r "$dir" --json | jq -sc 'map([.summary, .verdict])')"
}
fits() {
	local look
	for look in '1280 900 light' '1280 900 dark' '390 800 light' '390 800 dark'; do
		# shellcheck disable=SC2086 # three words
		looks $look
		run_js 'return [document.documentElement.scrollWidth <= innerWidth, getComputedStyle(document.body).backgroundColor]'
		case $look in
		*dark) is "it fits $look" "$value" '[true,"rgb(17, 20, 24)"]' ;;
		*) is "it fits $look" "$value" '[true,"rgb(246, 247, 249)"]' ;;
		esac
	done
}

numbers
judged
run_js 'return [...document.querySelectorAll(".finding .picture")].filter(e => e.shadowRoot.querySelector("svg text")).length > 1'
is 'findings have connections that show them' "$value" true
run_js 'return [...document.querySelectorAll(".plot")].map(e => !!e.querySelector("canvas"))'
is 'there are plots' "$value" '[true,true,true]'

# ---- what it does --------------------------------------------------------------------------------

run_js 'const i = document.querySelector("#listeners input"); i.value = "nginx"; i.oninput(); const n = document.querySelectorAll("#listeners-table tbody tr").length; i.value = ""; i.oninput(); return n'
is 'a table is searched' "$value" 1
run_js 'document.querySelectorAll("#listeners-table th button")[3].click(); return [...document.querySelectorAll("#listeners-table td[data-k=syn]")].map(e => Number(e.textContent.replaceAll(",", "")))'
is 'and sorted' "$value" "$(jq -c 'sort | reverse' <<<"$value")"
fits
is 'still nothing on the console' "$(console)" ''

# ---- a recording that is played -----------------------------------------------------------------------

# serve DIR...: its address is in $at
serve() {
	"$bin" serve -r "$@" --listen 127.0.0.1:0 2>err </dev/null &
	server=$!
	soon grep -q 'http://.* for a browser' err && at=$(sed -n 's,.*\(http://.*\)/ for a browser$,\1,p' err)
}
soon() { local i; for i in $(seq 300); do ! "$@" || return 0; sleep 0.1; done; return 1; }
served() { kill -INT "$server" && wait "$server"; status=$?; server=; }

# js_is CODE JSON: soon
js_is() { run_js "$1" && [ "$value" = "$2" ]; }
comes() { if soon js_is "$2" "$3"; then ok "$1"; else not_ok "$1" "is:        $value" "should be: $3"; fi; }
# Keys as a keyboard has them, to whatever has the focus: key NAME [CODE]
key() {
	local type
	for type in keyDown keyUp; do
		browse /goog/cdp/execute "$(jq -nc --arg type "$type" --arg key "$1" --argjson code "${2:-0}" '{cmd: "Input.dispatchKeyEvent", params: ({type: $type, key: $key, windowsVirtualKeyCode: $code} +
			if $type == "keyDown" and ($key | length) == 1 then {text: $key} elif $type == "keyDown" and $key == "Enter" then {text: "\r"} else {} end)}')"
	done
}
where='return document.querySelector("#play output").textContent'

serve "$dir" || { cat err; not_ok 'it serves a recording'; exit 1; }
looks 1280 900 light
requests >/dev/null
open_page "$at/" || { console; not_ok 'the page of a recording is shown' "$value"; exit 1; }
run_js 'return [document.title, window.broken === undefined, document.querySelector("main b > i, main img, h1 img") === null]'
is 'a hostile path is text' "$value" "$(jq -cn --arg d "tcpfsm: $dir" '[$d, true, true]')"
numbers
judged
# Ports alone: of one, made by hand, the addresses change.
run_js 'return [...document.querySelectorAll("#connections-table tbody tr")].filter(tr => tr.cells[1].textContent === "CLOSE").map(tr =>
	[tr.cells[0].textContent.replace(/\S*:(\d+)/g, "$1"), tr.cells[5].textContent, Number(tr.cells[6].textContent)].join(" ")).sort()'
is 'connections that have ended are those of conns' "$value" "$("$bin" conns -r "$dir" --json 2>/dev/null | jq -sc 'map(select(.unfinished | not) |
	(.lport | tostring) + (if .role == "active" then " → " elif .role == "passive" then " ← " else " – " end) + (.rport | tostring) +
	" " + .end + " " + (([.retransmits[]] | add // 0) | tostring)) | sort')"

# By the keyboard alone: the beginning, an event on and back, ten seconds, the end.
key Home 36
comes 'Home leads to the beginning' "$where" '"00:01:01 +0.000000 s"'
comes 'and there, nothing has happened' 'return document.querySelectorAll("#connections-table tbody tr").length' 0
next=$(curl -s "$at/data?at=0" | jq .play.next_us)
key .
comes 'the next event' "$where" "\"00:01:01 +$(printf '%d.%06d' $((next / 1000000)) $((next % 1000000))) s\""
key ,
comes 'and the one before' "$where" '"00:01:01 +0.000000 s"'
key ArrowRight 39
comes 'ten seconds later' 'return data.play.at_us' 10000000
part=(-d 10)
numbers
part=()
key End 35
comes 'the end' 'return data.play.at_us' "$(curl -s "$at/data?at=0" | jq .play.span_us)"
run_js 'const s = document.querySelector("#play select"); s.selectedIndex = 5; const r = window.render; window.seen = []; window.render = (d, l) => { window.seen.push(d.play.at_us); r(d, l); }'
key ' ' 32
comes 'from the end it is played from the beginning' 'return window.seen.length > 1 && window.seen[0] < 1e7 && window.seen.every((at, i) => !i || at > window.seen[i - 1])' true
comes 'to the end, and stands there' 'return [data.play.at_us === data.play.span_us, document.querySelector("#play button").textContent]' '[true,"Play"]'
numbers

# A ladder, by Enter; the focus goes to it, and back.
run_js 'document.querySelector("#connections-table tbody button").focus()'
key Enter 13
comes 'Enter on a connection shows its ladder' 'const e = document.querySelector("#ladder .picture"); return !!e && !!e.shadowRoot && [...e.shadowRoot.querySelectorAll("text")].some(t => t.textContent === "SYN_SENT") && document.activeElement.id === "ladder"' true
key Escape 27
comes 'and Escape leads back' 'return [document.getElementById("ladder") === null, document.activeElement === document.querySelector("#connections-table tbody button")]' '[true,true]'
# A row stays under the finger while others come and go.
run_js 'const b = document.querySelector("#connections-table tbody tr:last-child button"); b.focus(); window.held = b.textContent; return b.textContent'
key ,
soon js_is 'return data.play.at_us < data.play.span_us' true
comes 'who has the focus keeps it while rows move' 'return document.activeElement.textContent === window.held' true
fits
is 'nothing on the console' "$(console)" ''
is 'nothing is asked for elsewhere' "$(requests | grep -v '^chrome:' | grep -v '^data:' | grep -cv "^$at/")" 0

# What strangers ask for.
while read -r code path; do
	is "$path: $code" "$(curl -s -m 20 -o answer -w '%{http_code}' "$at$path") $(wc -l <answer)" "$code 1"
done <<-END
	400 /data
	400 /data?at=
	400 /data?at=-1
	400 /data?at=1e3
	400 /data?at=%31%00
	400 /data?at=99999999999
	400 /data?at=18446744073709551616
	400 /data?at=%3Cscript%3E
	400 /ladder?at=1
	400 /ladder?at=1&conn=0
	400 /ladder?at=1&conn=sk:1
	404 /ladder?at=1&conn=18446744073709551615
	404 /metrics
	404 /data/?at=1
	404 /data?at=$(printf '1%.0s' $(seq 600))
END
served
is 'it ends without a word more' "$status $(wc -l <err)" '0 1'

"$bin" serve -r nothing --listen 127.0.0.1:0 >out 2>err </dev/null
is 'no recording' "$? $(cat err)" '1 tcpfsm: nothing: no recording there; give the directory that tcpfsm record wrote'
"$bin" serve -r "$dir" -r "$dir" >out 2>err </dev/null
is 'two recordings' "$? $(wc -l <err)" '2 1'

# ---- what is missing -------------------------------------------------------------------------------

cp -r "$dir" cut
truncate -s -100 cut/cpu_0
"$bin" report -r cut cut.html >out 2>err </dev/null
status=$?
open_page "file://$tmp/cut.html"
run_js 'return document.querySelector("#missing li").textContent'
if [ $status = 1 ] && [[ $value == *damaged*cpu_0* ]]; then ok 'what is damaged is said'; else not_ok 'what is damaged is said' "$status" "$value" "$(cat err)"; fi

serve cut || not_ok 'a damaged one is served' "$(cat err)"
open_page "$at/"
run_js 'return document.querySelector("#missing li").textContent'
if [[ $value == *damaged*cpu_0* ]] && grep -q 'damaged\|cpu_0' err; then ok 'of one that is played, too'; else not_ok 'of one that is played, too' "$value" "$(cat err)"; fi
served

"$make_recording" many 20000
"$bin" report -r many many.html 2>/dev/null
size=$(stat -c %s many.html)
if [ "$size" -lt 1000000 ]; then ok 'a large recording makes no large page'; else not_ok 'a large recording makes no large page' "$size bytes"; fi
exit $failed
