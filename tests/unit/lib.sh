# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced, with bin=PATH-OF-TCPFSM, subject=WORD, and tmp=FOLDER, which goes at the end: results, and the full
# screen as a user has it, in tmux. Who tells results in another way has an ok NAME and a not_ok NAME WHY... too.
# shellcheck disable=SC2034,SC2154 # variables of who sources it

failed=0
ok() { echo "ok - $subject: $1"; }
not_ok() {
	failed=1
	printf '# %s\n' "${@:2}"
	screen | sed 's/^/# | /'
	echo "not ok - $subject: $1"
}

export TMUX_TMPDIR=${tmp:?} TZ=UTC LC_ALL=C.UTF-8
unset NO_COLOR TMUX
mux() { tmux -L top -f /dev/null "$@"; }
trap 'mux kill-server 2>/dev/null; rm -rf "$tmp"' EXIT

screen() { mux capture-pane -p 2>/dev/null; }
keys() { mux send-keys "$@"; }

# start COLUMNS ROWS [NAME=VALUE...] -- ARGS...: its status will be in status, stderr in err
start() {
	local size=(-x "$1" -y "$2") env=()
	shift 2
	while [ "$1" != -- ]; do env+=("$1"); shift; done
	shift
	mux kill-server 2>/dev/null
	while mux has-session 2>/dev/null; do sleep 0.05; done
	rm -f "$tmp"/{status,err,pid,before,stopped,after}
	# Job control, so that Ctrl-Z stops it; then it goes on by itself.
	cat >"$tmp/run" <<-END
		set -m
		stty -a | sed 1d >$tmp/before
		bash -c 'echo \$\$ >$tmp/pid; exec env ${env[*]} $bin top $* 2>$tmp/err'
		status=\$?
		while [ \$status = 148 ]; do
			stty -a | sed 1d >$tmp/stopped
			sleep 1
			fg >/dev/null
			status=\$?
		done
		echo \$status >$tmp/status
		stty -a | sed 1d >$tmp/after
		exec sleep 1000
	END
	# A server that is about to go takes a session and ends.
	soon mux new-session -d "${size[@]}" bash "$tmp/run"
}

# How often is looked before it is known to be wrong: long for a busy machine, but once only.
patience=1200

# soon COMMAND...: until it is true
soon() {
	local tries
	for tries in $(seq $patience); do
		! "$@" || return 0
		sleep 0.1
	done
	patience=100
	return 1
}

# comes NAME EXPRESSION: true, soon
comes() { if soon eval "$2"; then ok "$1"; else not_ok "$1" "$2"; fi; }

# shows NAME PATTERN...: the screen has all of them, soon; it is in seen
shows() {
	local name=$1 missing tries
	shift
	for tries in $(seq $patience); do
		screen >"$tmp/seen"
		# mawk reads bytes: of what is not ASCII, [] and + need ().
		missing=$(printf '%s\n' "$@" | awk '
			NR == FNR { want[NR] = $0; next }
			{ for (i in want) if ($0 ~ want[i]) delete want[i] }
			END { for (i in want) { print want[i]; exit } }' - "$tmp/seen")
		[ "$missing" ] || { ok "$name"; return; }
		sleep 0.1
	done
	patience=100
	not_ok "$name" "no /$missing/ after $tries tries"
	return 1
}

# ended NAME STATUS [PATTERN of err]: and the terminal is as it was
ended() {
	soon [ -s "$tmp/after" ] || :
	if [ ! -s "$tmp/status" ]; then
		not_ok "$1" 'it runs on'
	elif [ "$(cat "$tmp/status")" != "$2" ]; then
		not_ok "$1" "status $(cat "$tmp/status"), not $2" "$(cat "$tmp/err")"
	elif ! cmp -s "$tmp/before" "$tmp/after"; then
		not_ok "$1" 'the terminal is not as it was' "$(diff "$tmp/before" "$tmp/after")"
	elif [ "$(mux display-message -p '#{alternate_on} #{cursor_flag}')" != '0 1' ]; then
		not_ok "$1" 'still on the full screen, or without a cursor'
	elif [ -n "${3-}" ] && ! grep -Eq -- "$3" "$tmp/err"; then
		not_ok "$1" "stderr has no /$3/" "$(cat "$tmp/err")"
	elif [ -z "${3-}" ] && [ -s "$tmp/err" ]; then
		not_ok "$1" 'stderr is not empty' "$(cat "$tmp/err")"
	elif [ "$(wc -l <"$tmp/err")" -gt 1 ]; then
		not_ok "$1" 'more than one line on stderr' "$(cat "$tmp/err")"
	else
		ok "$1"
	fi
}
