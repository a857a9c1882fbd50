/* A sample's stack as a tree has it. */
#include "tree.h"

struct tree_walk tree_walk_begin(const struct tree *tree, size_t index)
{
    return (struct tree_walk){.profile = tree->profile,
                              .sample = &tree->profile->samples[index],
                              .location = tree->leaves[index].location,
                              .line = tree->leaves[index].line};
}

bool tree_walk_next(struct tree_walk *walk, struct tree_frame *frame)
{
    if (walk->location >= walk->sample->depth)
        return false;
    uint32_t index = walk->sample->locations[walk->location];
    *frame = (struct tree_frame){.location = &walk->profile->locations[index]};
    size_t count = frame->location->line_count;
    if (count > 0) {
        frame->line = &frame->location->lines[walk->line];
        frame->function = &walk->profile->functions[frame->line->function];
        frame->inlined = walk->line + 1 < count;
    }
    if (++walk->line >= count) {
        walk->line = 0;
        walk->location++;
    }
    return true;
}

struct tree_leaf tree_walk_leaf(const struct tree *tree, size_t index)
{
    const struct filter *filter = tree->options.filter;
    struct tree_leaf leaf = {0, 0};
    if (!tree->options.fold || !filter)
        return leaf;
    struct tree_walk walk = tree_walk_begin(tree, index);
    for (struct tree_frame frame;;) {
        struct tree_leaf at = {(uint32_t)walk.location, (uint32_t)walk.line};
        if (!tree_walk_next(&walk, &frame))
            return leaf;
        leaf = at;
        if (!frame.line || !filter_skips(filter, frame.line->function))
            return leaf;
    }
}
