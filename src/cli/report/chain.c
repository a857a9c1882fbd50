#include "chain.h"

#include "cli/ground/memory.h"
#include "cli/ground/value.h"
#include "cli/profile/token_table.h"

#include <stdlib.h>
#include <string.h>

/* A sample of the site that came along the chain so far. */
struct follower {
    struct tree_walk walk;
    int64_t weight;
    uint32_t token; /* of its next caller */
};

struct crowd {
    struct follower *followers;
    size_t count;
    int64_t weight; /* of the whole site */
};

/* The next caller that means something to a reader; NULL where the stack ends for him. */
static const struct function *next_caller(const struct tree *tree, struct tree_walk *walk)
{
    const struct filter *filter = tree->options.fold ? tree->options.filter : NULL;
    for (struct tree_frame frame; tree_walk_next(walk, &frame);) {
        if (!frame.line || !filter)
            return frame.function;
        if (filter_starts(filter, frame.line->function))
            return NULL;
        if (!filter_skips(filter, frame.line->function))
            return frame.function;
    }
    return NULL;
}

static struct crowd crowd_of(const struct tree *tree, uint32_t node)
{
    const struct tree_node *site = &tree->nodes[node];
    struct crowd crowd = {.followers = memory_zeroed(site->samples, sizeof *crowd.followers)};
    struct tree_frame own;
    uint32_t sample = site->first_sample;
    for (; sample != TREE_NONE; sample = tree->next_sample[sample]) {
        struct follower *follower = &crowd.followers[crowd.count++];
        follower->walk = tree_walk_begin(tree, sample);
        follower->weight =
            value_magnitude(tree->profile->samples[sample].values[tree->options.type]);
        tree_walk_next(&follower->walk, &own);
        crowd.weight = value_sum(crowd.weight, follower->weight);
    }
    return crowd;
}

/* The caller with the most weight, into *step; only its followers stay. False when the stacks end. */
static bool crowd_step(const struct tree *tree, struct crowd *crowd, struct chain_step *step)
{
    struct token_table names = {0};
    int64_t *weights = memory_zeroed(crowd->count, sizeof *weights);
    const struct function **functions = memory_zeroed(crowd->count, sizeof *functions);
    uint32_t best = 0;
    for (size_t i = 0; i < crowd->count; i++) {
        struct follower *follower = &crowd->followers[i];
        const struct function *caller = next_caller(tree, &follower->walk);
        follower->token = token_of_text(&names, caller ? caller->name : "");
        functions[follower->token] = caller;
        weights[follower->token] = value_sum(weights[follower->token], follower->weight);
        if (weights[follower->token] > weights[best])
            best = follower->token;
    }
    size_t kept = 0;
    for (size_t i = 0; i < crowd->count; i++)
        if (crowd->followers[i].token == best)
            crowd->followers[kept++] = crowd->followers[i];
    *step = (struct chain_step){
        .function = crowd->count ? functions[best] : NULL, .share = 1, .times = 1};
    if (crowd->weight > 0)
        step->share = (double)weights[best] / (double)crowd->weight;
    crowd->count = kept;
    free(weights);
    free(functions);
    token_table_clear(&names);
    return step->function != NULL;
}

/* Appends a step, or counts it as a repetition of the last one; false when there is no room. */
static bool put_step(struct chain *chain, const struct chain_step *step)
{
    struct chain_step *last = chain->count ? &chain->steps[chain->count - 1] : NULL;
    if (last && strcmp(last->function->name, step->function->name) == 0) {
        last->times++;
        return true;
    }
    if (chain->count == CHAIN_STEPS_MAX)
        return false;
    chain->steps[chain->count++] = *step;
    return true;
}

struct chain chain_of(const struct tree *tree, uint32_t node)
{
    struct chain chain = {.count = 0};
    struct crowd crowd = crowd_of(tree, node);
    struct chain_step step;
    while (!chain.more && crowd_step(tree, &crowd, &step))
        chain.more = !put_step(&chain, &step);
    free(crowd.followers);
    return chain;
}
