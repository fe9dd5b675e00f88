#!/bin/sh
# Runs a server and ends it together with its owner, however the owner ends.
#
#   managed_process.sh DIRECTORY USER COMMAND...
#
# The server runs in a process group of its own, as USER unless that is empty, and logs to DIRECTORY/log; its process id
# is in DIRECTORY/pid. Commands arrive on standard input: `freeze` and `unfreeze` stop and continue the server, `kill` and
# `end` terminate it by SIGKILL or SIGTERM and leave its data. When the input closes, as it does when the owner dies, the
# server is killed and DIRECTORY removed.
set -u
directory=$1 user=$2
shift 2
if [ -n "$user" ]; then
    chown -R "$user" "$directory"
    setsid setpriv --reuid "$user" --regid "$user" --clear-groups -- "$@" >>"$directory/log" 2>&1 </dev/null &
else
    setsid "$@" >>"$directory/log" 2>&1 </dev/null &
fi
server=$!
echo "$server" >"$directory/pid"

finish() {
    kill -s "$1" -- "-$server" 2>/dev/null
    wait "$server" 2>/dev/null
    if [ -n "${ERL_EPMD_PORT:-}" ]; then
        # The port mapper that an Erlang node leaves behind does not exit while a node is registered.
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            epmd -port "$ERL_EPMD_PORT" -kill 2>/dev/null | grep -q -e Killed -e Cannot && break
            sleep 0.1
        done
    fi
}

while read -r command; do
    case $command in
    freeze) kill -s STOP -- "-$server" ;;
    unfreeze) kill -s CONT -- "-$server" ;;
    kill)
        finish KILL
        exit 0
        ;;
    end)
        finish TERM
        exit 0
        ;;
    esac
done
finish KILL
rm -rf "$directory"
