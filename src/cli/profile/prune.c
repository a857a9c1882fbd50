#include "prune.h"

#include "cli/ground/memory.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* What becomes of a location: nothing, its inner lines go, all of it goes. */
enum fate { FATE_STAYS, FATE_CUT, FATE_GOES };

struct pruner {
    regex_t drop, keep;
    bool has_drop, has_keep;
};

/* pprof's expressions match whole names; (?:...) is Go's, not POSIX's, and means a plain group. */
static bool compile_whole(regex_t *expression, const char *text)
{
    char *whole = memory_format("^(%s)$", text);
    for (char *at; (at = strstr(whole, "(?:"));)
        memmove(at + 1, at + 3, strlen(at + 3) + 1);
    bool valid = regcomp(expression, whole, REG_EXTENDED | REG_NOSUB) == 0;
    free(whole);
    return valid;
}

/* The name up to its parameter list, as pprof takes it for these expressions. */
static char *bare_name(const char *name)
{
    static const char *const reserved[] = {"(anonymous namespace)", "operator()"};
    const char *at = name += name[0] == '.';
    while ((at = strchr(at, '(')) != NULL) {
        if (strncmp(at, reserved[0], strlen(reserved[0])) == 0)
            at += strlen(reserved[0]);
        else if (at - name >= 8 && strncmp(at - 8, reserved[1], strlen(reserved[1])) == 0)
            at += 2;
        else
            return memory_text(name, (size_t)(at - name));
    }
    return memory_text(name, strlen(name));
}

static bool is_dropped(const struct pruner *pruner, const char *name)
{
    if (name[0] == '\0')
        return false;
    char *bare = bare_name(name);
    bool dropped = regexec(&pruner->drop, bare, 0, NULL, 0) == 0 &&
                   !(pruner->has_keep && regexec(&pruner->keep, bare, 0, NULL, 0) == 0);
    free(bare);
    return dropped;
}

/* Cuts the lines up to the outermost dropped one. */
static enum fate prune_location(struct location *location, const bool *dropped)
{
    size_t cut = location->line_count;
    while (cut > 0 && !dropped[location->lines[cut - 1].function])
        cut--;
    if (cut == 0)
        return FATE_STAYS;
    if (cut == location->line_count)
        return FATE_GOES;
    location->lines += cut;
    location->line_count -= cut;
    return FATE_CUT;
}

/* From the root: the first frame that is to go, behind one of the program, ends the stack. */
static void prune_sample(struct sample *sample, const enum fate *fates)
{
    bool of_program = false;
    for (size_t i = sample->depth; i-- > 0;) {
        enum fate fate = fates[sample->locations[i]];
        if (fate == FATE_STAYS)
            of_program = true;
        if (fate == FATE_STAYS || !of_program)
            continue;
        size_t gone = fate == FATE_GOES ? i + 1 : i;
        sample->locations += gone;
        sample->depth -= gone;
        return;
    }
}

static void prune_all(const struct pruner *pruner, struct profile *profile)
{
    bool *dropped = memory_zeroed(profile->function_count, sizeof *dropped);
    enum fate *fates = memory_zeroed(profile->location_count, sizeof *fates);
    for (size_t i = 0; i < profile->function_count; i++)
        dropped[i] = is_dropped(pruner, profile->functions[i].name);
    for (size_t i = 0; i < profile->location_count; i++)
        fates[i] = prune_location(&profile->locations[i], dropped);
    for (size_t i = 0; i < profile->sample_count; i++)
        prune_sample(&profile->samples[i], fates);
    free(dropped);
    free(fates);
}

void profile_prune(struct profile *profile)
{
    struct pruner pruner = {0};
    if (profile->drop_frames[0] == '\0')
        return;
    pruner.has_drop = compile_whole(&pruner.drop, profile->drop_frames);
    pruner.has_keep = profile->keep_frames[0] && compile_whole(&pruner.keep, profile->keep_frames);
    if (pruner.has_drop && (pruner.has_keep || !profile->keep_frames[0]))
        prune_all(&pruner, profile);
    if (pruner.has_drop)
        regfree(&pruner.drop);
    if (pruner.has_keep)
        regfree(&pruner.keep);
}
