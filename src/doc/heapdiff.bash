# bash completion for heapdiff(1)

_heapdiff_types="inuse_space inuse_objects alloc_space alloc_objects collected_space
    collected_objects since_space survived_space resident_space"

# The value of an option, where it has one. False when the option takes none.
_heapdiff_value()
{
    local option="--${1##+(-)}" current="$2"
    case ${option//_/-} in
    --base | --diff-base | --profile | --output | --o) compopt -o default ;;
    --sample-index) COMPREPLY=($(compgen -W "$_heapdiff_types" -- "$current")) ;;
    --unit) COMPREPLY=($(compgen -W "auto bytes KiB MiB GiB" -- "$current")) ;;
    --color) COMPREPLY=($(compgen -W "auto always never" -- "$current")) ;;
    --format) COMPREPLY=($(compgen -W "pprof pprof-go collapsed speedscope json" -- "$current")) ;;
    --allocator) COMPREPLY=($(compgen -W "jemalloc tcmalloc mimalloc" -- "$current")) ;;
    --signal) COMPREPLY=($(compgen -W "USR1 USR2 HUP WINCH URG IO VTALRM none" -- "$current")) ;;
    --blackbox) COMPREPLY=($(compgen -W "off" -- "$current") $(compgen -d -- "$current")) ;;
    --sample) COMPREPLY=($(compgen -W "64k 512k 4m" -- "$current")) ;;
    --every) COMPREPLY=($(compgen -W "5% 10% 20%" -- "$current")) ;;
    --interval) COMPREPLY=($(compgen -W "10s 60s 5m 1h" -- "$current")) ;;
    --O)
        compopt -o nospace
        COMPREPLY=($(compgen -S = -W "out signal collect_signal trace runtimes sample seed every interval keep final ledger blackbox children only
            allocator unwind" -- "$current"))
        ;;
    --focus | --ignore | --skip | --nodefraction | --nodecount | --keep | --only) ;;
    *) return 1 ;;
    esac
}

_heapdiff_options()
{
    case $1 in
    run) echo "--output --allocator --sample --every --interval --keep --signal --only --no-children
        --blackbox -O --exact --no-symbols --force --quiet --help" ;;
    snap) echo "--exact --output --help" ;;
    rss) echo "--exact --profile --vma --json --unit --color --help" ;;
    attach) echo "--output --exact --quiet --unit --help" ;;
    collections) echo "--unit --json --help" ;;
    recover) echo "--output --all --keep --delete --help" ;;
    export) echo "--format --base --sample-index --output --help" ;;
    *) echo "--base --diff-base --normalize --top --cum --tree --traces --collected --json --sample-index
        --focus --ignore --functions --lines --files --addresses --skip --no-skip --unit
        --nodefraction --relative-percentages --color --help --version
        $(printf -- '--%s ' ${_heapdiff_types//_/-})" ;;
    esac
}

# Processes with a black box; boxes of dead ones are for recover.
_heapdiff_pids()
{
    local box
    for box in /dev/shm/*.heapdiff; do
        box=${box%.heapdiff}
        [[ ${box##*.} == +([0-9]) ]] || continue
        [[ $1 == snap && ! -d /proc/${box##*.} ]] || echo "${box##*.}"
    done
}

# Where the command of `heapdiff run` begins: options and their values come first.
_heapdiff_run_command()
{
    local at=2
    while ((at < COMP_CWORD)); do
        case ${COMP_WORDS[at]} in
        --) echo $((at + 1)) && return ;;
        -o | -O | --output | --allocator | --sample | --every | --interval | --keep | --signal | --only | \
            --blackbox) ((at += 2)) ;;
        -*) ((at += 1)) ;;
        *) break ;;
        esac
    done
    echo "$at"
}

# Completes another command's words; false where bash-completion is not loaded.
_heapdiff_offset()
{
    local name
    for name in _comp_command_offset _command_offset; do
        declare -F "$name" >/dev/null && "$name" "$1" && return
    done
    return 1
}

_heapdiff()
{
    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}" command=""
    local had_extglob=0 start
    shopt -q extglob && had_extglob=1 || shopt -s extglob
    COMPREPLY=()
    case ${COMP_WORDS[1]} in
    run | snap | rss | attach | collections | recover | export) ((COMP_CWORD > 1)) && command=${COMP_WORDS[1]} ;;
    esac
    [[ $command == recover && $previous == --@(keep|all|delete) ]] && previous=""
    if [[ $command == run ]]; then
        start=$(_heapdiff_run_command)
        if ((start < COMP_CWORD)) && _heapdiff_offset "$start"; then
            ((had_extglob)) || shopt -u extglob
            return
        fi
    fi
    if [[ $previous == -* ]] && _heapdiff_value "$previous" "$current"; then
        :
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$(_heapdiff_options "$command")" -- "$current"))
    elif [[ $command == run ]]; then
        COMPREPLY=($(compgen -c -- "$current"))
    else
        compopt -o default
        [[ $command == rss ]] &&
            COMPREPLY=($(cd /proc && compgen -W "$(printf '%s\n' [1-9]*)" -- "$current"))
        [[ $command == snap || $command == recover ]] &&
            COMPREPLY=($(compgen -W "$(_heapdiff_pids "$command")" -- "$current"))
        ((COMP_CWORD == 1)) &&
            COMPREPLY=($(compgen -W "run snap rss recover export" -- "$current")
                $(compgen -f -X '!*.prof' -- "$current") $(compgen -f -X '!*.pb.gz' -- "$current"))
    fi
    ((had_extglob)) || shopt -u extglob
}

complete -F _heapdiff heapdiff
