/*
 * replay.c - runs a fuzz target without a fuzzer: over a corpus, and over mutations of it.
 *
 * What it is: main() for the builds that have no libFuzzer. Arguments are files and directories of
 *   inputs. Each is run as it is, and then MUTATIONS times with bytes changed, from a fixed seed, so
 *   that every run of the tests does the same.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum { MUTATIONS = 300, INPUT_BYTES_MAX = 1 << 20 };

static unsigned inputs;

static uint32_t random_next(void)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void run(const uint8_t *bytes, size_t size_bytes)
{
    /* A copy of its own: a sanitizer then sees every byte read past the end. */
    uint8_t *copy = malloc(size_bytes > 0 ? size_bytes : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, size_bytes);
    LLVMFuzzerTestOneInput(copy, size_bytes);
    free(copy);
}

static void mutate(uint8_t *bytes, size_t size_bytes)
{
    static const uint8_t edges[] = {0x00, 0xff, 0x7f, 0x80, 0x01};
    for (uint32_t i = random_next() % 4; i < 4; i++) {
        uint8_t *place = bytes + random_next() % size_bytes;
        if (random_next() % 2)
            *place = edges[random_next() % sizeof(edges)];
        else
            *place ^= (uint8_t)(1u << random_next() % 8);
    }
}

static void replay_bytes(const uint8_t *bytes, size_t size_bytes)
{
    uint8_t *changed = malloc(size_bytes > 0 ? size_bytes : 1);
    if (!changed)
        abort();
    run(bytes, size_bytes);
    for (int i = 0; i < MUTATIONS && size_bytes > 0; i++) {
        memcpy(changed, bytes, size_bytes);
        mutate(changed, size_bytes);
        run(changed, i % 4 == 0 ? random_next() % size_bytes : size_bytes);
    }
    free(changed);
    inputs++;
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    if (!file || !bytes) {
        perror(path);
        exit(1);
    }
    replay_bytes(bytes, fread(bytes, 1, INPUT_BYTES_MAX, file));
    fclose(file);
    free(bytes);
}

static void replay(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) {
        replay_file(path);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char inside[4096];
        snprintf(inside, sizeof(inside), "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            replay(inside);
        free(entries[i]);
    }
    free(entries);
    closedir(directory);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs, %d mutations of each\n", inputs, MUTATIONS);
    return inputs > 0 ? 0 : 1;
}
