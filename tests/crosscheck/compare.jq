# SPDX-License-Identifier: GPL-2.0-only
# What the second witness (tests/crosscheck/witness.bpf.c) has counted beside what the module has told
# (tcpfsm trace --raw) and counted (its totals). For scripts/crosscheck, which gives:
#   $seen    [{key: {netns, what, a, b}, value}], what as in enum seen
#   $told    {"NETNS WORD": how many}, of the events
#   $totals  [{conn, netns, NAME: value...}], of each listener and network namespace
# The input is {name, netns: [inode...], once: [of these, those nobody had before or after]}.

def state: ["", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
	"CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE"][.];
def what: {CONN_REQUEST: 2, HASH_ADD: 3, MAKE_SYNACK: 4, HASHDANCE: 5, QUEUE_DROP: 6, SYNACK_TIMEOUT: 7,
	ACCEPT: 8, LISTEN: 9, TIME_WAIT: 10, TW_HASHDANCE: 11, TW_REARM: 12, TW_KILL: 13, RETRANSMIT: 14,
	RESET_RECEIVED: 15, RESET_SENT: 16}[.];

def rows($ns; $once):
	# seen("NAME"), with a when only those with this number count
	def seen($name): $name | what as $w | [$seen[] | select(.key.netns == $ns and .key.what == $w).value] | add // 0;
	def seen($name; $a): $name | what as $w
		| [$seen[] | select(.key.netns == $ns and .key.what == $w and .key.a == $a).value] | add // 0;
	def told($word): $told["\($ns) \($word)"] // 0;
	def total($like): [$totals[] | select(.netns == $ns) | to_entries[]
		| select(.key == $like or (.key | startswith($like + "."))).value] | add // 0;

	# State changes of full sockets.
	([$seen[] | select(.key.netns == $ns and .key.what == 1) | "\(.key.a | state)>\(.key.b | state)"]
		+ [$told | keys_unsorted[] | select(startswith("\($ns) transition:"))
			| split(":")[1] | select(contains("NEW_SYN_RECV") | not)]
		| unique[] | . as $move | split(">") as [$old, $new]
		| ["state \($move)",
			([$seen[] | select(.key.netns == $ns and .key.what == 1 and (.key.a | state) == $old
				and (.key.b | state) == $new).value] | add // 0),
			told("transition:" + $move)]),
	# Events that nothing limits.
	["event timewait enter", seen("TW_HASHDANCE"), told("timewait:enter")],
	["event timewait made or denied", seen("TIME_WAIT"), told("timewait:enter") + told("timewait:denied")],
	["event timewait refresh", seen("TW_REARM"), told("timewait:refresh")],
	["event timewait, its end", seen("TW_KILL"),
		([("expire", "kill", "reopen", "reuse", "purge") | told("timewait:" + .)] | add)],
	["event syn queued", seen("MAKE_SYNACK"; 0) + seen("MAKE_SYNACK"; 1), told("syn:queued")],
	(["SYN", "SYNACK", "FIN", "DATA"] | to_entries[]
		| ["event retransmit \(.value)", seen("RETRANSMIT"; .key + 1), told("retransmit:" + .value)]),
	["event reset received", seen("RESET_RECEIVED"), told("reset:received")],
	["event accept", seen("ACCEPT"), told("accept")],
	["event listen", seen("LISTEN"), told("listen")],
	# Totals, as long as there is one to ask for.
	(select($once) |
		["total syn", seen("CONN_REQUEST"), total("syn")],
		["total syn_queued, _duplicate", seen("HASH_ADD"), total("syn_queued") + total("syn_duplicate")],
		["total syn_queued", seen("MAKE_SYNACK"; 0), total("syn_queued")],
		["total syn_cookie", seen("MAKE_SYNACK"; 2), total("syn_cookie")],
		["total syn_fastopen", seen("MAKE_SYNACK"; 1), total("syn_fastopen")],
		["total completed", seen("HASHDANCE"; 1), total("completed")],
		# Of a completed one the child has taken the place before.
		["total gone", seen("QUEUE_DROP"), total("gone")],
		["total synack_timeout", seen("SYNACK_TIMEOUT"), total("synack_timeout")],
		["total synack_retransmit, syn_retransmit", seen("RETRANSMIT"; 1) + seen("RETRANSMIT"; 2),
			total("synack_retransmit") + total("syn_retransmit")],
		["total accepted", seen("ACCEPT"), total("accepted")],
		["total timewait enter", seen("TW_HASHDANCE"), total("timewait.enter")],
		["total timewait refresh", seen("TW_REARM"), total("timewait.refresh")],
		["total timewait, its end", seen("TW_KILL"), ([("expire", "kill", "reopen", "reuse", "purge")
			| total("timewait." + .)] | add)],
		["event reset sent, total reset_suppressed", seen("RESET_SENT"),
			told("reset:sent") + total("reset_suppressed")]);

. as $load
| [$load.netns[] as $ns | rows($ns; [$load.once[] == $ns] | any) | select(.[1] > 0 or .[2] > 0) + [$ns]]
| (map(select(.[1] != .[2]))) as $bad
| def sum($like): map(select(.[0] == $like or (.[0] | startswith($like + " ")))[1]) | add // 0;
"\(if $bad == [] and length > 0 then "ok" else "not ok" end) - \($load.name): \(sum("state")) state changes, \(
	sum("total syn")) SYNs, \(sum("event timewait enter")) mini-sockets, \(sum("event reset sent, total reset_suppressed")) RSTs sent; \(
	length) numbers compared, \($bad | length) differ",
($bad[] | "#   \(.[0]), netns \(.[3]): the witness saw \(.[1]), the module told \(.[2])")
