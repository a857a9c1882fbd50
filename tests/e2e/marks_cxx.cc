// The leak, the plateau and the sawtooth of marks.c as C++ has them: objects with destructors, a container, shared
// pointers. Ten rounds, a mark after each. What holds them is never destroyed: it is there when the process ends.
#include "heapdiff.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

namespace
{

enum { ROUNDS = 10, LEAKS = 2000, FLAT = 3000, TEETH = 1000 };

struct Leaked {
    virtual ~Leaked() = default;
    char bytes[92]; // with the table's address 100, which alignment makes 104
};

auto &leaked = *new std::vector<Leaked *>; // reachable, and never looked at again

__attribute__((noinline)) void leak_site()
{
    for (int i = 0; i < LEAKS; i++)
        leaked.push_back(new Leaked);
}

auto &flat = *new std::deque<std::unique_ptr<char[]>>;

__attribute__((noinline)) void plateau_site(int round)
{
    for (int i = 0; i < (round == 0 ? FLAT : FLAT / 10); i++) {
        if (round > 0)
            flat.pop_front();
        flat.push_back(std::make_unique<char[]>(100));
    }
}

auto &teeth = *new std::vector<std::shared_ptr<int>>;

__attribute__((noinline)) void sawtooth_site(int round)
{
    if (round % 4 == 3)
        teeth.clear();
    else
        for (int i = 0; i < TEETH; i++)
            teeth.push_back(std::make_shared<int>(i));
}

} // namespace

int main()
{
    leaked.reserve(ROUNDS * LEAKS);
    teeth.reserve(4 * TEETH);
    for (int round = 0; round < ROUNDS; round++) {
        leak_site();
        plateau_site(round);
        sawtooth_site(round);
        heapdiff_mark_collection("round");
    }
    return 0;
}
