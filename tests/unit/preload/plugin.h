/*
 * plugin.h - the library that comes and goes.
 *
 * Owns: nothing. Context: unit tests; a failure ends the test. The file is UNIT_PLUGIN.
 * Not here: what the loader does with it.
 */
#ifndef HEAPDIFF_TEST_PLUGIN_H
#define HEAPDIFF_TEST_PLUGIN_H

#include <dlfcn.h>
#include <stdint.h>

/* Loads the file; the address of its function in *address. */
static inline void *plugin_open(const char *path, uint64_t *address)
{
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(plugin);
    *address = (uint64_t)dlsym(plugin, "plugin_function");
    assert_true(*address != 0);
    return plugin;
}

/* Unloads it; it is gone. */
static inline void plugin_close(void *plugin)
{
    assert_int_equal(dlclose(plugin), 0);
    assert_null(dlopen(UNIT_PLUGIN, RTLD_NOW | RTLD_NOLOAD));
}

#endif
