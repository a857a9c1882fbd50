#include "runtime_unknown.h"

FORBIDDEN(node_module_register)

/* v8::Isolate::TryGetCurrent() and three others; v8::V8::GetVersion(). */
FORBIDDEN(_ZN2v87Isolate13TryGetCurrentEv)
FORBIDDEN(_ZN2v87Isolate21AddGCPrologueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_)
FORBIDDEN(_ZN2v87Isolate21AddGCEpilogueCallbackEPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_S2_)
FORBIDDEN(_ZN2v87Isolate17GetHeapStatisticsEPNS_14HeapStatisticsE)

const char *_ZN2v82V810GetVersionEv(void);

const char *_ZN2v82V810GetVersionEv(void)
{
    return "99.1.2.3-node.4";
}

/* As node does before it runs a script. */
void unknown_use(void)
{
    if (getenv("NODE_V8_COVERAGE"))
        abort();
}
