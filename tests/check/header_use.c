/* Uses all of heapdiff.h; also compiled as C++. With an argument the preload is expected to be there. */
#include <heapdiff.h>

int main(int count, char **arguments)
{
    int present = count > 1;
    heapdiff_pause();
    heapdiff_resume();
    if (heapdiff_enabled() != present)
        return 1;
    if (heapdiff_mark_collection("test") != (present ? 0 : 38 /* ENOSYS */))
        return 2;
    if (heapdiff_snapshot(present ? arguments[1] : 0) != (present ? 0 : 38))
        return 3;
    return 0;
}
