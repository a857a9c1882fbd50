/* A library that tests load and unload: see UNIT_PLUGIN in meson.build. */

int plugin_function(int number);

__attribute__((visibility("default"), noinline)) int plugin_function(int number)
{
    return number + 1;
}
