#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_page.sh build/tcpfsm: what tcpfsm report writes, as a browser shows it: Chromium, without a screen.
# Its numbers are those of --json, names are text, it asks nothing of a network, and says nothing on the console.
# shellcheck disable=SC2016 # of jq and JavaScript
set -u

bin=$(realpath "${1:?usage: test_page.sh PATH-OF-TCPFSM}")
make_recording=$(dirname "$bin")/tests/make_recording
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/browser.sh
. "$(dirname "$0")/browser.sh"
trap 'browser_end; rm -rf "$tmp"' EXIT
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
# same TABLE KEYS EVENT COMMAND...
same() {
	local name=$1 keys=$2 event=$3
	shift 3
	run_js "$rows" "[\"$name\"]"
	is "$name are those of tcpfsm $1 --json: $keys" \
		"$(jq -c --arg keys "$keys" '($keys | split(" ")) as $k | map([.[$k[]]])' <<<"$value")" \
		"$("$bin" "$@" -r "$dir" --json 2>/dev/null | jq -sc --arg keys "$keys" --arg event "$event" '($keys | split(" ")) as $k |
			map(select(.event | test($event)) | . + (.since_attach // {}) + (.closed_first // {}) | [.[$k[]]])')"
}
same listeners 'refused syn syn_cookie completed accepted synq synq_peak acceptq acceptq_peak backlog' '^listener' listen
same spaces 'time_wait fin_wait2 tw_max enter expire reuse denied settles' timewait_total timewait
same destinations 'time_wait fin_wait2 open ports_used ports connect_failed local' timewait_destination timewait
same owners 'time_wait fin_wait2 enter connect_failed' timewait_owner timewait
same connects 'attempts established failed in_progress syn_retransmits resets live ports_used ports' connect connect

run_js 'return [...document.querySelectorAll(".finding")].map(e => [...e.querySelectorAll("[data-k]")].map(x => x.textContent))'
is 'findings are those of explain' "$value" "$("$bin" explain -r "$dir" --json | jq -sc 'map([.summary, .verdict])')"
run_js 'return Number(document.getElementById("sum-transitions").textContent)'
is 'transitions are those of diagram' "$value" "$("$bin" diagram -r "$dir" --json | jq .transitions)"
run_js 'return Number(document.getElementById("sum-resets").textContent)'
is 'resets are those of trace' "$value" "$("$bin" trace -r "$dir" --json | jq -s 'map(select(.event == "reset")) | length')"
run_js 'return [...document.querySelectorAll(".finding .picture")].filter(e => e.shadowRoot.querySelector("svg text")).length > 1'
is 'findings have connections that show them' "$value" true
run_js 'return [...document.querySelectorAll(".plot")].map(e => !!e.querySelector("canvas"))'
is 'there are plots' "$value" '[true,true,true]'

# ---- what it does --------------------------------------------------------------------------------

run_js 'const i = document.querySelector("#listeners input"); i.value = "nginx"; i.oninput(); const n = document.querySelectorAll("#listeners-table tbody tr").length; i.value = ""; i.oninput(); return n'
is 'a table is searched' "$value" 1
run_js 'document.querySelectorAll("#listeners-table th button")[3].click(); return [...document.querySelectorAll("#listeners-table td[data-k=syn]")].map(e => Number(e.textContent.replaceAll(",", "")))'
is 'and sorted' "$value" "$(jq -c 'sort | reverse' <<<"$value")"
for look in '1280 900 light' '1280 900 dark' '390 800 light' '390 800 dark'; do
	# shellcheck disable=SC2086 # three words
	looks $look
	run_js 'return [document.documentElement.scrollWidth <= innerWidth, getComputedStyle(document.body).backgroundColor]'
	case $look in
	*dark) is "it fits $look" "$value" '[true,"rgb(17, 20, 24)"]' ;;
	*) is "it fits $look" "$value" '[true,"rgb(246, 247, 249)"]' ;;
	esac
done
is 'still nothing on the console' "$(console)" ''

# ---- what is missing -------------------------------------------------------------------------------

cp -r "$dir" cut
truncate -s -100 cut/cpu_0
"$bin" report -r cut cut.html >out 2>err </dev/null
status=$?
open_page "file://$tmp/cut.html"
run_js 'return document.querySelector("#missing li").textContent'
if [ $status = 1 ] && [[ $value == *damaged*cpu_0* ]]; then ok 'what is damaged is said'; else not_ok 'what is damaged is said' "$status" "$value" "$(cat err)"; fi

"$make_recording" many 20000
"$bin" report -r many many.html 2>/dev/null
size=$(stat -c %s many.html)
if [ "$size" -lt 1000000 ]; then ok 'a large recording makes no large page'; else not_ok 'a large recording makes no large page' "$size bytes"; fi
exit $failed
