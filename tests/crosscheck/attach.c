// SPDX-License-Identifier: GPL-2.0-only
/*
 * attach OBJECT DIR: loads and attaches all BPF programs of OBJECT and pins their links
 * in DIR, and its maps in DIR_maps.  It is what "bpftool prog loadall OBJECT DIR pinmaps
 * DIR_maps autoattach" does from bpftool 7.2 on; Debian 12 has 7.1.
 */
#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct bpf_program *prog;
	struct bpf_object *obj;
	struct bpf_link *link;
	char path[512];

	if (argc != 3)
		errx(2, "usage: attach OBJECT DIR");
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj || bpf_object__load(obj))
		err(1, "%s: cannot be loaded", argv[1]);
	snprintf(path, sizeof(path), "%s_maps", argv[2]);
	if (mkdir(argv[2], 0700) || bpf_object__pin_maps(obj, path))
		err(1, "%s", argv[2]);
	bpf_object__for_each_program(prog, obj) {
		link = bpf_program__attach(prog);
		if (!link)
			err(1, "%s: cannot be attached", bpf_program__name(prog));
		snprintf(path, sizeof(path), "%s/%s", argv[2], bpf_program__name(prog));
		if (bpf_link__pin(link, path))
			err(1, "%s", path);
	}
	return 0;
}
