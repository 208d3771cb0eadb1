// SPDX-License-Identifier: GPL-2.0-only
/*
 * listener_storm COUNT OPEN: COUNT listeners, one after the other, OPEN of them there at a time;
 * each gets two connections over loopback, of which it accepts one. Every eighth listens again
 * before its end, with another backlog. Prints "listeners N connections M".
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPEN_MAX_HERE	512

static void one_connection(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	/* No TIME_WAIT: ports must last. */
	struct linger rst = { 1, 0 };

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst)) || close(fd))
		err(1, "connect");
}

int main(int argc, char **argv)
{
	static int listener[OPEN_MAX_HERE];
	int count = argc == 3 ? atoi(argv[1]) : 0, open_now = argc == 3 ? atoi(argv[2]) : 0, i, server;

	if (count < 1 || open_now < 1 || open_now > OPEN_MAX_HERE)
		errx(2, "usage: listener_storm COUNT OPEN");
	for (i = 0; i < count; i++) {
		int *fd = &listener[i % open_now];
		struct sockaddr_in addr = { .sin_family = AF_INET };
		socklen_t len = sizeof(addr);

		addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (*fd && i % 8 == 0 && listen(*fd, 1 + i % 100))
			err(1, "listen again");
		if (*fd && close(*fd))
			err(1, "close");
		*fd = socket(AF_INET, SOCK_STREAM, 0);
		if (*fd < 0 || bind(*fd, (struct sockaddr *)&addr, len) || listen(*fd, 8) ||
		    getsockname(*fd, (struct sockaddr *)&addr, &len))
			err(1, "listen");
		one_connection(&addr);
		server = accept(*fd, NULL, NULL);
		if (server < 0 || close(server))
			err(1, "accept");
		one_connection(&addr);
	}
	printf("listeners %d connections %d\n", count, 2 * count);
	return 0;
}
