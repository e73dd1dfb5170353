/* The structs and enums of mayaqua_ffi.h as a C and a C++ compiler see them. Compiling is the test. */

#include <mayaqua_ffi.h>

#ifdef __cplusplus
#define CHECK(condition) static_assert(condition, #condition)
#define ALIGNMENT alignof
#else
#define CHECK(condition) _Static_assert(condition, #condition)
#define ALIGNMENT _Alignof
#endif

CHECK(sizeof(MayaquaBuf) == 8 && ALIGNMENT(MayaquaBuf) == 8 && offsetof(MayaquaBuf, id) == 0);
CHECK(sizeof(MayaquaFifo) == 8 && sizeof(MayaquaQueue) == 8 && sizeof(MayaquaList) == 8 && sizeof(MayaquaPack) == 8);
CHECK(sizeof(MayaquaStatus) == 4 && sizeof(MayaquaCompare) == sizeof(void *));
CHECK(MAYAQUA_STATUS_OK == 0 && MAYAQUA_STATUS_NOT_FOUND == -2 && MAYAQUA_STATUS_IO == -5);
CHECK(MAYAQUA_STATUS_BAD_HANDLE == -9 && MAYAQUA_STATUS_NO_MEMORY == -12 && MAYAQUA_STATUS_BUSY == -16);
CHECK(MAYAQUA_STATUS_EXISTS == -17 && MAYAQUA_STATUS_INVALID == -22 && MAYAQUA_STATUS_NO_SPACE == -28);
CHECK(MAYAQUA_STATUS_ABI_MISMATCH == -71 && MAYAQUA_STATUS_BAD_MESSAGE == -74 && MAYAQUA_STATUS_OVERFLOW == -75);
CHECK(MAYAQUA_STATUS_UNSUPPORTED == -95 && MAYAQUA_STATUS_NOT_INITIALIZED == -107 && MAYAQUA_STATUS_PANICKED == -131);
CHECK(MAYAQUA_VALUE_TYPE_INT == 0 && MAYAQUA_VALUE_TYPE_DATA == 1 && MAYAQUA_VALUE_TYPE_STR == 2);
CHECK(MAYAQUA_VALUE_TYPE_UNI_STR == 3 && MAYAQUA_VALUE_TYPE_INT64 == 4 && MAYAQUA_SEEK_BACKWARD == -1);
CHECK(MAYAQUA_ABI_VERSION == 1);
