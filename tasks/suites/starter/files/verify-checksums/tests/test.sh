#!/bin/bash
# The check's exit status becomes the reward, whatever it printed or left behind. What a program
# under test may write is limited, so that a flood of output cannot fill the disk.
export PATH=/usr/bin:/bin LC_ALL=C.UTF-8
mkdir -p /logs/verifier
ulimit -f 4096
before=(/proc/[0-9]*)
reward=0
python3 -I /tests/check.py && reward=1

# What a program under test left running could write a reward of its own. So the reward is written
# when nothing is left but what was there before; dead processes that nobody collected count as gone.
left=yes
while [ "$left" ]; do
  left=
  for process in /proc/[0-9]*; do
    [[ " ${before[*]} " == *" $process "* ]] && continue
    state=
    { read -r -d '' state < "$process/stat"; } 2> /dev/null
    [[ ${state##*) } == Z* ]] && continue
    left=yes
    kill -KILL "${process#/proc/}" 2> /dev/null
  done
done

rm -rf /logs/verifier/reward.json /logs/verifier/reward.txt
echo "$reward" > /logs/verifier/reward.txt
