# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-2.0-only
# What can come at a place of the command line, for bash and zsh alike, in a subshell (of zsh in
# "emulate sh"), out of the variables that completion.c prints. A line is a word, or a word, a tab
# and what it means.

# The word before it: there is no help of help.
_tcpfsm_each_command() {
	printf '%s\n' "$_tcpfsm_commands" | while read -r name rest text; do
		[ -z "$name" ] || [ "$1 $name" = 'help help' ] || printf '%s\t%s\n' "$name" "$text"
	done
}

# COMMAND, or nothing: letters and names
_tcpfsm_each_option() {
	printf '%s\n' "$_tcpfsm_options" | while read -r letter name rest of text; do
		case ,$of, in ,,) continue ;; *",$1,"*) ;; *) [ -z "$1" ] || continue ;; esac
		[ "$letter" = - ] || printf '%s\t%s\n' "$letter" "$text"
		printf '%s\t%s\n' "$name" "$text"
	done
}

# OPTION [COMMAND]: its name and the argument that it takes, if it takes one. Of letters that
# stand together, the last one counts.
_tcpfsm_argument() {
	case $1 in
	--* | -) set -- "$1" "$2" ;;
	-*) set -- "-${1#"${1%?}"}" "$2" ;;
	*) return ;;
	esac
	printf '%s\n' "$_tcpfsm_options" | while read -r letter name argument of rest; do
		case $1 in "$letter" | "$name") ;; *) continue ;; esac
		case ,$of, in *",$2,"*) ;; *) [ -z "$2" ] || continue ;; esac
		case $argument in - | '['*) ;; *) printf '%s %s\n' "$name" "$argument" ;; esac
		break
	done
}

# ours|theirs: in use. Listeners come first in /proc/net/tcp; no more than can be looked through
# while somebody waits.
_tcpfsm_ports() {
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | head -n 4000 | while read -r rest ours theirs rest; do
		[ "$1" = ours ] || ours=$theirs
		case ${ours##*:} in *[!0-9A-F]* | 0000 | '') ;; *) printf '%d\n' "0x${ours##*:}" ;; esac
	done | sort -nu
}

_tcpfsm_pids() {
	for process in /proc/[0-9]*; do
		comm=
		{ read -r comm <"$process/comm"; } 2>/dev/null
		[ -z "$comm" ] || printf '%s\t%s\n' "${process#/proc/}" "$comm"
	done
}

# Those of ip netns by name, and all that processes are in.
_tcpfsm_namespaces() {
	for name in /run/netns/*; do
		[ ! -e "$name" ] || printf '%s\tof ip netns\n' "${name##*/}"
	done
	stat -L -c %i /proc/[0-9]*/ns/net 2>/dev/null | sort | uniq -c | while read -r n inode; do
		printf '%s\t%s processes\n' "$inode" "$n"
	done
}

# NAME of an option, and what it takes: what that can be
_tcpfsm_values() {
	case $1 in
	'--lport '*) _tcpfsm_ports ours ;;
	'--rport '*) _tcpfsm_ports theirs ;;
	'--port '*) _tcpfsm_ports ours; _tcpfsm_ports theirs ;;
	'--pid '*) _tcpfsm_pids ;;
	'--comm '*) _tcpfsm_pids | cut -f 2 | grep -v ' ' | sort -u ;;
	'--netns '*) _tcpfsm_namespaces ;;
	'--state '*) printf '%s\n' "$_tcpfsm_states" ;;
	'--cause '*) printf '%s\n' "$_tcpfsm_causes" ;;
	'--sort KEY') printf '%s\n' "$_tcpfsm_sorts" ;;
	'--sort ORDER') printf '%s\n' "$_tcpfsm_orders" ;;
	'--by '*) printf '%s\n' "$_tcpfsm_bys" ;;
	'--what-if '*) printf '%s\n' "$_tcpfsm_settings" ;;
	esac
}

# COMMAND: the words of a filter, if it takes one
_tcpfsm_filter_words() {
	printf '%s\n' "$_tcpfsm_options" | while read -r letter name rest of text; do
		case $name,,$of, in --netns,*",$1,"*) printf '%s\n' "$_tcpfsm_filter" ;; esac
	done
}

# COMMAND WORD WORD: what comes after the last two of a filter, as the option of the same meaning and what that takes;
# nothing where a word of the filter comes
_tcpfsm_filter_argument() {
	[ -n "$1" ] || return
	case $3 in = | == | '!=' | '<' | '>' | '<=' | '>=') set -- "$1" '' "$2" ;; esac
	_tcpfsm_filter_words "$1" | while read -r name rest; do
		[ "$name" = "$3" ] || continue
		case $name in
		sport | lport) echo '--lport PORTS' ;;
		dport | rport) echo '--rport PORTS' ;;
		port) echo '--port PORTS' ;;
		state) echo '--state STATES' ;;
		cause) echo '--cause CAUSES' ;;
		netns) echo '--netns NETNS' ;;
		ipv4 | ipv6 | and | or | not) ;;
		*) printf '%s\n' "--$name NAME" ;;
		esac
	done
}

# WORD...: the command among them
_tcpfsm_command_of() {
	takes=
	for word; do
		if [ -n "$takes" ]; then
			takes=
			continue
		fi
		case $word in -*) takes=$(_tcpfsm_argument "$word" ''); continue ;; esac
		case $_tcpfsm_commands in
		*"
$word "*) [ "$word" = help ] || { printf '%s\n' "$word"; return; } ;;
		esac
	done
}
