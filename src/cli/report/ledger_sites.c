#include "ledger_sites.h"

#include "tree.h"
#include "cli/ground/memory.h"
#include "cli/ground/value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * A profile like another one, but for its samples: those of sites alone, without the frames that only tell
 * their kind, and with one value that is 0 nowhere where they have any.
 */
struct stripped {
    struct profile profile;
    const struct sample **originals; /* of each sample */
    int *kinds;                      /* likewise */
    int64_t *weights;                /* likewise: its one value */
    int resident_type, inuse_type;   /* the latter PROFILE_NONE: it has none */
};

static int64_t absent_of(const struct stripped *stripped, const struct sample *sample, int kind)
{
    bool own = kind == LEDGER_LIVE || kind == LEDGER_MAPPED;
    if (!own || sample->base || stripped->inuse_type == PROFILE_NONE)
        return 0;
    int64_t absent = value_difference(sample->values[stripped->inuse_type],
                                      sample->values[stripped->resident_type]);
    return absent > 0 ? absent : 0;
}

static int64_t weight_of(const struct stripped *stripped, const struct sample *sample, int kind)
{
    int type = stripped->resident_type;
    int64_t weight = value_sum(value_magnitude(sample->values[type]),
                               sample->base ? value_magnitude(sample->base[type]) : 0);
    return value_sum(weight, absent_of(stripped, sample, kind));
}

/* The sample without its synthetic frame, as `index`. */
static void put_stripped(struct stripped *stripped, const struct sample *sample, int kind)
{
    size_t index = stripped->profile.sample_count;
    int64_t weight = weight_of(stripped, sample, kind);
    if (weight == 0)
        return;
    struct sample copy = *sample;
    if (kind == LEDGER_SLACK || kind == LEDGER_PINNED || kind == LEDGER_HUGE)
        copy.locations++;
    if (kind != LEDGER_LIVE && kind != LEDGER_MAPPED)
        copy.depth--;
    stripped->weights[index] = weight;
    copy.values = &stripped->weights[index];
    copy.base = NULL;
    copy.variances = NULL;
    stripped->profile.samples[index] = copy;
    stripped->originals[index] = sample;
    stripped->kinds[index] = kind;
    stripped->profile.sample_count++;
}

static struct stripped stripped_of(const struct profile *profile)
{
    static struct value_type type = {"resident_space", "bytes"};
    struct stripped stripped = {.profile = *profile};
    stripped.resident_type = profile_type(profile, "resident_space");
    stripped.inuse_type = profile_type(profile, "inuse_space");
    stripped.profile.types = &type;
    stripped.profile.type_count = 1;
    stripped.profile.sample_count = 0;
    stripped.profile.samples = memory_zeroed(profile->sample_count, sizeof(struct sample));
    stripped.originals = memory_zeroed(profile->sample_count, sizeof *stripped.originals);
    stripped.kinds = memory_zeroed(profile->sample_count, sizeof *stripped.kinds);
    stripped.weights = memory_zeroed(profile->sample_count, sizeof *stripped.weights);
    for (size_t i = 0; i < profile->sample_count; i++) {
        const char *name;
        bool of_site;
        int kind = ledger_kind_of(profile, &profile->samples[i], &name, &of_site);
        if (of_site)
            put_stripped(&stripped, &profile->samples[i], kind);
    }
    return stripped;
}

static void stripped_clear(struct stripped *stripped)
{
    free(stripped->profile.samples);
    free(stripped->originals);
    free(stripped->kinds);
    free(stripped->weights);
}

static struct ledger_holder holder_of(const struct stripped *stripped, const struct tree *tree,
                                      const struct tree_node *node)
{
    struct ledger_holder holder = {.name = node->name, .filename = node->filename};
    for (uint32_t i = node->first_sample; i != TREE_NONE; i = tree->next_sample[i]) {
        const struct sample *sample = stripped->originals[i];
        int kind = stripped->kinds[i], type = stripped->resident_type;
        holder.bytes[kind] = value_sum(holder.bytes[kind], sample->values[type]);
        if (sample->base)
            holder.base_bytes[kind] = value_sum(holder.base_bytes[kind], sample->base[type]);
        holder.absent_bytes = value_sum(holder.absent_bytes, absent_of(stripped, sample, kind));
    }
    return holder;
}

static int compare_keys(const void *left, const void *right)
{
    const struct ledger_holder *a = left, *b = right;
    int result = strcmp(a->name, b->name);
    return result ? result : strcmp(a->filename, b->filename);
}

static void collect(struct ledger_sites *sites, const struct stripped *stripped,
                    const struct tree *tree)
{
    sites->holders = memory_zeroed(tree->node_count, sizeof *sites->holders);
    for (size_t i = 0; i < tree->node_count; i++) {
        if (tree->nodes[i].first_sample == TREE_NONE)
            continue;
        struct ledger_holder holder = holder_of(stripped, tree, &tree->nodes[i]);
        sites->absent_bytes = value_sum(sites->absent_bytes, holder.absent_bytes);
        sites->holders[sites->count++] = holder;
    }
    qsort(sites->holders, sites->count, sizeof *sites->holders, compare_keys);
}

struct ledger_sites ledger_sites_of(const struct profile *profile,
                                    const struct filter_options *options)
{
    struct ledger_sites sites = {.count = 0};
    struct filter_options folding = {.skip = options->skip, .no_skip = options->no_skip};
    char *message = NULL;
    if (profile_type(profile, "resident_space") == PROFILE_NONE)
        return sites;
    struct filter *filter = filter_new(&folding, &message);
    assert(filter != NULL); /* the report's own has the same expressions */
    filter_mark(filter, profile);
    struct stripped stripped = stripped_of(profile);
    struct tree_options how = {
        .granularity = GRANULARITY_SITES, .type = 0, .fold = true, .filter = filter};
    struct tree tree;
    tree_build(&tree, &stripped.profile, &how);
    collect(&sites, &stripped, &tree);
    tree_clear(&tree);
    stripped_clear(&stripped);
    filter_free(filter);
    return sites;
}

void ledger_sites_clear(struct ledger_sites *sites)
{
    free(sites->holders);
    *sites = (struct ledger_sites){0};
}

const struct ledger_holder *ledger_sites_find(const struct ledger_sites *sites, const char *name,
                                              const char *filename)
{
    struct ledger_holder key = {.name = name, .filename = filename};
    if (sites->count == 0)
        return NULL;
    return bsearch(&key, sites->holders, sites->count, sizeof key, compare_keys);
}

int64_t ledger_holder_bytes(const struct ledger_holder *holder, int kind)
{
    return kind == LEDGER_CATEGORIES ? holder->absent_bytes : holder->bytes[kind];
}

const char *ledger_holder_name(const struct ledger_holder *holder)
{
    const char *name = holder->name[0] ? holder->name : holder->filename;
    return name[0] ? name : "(no name)";
}

/* Where among the first `count` of `top` a holder belongs. */
static size_t rank_of(const struct ledger_holder **top, size_t count, int64_t bytes, int kind)
{
    while (count > 0 &&
           value_magnitude(ledger_holder_bytes(top[count - 1], kind)) < value_magnitude(bytes))
        count--;
    return count;
}

size_t ledger_sites_top(const struct ledger_sites *sites, int kind,
                        const struct ledger_holder **top, size_t room)
{
    size_t kept = 0, count = 0;
    for (size_t i = 0; i < sites->count; i++) {
        int64_t bytes = ledger_holder_bytes(&sites->holders[i], kind);
        count += bytes != 0;
        size_t rank = bytes != 0 ? rank_of(top, kept, bytes, kind) : room;
        if (rank >= room)
            continue;
        kept += kept < room;
        memmove(&top[rank + 1], &top[rank], (kept - rank - 1) * sizeof(*top));
        top[rank] = &sites->holders[i];
    }
    return count;
}

bool ledger_pair_known(const struct ledger_pair *pair)
{
    return pair->fresh.known && (!pair->compared || pair->base.known);
}

struct ledger_pair ledger_pair_of(const struct profile *shown, const struct profile *fresh,
                                  const struct profile *base, const struct filter_options *options)
{
    struct ledger_pair pair = {.fresh = ledger_of_profile(fresh), .compared = base != NULL};
    if (base)
        pair.base = ledger_of_profile(base);
    if (ledger_pair_known(&pair) && !pair.fresh.outside && !pair.base.outside)
        pair.sites = ledger_sites_of(shown, options);
    return pair;
}

void ledger_pair_clear(struct ledger_pair *pair)
{
    ledger_clear(&pair->base);
    ledger_clear(&pair->fresh);
    ledger_sites_clear(&pair->sites);
}
