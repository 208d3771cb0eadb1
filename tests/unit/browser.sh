# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced, with tmp=FOLDER: Debian's Chromium without a screen, by the protocol of chromedriver.
# shellcheck disable=SC2154 # tmp

driver=
session=

# browse PATH [JSON]: a command of WebDriver to the session; its value is in $value, as JSON
browse() {
	local method=POST
	[ $# = 2 ] || method=GET
	value=$(curl -s -m 60 -X $method ${2:+-H 'Content-Type: application/json' -d "$2"} "$driver$session$1" |
		jq -c .value) && [ "$(jq -r '.error? // empty' <<<"$value" 2>/dev/null)" = '' ]
}

browser_begin() {
	local port tries
	chromedriver --port=0 >"$tmp/driver.log" 2>&1 &
	driver_pid=$!
	for tries in $(seq 300); do
		port=$(sed -n 's/.*successfully on port \([0-9]*\)\.*$/\1/p' "$tmp/driver.log")
		[ -z "$port" ] || break
		sleep 0.1
	done
	[ "$port" ] || return
	driver=http://127.0.0.1:$port/session
	# As root there is no sandbox, and in a container little of /dev/shm.
	browse '' '{"capabilities":{"alwaysMatch":{"browserName":"chrome","goog:loggingPrefs":{"browser":"ALL","performance":"ALL"},
		"goog:chromeOptions":{"args":["--headless=new","--no-sandbox","--disable-dev-shm-usage","--disable-gpu",
		"--disable-background-networking","--no-first-run","--user-data-dir='"$tmp"'/profile"]}}}}' || return
	session=/$(jq -r .sessionId <<<"$value")
}

browser_end() {
	[ -z "$session" ] || curl -s -m 20 -X DELETE "$driver$session" >/dev/null
	[ -z "${driver_pid-}" ] || { kill "$driver_pid"; wait "$driver_pid"; } 2>/dev/null
}

# open_page URL: and wait until it has shown something
open_page() {
	local tries
	browse /url "$(jq -n --arg url "$1" '{url: $url}')" || return
	for ((tries = 0; tries < 300; tries++)); do
		run_js 'return document.getElementById("main").dataset.ready === "1"'
		[ "$value" != true ] || return 0
		sleep 0.1
	done
	return 1
}

# run_js CODE [JSON of ARGUMENTS]: what it returns is in $value
run_js() { browse /execute/sync "$(jq -n --arg code "$1" --argjson args "${2:-[]}" '{script: $code, args: $args}')"; }

# What the console has said since the last time, a line each.
console() { browse /se/log '{"type":"browser"}' && jq -r '.[].message' <<<"$value"; }

# Addresses that were asked for since the last time, a line each.
requests() {
	browse /se/log '{"type":"performance"}' && jq -r '.[].message | fromjson | .message |
		select(.method == "Network.requestWillBeSent") | .params.request.url' <<<"$value"
}

# looks WIDTH HEIGHT light|dark
looks() {
	browse /window/rect "{\"width\":$1,\"height\":$2}" &&
		browse /goog/cdp/execute '{"cmd":"Emulation.setDeviceMetricsOverride","params":{"width":'"$1"',"height":'"$2"',"deviceScaleFactor":1,"mobile":false}}' &&
		browse /goog/cdp/execute '{"cmd":"Emulation.setEmulatedMedia","params":{"features":[{"name":"prefers-color-scheme","value":"'"$3"'"}]}}'
}

# picture_of FILE: all of the page
picture_of() {
	browse /goog/cdp/execute '{"cmd":"Page.captureScreenshot","params":{"format":"png","captureBeyondViewport":true}}' &&
		jq -r .data <<<"$value" | base64 -d >"$1"
}
