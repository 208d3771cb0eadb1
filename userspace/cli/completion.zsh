# SPDX-License-Identifier: GPL-2.0-only

# Not within $(): there, zsh would have read its text already.
_tcpfsm_lines() {
	emulate -L sh
	"$@"
}

_tcpfsm() {
	local command option argument line
	local -a before lines described more

	before=("${(@)words[2,CURRENT-1]}")
	command=$(_tcpfsm_lines _tcpfsm_command_of "${before[@]}")
	option=${words[CURRENT-1]}
	if [[ $PREFIX = --*=* ]]; then
		option=${PREFIX%%=*}
		compset -P '--[a-z-]##='
	fi
	argument=$(_tcpfsm_lines _tcpfsm_argument "$option" "$command")
	[[ -n $argument ]] || argument=$(_tcpfsm_lines _tcpfsm_filter_argument "$command" "${words[CURRENT-2]}" "$option")

	case "${argument#* } $command $PREFIX" in
	('DIR '*|' record '[^-]*|' record ') _files -/; return ;;
	((FILE|PATH)\ *|NETNS*\ [./]*) _files; return ;;
	('  '[^-]*|'  ') lines=("${(@f)$(_tcpfsm_lines _tcpfsm_each_command "$option")}") ;;
	(' '*' -'*) lines=("${(@f)$(_tcpfsm_lines _tcpfsm_each_option "$command")}") more=(-o) ;;
	(' '*' ') lines=("${(@f)$(_tcpfsm_lines _tcpfsm_each_option "$command"
		_tcpfsm_lines _tcpfsm_filter_words "$command")}") ;;
	(' '*) lines=("${(@f)$(_tcpfsm_lines _tcpfsm_filter_words "$command")}") ;;
	(*) lines=("${(@f)$(_tcpfsm_lines _tcpfsm_values "$argument")}") ;;
	esac

	for line in $lines; do
		[[ $line != *$'\t'* ]] || line="${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}"
		described+=("$line")
	done
	case ${argument#* } in
	(STATES) compset -P '*,'; _describe state described -M 'm:{a-z\-}={A-Z_}' ;;
	(PORTS|CAUSES) compset -P '*,'; _describe value described ;;
	(KEY=VALUE) _describe setting described -S '' ;;
	(*) _describe $more value described ;;
	esac
}

_tcpfsm "$@"
