# Work for perl under the preload: hashes, sorting, matching, a pipe, a fork.
use strict;
use warnings;

my %seen;
$seen{"key" . ($_ % 501)} .= chr(65 + $_ % 26) for 1 .. 20000;
print join(",", map { length $seen{$_} } sort keys %seen), "\n";
my $text = join " ", map { "word$_" } 1 .. 5000;
my $count = () = $text =~ /w(or)d\d*7\b/g;
print "$count\n";
my @sorted = sort { length $a <=> length $b || $a cmp $b } split / /, $text;
print "$sorted[0] $sorted[-1]\n";
print sprintf("%.3f %s", 22 / 7, "x" x 1000), "\n";
open my $pipe, "-|", "echo from a child" or die;
print <$pipe>;
close $pipe;
$| = 1;
my $child = fork;
if (!$child) { my @kept = map { [1 .. 10] } 1 .. 1000; exit scalar(@kept) % 200; }
waitpid $child, 0;
print $? >> 8, "\n";
eval { die { code => 42 } };
print $@->{code}, "\n";
exit 9;
