# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only

_tcpfsm() {
	local line=${COMP_LINE:0:COMP_POINT} words typed value command argument lines prefix='' there='' item word
	local file=${COMP_WORDS[COMP_CWORD]}

	# Not COMP_WORDS: there, "--lport=80" and "backlog=" are several.
	read -ra words <<< "$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	typed=${words[-1]} value=${words[-1]}
	unset 'words[-1]'
	command=$(_tcpfsm_command_of "${words[@]:1}")
	if [[ $typed = --*=* ]]; then
		value=${typed#*=}
		argument=$(_tcpfsm_argument "${typed%%=*}" "$command")
	else
		argument=$(_tcpfsm_argument "${words[-1]}" "$command")
		[[ $argument ]] || argument=$(_tcpfsm_filter_argument "$command" "${words[${#words[@]} - 2]}" "${words[-1]}")
	fi
	[[ $file != '=' ]] || file=

	COMPREPLY=()
	case "${argument#* } $command $value" in
	'DIR '* | ' record '[!-]* | ' record ')
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$file")
		return ;;
	FILE\ * | PATH\ * | NETNS*\ [./]*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$file")
		return ;;
	'  '[!-]* | '  ') lines=$(_tcpfsm_each_command "${words[-1]}") ;;
	' '*' -'*) lines=$(_tcpfsm_each_option "$command") ;;
	' '*' ') lines=$(_tcpfsm_each_option "$command"; _tcpfsm_filter_words "$command") ;;
	' '*) lines=$(_tcpfsm_filter_words "$command") ;;
	*) lines=$(_tcpfsm_values "$argument") ;;
	esac

	item=$value
	case ${argument#* } in
	STATES) item=${value##*,} prefix=${value%"$item"} item=${item^^} item=${item//-/_} ;;
	PORTS | CAUSES) item=${value##*,} prefix=${value%"$item"} ;;
	esac
	prefix=${typed%"$value"}$prefix
	# Readline has what is behind the last "=" only.
	[[ $COMP_WORDBREAKS != *=* ]] || there=${typed%"${typed##*=}"}
	while IFS=$'\t' read -r word _; do
		[[ $word && $word = "$item"* ]] || continue
		[[ $word != *= ]] || compopt -o nospace 2>/dev/null
		word=$prefix$word
		word=${word#"$there"}
		[[ -z $word ]] || COMPREPLY+=("$word")
	done <<< "$lines"
}
complete -F _tcpfsm tcpfsm
