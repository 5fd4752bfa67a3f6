"""The reference: an unmodified ZeroTier V1 node, the library libzt as published on PyPI.

It shares no code with this project, so whatever it accepts, the protocol accepts. The wheels are for
CPython 3.9, but the library needs none of it: it is called through cffi. Three symbols that 1.8.4
leaves undefined (its Linux route watcher, which it never calls) come from a shim.
"""
from __future__ import annotations

import ctypes
import fcntl
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any, List, NamedTuple, Sequence, Tuple

CURRENT = "1.8.4"
WITHOUT_AES = "1.4.2"
"""Announces no AES-GMAC-SIV, so that peers talk to it in suite 1, Salsa20/12 with Poly1305."""

NODE_IN_SERVICE = 0x130
"""Where the current version's service, which the library exports, keeps the node that it runs."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "libzt"

SHIM = """
void created(void)   __asm__("_ZN8ZeroTier12LinuxNetLinkC1Ev");
void destroyed(void) __asm__("_ZN8ZeroTier12LinuxNetLinkD1Ev");
void del_route(void) __asm__("_ZN8ZeroTier12LinuxNetLink8delRouteERKNS_11InetAddressES3_S3_PKc");
void created(void) {}
void destroyed(void) {}
void del_route(void) {}
"""

DECLARATIONS = """
typedef struct { char *public_id_str[16]; char *endpoint_ip_str[16][32]; } zts_root_set_t;
typedef struct { int fd; short events; short revents; } zts_pollfd;
int zts_init_from_storage(const char *path);
int zts_init_set_roots(const void *planet, unsigned int length);
int zts_init_set_port(unsigned short port);
int zts_init_allow_port_mapping(unsigned int allowed);
int zts_init_allow_secondary_port(unsigned int allowed);
int zts_id_new(char *key, unsigned int *length);
int zts_node_start(void);
int zts_node_is_online(void);
uint64_t zts_node_get_id(void);
int zts_net_join(uint64_t network);
int zts_net_get_status(uint64_t network);
int zts_net_get_name(uint64_t network, char *text, unsigned int length);
int zts_net_transport_is_ready(uint64_t network);
int zts_addr_is_assigned(uint64_t network, unsigned int family);
int zts_addr_get_str(uint64_t network, unsigned int family, char *text, unsigned int length);
int zts_socket(int family, int type, int protocol);
int zts_bind(int socket, const char *ip, unsigned short port);
int zts_listen(int socket, int backlog);
int zts_accept(int socket, char *ip, int length, unsigned short *port);
int zts_connect(int socket, const char *ip, unsigned short port, int milliseconds);
ssize_t zts_write(int socket, const void *bytes, size_t length);
ssize_t zts_read(int socket, void *bytes, size_t length);
int zts_close(int socket);
int zts_set_blocking(int socket, int blocking);
int zts_bsd_connect(int socket, const char *address, unsigned int length);
int zts_bsd_poll(zts_pollfd *polled, unsigned int number, int milliseconds);
int zts_bsd_setsockopt(int socket, int level, int option, const char *value, unsigned int length);
ssize_t zts_bsd_sendto(int socket, const void *bytes, size_t length, int flags, const char *to, unsigned int to_length);
ssize_t zts_bsd_recvfrom(int socket, void *bytes, size_t length, int flags, char *from,
                         unsigned int *from_length);
int ZT_Node_multicastSubscribe(void *node, void *thread, uint64_t network, uint64_t mac, unsigned long adi);
uint64_t ZT_Node_address(void *node);
int zts_util_sign_root_set(char *planet, unsigned int *length, char *previous_key, unsigned int *previous_length,
                           char *current_key, unsigned int *current_length, uint64_t id, uint64_t timestamp,
                           zts_root_set_t *roots);
"""


class Root(NamedTuple):
    """A root as a planet lists it: a public identity, and endpoints written as ip/port."""

    identity: str
    endpoints: Sequence[str]


def fetch(version: str) -> Tuple[Path, Path]:
    """The paths of the library and its shim, which are downloaded and built at the first call."""
    cache = CACHE / f"reference-{version}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("a") as lock:
        # Others may want it at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _fetched(version, cache)


def _fetched(version: str, cache: Path) -> Tuple[Path, Path]:
    libraries = list(cache.glob("libzt/_libzt*.so"))
    if not libraries:
        with tempfile.TemporaryDirectory() as wheel:
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
                            "--no-deps", "--only-binary=:all:", "--python-version", "3.9", "--implementation", "cp",
                            "--platform", "manylinux2010_x86_64", "--dest", wheel, f"libzt=={version}"], check=True)
            zipfile.ZipFile(next(Path(wheel).glob("*.whl"))).extractall(cache)
        libraries = list(cache.glob("libzt/_libzt*.so"))
    shim = cache / "shim.so"
    if not shim.exists():
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(shim)], input=SHIM, text=True, check=True)
    return libraries[0], shim


class Library:
    """The reference's functions (`call`), and the foreign types they take (`ffi`)."""

    def __init__(self, version: str = CURRENT) -> None:
        from cffi import FFI

        library, shim = fetch(version)
        ctypes.CDLL(str(shim), ctypes.RTLD_GLOBAL)
        self.ffi: Any = FFI()
        self.ffi.cdef(DECLARATIONS)
        self.call: Any = self.ffi.dlopen(str(library), self.ffi.RTLD_LAZY)
        self._symbols = ctypes.CDLL(str(library))

    def node(self) -> Any:
        """The node itself, below libzt: for what the core's own interface can do and libzt's cannot."""
        service = ctypes.c_void_p.in_dll(self._symbols, "_ZN8ZeroTier11zts_serviceE").value or 0
        node = self.ffi.cast("void *", ctypes.c_void_p.from_address(service + NODE_IN_SERVICE).value)
        if self.call.ZT_Node_address(node) != self.call.zts_node_get_id():
            raise RuntimeError("the reference keeps its node somewhere else")
        return node

    def new_identity(self) -> str:
        """Makes an identity, secret part included, in the text form of `identity.secret`."""
        text, length = self.ffi.new("char[384]"), self.ffi.new("unsigned int *", 384)
        if self.call.zts_id_new(text, length) != 0:
            raise RuntimeError("the reference made no identity")
        return str(self.ffi.string(text).decode())

    def planet(self, world_id: int, roots: Sequence[Root]) -> bytes:
        """Makes and signs a planet."""
        keep: List[Any] = []

        def text(value: str) -> Any:
            keep.append(self.ffi.new("char[]", value.encode()))
            return keep[-1]

        listed = self.ffi.new("zts_root_set_t *")
        for i, root in enumerate(roots):
            listed.public_id_str[i] = text(root.identity)
            for j, endpoint in enumerate(root.endpoints):
                listed.endpoint_ip_str[i][j] = text(endpoint)
        planet, previous, current = (self.ffi.new("char[4096]") for _ in range(3))
        lengths = [self.ffi.new("unsigned int *", 4096) for _ in range(3)]
        self.call.zts_util_sign_root_set(planet, lengths[0], previous, lengths[1], current, lengths[2], world_id,
                                         int(time.time() * 1000), listed)
        return bytes(self.ffi.buffer(planet, lengths[0][0]))


def public_part(secret: str) -> str:
    """The public part of an identity's text form."""
    return ":".join(secret.strip().split(":")[:3])
