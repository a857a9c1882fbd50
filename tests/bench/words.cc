/*
 * words: a program of strings and maps: counts the words of a made-up text, notes where they stand, turns the
 * index round. Many small blocks, most of them short-lived.
 *
 *     words ROUNDS
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace
{

constexpr unsigned WORDS = 60000, LINE_WORDS = 12, VOCABULARY = 9000, ALPHABET = 20;

struct random_numbers {
    uint64_t state = 42;

    unsigned below(unsigned bound)
    {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return static_cast<unsigned>((state >> 33) % bound);
    }
};

/* Small numbers come more often, as frequent words do. */
std::string word(random_numbers &random)
{
    unsigned number = random.below(random.below(VOCABULARY) + 1);
    std::string text = "the-word-";
    for (unsigned rest = number * 7919 + 1; rest > 0; rest /= ALPHABET)
        text += static_cast<char>('a' + rest % ALPHABET);
    return number % 3 ? text : text + "-and-its-longer-companion";
}

using index = std::map<std::string, std::vector<unsigned>>;

index read_text(random_numbers &random)
{
    index found;
    for (unsigned at = 0; at < WORDS; at += LINE_WORDS) {
        std::vector<std::string> line;
        for (unsigned i = 0; i < LINE_WORDS; i++)
            line.push_back(word(random));
        for (const std::string &text : line)
            found[text].push_back(at);
    }
    return found;
}

std::map<unsigned, std::set<std::string>> by_frequency(const index &found)
{
    std::map<unsigned, std::set<std::string>> result;
    for (const auto &[text, places] : found)
        result[static_cast<unsigned>(places.size())].insert(text);
    return result;
}

} // namespace

int main(int count, char **arguments)
{
    random_numbers random;
    size_t total = 0;
    for (int i = 0; i < (count > 1 ? std::atoi(arguments[1]) : 1); i++)
        total += by_frequency(read_text(random)).size();
    std::printf("%zu\n", total);
    return 0;
}
