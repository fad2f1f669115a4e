# shellcheck shell=bash disable=SC2034,SC2154
# What the lab on this machine is doing: what systemd and the units say, and what
# that means. Loaded by `lab`, which shows it; `$root` stands before every path.

services=(ollama jupyter dcgan dcgan-train)
declare -A sys state since age try text way_out next
names=()

# ------------------------------------------------------- what is known ----

plain() { # TEXT: puts it into `clean`, on one line and harmless
    clean=${1:0:800}
    clean=${clean//[[:space:]]/ }
    clean=${clean//+([! -~])/?}
    clean=${clean//+( )/ }
    clean=${clean# }
    clean=${clean% }
    if ((${#clean} > 400)); then clean=${clean:0:397}...; fi
}

read_order() {
    local line
    [[ -r $root/etc/lab/units/order ]] ||
        refuse "/etc/lab/units/order cannot be read; it names the units of the lab." \
            "Lay the files down again: cargo xtask apply, from where the description is."
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line =~ ^[a-z][a-z0-9-]{0,40}$ ]]; then names+=("$line"); fi
    done <"$root/etc/lab/units/order"
    ((${#names[@]} > 0)) ||
        refuse "/etc/lab/units/order names no unit; expected a name a line." \
            "Lay the files down again: cargo xtask apply, from where the description is."
}

machine_name() { # puts it into `machine`
    local line
    machine=
    [[ -r $root/etc/lab/release ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        case $line in LAB_MACHINE=*) plain "${line#*=}" && machine=$clean ;; esac
    done <"$root/etc/lab/release"
}

keep_block() {
    local key
    for key in "${!block[@]}"; do sys[${block[Id]:-?}:$key]=${block[$key]}; done
    block=()
}

# Everything that systemd knows, in one question.
ask_systemd() {
    local answer line status units=()
    local -A block=()
    for line in "${names[@]}"; do units+=("lab-$line.service"); done
    for line in "${services[@]}"; do units+=("$line.service"); done
    answer=$(timeout -k 1 10 systemctl --timestamp=unix show "${units[@]}" \
        -p Id,LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,Job,After,Requires \
        -p StateChangeTimestamp,StateChangeTimestampMonotonic \
        -p ExecMainExitTimestampMonotonic,RestartUSecNext 2>&1)
    status=$?
    while IFS= read -r line; do
        case $line in
            '') keep_block ;;
            [A-Z]*=*) block[${line%%=*}]=${line#*=} ;;
        esac
    done <<<"$answer"
    keep_block
    ((status == 0)) && return
    plain "$answer"
    refuse "asking systemd about the units (systemctl show) ended with $status: ${clean:-it said nothing}" \
        "Is systemd running? See: systemctl is-system-running"
}

# What a unit says of itself. A missing or broken file says nothing.
read_note() { # NAME
    local content='' line file=$root/run/lab/units/$1
    note_state='' note_since=0 note_text='' note_way_out=''
    [[ -f $file && -r $file ]] || return 0
    IFS= read -r -d '' -n 8192 content <"$file" 2>/dev/null
    while IFS= read -r line; do
        case $line in
            state=*) note_state=${line#*=} ;;
            since=*) note_since=${line#*=} ;;
            text=*) plain "${line#*=}" && note_text=$clean ;;
            way_out=*) plain "${line#*=}" && note_way_out=$clean ;;
        esac
    done <<<"$content"
    [[ $note_since =~ ^[1-9][0-9]{0,11}$ ]] || note_since=0
}

number() { # TEXT [DEFAULT]: puts it into `value`
    value=${2:-0}
    if [[ $1 =~ ^[0-9]{1,18}$ ]]; then value=$((10#$1)); fi
}

# ------------------------------------------------------- what it means ----

span_us() { # SPAN as systemd prints it (1min 6.875s): microseconds into `value`; fails at infinity
    local word micro total=0
    for word in $1; do
        [[ $word =~ ^([0-9]{1,9})(\.([0-9]{1,6}))?(us|ms|s|min|h|d)$ ]] || return 1
        micro=${BASH_REMATCH[3]}000000
        case ${BASH_REMATCH[4]} in
            us) value=1 ;; ms) value=1000 ;; s) value=1000000 ;;
            min) value=60000000 ;; h) value=3600000000 ;; d) value=86400000000 ;;
        esac
        total=$((total + 10#${BASH_REMATCH[1]} * value + 10#${micro:0:6} * value / 1000000))
    done
    value=$total
}

read_clock() { # microseconds since the start of the machine into `uptime_us`
    local up=0.00
    if [[ -r $root/proc/uptime ]]; then read -r up _ <"$root/proc/uptime"; fi
    [[ $up =~ ^[0-9]+\.[0-9][0-9]$ ]] || up=0.00
    uptime_us=$((10#${up/./} * 10000))
}

# By the clock that nobody sets: a first boot often begins in the wrong year.
set_times() { # KEY UNIT
    local at=${sys[$2:StateChangeTimestamp]:-}
    number "${sys[$2:StateChangeTimestampMonotonic]:-}"
    age[$1]=-1
    if ((value > 0 && uptime_us > 0)); then age[$1]=$(((uptime_us - value) / 1000000)); fi
    if ((value > 0 && age[$1] < 0)); then age[$1]=0; fi
    number "${at#@}"
    since[$1]=$value
}

why() { # UNIT: what systemd saw, into `value`
    local status=${sys[$1:ExecMainStatus]:-}
    case ${sys[$1:Result]:-} in
        exit-code) value="ended with status $status" ;;
        timeout) value="ran past its time limit" ;;
        signal | core-dump) value="was killed by signal $status" ;;
        oom-kill) value="was killed for want of memory" ;;
        start-limit-hit) value="was started too often in a short time" ;;
        resources) value="could not be started for want of resources" ;;
        success | '') value="gave no reason" ;;
        *) plain "${sys[$1:Result]}" && value="failed ($clean)" ;;
    esac
}

# The unit's own reason where it gave one, else what systemd saw and what the
# unit was doing at that time.
reason() { # NAME
    why "lab-$1.service"
    case $note_state in
        failed | waiting) text[$1]=${note_text:-$value} way_out[$1]=$note_way_out ;;
        working) text[$1]="$value${note_text:+; it was at: $note_text}" ;;
        *) text[$1]=$value ;;
    esac
}

judge_failed() { # NAME
    state[$1]=failed
    # What a unit that waited said last was not its last word.
    if [[ $note_state == waiting ]]; then note_state=working; fi
    reason "$1"
    way_out[$1]=${way_out[$1]:-"lab logs $1 shows what it said; then: sudo lab retry $1"}
}

judge_starting() { # NAME SUBSTATE
    local restarts
    number "${sys[lab-$1.service:NRestarts]:-}"
    restarts=$value
    if [[ $2 != auto-restart* ]]; then
        state[$1]=working try[$1]=$((restarts + 1))
        if [[ $note_state == working ]]; then text[$1]=$note_text; fi
        text[$1]=${text[$1]:-starts}
        return
    fi
    state[$1]=waiting try[$1]=$((restarts + 2))
    reason "$1"
    next[$1]="next try soon"
    number "${sys[lab-$1.service:ExecMainExitTimestampMonotonic]:-}"
    local ended=$value left
    if ((ended > 0 && uptime_us > 0)) && span_us "${sys[lab-$1.service:RestartUSecNext]:-?}"; then
        left=$(((ended + value - uptime_us + 999999) / 1000000))
        if ((left > 0)); then next[$1]="next try in $left s"; fi
    fi
}

# The units of the lab, of those in a list, that are in none of these states.
among() { # LIST STATE…: into `found`
    local unit name list=$1
    shift
    found=
    for unit in $list; do
        name=${unit#lab-} name=${name%.service}
        [[ $unit == lab-*.service && " ${names[*]} " == *" $name "* ]] || continue
        [[ " $* " == *" ${sys[$unit:ActiveState]:-} "* ]] || found+="${found:+, }$name"
    done
}

judge_inactive() { # NAME
    local unit=lab-$1.service
    if [[ -n ${sys[$unit:Job]:-} && ${sys[$unit:Job]} != 0 ]]; then
        among "${sys[$unit:After]:-}" active
        state[$1]=waiting
        text[$1]="waits for ${found:-"what must come before it: systemctl list-jobs"}"
        return
    fi
    state[$1]=not-started
    among "${sys[$unit:Requires]:-}" active activating reloading refreshing
    if [[ -n $found ]]; then
        text[$1]="needs $found"
    else
        text[$1]="nothing has started it" way_out[$1]="sudo lab retry"
    fi
}

judge() { # NAME
    local unit=lab-$1.service
    local sub=${sys[$unit:SubState]:-} load=${sys[$unit:LoadState]:-}
    text[$1]='' way_out[$1]='' next[$1]='' try[$1]=0
    set_times "$1" "$unit"
    read_note "$1"
    if [[ $load != loaded ]]; then
        plain "$load"
        state[$1]=failed text[$1]="systemd cannot load $unit (${clean:-not known})"
        way_out[$1]="sudo systemctl daemon-reload; then: sudo lab retry $1"
        return
    fi
    case ${sys[$unit:ActiveState]:-} in
        active)
            state[$1]=ready
            if [[ $note_state == ready ]]; then text[$1]=$note_text; fi
            ;;
        failed) judge_failed "$1" ;;
        activating) judge_starting "$1" "$sub" ;;
        inactive) judge_inactive "$1" ;;
        *) state[$1]=working text[$1]="is being stopped or reloaded" ;;
    esac
}

# The runner calls `lab issue` when a unit has said how it ended, a moment before
# systemd sees it end. There the unit's own word goes before systemd's.
believe_note() { # NAME
    read_note "$1"
    [[ ${state[$1]} == working && $note_state =~ ^(ready|waiting|failed)$ ]] || return 0
    state[$1]=$note_state text[$1]=$note_text way_out[$1]=$note_way_out
}

judge_service() { # NAME
    local key=$1.service
    text[$key]='' way_out[$key]='' next[$key]='' try[$key]=0
    set_times "$key" "$key"
    case ${sys[$key:ActiveState]:-}:${sys[$key:SubState]:-} in
        active:*) state[$key]=ready ;;
        failed:*)
            why "$key"
            state[$key]=failed text[$key]=$value
            way_out[$key]="lab logs ${1%-train} shows what it said; then: sudo systemctl restart $key"
            ;;
        activating:auto-restart*)
            why "$key"
            state[$key]=waiting text[$key]="is started again and again: $value"
            ;;
        inactive:*) state[$key]=not-started ;;
        *) state[$key]=working ;;
    esac
}

# Everything known and judged. `lab` becomes ready, working or failed. A service
# that nobody started says nothing against the lab; one that failed does.
look() { # [believe]
    local name
    sys=() shown=() names=() lab=ready ready=0
    read_order
    read_clock
    ask_systemd
    for name in "${names[@]}"; do
        judge "$name"
        if [[ ${1:-} == believe ]]; then believe_note "$name"; fi
        shown+=("$name")
        case ${state[$name]} in
            ready) ready=$((ready + 1)) ;;
            failed) lab=failed ;;
            *) if [[ $lab == ready ]]; then lab=working; fi ;;
        esac
    done
    for name in "${services[@]}"; do
        [[ ${sys[$name.service:LoadState]:-not-found} != not-found ]] || continue
        judge_service "$name"
        shown+=("$name.service")
        if [[ ${state[$name.service]} == failed ]]; then lab=failed; fi
    done
}

verdict() {
    case $lab in
        ready) return 0 ;;
        failed) return 1 ;;
        *) return 3 ;;
    esac
}
