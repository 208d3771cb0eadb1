# SPDX-License-Identifier: GPL-2.0-only
# For people.  The kernel's build system reads Kbuild instead.

KVER ?= $(shell scripts/headers)
KDIR ?= $(shell scripts/headers $(KVER))
PREFIX ?= /usr/local
export PREFIX DESTDIR

MODULE := build/$(KVER)/tcpfsm.ko

.PHONY: all run test test-debug test-storm test-incidents test-matrix test-variants test-packages test-fleet test-arm64 crosscheck fuzz proof bench
.PHONY: lab module userspace check load unload deb install clean help

all: module userspace ## module for this kernel (or the newest headers) and userspace

run: ## install what is missing, build, and show real transitions: here or in a VM
	scripts/setup build vm lab
	scripts/run

test: ## all tests; TEST="name ..." for single ones
	scripts/setup build vm lab test
	tests/run $(TEST)

# A few percent of what make test-storm does: these kernels are slow.
test-debug: ## the module's tests, failing allocations and storms on kernels that check themselves (KASAN, lockdep, KCSAN)
	scripts/setup build vm lab test debug
	scripts/kernel debug >/dev/null & scripts/kernel kcsan >/dev/null; built=$$?; wait $$! && exit $$built
	TCPFSM_STORM=$${TCPFSM_STORM-2} tests/run --kernels "debug kcsan" vm-debug vm-kcsan failing-debug storm-debug storm-kcsan

test-storm: ## loads, readers, CPUs, namespaces, listeners and SYNs by the thousand, in 6.1; half an hour
	scripts/setup build vm lab test
	tests/run --kernels 6.1 storm-6.1

test-incidents: ## the lab in 6.12, and what explain says over IPv6, with the module loaded late, and of ordinary load, in 6.1 and 6.12
	scripts/setup build vm lab test servers
	tests/run lab-6.12 incidents ordinary

test-matrix: ## the module's tests on every kernel it supports, and a table of the features on each
	scripts/setup build vm lab test matrix
	tests/matrix

test-variants: ## the module builds on other kernels, and on what is known of kernels that are not here
	scripts/setup build test matrix cross
	tests/run variants

test-packages: ## make deb, and the packages on bare systems of Debian 12 and 13
	scripts/setup build vm packages
	tests/run packages

test-fleet: ## alerts and the board by Prometheus and promtool, four hosts in a VM, a thousand simulated
	scripts/setup build vm fleet
	tests/run fleet

test-arm64: ## the ring's barriers in code for arm64, and the module's tests in an emulated arm64 machine, without IPv6, too
	scripts/setup build vm lab test arm64
	tests/run --kernels '6.1-arm64 6.12-arm64' barriers vm- boot-6.1-arm64-noipv6

crosscheck: ## a BPF program and tcpdump as witnesses beside the module; KERNEL=V (default 6.1)
	scripts/setup build vm lab test cross
	scripts/crosscheck --kernel $(or $(KERNEL),6.1)

fuzz: ## fuzzes recordings, rings and records, through the library (libFuzzer, ASan, UBSan)
	scripts/setup build fuzz
	tests/fuzz/run --coverage

proof: ## the ring's ordering: its code on a model of a weak machine, and in spin
	scripts/setup build proof
	tests/proof/run

bench: ## measure the cost per connection, ours and the peers', closes per second, and the ring
	scripts/setup build vm lab cross bench
	scripts/bench

lab: ## a shell in a VM with the module loaded
	scripts/setup build vm lab
	scripts/run --shell

# The kernel's build writes beside the sources: give each kernel a copy, made
# of links, so that several can be built and the tree stays clean.
module: ## build/KVER/tcpfsm.ko; KVER=RELEASE and KDIR=DIR override
	@test -n "$(KDIR)" -a -d "$(KDIR)" || { \
		echo "make: no kernel headers for '$(KVER)': install linux-headers-$(KVER), or set KVER= or KDIR=" >&2; exit 1; }
	@mkdir -p build/$(KVER)/src
	@cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module build/$(KVER)/src/
	+scripts/kbuild $(KDIR) M=$(CURDIR)/build/$(KVER)/src $(KBUILD_FLAGS) modules
	@cp build/$(KVER)/src/module/tcpfsm.ko $(MODULE)

userspace: ## build/tcpfsm and build/libtcpfsm.so
	+$(MAKE) -C userspace

check: ## sparse, W=1, shellcheck, the floors of userspace, manual pages
	tests/run static

# What else is given to make is the module's: slots=8192 seq=0
load: module ## insmod the module, with its parameters: make load seq=0 (root)
	scripts/load $(MODULE) $(filter-out KVER=% KDIR=% KBUILD_FLAGS=%,$(MAKEOVERRIDES))

unload: ## rmmod the module (root)
	rmmod tcpfsm

deb: ## Debian packages in build/deb, the module for DKMS
	scripts/setup build packages
	scripts/package deb

install: all ## module, command, library, header, manual pages, group and udev rule below PREFIX (root)
	install -D -m 644 $(MODULE) $(DESTDIR)/lib/modules/$(KVER)/extra/tcpfsm.ko
	install -D -m 644 packaging/60-tcpfsm.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-tcpfsm.rules
	install -D -m 644 packaging/tcpfsm.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/tcpfsm.conf
	$(if $(DESTDIR),,depmod $(KVER))
	$(if $(DESTDIR),,getent group tcpfsm >/dev/null || groupadd --system tcpfsm)
	+$(MAKE) -C userspace install

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
