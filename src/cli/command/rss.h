/*
 * rss.h - `heapdiff rss`: where the resident memory of any process is, from outside.
 *
 * Owns: nothing. Context: cli. Not here: processes that record themselves tell more (report.h).
 */
#ifndef HEAPDIFF_CLI_RSS_H
#define HEAPDIFF_CLI_RSS_H

/* argv[0] is "rss". The exit status: 0, 1 after one line on stderr, 2 for wrong usage. */
int command_rss(int argc, char **argv);

#endif
