/* A program that brings its own malloc in the executable, as those that link an allocator statically do. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#pragma GCC visibility push(default) /* the C library's own calls come here, too */
void *malloc(size_t size);
void *calloc(size_t count, size_t each);
void *realloc(void *block, size_t size);
void free(void *block);
void *reallocarray(void *block, size_t count, size_t each);
#pragma GCC visibility pop

enum { HEAP_BYTES = 1 << 20, HEAD_BYTES = 16, MAPPED_BYTES = 3 * 65536 };

static _Alignas(16) unsigned char heap[HEAP_BYTES];
static size_t used_bytes;

void *malloc(size_t size)
{
    size_t need = HEAD_BYTES + ((size + 15) & ~(size_t)15);
    if (size > HEAP_BYTES || need > HEAP_BYTES - used_bytes)
        return NULL;
    unsigned char *head = heap + used_bytes;
    used_bytes += need;
    memcpy(head, &size, sizeof(size));
    return head + HEAD_BYTES;
}

void *calloc(size_t count, size_t each)
{
    return malloc(count * each); /* nothing is used twice: it is zero */
}

void *realloc(void *block, size_t size)
{
    void *fresh = malloc(size);
    size_t old = 0;
    if (block)
        memcpy(&old, (unsigned char *)block - HEAD_BYTES, sizeof(old));
    if (fresh && block)
        memcpy(fresh, block, old < size ? old : size);
    return fresh;
}

void free(void *block)
{
    (void)block;
}

static __attribute__((noinline)) void *own_mmap_site(void)
{
    void *at = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    __asm__ volatile("");
    return at;
}

int main(void)
{
    char *block = malloc(1000);
    char *copy = strdup("its own");
    void *mapped = own_mmap_site();
    copy = reallocarray(copy, 2, 100); /* libc's, which asks for our realloc() */
    printf("%d %s %d\n", block != NULL, copy, mapped != MAP_FAILED);
    free(copy);
    free(block);
    return 0;
}
