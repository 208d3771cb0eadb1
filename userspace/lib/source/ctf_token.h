/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* The words of a metadata text. */
#ifndef TCPFSM_LIB_CTF_TOKEN_H
#define TCPFSM_LIB_CTF_TOKEN_H

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* len 0: the end.  Strings have their quotes. */
struct token {
	const char *at;
	size_t len;
};

static inline struct token next_token(const char **p)
{
	const char *s = *p;
	struct token t;

	for (;;) {
		while (isspace((unsigned char)*s))
			s++;
		if (s[0] != '/' || s[1] != '*')
			break;
		s = strstr(s + 2, "*/");
		if (!s) {
			*p += strlen(*p);
			return (struct token) { *p, 0 };
		}
		s += 2;
	}
	t.at = s;
	if (*s == '"') {
		for (s++; *s && *s != '"'; s++)
			if (*s == '\\' && s[1])
				s++;
		s += *s == '"';
	} else if (isalnum((unsigned char)*s) || *s == '_' || *s == '-') {
		while (isalnum((unsigned char)*s) || *s == '_' || *s == '-' || *s == '.')
			s++;
	} else if (*s) {
		s++;
	}
	t.len = (size_t)(s - t.at);
	*p = s;
	return t;
}

static inline int token_is(struct token t, const char *s)
{
	return t.len == strlen(s) && !memcmp(t.at, s, t.len);
}

#endif /* TCPFSM_LIB_CTF_TOKEN_H */
