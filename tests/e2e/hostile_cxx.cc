/* A library in C++ that a program in C loads for itself: its runtime is nobody else's. */
#include <new>
#include <string>
#include <vector>

extern "C" __attribute__((visibility("default"))) int hostile_cxx(int count);

static void *volatile sink;

/* `count` strings, an aligned object, and a request that must throw. */
int hostile_cxx(int count)
{
    struct alignas(64) aligned {
        char bytes[64];
    };
    std::vector<std::string> strings;
    int result = 0;
    for (int i = 0; i < count; i++)
        strings.push_back(std::string(100, 'x'));
    aligned *one = new aligned;
    result += reinterpret_cast<unsigned long>(one) % 64 == 0;
    sink = one;
    delete one;
    try {
        volatile size_t huge = static_cast<size_t>(1) << 60;
        sink = new char[huge];
    } catch (const std::bad_alloc &) {
        result += 10;
    }
    return result + 100 * static_cast<int>(strings.size());
}
