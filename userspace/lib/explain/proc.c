// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

static bool count_open(const char *proc, uint32_t pid, uint64_t *used)
{
	char path[256];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%u/fd", proc, pid);
	dir = opendir(path);
	if (!dir)
		return false;
	*used = 0;
	for (struct dirent *e; (e = readdir(dir)); )
		*used += e->d_name[0] != '.';
	closedir(dir);
	return true;
}

static bool read_limit(const char *proc, uint32_t pid, uint64_t *limit)
{
	unsigned long long soft;
	char line[256];
	bool found = false;
	FILE *file;

	snprintf(line, sizeof(line), "%s/%u/limits", proc, pid);
	file = fopen(line, "re");
	/* "unlimited" there is none. */
	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Max open files %llu", &soft) == 1;
	if (file)
		fclose(file);
	if (found)
		*limit = soft;
	return found;
}

bool proc_descriptors(const char *proc, uint32_t pid, uint64_t *used, uint64_t *limit)
{
	return read_limit(proc, pid, limit) && count_open(proc, pid, used);
}

/* "TcpExt: NAME NAME ...", and "TcpExt: NUMBER NUMBER ..." below it. */
static void take_drops(char *names, char *numbers, uint64_t drops[PROC_NDROPS])
{
	static const char *const wanted[PROC_NDROPS] = {
#define NAME(name, text) name,
		PROC_DROPS(NAME)
#undef NAME
	};
	char *of[2] = { names, numbers }, *name, *number;
	unsigned int i;

	while ((name = strsep(&of[0], " \n")) && (number = strsep(&of[1], " \n")))
		for (i = 0; i < PROC_NDROPS; i++)
			if (!strcmp(name, wanted[i]))
				drops[i] = strtoull(number, NULL, 10);
}

bool proc_drops(const char *proc, uint32_t pid, uint64_t drops[PROC_NDROPS])
{
	char *line[2] = { NULL, NULL };
	size_t size[2] = { 0, 0 };
	char path[256];
	bool found = false;
	FILE *file;

	memset(drops, 0, PROC_NDROPS * sizeof(*drops));
	if (pid)
		snprintf(path, sizeof(path), "%s/%u/net/netstat", proc, pid);
	else
		snprintf(path, sizeof(path), "%s/self/net/netstat", proc);
	file = fopen(path, "re");
	while (file && !found && getline(&line[0], &size[0], file) > 0 && getline(&line[1], &size[1], file) > 0) {
		found = !strncmp(line[0], "TcpExt:", 7);
		if (found)
			take_drops(line[0], line[1], drops);
	}
	if (file)
		fclose(file);
	free(line[0]);
	free(line[1]);
	return found;
}
