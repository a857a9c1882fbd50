#include "permit.h"

struct permit permit;

uint32_t permit_revoke(uint32_t what)
{
    return __atomic_exchange_n(&permit.revoked, what, __ATOMIC_RELAXED);
}
