// Compiled by g++ under the preload: templates make the compiler allocate.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

template <int N> struct tower {
    std::map<std::string, std::unique_ptr<tower<N - 1>>> below;
    std::vector<std::function<int(int)>> calls;
    int sum(int x) const
    {
        int total = 0;
        for (const auto &one : calls)
            total += one(x);
        for (const auto &[name, one] : below)
            total += one->sum(x) + static_cast<int>(name.size());
        return total;
    }
};
template <> struct tower<0> {
    int sum(int x) const { return x; }
};

int main()
{
    tower<4> top;
    std::unordered_map<std::string, int> counts;
    for (const char *word : {"one", "two", "three", "two"})
        counts[word]++;
    top.calls.push_back([&](int x) { return x + static_cast<int>(counts.size()); });
    std::cout << top.sum(3) << "\n";
}
