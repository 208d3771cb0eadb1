# SPDX-License-Identifier: GPL-2.0-only
# What tcpfsm top must show of a recording, counted from its events one by one: a line
# each of VIEW, "full" or "end", and a regular expression, with tabs between.  "full" is
# where TIME_WAIT is fullest, of the moments that are a multiple of ten seconds after the
# first event: the line "steps" tells which.  The input is what trace, explain and listen
# tell with --json; "ts" are seconds and "ns" a string, which jq can count.

def esc: gsub("(?<c>[][().*+?^$|\\\\{}])"; "\\\(.c)");
def hex: if . < 16 then "0123456789abcdef"[.:. + 1] else (. / 16 | floor | hex) + (. % 16 | hex) end;
def address($addr; $port): if $addr | contains(":") then "[\($addr)]:\($port)" else "\($addr):\($port)" end;
def owner: "\(.comm)/\(.pid)";
def of($view; $when): [$view, $when, .] | join("\t");
def clock: strftime("%H:%M:%S");
def ingroups(f): group_by(f) | map({ what: .[0] | f, n: length }) | sort_by(-.n);
# {MOVE} and {STATE} are what was counted; a move may have a rate.
def filled($n): gsub("\\{(?<w>[^}]*)\\}"; "\($n[.w] // 0)" + if .w | contains(">") then "( [+][^ ]+/s)?" else "" end);

# What the events come to, up to a moment.
def sum($events; $until):
	reduce ($events[] | select([.ts, .ns] <= $until)) as $e ({ last: {}, pid: {}, n: {}, refused: {}, ended: 0 };
		($e.conn | tostring) as $conn
		| if $e.pid and $e.conn > 0 then .pid[$conn] = ($e | owner) else . end
		| if ($e.event == "syn" or $e.event == "handshake_ack") and ($e.verdict == "dropped" or $e.verdict == "reset")
			and $e.reason != "defer_accept" and $e.reason != "cookie_invalid"
		then .refused[$e.listener | tostring] += 1
		elif $e.event == "transition" then
			.last[$conn] = $e
			| .n["\($e.old)>\($e.new)"] += 1
			| .n["\($e.old)>\($e.new):\($e.cause)"] += 1
			| if $e.new == "CLOSE" and $e.old != "LISTEN" then .ended += 1 else . end
		else . end)
	| .pid as $pid | [.last[] | select(.new != "CLOSE")] as $live
	| .population = ($live | ingroups(.new))
	| .n += (.population | map({ key: .what, value: .n }) | from_entries)
	| .tw = ($live | map(select(.new == "TIME_WAIT") | .who = $pid[.conn | tostring]));

def overview($x):
	"^ 1 Overview 2 Listeners", "^EACH SECOND ",
	($x.population[] | "^\(.what) +\(.n)( |$)"),
	"^SOCKETS +\([$x.population[].n] | add // 0)( |$)",
	" TIME_WAIT \($x.tw | length)( |$)",
	($x.tw | ingroups(.who // "no known process") | select(length > 0 and .[0].n != .[1].n) | .[0]
		| " TIME_WAIT \($x.tw | length)  \(100 * .n / ($x.tw | length) | floor)% of \(.what | esc)$"),
	($x.refused | to_entries | select(length > 0) | max_by(.value)
		| "WORST LISTENER " + if $x.last[.key] then "[^ ]+:\($x.last[.key].lport) " else "" end);

def timewait($x):
	"^[0-9:]+  mini-sockets", "^in all ",
	($x.tw | map(select(.who)) | ingroups(.who)[] | "^\(.what | esc) +\(.n) "),
	($x.tw | ingroups(.netns)[] | "^netns ([^ ]+ [(])?\(.what)[)]?: TIME_WAIT \(.n),");

def listeners($all):
	[$all[] | select(.event == "listener")
	# Those of a group are told apart by their cookies.
	| "^(\(address(.laddr; .lport) | esc)|  sk:\(.conn | hex))" + if .comm then " +\(owner | esc) " else "( |$)" end]
	| if length > 0 then .[] else "^[0-9:]+  0 listeners" end;

# What is not a listener, the newest first.
def newest($x): [$x.last[] | select(.new != "LISTEN" and (.new != "CLOSE" or .old != "LISTEN"))]
	| sort_by([.ts, .ns, .conn]) | reverse;

def connections($x):
	"^\([newest($x)[] | select(.new != "CLOSE")] | length + ([$x.ended, 2048] | min)) connections, ended ones included, by FOR, shortest first",
	(newest($x)[:100][] | "^\(.new) +[0-9.]+[a-z]+ [^ ].* \(.lport) \(address(.raddr; .rport)[:30] | esc)( |$)");

# All states of the newest, but not what lasted no time: a valid cookie makes SYN_RECV and ESTABLISHED at once.
def ladder($events; $x):
	newest($x) | select(length > 0) | .[0].conn as $conn
	| [$events[] | select(.conn == $conn and .event == "transition")] as $h
	| "^q back", (range($h | length) as $i | select([$h[$i] | .ts, .ns] != [$h[$i + 1] | .ts, .ns])
		| "(^|[^A-Z_])\($h[$i].new)([^A-Z_]|$)");

# The rows of its 24 that have numbers.
def diagram:
	"CLOSE    ▲ +{CLOSE>SYN_SENT} +│$",
	" {CLOSE>LISTEN} ▼  │ {LISTEN>CLOSE} +└( |─)+CLOSE(/delete TCB)? {SYN_SENT>CLOSE:close} (─)+┐",
	"─ rcv RST [0-9][^─]* (─)+►\\[LISTEN +{LISTEN}\\]",
	"▼ {LISTEN>SYN_RECV} +[0-9].* ▼",
	"^\\[SYN_RECV +{SYN_RECV}\\].*snd SYN,ACK {SYN_SENT>SYN_RECV} (─)+\\[SYN_SENT +{SYN_SENT}\\]",
	" {SYN_RECV>ESTABLISHED} ▼   ▼ {SYN_SENT>ESTABLISHED}( |$)",
	"CLOSE / snd FIN {SYN_RECV>FIN_WAIT1} .*\\[ESTABLISHED +{ESTABLISHED}\\]",
	"▼ +(×.* )?▼ {ESTABLISHED>FIN_WAIT1} +(×.* )?{ESTABLISHED>CLOSE_WAIT} ▼$",
	"^\\[FIN_WAIT1 +{FIN_WAIT1}\\].*\\[CLOSE_WAIT +{CLOSE_WAIT}\\]",
	"^  ▼ {FIN_WAIT1>FIN_WAIT2} +│ {FIN_WAIT1>TIME_WAIT} +▼.* {CLOSE_WAIT>LAST_ACK} ▼",
	"^\\[FIN_WAIT2 +{FIN_WAIT2}\\].*\\[CLOSING +{CLOSING}\\].*\\[LAST_ACK +{LAST_ACK}\\]",
	"│ rcv FIN/snd ACK .* {CLOSING>TIME_WAIT} ▼ .* {LAST_ACK>CLOSE:rcv_ack_of_fin} ▼",
	"^  └(─)+ {FIN_WAIT2>TIME_WAIT} ─.*\\[TIME_WAIT +{TIME_WAIT}\\]",
	"^                    .* {TIME_WAIT>CLOSE:2msl} *$";

# What has no arrow leaves a box for CLOSE, by a cause.  Only those with one: more are put together in little room.
def exits($n):
	[$n | to_entries[] | select(.key | test(">CLOSE:") and (IN("LISTEN>CLOSE:close", "SYN_SENT>CLOSE:close",
		"SYN_RECV>CLOSE:rcv_rst", "LAST_ACK>CLOSE:rcv_ack_of_fin", "TIME_WAIT>CLOSE:2msl") | not))]
	| group_by(.key | split(">")[0])[] | select(length == 1) | "× [a-zA-Z ]+ \(.[0].value)( |$)";

def log($events):
	[$events[]
	| .what = if .event == "transition" then "\(.old)->\(.new)"
		elif .event == "syn" and (.verdict == "dropped" or .verdict == "cookie") then "SYN \(.verdict)"
		elif .event == "retransmit" then "retransmit \(.what) #\(.count)"
		elif .event == "listen" then "listen backlog \(.backlog)"
		elif .event == "accept" then "accept"
		else null end
	| select(.what) | "^\(.ts | clock)\\.\(.ns[:6]) +\(.lport) .*\(.what)([ :]|$)"][-70:][];

# After how many steps of ten seconds is TIME_WAIT fullest?  Null: it is empty at all of them.
def steps($events): $events[0] as $begin
	| [foreach ($events[] | select(.event == "transition" and (.new == "TIME_WAIT") != (.old == "TIME_WAIT"))) as $e
		(0; . + if $e.new == "TIME_WAIT" then 1 else -1 end;
		{ n: ., step: (($e.ts - $begin.ts + (($e.ns | tonumber) - ($begin.ns | tonumber)) / 1e9) / 10 | ceil) })]
	| . + [{ step: (($events[-1].ts - $begin.ts) / 10 | floor) }]
	| [range(length - 1) as $i | .[$i] + { until: .[$i + 1].step } | select(.n > 0 and .step < .until)]
	# One step more, if it lasts: a recording tells of sysctls each ten seconds.
	| max_by(.n) | if .step then [.step + 1, .until - 1] | min else null end;

[inputs | select(.ns)] as $all
| [$all[] | select(.event != "finding" and .event != "listener" and .event != "netns")] as $events
| steps($events) as $steps
| (select($steps)
	| [$events[0].ts + 10 * $steps, $events[0].ns] as $at
	| sum($events; $at) as $x
	| ($steps | of("steps"; "full")),
	("^ 1 Overview .* \($at[0] | clock)$" | of("Overview", "TIME_WAIT"; "full")),
	(overview($x) | of("Overview"; "full")),
	(timewait($x) | of("TIME_WAIT"; "full"))),
(sum($events; [infinite]) as $x
	| (overview($x), (first($all[] | select(.event == "finding")) | "^\(.severity) \(.verdict): ") | of("Overview"; "end")),
	(listeners($all) | of("Listeners"; "end")),
	(timewait($x) | of("TIME_WAIT"; "end")),
	(connections($x) | of("Connections"; "end")),
	(ladder($events; $x) | of("Ladder"; "end")),
	((diagram | filled($x.n)), exits($x.n) | of("Diagram"; "end")),
	(log($events) | of("Log"; "end")))
