#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# test_completion.sh build/tcpfsm: what bash and zsh complete, and that no option is missing; as
# functions with their variables, and as keys on a terminal.
# shellcheck disable=SC2016,SC2034,SC2317 # for another shell; of lib.sh; called by soon
set -u

bin=$(realpath "${1:?usage: test_completion.sh PATH-OF-TCPFSM}")
completion=$(dirname "$bin")/completion
subject=completion
tmp=$(mktemp -d) || exit 1
# shellcheck source=tests/unit/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1

# Bash's own variables of a line that ends at the cursor; a word each line of got. What follows
# "=" is a word of its own there.
cat >bash_completes <<'END'
. "$1"
COMP_LINE=$2 COMP_POINT=${#2}
read -ra COMP_WORDS <<< "${2//=/ = }"
[[ $2 != *[\ =] ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_tcpfsm
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
END
completes() { bash --norc bash_completes "$completion/tcpfsm" "$1" >got 2>&1; }

# is LINE WORD...: the completions of LINE are these, in whatever order
is() {
	completes "$1"
	if diff <([ $# = 1 ] || printf '%s\n' "${@:2}" | sort) <(sort got) >differ; then ok "bash: $1"; else not_ok "bash: $1" "$(cat differ)"; fi
}

# has LINE WORD: it is among them
has() {
	completes "$1"
	if grep -qx -e "$2" got; then ok "bash: $1 ($2)"; else not_ok "bash: $1 ($2)" "$(head -20 got)"; fi
}

mapfile -t commands < <("$bin" help | sed -n '/^commands/,/^$/s/^  \([a-z]*\).*/\1/p')
is 'tcpfsm ' "${commands[@]}" help
is 'tcpfsm help ' "${commands[@]}"
for command in "${commands[@]}"; do
	mapfile -t options < <("$bin" help "$command" | sed -n '/^options/,/^$/p' | grep -oE '^  (-.,|   ) --[a-z0-9-]*' | tr -d ,)
	# shellcheck disable=SC2068 # a letter and a name
	is "tcpfsm $command -" ${options[@]}
done
mapfile -t options < <("$bin" help | sed -n '/^options/,/^$/p' | grep -oE -- '--[a-z0-9-]+' | sort -u)
completes 'tcpfsm --'
if [ "$(sort -u got)" = "$(printf '%s\n' "${options[@]}")" ]; then ok 'bash: options before the command'; else not_ok 'bash: options before the command' "$(cat got)"; fi

is 'tcpfsm l' ladder listen
is 'tcpfsm -r trace li' listen
is 'tcpfsm timewait --so' --sort
is 'tcpfsm listen --wi'
is 'tcpfsm timewait --sort ' population in out growth ports failed
is 'tcpfsm timewait --sort=g' growth
is 'tcpfsm connect --sort ' attempts failed progress slow resent resets live ports
is 'tcpfsm connect --by ' destination host net port process container
is 'tcpfsm trace d' dst dport
is 'tcpfsm check dst 10.0.0.1 and n' netns not
is 'tcpfsm info d'
is 'tcpfsm trace state time' TIME_WAIT
is 'tcpfsm record /tmp dport = 443 and cause = rcv_rs' rcv_rst
is 'tcpfsm trace src 10.0.0.1 and not cause 2' 2msl
is 'tcpfsm trace src '
is 'tcpfsm trace ipv4 and c' comm cgroup container cause
is 'tcpfsm info state T'
has 'tcpfsm trace state TIME_WAIT ' and
has 'tcpfsm trace ' dport
has 'tcpfsm trace ' --json
is 'tcpfsm explain --what-if ' backlog= ports= tw_reuse=
is 'tcpfsm explain --what-if=b' backlog=
is 'tcpfsm explain --what-if backlog='
mapfile -t states < <("$bin" trace -s - 2>&1 | sed 's/.*: only \(.*\) are states.*/\1/' | tr ' ' '\n')
mapfile -t causes < <("$bin" trace -C - 2>&1 | sed 's/.*: only \(.*\) are causes.*/\1/' | tr ' ' '\n')
is 'tcpfsm trace -s ' "${states[@]}"
is 'tcpfsm trace --cause ' "${causes[@]}"
is 'tcpfsm trace -s time' TIME_WAIT
is 'tcpfsm trace -s LISTEN,SYN-' LISTEN,SYN_SENT LISTEN,SYN_RECV
is 'tcpfsm trace --state=LISTEN,T' LISTEN,TIME_WAIT
is 'tcpfsm trace -TC rcv_rst,2' rcv_rst,2msl
is 'tcpfsm listen -w '
mkdir -p "$tmp/recordings/lunch"
: >"$tmp/recordings/file"
is "tcpfsm top -r $tmp/recordings/" "$tmp/recordings/lunch"
is "tcpfsm record $tmp/recordings/" "$tmp/recordings/lunch"
is "tcpfsm ladder --svg $tmp/recordings/" "$tmp/recordings/lunch" "$tmp/recordings/file"
has "tcpfsm trace -p ${$:0:1}" $$
has 'tcpfsm trace -N ' "$(stat -L -c %i /proc/self/ns/net)"

# A port that listens, and one that is connected to it, until stdin is closed.
coproc python3 -c '
import socket, sys
l = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(l.getsockname())
print(l.getsockname()[1], c.getsockname()[1], flush=True)
sys.stdin.read()'
read -r listens connected <&"${COPROC[0]}"
has 'tcpfsm listen -L ' "$listens"
has 'tcpfsm trace -D ' "$connected"
has "tcpfsm trace --lport=$listens,${connected:0:1}" "$listens,$connected"
has 'tcpfsm listen sport = ' "$listens"
has 'tcpfsm trace not dport != ' "$connected"
has 'tcpfsm conns port ' "$connected"
has "tcpfsm trace pid ${$:0:1}" $$
has 'tcpfsm trace comm ' "$(cat /proc/$$/comm)"
has 'tcpfsm trace netns ' "$(stat -L -c %i /proc/self/ns/net)"

# Those of ip netns, where a folder can be put over it.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/netns && : >/run/netns/blue &&
		exec bash --norc bash_completes "$1" "tcpfsm conns -N b"' - "$completion/tcpfsm" >got 2>&1
	if [ "$(cat got)" = blue ]; then ok 'bash: a namespace of ip netns'; else not_ok 'bash: a namespace of ip netns' "$(cat got)"; fi
fi

# ---- keys -----------------------------------------------------------------------

# shell COMMAND LINE: in a new terminal, with a line typed first
shell() {
	mux kill-server 2>/dev/null
	while mux has-session 2>/dev/null; do sleep 0.05; done
	soon mux new-session -d -x 120 -y 60 "$1"
	keys -l "$2; clear"
	keys Enter
}
prompt() { [ "$(screen | tr -d '[:space:]')" = % ]; }

# types NAME LINE PATTERN...: what is on the screen after the line and Tab
types() {
	keys C-u C-l
	soon prompt
	keys -l "$2"
	keys Tab
	shows "$1" "${@:3}"
}

shell 'bash --norc --noprofile' "PS1='% '; bind 'set show-all-if-ambiguous on'; . $completion/tcpfsm"
types 'bash, Tab: a command and a blank' 'tcpfsm timew' '^% tcpfsm timewait'
types 'bash, Tab: a state in small letters' 'tcpfsm trace --state=LISTEN,time' '^% tcpfsm trace --state=LISTEN,TIME_WAIT$'
types 'bash, Tab: a setting and no blank' 'tcpfsm explain --what-if back' '^% tcpfsm explain --what-if backlog=$'
types 'bash, Tab: causes' 'tcpfsm trace -C rcv_' rcv_ack_of_fin rcv_ack_of_syn rcv_fin_ack

if command -v zsh >/dev/null; then
	shell 'zsh -f' "fpath=($completion \$fpath); autoload -U compinit; compinit -u -D; LISTMAX=0; PROMPT='%% '"
	types 'zsh, Tab: commands' 'tcpfsm ' '^explain +-- what is wrong' '^help +-- ' '^trace +-- every transition'
	for command in "${commands[@]}"; do
		mapfile -t options < <("$bin" help "$command" | sed -n '/^options/,/^$/p' | grep -oE -- '--[a-z0-9-]+')
		types "zsh, Tab: options of $command" "tcpfsm $command --" "${options[@]/%/ +-- }"
	done
	types 'zsh, Tab: a command and a blank' 'tcpfsm timew' '^% tcpfsm timewait'
	types 'zsh, Tab: a state in small letters' 'tcpfsm trace --state=LISTEN,time' '^% tcpfsm trace --state=LISTEN,TIME_WAIT'
	types 'zsh, Tab: states' 'tcpfsm trace -s SYN_' 'SYN_RECV +SYN_SENT'
	types 'zsh, Tab: causes' 'tcpfsm trace -C rcv_' 'rcv_ack_of_fin +rcv_ack_of_syn +rcv_fin'
	types 'zsh, Tab: what to sort by' 'tcpfsm timewait --sort gr' '^% tcpfsm timewait --sort growth'
	types 'zsh, Tab: a setting and no blank' 'tcpfsm explain --what-if back' '^% tcpfsm explain --what-if backlog=$'
	types 'zsh, Tab: a process' "tcpfsm trace -p $$" "^% tcpfsm trace -p $$"
	types 'zsh, Tab: a port' "tcpfsm trace -L ${listens%?}" "$listens"
	types 'zsh, Tab: a state in a filter' 'tcpfsm trace sport = 80 and state time' \
		'^% tcpfsm trace sport = 80 and state TIME_WAIT'
	types 'zsh, Tab: a folder' "tcpfsm record $tmp/recordings/l" "recordings/lunch/"
else
	echo "ok - completion: zsh # skip: there is none"
fi
exit $failed
