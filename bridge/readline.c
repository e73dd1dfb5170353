/* Line input for Cedar's console (vpncmd) without GNU readline: no editing, no history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <readline/history.h>
#include <readline/readline.h>

char *readline(const char *prompt)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t length;

	fputs(prompt, stdout);
	fflush(stdout);
	length = getline(&line, &capacity, stdin);
	if (length < 0)
	{
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = 0;
	return line;
}

void add_history(const char *line)
{
	(void)line;
}
