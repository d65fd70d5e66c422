# Builds the core for one Lua at a time; tests, checks and installs the module.
#
#   make LUA=luajit           lua5.1 to lua5.4, or luajit: the name of its program and pkg-config file
#   make CC=clang CFLAGS=-O3  CPPFLAGS, CFLAGS and LDFLAGS come on top of what the sources need
#   make V=1                  shows each command
#   make SANITIZE=1           with the address and undefined behaviour sanitizers
#   make test VALGRIND=1      the specs under valgrind (PUC's Luas)
#   make COVERAGE=1           counting the lines that run, as 'make coverage' does
#
# Each Lua has its own directory under build/, so that none meets another's objects; so has each compiler
# other than gcc. DWARF 4 is what valgrind reads.

LUA        ?= lua5.4
LUA_PKG    ?= $(LUA)
PKG_CONFIG ?= pkg-config
PREFIX     ?= /usr/local
CFLAGS     ?= -O2 -g -gdwarf-4

# Rooms (csrc/NAME.c) that know no Lua: the plain ones need nothing but libc and libm and are what
# the unit tests link; the others need libcurl too. Only the CURL_ROOMS may include libcurl's headers.
PLAIN_ROOMS  := alloc buffer grammar skim slicer retry pace error target contract cache dns trace trace_flight \
  trace_path replies networks route scrub locks sigpipe timers gate tally number
NO_LUA_ROOMS := $(PLAIN_ROOMS) quota outbox source call libcurl exchange headers trust verdict url multi \
  reactor thread doorbell resolver names shelf child vantage survey
CURL_ROOMS   := libcurl exchange headers trust verdict multi url

# Targets of fuzzing: spec/fuzz/NAME.c, with its inputs in spec/fuzz/corpus/NAME/.
FUZZERS := slicer usual response headers pace request replies dns target message

OUT           := build/$(notdir $(LUA))$(patsubst %,-%,$(filter-out cc gcc,$(notdir $(CC))))
OUT           := $(OUT)$(if $(SANITIZE),-sanitize)$(if $(VALGRIND),-valgrind)$(if $(COVERAGE),-coverage)
CORE          := $(OUT)/traceroute/core.so
SOURCES       := $(wildcard csrc/*.c)
OBJECTS       := $(SOURCES:%.c=$(OUT)/%.o)
PLAIN_OBJECTS := $(filter $(PLAIN_ROOMS:%=$(OUT)/csrc/%.o),$(OBJECTS))
UNIT_TESTS    := $(patsubst spec/%.c,$(OUT)/%,$(wildcard spec/unit/test_*.c))
REPLAYS       := $(FUZZERS:%=$(OUT)/fuzz/replay_%)
ROCKSPEC      := rockspec/cloudflare-traceroute-scm-1.rockspec
LUA_FILES     := $(sort $(shell find lua -name '*.lua'))
COMMAND       := lua/traceroute/cli/main.lua

LUA_CFLAGS  := $(shell $(PKG_CONFIG) --cflags $(LUA_PKG) 2>/dev/null)
LUA_LIBS    := $(shell $(PKG_CONFIG) --libs $(LUA_PKG) 2>/dev/null)
CURL_CFLAGS := $(shell $(PKG_CONFIG) --cflags libcurl 2>/dev/null)
CURL_LIBS   := $(or $(shell $(PKG_CONFIG) --libs libcurl 2>/dev/null),-lcurl)
CARES_LIBS  := $(or $(shell $(PKG_CONFIG) --libs libcares 2>/dev/null),-lcares)
CMOCKA      := $(or $(shell $(PKG_CONFIG) --cflags --libs cmocka 2>/dev/null),-lcmocka)

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
SANITIZERS := $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined \
  -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
COUNTERS := $(if $(COVERAGE),-O0 --coverage -fprofile-update=atomic)
COMPILE := $(CC) -std=c99 -D_GNU_SOURCE $(CPPFLAGS) -fPIC -fvisibility=hidden -pthread $(WARNINGS) \
  $(SANITIZERS) $(CURL_CFLAGS) $(CFLAGS) $(COUNTERS)
# nodelete: libcurl and the core's thread outlive the Lua state that loaded them.
LINK := $(CC) -shared -pthread -Wl,-z,nodelete -Wl,-z,relro,-z,now $(SANITIZERS) $(CFLAGS) $(COUNTERS) $(LDFLAGS)

quote   = '$(subst ','\'',$1)'
submake = $(MAKE) --no-print-directory

# What is made, and with V=1 how.
say = $(if $(V),,@echo '  $@' && )

##@ Building

build: $(CORE) ## build the core for LUA (lua5.4); the default target

$(CORE): $(OBJECTS) $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(LINK) -o $@ $(OBJECTS) $(CURL_LIBS) $(CARES_LIBS) -lm

# A room that knows no Lua does not get to see Lua's headers.
$(OUT)/csrc/%.o: csrc/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) $(if $(filter $*,$(NO_LUA_ROOMS)),,$(LUA_CFLAGS)) -MMD -MP -c -o $@ $<

$(OUT)/unit/%: spec/unit/%.c $(PLAIN_OBJECTS) $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) -Icsrc -MMD -MP -MF $@.d -o $@ $< $(filter %.o,$^) $(LDFLAGS) $(CMOCKA) -lm

$(OUT)/unit/test_trace_network: $(OUT)/unit/network.o
$(OUT)/unit/test_multi: $(OUT)/csrc/multi.o
$(OUT)/unit/test_verdict: $(OUT)/csrc/verdict.o
$(OUT)/unit/test_verdict: CMOCKA += $(CURL_LIBS)
$(OUT)/unit/%.o: spec/unit/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) -Icsrc -MMD -MP -c -o $@ $<

# What spec/names_spec.lua talks to.
NAMES_OBJECTS := $(patsubst %,$(OUT)/csrc/%.o,alloc cache dns libcurl locks multi names networks reactor resolver \
  scrub sigpipe timers gate)
$(OUT)/unit/names_driver: spec/unit/names_driver.c $(NAMES_OBJECTS) $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) -Icsrc -MMD -MP -MF $@.d -o $@ $< $(NAMES_OBJECTS) $(LDFLAGS) $(CURL_LIBS) $(CARES_LIBS) -lm

# A target of fuzzing, with the rooms that it calls; as a fuzzer, or with a main that replays files.
$(OUT)/fuzz/rooms.a: $(OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(say)$(AR) rcs $@ $^

$(OUT)/fuzz/%.o: spec/fuzz/%.c $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) $(LUA_CFLAGS) -Icsrc -MMD -MP -c -o $@ $<

FUZZ_LIBS := $(LUA_LIBS) $(CURL_LIBS) $(CARES_LIBS) -lm -ldl
$(OUT)/fuzz/replay_%: $(OUT)/fuzz/%.o $(OUT)/fuzz/replay.o $(OUT)/fuzz/rooms.a
	$(say)$(CC) -pthread $(SANITIZERS) $(CFLAGS) $(COUNTERS) $(LDFLAGS) -o $@ $^ $(FUZZ_LIBS)

$(OUT)/fuzz/fuzz_%: $(OUT)/fuzz/%.o $(OUT)/fuzz/rooms.a
	$(say)$(CC) -pthread $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LIBS)

.SECONDARY: $(FUZZERS:%=$(OUT)/fuzz/%.o) $(OUT)/fuzz/replay.o

# What memory_spec, threads_spec and watches_spec run: the whole core beside a Lua, without a shared library between.
$(OUT)/memory/%: spec/memory/%.c $(OBJECTS) $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) $(LUA_CFLAGS) -Icsrc -MMD -MP -MF $@.d -o $@ $< $(OBJECTS) $(LDFLAGS) $(LUA_LIBS) \
	  $(CURL_LIBS) $(CARES_LIBS) -lm

# memory/threads once more, by the thread sanitizer.
RACES := $(OUT)/races/memory/threads
$(OUT)/memory/races: FORCE
	@$(submake) -j$$(nproc) OUT=$(OUT)/races CC=gcc SANITIZE= COVERAGE= CFLAGS='-O1 -g -fsanitize=thread' $(RACES)
	@mkdir -p $(@D)
	@cp $(RACES) $@

# What spec/soak/soak.lua asks.
$(OUT)/soak/heap.so: spec/soak/heap.c $(OUT)/flags
	@mkdir -p $(@D)
	$(say)$(COMPILE) $(LUA_CFLAGS) -shared -o $@ $<

# What everything is made with: when it changes, everything is made again.
$(OUT)/flags: FORCE
	@$(PKG_CONFIG) --exists $(LUA_PKG) libcurl libcares || \
	  echo "make: pkg-config does not know $(LUA_PKG), libcurl or libcares; 'make deps' installs them" >&2
	@mkdir -p $(@D)
	@now=$(call quote,$(COMPILE) $(LUA_CFLAGS) $(LINK) $(CURL_LIBS) $(CARES_LIBS) $(SOURCES)); \
	  [ "$$now" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$$now" > $@

-include $(OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(OUT)/unit/network.d $(FUZZERS:%=$(OUT)/fuzz/%.d)

env: ## print what lets a Lua find the checkout: eval "$(make -s env)"
	@$(LUA) .ci/env.lua "$$(pwd)" $(OUT)
	@$(if $(filter luajit,$(LUA)),$(if $(SANITIZE),,echo 'export TRACEROUTE_BUILD=$(OUT)'))

deps: ## install the packages for FOR="demo test lint"; starts no service
	@.ci/deps $(or $(FOR),demo test lint)

##@ Trying

# nginx runs LuaJIT, whatever LUA is.
demo: ## a real trace by a colo on this machine (TARGET=), or Cloudflare's if there is a token
	@.ci/deps demo
	@$(submake) build
	@$(submake) build LUA=luajit LUA_PKG=luajit
	@eval "$$($(submake) -s env)" && $(LUA) spec/support/demo.lua

# LUA on the command line picks one Lua; SPEC=spec/x_spec.lua one file; ONLY=unit or a Lua one part.
TEST_LUAS  := $(if $(filter file,$(origin LUA)),lua5.4 luajit,$(LUA))
TEST_PARTS := $(or $(ONLY),$(if $(SPEC),,unit) $(TEST_LUAS))

test: ## unit tests, then specs on lua5.4 and luajit; narrower: ONLY=unit LUA= SPEC=
	@.ci/deps test
	@MAKE='$(submake)' CC='$(CC)' OUT=$(OUT) FUZZERS='$(FUZZERS)' SANITIZE=$(SANITIZE) VALGRIND=$(VALGRIND) SPEC='$(SPEC)' .ci/test $(TEST_PARTS)

matrix: ## the whole suite on every Lua, by gcc and by clang, several at a time
	@.ci/deps matrix
	@.ci/matrix '$(MAKE) --no-print-directory' gcc clang -- lua5.1 lua5.2 lua5.3 lua5.4 luajit

coverage: ## which lines of csrc/ and lua/ the tests reach, and which they do not; SPEC=, CC=clang
	@.ci/deps $(if $(findstring clang,$(CC)),coverage,test)
	@MAKE='$(submake)' CC='$(CC)' LUA_FILES='$(filter-out lua/traceroute/meta.lua,$(LUA_FILES))' FUZZERS='$(FUZZERS)' \
	  SPEC='$(SPEC)' .ci/coverage

# The Node SDK comes from npm's registry; the programs compared run with what the module was built with.
NODE_SDK := build/npm/node_modules/cloudflare
LOOP     := $(OUT)/bench/loop

bench: ## the module beside curl, a script of the day and the SDKs; ROUNDS=5 README=1
	@.ci/deps bench
	@$(submake) build $(NODE_SDK) $(LOOP)
	@eval "$$($(submake) -s env)" && ROUNDS=$(ROUNDS) README=$(README) LOOP=$(LOOP) \
	  NODE_PATH=build/npm/node_modules unshare --mount $$([ $$(id -u) = 0 ] || echo --map-root-user) \
	  $(LUA) spec/bench/bench.lua

$(NODE_SDK):
	npm install --prefix build/npm --no-audit --no-fund --silent cloudflare@7.3.0

$(LOOP): spec/bench/clients/loop.c
	@mkdir -p $(@D)
	$(say)$(CC) -std=c99 -D_GNU_SOURCE $(WARNINGS) $(CURL_CFLAGS) $(CFLAGS) -o $@ $< $(CURL_LIBS)

soak: ## CALLS=20000 calls with faults mixed in: neither memory nor descriptors grow
	@.ci/deps test
	@$(submake) build
	@eval "$$($(submake) -s env)" && $(LUA) spec/soak/soak.lua $(CALLS)

bench-nginx: ## what calls in flight cost the other requests of an nginx worker; ROUNDS=5 SECONDS=3
	@.ci/deps bench
	@$(submake) build LUA=luajit
	@eval "$$($(submake) -s env LUA=luajit)" && luajit spec/bench/nginx.lua

bench-probe: ## surveys from here beside traceroute, mtr and scamper in the lab; root; RATE=2000 README=1
	@.ci/deps bench
	@$(submake) build
	@eval "$$($(submake) -s env)" && RATE=$(RATE) README=$(README) $(LUA) spec/bench/probe.lua

# Its own objects, by clang. FUZZ=slicer picks targets; their finds stay in build/fuzz/.
fuzz: ## the fuzzers, with sanitizers, on all cores; SECONDS=60 of each, FUZZ=slicer one of them
	@.ci/deps fuzz
	@$(submake) -j$$(nproc) fuzzers CC=clang OUT=build/fuzz CFLAGS='-O1 -g -fno-omit-frame-pointer \
	  -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'
	@SECONDS=$(or $(SECONDS),60) .ci/fuzz build/fuzz $(or $(FUZZ),$(FUZZERS))

fuzzers: $(patsubst %,$(OUT)/fuzz/fuzz_%,$(or $(FUZZ),$(FUZZERS)))

unit: $(UNIT_TESTS) $(REPLAYS)
programs: $(patsubst %,$(OUT)/memory/%,driver threads watches) $(OUT)/unit/names_driver $(OUT)/soak/heap.so $(LOOP)
objects: $(OBJECTS)

##@ Keeping the tree good

C_FILES := $(wildcard csrc/*.[ch] $(addprefix spec/,unit/*.[ch] fuzz/*.[ch] memory/*.[ch] soak/*.[ch] bench/clients/*.[ch]))
LINTS   := lua format warnings cppcheck tidy rooms rockspec space

lint: ## luacheck, clang-format, gcc, clang, cppcheck, clang-tidy, the house rules
	@.ci/deps lint
	@$(submake) -k -j$$(nproc) -Otarget $(LINTS:%=lint-%)

lint-lua:
	luacheck --quiet lua spec rockspec/*.rockspec .ci/*.lua .busted .luacheckrc

lint-format:
	clang-format --dry-run -Werror $(C_FILES)

# Both compilers, with the headers of both Luas; -Werror here alone, so that a newer compiler's new
# warning stops us and not those who only build.
lint-warnings:
	+@set -e; for cc in gcc clang; do for lua in lua5.4 luajit; do echo "warnings: $$cc, $$lua"; \
	  $(submake) -s objects unit programs CC=$$cc LUA=$$lua LUA_PKG=$$lua OUT=build/lint/$$cc-$$lua \
	    CFLAGS='-O2 -Werror'; done; done

lint-cppcheck:
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c99 -D_GNU_SOURCE -D__linux__ \
	  --enable=warning,performance,portability -DLUA_VERSION_NUM=504 -DLIBCURL_VERSION_NUM=0x075801 \
	  -Icsrc csrc spec/unit spec/fuzz spec/memory spec/soak spec/bench/clients

lint-tidy:
	printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P $$(nproc) -I{} \
	  clang-tidy --quiet {} -- -std=c99 -D_GNU_SOURCE -Icsrc $(LUA_CFLAGS) $(CURL_CFLAGS)

lint-rooms:
	.ci/rooms '$(NO_LUA_ROOMS)' '$(CURL_ROOMS)'

lint-rockspec:
	$(LUA) .ci/rockspec.lua $(ROCKSPEC) $(SOURCES) $(LUA_FILES)

# White space at the ends of lines and files, in what git knows, compared with an empty tree.
lint-space:
	git -c safe.directory='*' diff --check $$(git hash-object -t tree /dev/null) -- .

##@ Installing

LUA_VERSION = $(shell $(LUA) -e 'print((_VERSION:match("%d.%d")))')
LUA_DIR     = $(PREFIX)/share/lua/$(LUA_VERSION)
CORE_DIR    = $(PREFIX)/lib/lua/$(LUA_VERSION)
LUA_MODULES := $(filter-out $(COMMAND),$(LUA_FILES))

# What the command says of itself, by where it belongs under PREFIX.
MANUAL := share/man/man1/cf-traceroute.1
BASH   := share/bash-completion/completions/cf-traceroute
ZSH    := share/zsh/site-functions/_cf-traceroute

$(OUT)/$(MANUAL): ABOUT := --man
$(OUT)/$(BASH): ABOUT := --completion bash
$(OUT)/$(ZSH): ABOUT := --completion zsh
$(MANUAL:%=$(OUT)/%) $(BASH:%=$(OUT)/%) $(ZSH:%=$(OUT)/%): $(CORE) $(LUA_FILES)
	@mkdir -p $(@D)
	eval "$$($(submake) -s env)" && $(LUA) $(COMMAND) $(ABOUT) > $@

# Finds the modules of its own PREFIX, wherever the Lua looks by itself.
$(OUT)/bin/cf-traceroute: $(COMMAND) FORCE
	@mkdir -p $(@D)
	@{ printf '#!%s\n' "$$(command -v $(LUA))"; \
	  printf 'package.path = [==[%s]==] .. package.path\n' $(call quote,$(LUA_DIR)/?.lua;$(LUA_DIR)/?/init.lua;); \
	  printf 'package.cpath = [==[%s]==] .. package.cpath\n' $(call quote,$(CORE_DIR)/?.so;); \
	  sed 1d $(COMMAND); } > $@

install: build ## install for LUA under PREFIX (/usr/local), below DESTDIR
	@set -e; for file in $(LUA_MODULES:lua/%=%); do \
	  install -D -m 644 "lua/$$file" "$(DESTDIR)$(LUA_DIR)/$$file"; done
	install -D -m 755 $(CORE) "$(DESTDIR)$(CORE_DIR)/traceroute/core.so"
	@if $(LUA) -e 'require "argparse"' 2>/dev/null; then $(submake) install-command; else \
	  echo "install: cf-traceroute is left out, as $(LUA) has no argparse (Debian: lua-argparse)" >&2; fi

install-command: $(OUT)/bin/cf-traceroute $(OUT)/$(MANUAL) $(OUT)/$(BASH) $(OUT)/$(ZSH)
	install -D -m 755 $(OUT)/bin/cf-traceroute "$(DESTDIR)$(PREFIX)/bin/cf-traceroute"
	@set -e; for file in $(MANUAL) $(BASH) $(ZSH); do echo "install $(DESTDIR)$(PREFIX)/$$file"; \
	  install -D -m 644 "$(OUT)/$$file" "$(DESTDIR)$(PREFIX)/$$file"; done

uninstall: ## remove what install put there
	@for file in $(LUA_MODULES:lua/%=%); do rm -f "$(DESTDIR)$(LUA_DIR)/$$file"; done
	rm -f "$(DESTDIR)$(CORE_DIR)/traceroute/core.so"
	@for file in bin/cf-traceroute $(MANUAL) $(BASH) $(ZSH); do rm -f "$(DESTDIR)$(PREFIX)/$$file"; done
	-find "$(DESTDIR)$(LUA_DIR)/traceroute" "$(DESTDIR)$(CORE_DIR)/traceroute" -type d -empty -delete

##@ Other

clean: ## remove build/, and what luarocks leaves behind
	rm -rf build traceroute csrc/*.o

help: ## this list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

FORCE:
.PHONY: build env deps demo test matrix coverage soak bench bench-nginx bench-probe fuzz fuzzers unit \
  objects lint $(LINTS:%=lint-%) install install-command uninstall clean help FORCE
.DELETE_ON_ERROR:
