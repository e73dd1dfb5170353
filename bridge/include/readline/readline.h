/* The one function of GNU readline that Cedar's console uses, so that its headers and its licence are not needed.
 * Found before a system header of the same name. Implemented in bridge/readline.c. */
#ifndef BRIDGE_READLINE_H
#define BRIDGE_READLINE_H

/* Prints the prompt and returns one line of standard input without its newline; NULL at the end of input.
 * The caller frees the line with free(). */
char *readline(const char *prompt);

#endif
