/*
 * The C's Debug() lines, given to whoever asks for them; compiled beside the vendored files.
 *
 * Debug() formats nothing while g_debug is false, and otherwise calls DebugArgs(), which prints. Where functions are swapped,
 * the build renames that definition to c_DebugArgs(), so that this one is called; in a build of the untouched C the lines go
 * where they always went, which is nowhere, since nobody sets g_debug.
 */

#include <Mayaqua/Mayaqua.h>

// Longer lines are cut.
#define LINE_SIZE 1024

static void (*g_line)(const char *text) = NULL;

// Has `line` called with each line of Debug() from now on, on the thread that says it; NULL ends that. To be called behind
// InitMayaqua(), which clears g_debug, and with NULL before FreeMayaqua(), which prints and crashes while that is set.
void cutover_debug_to(void (*line)(const char *text))
{
	g_line = line;
#ifdef CUTOVER_DEBUG_IS_BRIDGED
	g_debug = line != NULL;
#endif
}

#ifdef CUTOVER_DEBUG_IS_BRIDGED
void DebugArgs(char *fmt, va_list args)
{
	char text[LINE_SIZE];
	void (*line)(const char *text) = g_line;

	if (fmt == NULL || line == NULL)
	{
		return;
	}
	FormatArgs(text, sizeof(text), fmt, args);
	line(text);
}
#endif
