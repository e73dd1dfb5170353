/* The one function of GNU history that Cedar's console uses. Implemented in bridge/readline.c. */
#ifndef BRIDGE_HISTORY_H
#define BRIDGE_HISTORY_H

/* Forgets the line: this console keeps no history. */
void add_history(const char *line);

#endif
