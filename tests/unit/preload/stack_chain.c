#include "stack_chain.h"

#include <alloca.h>
#include <string.h>

_Thread_local struct chain chain;

typedef void (*chain_fn)(uint32_t left, void (*leaf)(void));

static void chain_call(uint32_t left, void (*leaf)(void));

#define NOTE_RETURN() (chain.returns[chain.depth++] = (uintptr_t)__builtin_return_address(0))
#define KEEP(pointer) __asm__ volatile("" : : "r"(pointer) : "memory")
#define LINK          static __attribute__((noinline)) void

LINK link_plain(uint32_t left, void (*leaf)(void))
{
    NOTE_RETURN();
    chain_call(left, leaf);
    KEEP(&chain);
}

LINK link_array(uint32_t left, void (*leaf)(void))
{
    char bytes[3000];
    NOTE_RETURN();
    KEEP(bytes);
    chain_call(left, leaf);
    KEEP(bytes);
}

/* Larger than a page, than the fast walk's jump, and than what fits into a rule's word. */
LINK link_large(uint32_t left, void (*leaf)(void))
{
    char bytes[140000];
    NOTE_RETURN();
    KEEP(bytes);
    chain_call(left, leaf);
    KEEP(bytes);
}

LINK link_alloca(uint32_t left, void (*leaf)(void))
{
    NOTE_RETURN();
    char *bytes = alloca(16 + left % 7 * 40);
    KEEP(bytes);
    chain_call(left, leaf);
    KEEP(bytes);
}

LINK link_aligned(uint32_t left, void (*leaf)(void))
{
    _Alignas(128) char bytes[128];
    NOTE_RETURN();
    KEEP(bytes);
    chain_call(left, leaf);
    KEEP(bytes);
}

/* Realigned and of variable size: the CFA has to be loaded from the frame. */
LINK link_realigned(uint32_t left, void (*leaf)(void))
{
    _Alignas(64) char bytes[64];
    NOTE_RETURN();
    char *more = alloca(16 + left % 5 * 24);
    KEEP(bytes);
    KEEP(more);
    chain_call(left, leaf);
    KEEP(bytes);
}

LINK many_arguments(long a, long b, long c, long d, long e, long f, long g, long h, long i,
                    uint32_t left, void (*leaf)(void))
{
    NOTE_RETURN();
    KEEP(&a);
    chain_call(left, leaf);
    KEEP(a + b + c + d + e + f + g + h + i);
}

LINK link_arguments(uint32_t left, void (*leaf)(void))
{
    NOTE_RETURN();
    many_arguments(1, 2, 3, 4, 5, 6, 7, 8, 9, left > 0 ? left - 1 : 0, leaf);
    KEEP(&chain);
}

/* Every callee-saved register holds something of its own, the frame pointer's too. */
LINK link_registers(uint32_t left, void (*leaf)(void))
{
    uintptr_t a = left * 3ul;
    uintptr_t b = left * 5ul;
    uintptr_t c = left * 7ul;
    uintptr_t d = left * 9ul;
    uintptr_t e = left * 11ul;
    uintptr_t f = left * 13ul;
    NOTE_RETURN();
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    chain_call(left, leaf);
    __asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f));
}

static const chain_fn links[] = {link_plain,     link_array,     link_alloca,    link_aligned,
                                 link_realigned, link_arguments, link_registers, link_large};

static void chain_call(uint32_t left, void (*leaf)(void))
{
    if (left == 0)
        leaf();
    else
        links[left % (sizeof(links) / sizeof(links[0]))](left - 1, leaf);
}

__attribute__((noinline)) void chain_run(uint32_t depth, void (*leaf)(void))
{
    chain.depth = 0;
    NOTE_RETURN();
    chain_call(depth, leaf);
    KEEP(&chain);
}

bool chain_is_in(const struct capture *capture)
{
    uint32_t at = 0;
    uintptr_t innermost = chain.returns[chain.depth - 1];
    while (at < capture->depth && capture->pcs[at] != innermost)
        at++;
    if (at == capture->depth)
        return false;
    for (uint32_t i = 0; i < chain.depth && at + i < capture->depth; i++) {
        if (capture->pcs[at + i] != chain.returns[chain.depth - 1 - i])
            return false;
    }
    return capture->cut || capture->depth >= at + chain.depth;
}
