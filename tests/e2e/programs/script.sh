# Work for a shell under the preload: many forks and pipes.
set -eu
i=0
while [ $i -lt 15 ]; do
    word=$(echo "number $i" | tr a-z A-Z | sed 's/NUMBER/n/')
    echo "$word" | cat | (read -r line && echo "$line: $(expr $i \* 3)")
    i=$((i + 1))
done
seq 1 2000 | sort -rn | head -3
cat <<END | wc -l
here
document $(echo nested "$(echo twice)")
END
(exit 3) || echo "status $?"
sleep 0.1 & wait $!
trap 'echo leaving' EXIT
yes | head -2 >/dev/null
env -i /bin/echo bare
exit 4
