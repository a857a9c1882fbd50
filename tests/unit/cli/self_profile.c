#include "self_profile.h"

#include "cli/ground/pool.h"

#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct self {
    uint64_t start, limit, offset;
    char build_id[65];
};

static void note_read(struct self *self, const unsigned char *notes, size_t left)
{
    const ElfW(Nhdr) *note = (const void *)notes;
    while (left >= sizeof(*note)) {
        size_t name_bytes = (note->n_namesz + 3) & ~3u, text_bytes = (note->n_descsz + 3) & ~3u;
        const unsigned char *text = (const unsigned char *)(note + 1) + name_bytes;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz <= 32)
            for (size_t i = 0; i < note->n_descsz; i++)
                snprintf(self->build_id + 2 * i, 3, "%02x", text[i]);
        if (sizeof(*note) + name_bytes + text_bytes > left)
            return;
        left -= sizeof(*note) + name_bytes + text_bytes;
        note = (const void *)(text + text_bytes);
    }
}

/* The program comes first. */
static int self_find(struct dl_phdr_info *info, size_t size_bytes, void *context)
{
    struct self *self = context;
    (void)size_bytes;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t address = info->dlpi_addr + segment->p_vaddr, slack = address & 4095;
        if (segment->p_type == PT_NOTE)
            note_read(self, (const unsigned char *)address, segment->p_memsz);
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        self->start = address - slack;
        self->limit = (address + segment->p_memsz + 4095) & ~(uint64_t)4095;
        self->offset = segment->p_offset - slack;
    }
    return 1;
}

const char *self_build_id(void)
{
    static struct self self;
    dl_iterate_phdr(self_find, &self);
    return self.build_id;
}

struct profile *self_profile(const char *path, const uint64_t *return_addresses, size_t count)
{
    struct profile *profile = calloc(1, sizeof(*profile));
    struct self self = {0};
    char own_path[PATH_MAX] = "";
    profile->pool = pool_new();
    dl_iterate_phdr(self_find, &self);
    if (readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
        abort();
    profile->mapping_count = 1;
    profile->mappings = profile_alloc(profile, 1, sizeof(struct mapping));
    profile->mappings[0] =
        (struct mapping){.start = self.start,
                         .limit = self.limit,
                         .offset = self.offset,
                         .filename = profile_text(profile, path != NULL ? path : own_path),
                         .build_id = profile_text(profile, self.build_id)};
    profile->type_count = 1;
    profile->types = profile_alloc(profile, 1, sizeof(struct value_type));
    profile->types[0] = (struct value_type){"inuse_space", "bytes"};
    profile->period_type = (struct value_type){"space", "bytes"};
    profile->period = 1;
    profile->drop_frames = profile->keep_frames = "";
    profile->location_count = profile->sample_count = count;
    profile->locations = profile_alloc(profile, count, sizeof(struct location));
    profile->samples = profile_alloc(profile, count, sizeof(struct sample));
    for (size_t i = 0; i < count; i++) {
        struct sample *sample = &profile->samples[i];
        profile->locations[i].address = return_addresses[i] - 1;
        sample->depth = 1;
        sample->locations = profile_alloc(profile, 1, sizeof(sample->locations[0]));
        sample->locations[0] = (uint32_t)i;
        sample->values = profile_alloc(profile, 1, sizeof(sample->values[0]));
        sample->values[0] = (int64_t)(i + 1) * 100;
    }
    return profile;
}

const char *self_lines(const struct profile *profile, size_t index)
{
    static char text[4096];
    const struct location *location = &profile->locations[index];
    size_t used = 0;
    for (size_t i = 0; i < location->line_count && used < sizeof(text); i++) {
        const struct function *function = &profile->functions[location->lines[i].function];
        const char *slash = strrchr(function->filename, '/');
        used += (size_t)snprintf(
            text + used, sizeof(text) - used, "%s%s %s:%lld", i > 0 ? " < " : "", function->name,
            slash != NULL ? slash + 1 : function->filename, (long long)location->lines[i].line);
    }
    return text;
}
