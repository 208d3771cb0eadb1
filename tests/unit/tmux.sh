# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced: $bin's full screen as a user has it, in tmux. All is in a directory of its own,
# which one is in then. Who sources it has ok NAME and not_ok NAME WHY... tell.

bin=${bin:?}
tmp=$(mktemp -d) || exit 1
export TMUX_TMPDIR=$tmp TZ=UTC LC_ALL=C.UTF-8
unset NO_COLOR TMUX
mux() { tmux -L top -f /dev/null "$@"; }
trap 'mux kill-server 2>/dev/null; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

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
	rm -f status err pid before stopped after
	# Job control, so that Ctrl-Z stops it; then it goes on by itself.
	cat >run <<-END
		set -m
		stty -a | sed 1d >before
		bash -c 'echo \$\$ >pid; exec env ${env[*]} $bin top $* 2>err'
		status=\$?
		while [ \$status = 148 ]; do
			stty -a | sed 1d >stopped
			sleep 1
			fg >/dev/null
			status=\$?
		done
		echo \$status >status
		stty -a | sed 1d >after
		exec sleep 1000
	END
	mux new-session -d "${size[@]}" bash run
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
		screen >seen
		# mawk reads bytes: of what is not ASCII, [] and + need ().
		missing=$(printf '%s\n' "$@" | awk '
			NR == FNR { want[NR] = $0; next }
			{ for (i in want) if ($0 ~ want[i]) delete want[i] }
			END { for (i in want) { print want[i]; exit } }' - seen)
		[ "$missing" ] || { ok "$name"; return; }
		sleep 0.1
	done
	patience=100
	not_ok "$name" "no /$missing/ after $tries tries"
	return 1
}

# ended NAME STATUS [PATTERN of err]: and the terminal is as it was
ended() {
	soon [ -s after ] || :
	if [ ! -s status ]; then
		not_ok "$1" 'it runs on'
	elif [ "$(cat status)" != "$2" ]; then
		not_ok "$1" "status $(cat status), not $2" "$(cat err)"
	elif ! cmp -s before after; then
		not_ok "$1" 'the terminal is not as it was' "$(diff before after)"
	elif [ "$(mux display-message -p '#{alternate_on} #{cursor_flag}')" != '0 1' ]; then
		not_ok "$1" 'still on the full screen, or without a cursor'
	elif [ -n "${3-}" ] && ! grep -Eq -- "$3" err; then
		not_ok "$1" "stderr has no /$3/" "$(cat err)"
	elif [ -z "${3-}" ] && [ -s err ]; then
		not_ok "$1" 'stderr is not empty' "$(cat err)"
	elif [ "$(wc -l <err)" -gt 1 ]; then
		not_ok "$1" 'more than one line on stderr' "$(cat err)"
	else
		ok "$1"
	fi
}
