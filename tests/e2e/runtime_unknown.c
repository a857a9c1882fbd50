/* A program with a runtime of a version that nobody knows. */
#include "runtime_unknown.h"

#include <stdio.h>

static void *volatile kept;

int main(void)
{
    for (int i = 1; i <= 100; i++) {
        void *block = malloc((size_t)i * 16);
        kept = block;
        if (i % 25 == 0)
            unknown_use();
        free(block);
    }
    puts("done");
    return 0;
}
