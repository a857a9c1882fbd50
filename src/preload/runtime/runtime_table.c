#include "runtime.h"

#include <stddef.h>

/* What each is called by is declared in runtime.h. */
const struct runtime *const runtime_table[] = {
    &runtime_boehm, &runtime_go,   &runtime_jvm,    &runtime_lua,  &runtime_luajit,
    &runtime_mono,  &runtime_node, &runtime_python, &runtime_ruby, NULL,
};
