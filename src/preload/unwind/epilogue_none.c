/* Where code without unwind rules is rare: frame pointers are all there is to go by. */
#include "epilogue.h"

bool epilogue_row(uint64_t key, struct row *row)
{
    (void)key;
    (void)row;
    return false;
}
