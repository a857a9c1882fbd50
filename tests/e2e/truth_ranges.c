/* The truth program's sites that map address space. */
#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

enum { PAGE = 4096 };

static char *pages(size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

SITE_FUNCTION static void mmap_anonymous(void)
{
    char *first = pages(2 * PAGE);
    pages(2 * PAGE)[0] = 1;
    pages(2 * PAGE)[0] = 1;
    munmap(first, 2 * PAGE);
}

SITE_FUNCTION static void mmap_file(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    truth_check(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap of a file");
    close(fd);
}

SITE_FUNCTION static void mmap_64(void)
{
    truth_kept(mmap64(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

SITE_FUNCTION static void mmap_odd(void)
{
    pages(PAGE + 1)[PAGE] = 1;
}

SITE_FUNCTION static void mmap_failing(void)
{
    truth_check(pages(0) == MAP_FAILED && errno == EINVAL, "mmap that fails");
}

SITE_FUNCTION static void mmap_holed(void)
{
    char *start = pages(10 * PAGE);
    truth_check(munmap(start + 4 * PAGE, 2 * PAGE) == 0, "munmap of the middle");
    start[9 * PAGE] = 1;
}

static char *covered;

SITE_FUNCTION static void mmap_covered(void)
{
    covered = pages(4 * PAGE);
    covered[0] = 1;
}

SITE_FUNCTION static void mmap_cover(void)
{
    char *start = mmap(covered + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    truth_check(start == covered + PAGE, "MAP_FIXED");
}

SITE_FUNCTION static void mmap_gone(void)
{
    for (int i = 0; i < 5; i++)
        munmap(pages(PAGE), PAGE);
}

SITE_FUNCTION static void mremap_grow(void)
{
    char *start = mremap(pages(2 * PAGE), 2 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    truth_check(start != MAP_FAILED, "mremap");
    start[5 * PAGE] = 1;
}

SITE_FUNCTION static void mremap_shrink(void)
{
    char *start = pages(6 * PAGE);
    truth_check(mremap(start, 6 * PAGE, 2 * PAGE, 0) == start, "mremap");
}

SITE_FUNCTION static void sbrk_plain(void)
{
    char *end = sbrk(3 * PAGE);
    truth_check((char *)sbrk(-PAGE) == end + 3 * PAGE, "sbrk");
}

SITE_FUNCTION static void brk_plain(void)
{
    truth_check(brk((char *)sbrk(0) + 2 * PAGE) == 0, "brk");
}

SITE_FUNCTION static void shmat_plain(void)
{
    int id = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
    void *first = shmat(id, NULL, 0), *second = shmat(id, NULL, 0);
    shmctl(id, IPC_RMID, NULL);
    truth_check(first != (void *)-1 && second != (void *)-1 && shmdt(first) == 0, "shmat");
}

void truth_ranges(void)
{
    mmap_anonymous();
    mmap_file();
    mmap_64();
    mmap_odd();
    mmap_failing();
    mmap_holed();
    mmap_covered();
    mmap_cover();
    mmap_gone();
    mremap_grow();
    mremap_shrink();
    sbrk_plain();
    brk_plain();
    shmat_plain();
}
