/* What bindgen reads: all of Mayaqua and Cedar, with the flags that the C itself is compiled with. */
#include <GlobalConst.h>
#include <Mayaqua/Mayaqua.h>
#include <Cedar/Cedar.h>
