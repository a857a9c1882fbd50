// The adversary's C++: exceptions across many frames, objects that allocate as they come and go.
#include "adversary.h"

#include <stdexcept>

namespace
{

enum { THROW_FRAMES = 50 };

volatile int yes = 1; // not for the compiler to know

struct cleaned {
    PLACE ~cleaned();
};

PLACE void throw_cleanup()
{
    adversary_allocate();
    STAY();
}

cleaned::~cleaned()
{
    throw_cleanup();
    STAY();
}

PLACE void throw_leaf()
{
    adversary_allocate();
    throw std::runtime_error("thrown");
}

PLACE void throw_down(int left)
{
    cleaned object;
    if (left > 0)
        throw_down(left - 1);
    else if (yes)
        throw_leaf();
    STAY();
}

PLACE void throw_catch()
{
    adversary_allocate();
    STAY();
}

PLACE void throw_again()
{
    try {
        throw_down(THROW_FRAMES - 1);
    } catch (const std::exception &) {
        throw_catch();
        throw;
    }
}

PLACE void throw_run()
{
    try {
        throw_again();
    } catch (const std::runtime_error &) {
        throw_catch();
    }
    STAY();
}

PLACE void global_construct()
{
    adversary_allocate();
    STAY();
}

PLACE void global_destruct()
{
    adversary_allocate();
    STAY();
}

struct global {
    global()
    {
        global_construct();
        STAY();
    }
    ~global()
    {
        global_destruct();
        STAY();
    }
} global_object;

PLACE void local_destruct()
{
    adversary_allocate();
    STAY();
}

struct local {
    volatile int used = 0;
    ~local()
    {
        local_destruct();
        STAY();
    }
};

thread_local local local_object;

PLACE void through_leaf()
{
    adversary_allocate();
    throw 7;
}

} // namespace

void adversary_cxx()
{
    throw_run();
    STAY();
}

void adversary_cxx_thread_begin()
{
    local_object.used = 1;
}

PLACE void adversary_throw_through(void (*code)(void (*)()))
{
    int caught = 0;
    try {
        code(through_leaf);
    } catch (int value) {
        caught = value;
    }
    adversary_check(caught == 7, "an exception through generated code");
}
