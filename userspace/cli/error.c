// SPDX-License-Identifier: GPL-2.0-only
/* Every error is one line: what failed, why, what to do. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

void complain(const char *fmt, ...)
{
	char line[1024];
	size_t len, i;
	va_list ap;
	int n;

	len = (size_t)snprintf(line, sizeof(line), "tcpfsm: ");
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len += (size_t)n < sizeof(line) - len - 2 ? (size_t)n : sizeof(line) - len - 2;
	/* Arguments may hold anything; a line it shall be. */
	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	/* There is nowhere to tell that this failed. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

static const char *advice(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
		return "free some space or choose another place";
	case ENOMEM:
		return "free some memory";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files";
	case EROFS:
	case EACCES:
	case EPERM:
		return "choose a place you may write to";
	case ENOENT:
	case ENOTDIR:
		return "check the path";
	case EFBIG:
		return "raise the limit of file sizes (ulimit -f)";
	case EIO:
		return "check the disk, see dmesg";
	}
	return "see dmesg and tcpfsm info";
}

int fail(int err, const char *what)
{
	complain("%s: %s; %s", what, strerror(-err), advice(-err));
	return EXIT_ERROR;
}

static bool file_has(const char *path, const char *word)
{
	char buf[64];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n < 0)
		return false;
	buf[n] = 0;
	return strstr(buf, word);
}

/* Then loading it alone is no advice. */
static bool signed_modules_only(void)
{
	static const char lockdown[] = "/sys/kernel/security/lockdown";

	return file_has("/sys/module/module/parameters/sig_enforce", "Y") ||
	       file_has(lockdown, "[integrity]") || file_has(lockdown, "[confidentiality]");
}

static int fail_permission(const char *dev)
{
	const struct group *group = NULL;
	struct stat st;

	if (!stat(dev, &st) && (st.st_mode & 040) && st.st_gid)
		group = getgrgid(st.st_gid);
	if (group)
		complain("%s: permission denied; run tcpfsm as root or as a member of group %s (usermod -aG %s USER)",
			 dev, group->gr_name, group->gr_name);
	else
		complain("%s: permission denied; run tcpfsm as root, or see man tcpfsm, FILES", dev);
	return EXIT_PERMISSION;
}

int fail_open(int err, const struct options *opts, const struct tcpfsm_info *info)
{
	const char *dev = opts->device ? opts->device : TCPFSM_DEVICE;
	char load[TCPFSM_LOAD_COMMAND_MAX];

	switch (-err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		complain("%s: module not loaded; run: %s%s", dev, tcpfsm_load_command(load),
			 signed_modules_only() ? "; this kernel wants it signed, see man 4 tcpfsm" : "");
		return EXIT_NOT_LOADED;
	case EACCES:
	case EPERM:
		return fail_permission(dev);
	case EPROTO:
		if (info->abi == TCPFSM_ABI_VERSION)
			complain("%s: its rings are not as ABI %u says; use both of one build: "
				 "rmmod tcpfsm, then %s", dev, info->abi, tcpfsm_load_command(load));
		else
			complain("%s: the module has ABI %u and this program ABI %u; use both of one "
				 "build: rmmod tcpfsm, then %s", dev, info->abi, TCPFSM_ABI_VERSION,
				 tcpfsm_load_command(load));
		return EXIT_ABI;
	case ENOTTY:
	case EINVAL:
		complain("%s: not the device of the tcpfsm module; use " TCPFSM_DEVICE, dev);
		return EXIT_ERROR;
	}
	return fail(err, dev);
}

int fail_replay(int err, const struct options *opts, const char *why)
{
	switch (-err) {
	case ENOENT:
	case ENOTDIR:
		complain("%s: no recording there; give the directory that tcpfsm record wrote",
			 opts->replay);
		return EXIT_ERROR;
	case EACCES:
	case EPERM:
		complain("%s: permission denied; run it as a user who may read it", opts->replay);
		return EXIT_PERMISSION;
	case EPROTO:
		complain("%s: %s; use the tcpfsm it was recorded with", opts->replay, why);
		return EXIT_ABI;
	case EBADMSG:
		complain("%s: %s; record it again", opts->replay, why);
		return EXIT_ERROR;
	}
	return fail(err, opts->replay);
}

int close_stdout(struct out *o)
{
	int err = out_close(o);

	return err ? fail(err, "standard output") : EXIT_DONE;
}
