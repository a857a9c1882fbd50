/* Where libunwind cannot be compiled against (musl): there is no reference. */
#include "unwind.h"

bool unwind_reference_open(void)
{
    return false;
}

bool unwind_reference(struct capture *capture, const struct unwind_start *start)
{
    (void)start;
    capture->depth = 0;
    return false;
}

void unwind_reference_forget(void)
{
}
