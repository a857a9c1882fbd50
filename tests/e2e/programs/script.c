/* Compiled by gcc under the preload. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    char name[32];
    double weight;
};

static int by_weight(const void *a, const void *b)
{
    const struct entry *one = a, *two = b;

    return (one->weight > two->weight) - (one->weight < two->weight);
}

int main(void)
{
    struct entry *entries = calloc(1000, sizeof *entries);

    for (int i = 0; i < 1000; i++) {
        snprintf(entries[i].name, sizeof entries[i].name, "entry %d", i);
        entries[i].weight = (i * 7919) % 1000 / 3.0;
    }
    qsort(entries, 1000, sizeof *entries, by_weight);
    printf("%s\n", entries[0].name);
    free(entries);
    return 0;
}
