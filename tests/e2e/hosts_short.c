/*
 * Memory that is really short, from the program's start on: `hosts_short KIB` starts itself again with no more than that for
 * data, takes blocks until there are no more, and goes on with what it has given back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS_MAX = 1 << 16 };

static void *blocks[BLOCKS_MAX];
static size_t taken;

__attribute__((noinline)) static void *short_site(size_t size)
{
    void *block = malloc(size);
    if (block)
        memset(block, 1, size);
    return block;
}

static int fill(size_t size)
{
    size_t count = 0;
    errno = 0;
    while (count < BLOCKS_MAX && (blocks[count] = short_site(size)))
        count++;
    int error = errno;
    taken += count;
    while (count > 0)
        free(blocks[--count]);
    return error;
}

int main(int count, char **arguments)
{
    static const size_t sizes[] = {1 << 20, 100000, 5000, 1000};
    if (count > 1) {
        rlim_t bytes = (rlim_t)atoll(arguments[1]) << 10;
        setrlimit(RLIMIT_DATA, &(struct rlimit){bytes, bytes});
        execl(arguments[0], arguments[0], (char *)NULL);
        return 3;
    }
    for (size_t i = 0; i < 8; i++)
        printf("%zu: %s\n", sizes[i % 4], strerror(fill(sizes[i % 4])));
    void *grown = realloc(malloc(100), 2000), *zeroed = calloc(10, 100);
    printf("%d %d\n", grown != NULL, zeroed != NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(malloc(2000) == NULL);
    int status = -1;
    waitpid(child, &status, 0);
    printf("%d\n", status);
    fprintf(stderr, "%zu\n", taken);
    return 0;
}
