#!/bin/bash
# Runs a command so that it ends with its channel: TOKEN SECONDS LENGTH COMMAND.
#
# Standard input brings LENGTH bytes for the command, then the line TOKEN-eof (neither
# when LENGTH is 0), then an empty line now and then as a sign of life. When it ends, or
# is silent for a minute, the line was cut, and the command is ended: TERM to its process
# group, KILL two seconds later. The command sees the end of its input only when all of
# it has come, so a cut never looks like an end. After SECONDS it is ended in any case.
#
# What the command leaves behind in its process group ends with it. What makes a session
# of its own (setsid, a daemon) does not: start services by systemd.
#
# This text is sent in single quotes, so it must hold none. Lines of comment are not sent.
exec 3<&0 </dev/null 5>&2 2>/dev/null
token=$1
length=$3
cut=
job=
feed() {
  exec 5>&-
  if ((length > 0)); then
    if head -c "$length"; then
      IFS= read -r -t 60 line
      if [[ $line != "$token-eof" ]]; then
        kill -TERM $$
        kill -STOP "$BASHPID"
      fi
    else
      # The command does not want the rest.
      exec >&-
      cat >/dev/null
    fi
  fi
  exec >&-
  while IFS= read -r -t 60 line; do :; done
  kill -TERM $$
}
beat() {
  trap "" PIPE
  exec 6<> <(:)
  while printf "%s-alive\n" "$token" >&5; do
    IFS= read -r -t 1 -u 6 line
  done
  kill -TERM $$
}
stop() {
  cut=1
  if [[ $job ]]; then kill -TERM "$job"; fi
}
trap stop TERM
exec 4< <(feed <&3)
feeder=$!
printf "%s-begin\n" "$token" >&5
printf "%s-begin\n" "$token"
beater=
if ((length > 0)); then
  beat <&4 >/dev/null 3<&- 4<&- &
  beater=$!
fi
timeout -k 2 "$2" sh -c "$4" <&4 2>&5 3<&- 4<&- 5>&- &
job=$!
exec 3<&- 4<&-
if [[ $cut ]]; then stop; fi
wait "$job"
status=$?
while kill -0 "$job"; do
  wait "$job"
  status=$?
done
kill -KILL -- "-$job"
kill -KILL "$feeder" ${beater:+"$beater"}
printf "%s-end %s\n" "$token" "$status" >&5
printf "%s-end %s\n" "$token" "$status"
