// The C++ sites of the truth program: operator new in its kinds, exceptions, containers.
#include "truth.h"

#include <new>
#include <string>
#include <vector>

namespace
{
struct plain {
    long a, b, c;
};
struct alignas(64) aligned {
    char bytes[128];
};
struct problem { // an exception of 40 bytes; the C++ ABI puts 128 before it
    char bytes[40];
};
} // namespace

extern "C" SITE_FUNCTION void cxx_new()
{
    for (int i = 0; i < 5; i++) {
        plain *one = new plain;
        truth_sink = one;
        if (i == 2)
            delete one;
    }
}

extern "C" SITE_FUNCTION void cxx_new_array()
{
    char *first = new char[80];
    truth_sink = first;
    truth_sink = new char[80];
    delete[] first;
}

extern "C" SITE_FUNCTION void cxx_new_aligned()
{
    for (int i = 0; i < 3; i++) {
        aligned *one = new aligned;
        truth_sink = one;
        if (i == 1)
            delete one;
    }
}

extern "C" SITE_FUNCTION void cxx_new_nothrow()
{
    // The failing one throws and catches a std::bad_alloc in the library: 128 + 8 bytes.
    volatile size_t bytes = static_cast<size_t>(-1) / 4;
    truth_sink = new (std::nothrow) plain;
    truth_sink = new (std::nothrow) char[bytes];
}

extern "C" SITE_FUNCTION void cxx_new_failing()
{
    volatile size_t bytes = static_cast<size_t>(-1) / 4;
    try {
        truth_sink = new char[bytes];
    } catch (const std::bad_alloc &) { // itself 128 + 8 bytes
        truth_sink = nullptr;
    }
}

extern "C" SITE_FUNCTION void cxx_throw()
{
    for (int i = 0; i < 3; i++) {
        try {
            throw problem();
        } catch (const problem &caught) {
            truth_sink = const_cast<problem *>(&caught);
        }
    }
}

extern "C" SITE_FUNCTION void cxx_vector()
{
    alignas(std::vector<int>) static char room[sizeof(std::vector<int>)];
    // Never destroyed: 4 + 8 + 16 + 32 bytes, of which the last live on.
    auto *numbers = new (room) std::vector<int>;
    for (int i = 0; i < 5; i++)
        numbers->push_back(i);
    truth_sink = numbers;
}

extern "C" SITE_FUNCTION void cxx_string()
{
    alignas(std::string) static char room[sizeof(std::string)];
    truth_sink = new (room) std::string(100, 'x');
}

void truth_cxx(void)
{
    cxx_new();
    cxx_new_array();
    cxx_new_aligned();
    cxx_new_nothrow();
    cxx_new_failing();
    cxx_throw();
    cxx_vector();
    cxx_string();
}
