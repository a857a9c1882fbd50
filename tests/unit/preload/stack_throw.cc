#include "stack_throw.h"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{
struct destructor {
    void (*probe)();
    int *count;
    ~destructor()
    {
        probe();
        ++*count;
    }
};

__attribute__((noinline)) void descend(int depth, void (*probe)(), int *count)
{
    if (depth == 0)
        throw std::runtime_error("the bottom");
    destructor here{probe, count};
    std::string name(static_cast<size_t>(depth), 'x');
    descend(depth - 1, probe, count);
    *count += static_cast<int>(name.size());
}

__attribute__((noinline)) int descend_and_catch(int depth, void (*probe)())
{
    if (depth == 0)
        throw 0;
    try {
        return descend_and_catch(depth - 1, probe);
    } catch (int count) {
        probe();
        throw count + 1;
    }
}

struct left {
    virtual ~left() = default;
    virtual void call_left(void (*probe)()) = 0;
};

struct right {
    virtual ~right() = default;
    virtual void call_right(void (*probe)()) = 0;
};

struct both : left, right {
    int calls = 0;
    void call_left(void (*probe)()) override
    {
        probe();
        ++calls;
    }
    void call_right(void (*probe)()) override
    {
        probe();
        ++calls;
    }
};
} // namespace

int throw_through_destructors(int depth, void (*probe)(void))
{
    int count = 0;
    try {
        descend(depth, probe, &count);
    } catch (const std::exception &) {
        probe();
    }
    return count;
}

int throw_again(int depth, void (*probe)(void))
{
    try {
        return descend_and_catch(depth, probe);
    } catch (int count) {
        return count;
    }
}

int sort_numbers(int count, void (*probe)(void))
{
    std::vector<int> numbers;
    for (int i = 0; i < count; i++)
        numbers.push_back(i * 7 % count);
    std::sort(numbers.begin(), numbers.end(), [probe](int a, int b) {
        probe();
        return a < b;
    });
    return static_cast<int>(numbers.size());
}

void call_through_tables(void (*probe)(void))
{
    both object;
    right *side = &object;
    void (left::*member)(void (*)()) = &left::call_left;
    std::function<void()> function = [probe]() { probe(); };
    __asm__ volatile("" : "+r"(side));
    side->call_right(probe);
    (object.*member)(probe);
    function();
}
