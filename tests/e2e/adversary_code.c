/* The adversary's code that comes and goes: libraries at one address in turn, code made at run time. */
#include "adversary.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE_BYTES = 4096, GENERATED_ROUNDS = 20, ROOT_CALLS = 100 };

typedef void (*leaf_fn)(void);
typedef void (*code_fn)(leaf_fn leaf);

/* libraries */

PLACE static void called_back(void)
{
    adversary_allocate();
    STAY();
}

/* Returns where it was. */
PLACE static void *library_run(const char *path)
{
    Dl_info info = {0};
    void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    adversary_check(library != NULL, "a library");
    code_fn run = (code_fn)dlsym(library, "plugin_run");
    adversary_check(run != NULL, "a function");
    adversary_check(dladdr((void *)run, &info) != 0, "a place");
    run(called_back);
    adversary_check(dlclose(library) == 0, "dlclose");
    return info.dli_fbase;
}

static int reused; /* libraries that came to lie where the other one had been; under the lock */

/* One after the other: where both come to lie in the same place, every frame there differs. */
void adversary_libraries(void)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    static void *last;
    pthread_mutex_lock(&one);
    void *left = library_run(ADVERSARY_LEFT);
    reused += last == left;
    last = library_run(ADVERSARY_RIGHT);
    reused += last == left;
    pthread_mutex_unlock(&one);
}

int adversary_libraries_reused(void)
{
    return reused;
}

#if defined(__x86_64__)

void __register_frame(void *entries);
void __register_frame_info(void *entries, void *object);
void __register_frame_table(void *table);
void __register_frame_info_table(void *table, void *object);
void __deregister_frame(void *entries);
void *__deregister_frame_info(void *entries);

enum way { ENTRIES, ENTRIES_INFO, TABLE, TABLE_INFO, WAYS };

/*
 * push %rbp; sub $ROOM, %rsp; mov $1, %ebp; call *%rdi; add $ROOM, %rsp; pop %rbp; ret: nobody's caller is
 * found by the frame pointer. ROOM is the bytes 4 and 15.
 */
static const uint8_t hidden_code[] = {0x55, 0x48, 0x83, 0xec, 0x40, 0xbd, 1,    0,    0,
                                      0,    0xff, 0xd7, 0x48, 0x83, 0xc4, 0x40, 0x5d, 0xc3};

/* push %rbp; mov %rsp, %rbp; sub $64, %rsp; call *%rdi; leave; ret */
static const uint8_t framed_code[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83,
                                      0xec, 0x40, 0xff, 0xd7, 0xc9, 0xc3};

/*
 * push %rbx; push %rbp; push %r12; mov $ROOT_CALLS, %ebx; mov %rdi, %r12; sub $16, %rsp;
 * mov %rsi, (%rsp); xor %ebp, %ebp; again: mov $40, %edi; call *%r12; mov %rax, %rdi; call *(%rsp); dec %ebx;
 * jnz again; add $16, %rsp; pop %r12; pop %rbp; pop %rbx; ret: by its frame pointer it is the outermost.
 */
static const uint8_t root_code[] = {
    0x53, 0x55, 0x41, 0x54, 0xbb, ROOT_CALLS, 0,    0,    0,    0x49, 0x89, 0xfc, 0x48,
    0x83, 0xec, 0x10, 0x48, 0x89, 0x34,       0x24, 0x31, 0xed, 0xbf, 40,   0,    0,
    0,    0x41, 0xff, 0xd4, 0x48, 0x89,       0xc7, 0xff, 0x14, 0x24, 0xff, 0xcb, 0x75,
    0xee, 0x48, 0x83, 0xc4, 0x10, 0x41,       0x5c, 0x5d, 0x5b, 0xc3};

/* Common entry: "zR", addresses of 8 bytes, CFA = rsp + 8. */
static const uint8_t common_entry[] = {20, 0,    0,  0, 0, 0,    0, 0, 1,    'z', 'R', 0,
                                       1,  0x78, 16, 1, 0, 0x0c, 7, 8, 0x90, 1,   0,   0};

/* Function's entry: length, distance of the common one, start, size, program; byte 8 of it: CFA. */
static const uint8_t program[] = {0, 0x41, 0x0e, 16, 0x86, 2, 0x44, 0x0e, 80, 0, 0, 0};

/* The code in the first page, what describes it in the second. */
static uint8_t *page;

static void section_write(uint8_t room)
{
    uint8_t *at = page + PAGE_BYTES;
    const uint32_t head[] = {32, sizeof(common_entry) + 4};
    const uint64_t range[] = {(uintptr_t)page, sizeof(hidden_code)};
    memcpy(at, common_entry, sizeof(common_entry));
    at += sizeof(common_entry);
    memcpy(at, head, sizeof(head));
    memcpy(at + 8, range, sizeof(range));
    memcpy(at + 24, program, sizeof(program));
    at[24 + 8] = room + 16;
    memset(at + 24 + sizeof(program), 0, 4);
}

static code_fn hidden_write(uint8_t room)
{
    memcpy(page, hidden_code, sizeof(hidden_code));
    page[4] = page[15] = room;
    section_write(room);
    return (code_fn)(void *)page;
}

PLACE static void generated_leaf(void)
{
    adversary_allocate();
    STAY();
}

static void *table[2];   /* of sections; NULL ends it */
static void *object[32]; /* what libgcc keeps there is smaller */

static void section_register(enum way way)
{
    table[0] = page + PAGE_BYTES;
    if (way == ENTRIES)
        __register_frame(table[0]);
    else if (way == ENTRIES_INFO)
        __register_frame_info(table[0], object);
    else if (way == TABLE)
        __register_frame_table(table);
    else
        __register_frame_info_table(table, object);
}

static void section_deregister(enum way way)
{
    void *registered = way == ENTRIES || way == ENTRIES_INFO ? table[0] : (void *)table;
    adversary_check(__deregister_frame_info(NULL) == NULL, "nothing, as libgcc has it");
    if (way == ENTRIES || way == TABLE)
        __deregister_frame(registered);
    else
        adversary_check(__deregister_frame_info(registered) == object, "the object back");
}

/* Two kinds of frame, each registered in its turn, at one address. */
PLACE static void registered_run(uint8_t room, enum way way)
{
    code_fn code = hidden_write(room);
    section_register(way);
    code(generated_leaf);
    code(generated_leaf);
    adversary_throw_through(code);
    section_deregister(way);
}

PLACE static void unregistered_leaf(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void unregistered_run(void)
{
    code_fn code = hidden_write(0x30);
    code(unregistered_leaf);
    STAY();
}

PLACE static void framed_leaf(void)
{
    adversary_allocate();
    STAY();
}

PLACE static void framed_run(void)
{
    memcpy(page, framed_code, sizeof(framed_code));
    code_fn code = (code_fn)(void *)page;
    code(framed_leaf);
    STAY();
}

/* Stacks that end where they begin. */
PLACE static void root_run(void)
{
    memcpy(page, root_code, sizeof(root_code));
    ((void (*)(void *(*)(size_t), void (*)(void *)))(void *)page)(malloc, free);
    STAY();
}

void adversary_generated(void)
{
    page = mmap(NULL, 2 * (size_t)PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    adversary_check(page != MAP_FAILED, "memory for code");
    for (int i = 0; i < GENERATED_ROUNDS; i++) {
        registered_run(0x40, i % WAYS);
        unregistered_run();
        registered_run(0x60, (i + 1) % WAYS);
        framed_run();
        root_run();
    }
}

#else

void adversary_generated(void)
{
}

#endif
