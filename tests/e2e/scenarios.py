"""What must hold on a host whose networks change it, one function each."""
from __future__ import annotations

import time
from typing import Callable, List, Optional

from hosts import NAME_SERVER, RESOLV_CONF, SERVER, SERVER_V6, Host
from world import DNS, GATEWAY, MEMBER, MEMBER_V6, ROUTES, SERVER_PORT, World, eventually

LONGEST_WAIT_SECONDS = 1.0
OFFLINE_SECONDS = 150


def an_interface_that_was_there_before(world: World) -> None:
    """An interface made to stay is used as it is, also after a crash, and is left as it was."""
    member = world.member
    member.host.run("ip", "tuntap", "add", "dev", "zt0", "mode", "tun")
    world.start()
    eventually("its routes are there", lambda: "172.20.0.0/16" in member.host.run("ip", "route"))
    member.speaker.kill()
    assert MEMBER in member.host.run("ip", "-o", "address", "show", "zt0"), "nothing was left: this shows nothing"

    member.start()
    member.come_up(world.network)
    eventually("its routes are there", lambda: "172.20.0.0/16" in member.host.run("ip", "route"))
    member.speaker.stop()
    addresses = member.host.run("ip", "-o", "address", "show", "zt0")
    assert MEMBER not in addresses and MEMBER_V6 not in addresses, addresses
    assert "zt0" in member.host.run("ip", "link")
    assert "zt0" not in member.host.run("ip", "route")


def default_route(world: World) -> str:
    """All traffic of the member's host goes through the gateway, but for the node's own.

    The member's kernel filters strictly by reverse path, as some distributions have it.
    """
    member, gateway = world.member, world.gateway
    before = member.host.routing()
    member.host.set("ipv4/conf/all/rp_filter", "ipv4/conf/eth0/rp_filter")
    member.allow(world.network, default=True)
    assert (member.seen_as(), member.seen_as(SERVER_V6)) == (member.host.ip, member.host.ip6)

    world.start()
    eventually("the server sees the gateway", lambda: member.seen_as() == gateway.host.ip)
    eventually("also by IPv6", lambda: member.seen_as(SERVER_V6) == gateway.host.ip6)
    talking = world.program(member.host, "talk", SERVER, str(SERVER_PORT))
    member.speaker.wait("peer", 20, lambda e: e["address"] == gateway.address and e["path"] != "relay")
    assert "eth0" in member.host.run("ip", "route", "get", member.host.ip[:-1] + "1"), "the router is not near"
    assert "zt0" in member.host.run("ip", "route", "get", SERVER)

    # Long enough for keepalives, new HELLOs and the next look at the machine's own addresses.
    time.sleep(35)
    said = talking.last("talking")
    assert not talking.last("broken"), talking.last("broken")
    assert said and said["wait"] < LONGEST_WAIT_SECONDS, said
    assert not member.speaker.last("offline"), "the node cut itself off"
    last = member.speaker.last("peer", lambda e: e["address"] == gateway.address)
    assert last and last["path"].startswith((gateway.host.ip, gateway.host.ip6)), last

    member.speaker.stop()
    assert member.host.routing() == before, member.host.routing()
    assert member.seen_as() == member.host.ip
    return f"longest wait for an answer {said['wait']:.3f} s"


def default_route_only_while_online(world: World) -> str:
    """Without a root the default route is the physical one; with it again, the network's."""
    member, gateway = world.member, world.gateway
    member.allow(world.network, default=True)
    world.start()
    eventually("the server sees the gateway", lambda: member.seen_as() == gateway.host.ip)

    world.infra.speaker.stop()
    since = member.speaker.mark()
    started = time.monotonic()
    member.speaker.wait("offline", OFFLINE_SECONDS, since=since)
    noticed = time.monotonic() - started
    eventually("the server sees the member", lambda: member.seen_as() == member.host.ip, 2)

    world.infra.start()
    eventually("the server sees the gateway again", lambda: member.seen_as() == gateway.host.ip, OFFLINE_SECONDS)
    return f"offline after {noticed:.0f} s"


def routes_change_without_a_gap(world: World) -> None:
    """What two configurations have in common stays in place while the rest changes."""
    member = world.member
    world.start()
    seen = member.host.run("ip", "-o", "address", "show", "zt0")
    assert f"{MEMBER}/24" in seen and f"{MEMBER_V6}/64" in seen, seen
    routes = member.host.run("ip", "route")
    assert f"172.20.0.0/16 via {GATEWAY} dev zt0" in routes and f"src {MEMBER}" in routes, routes
    assert "9993" not in member.host.run("ip", "rule"), "a default route nobody has allowed"

    monitor = world.speaker("member-monitor", member.host, "ip", "-o", "monitor", "address", "route")
    eventually("the monitor sees changes", lambda: bool(_change_something(member.host) or monitor.last("garbage")))
    second = "10.42.0.30"
    world.assign(member, [MEMBER, second, MEMBER_V6])
    eventually("the second address is there",
               lambda: f"{second}/24" in member.host.run("ip", "-o", "address", "show", "zt0"))
    world.edit_network(routes=[*ROUTES, {"target": "172.21.0.0/16", "via": GATEWAY}, {"target": "172.22.0.0/16"}])
    eventually("the new routes are there", lambda: "172.22.0.0/16" in member.host.run("ip", "route"))
    assert "172.21.0.0/16" in member.host.run("ip", "route")
    deleted = monitor.last("garbage", lambda e: "Deleted" in e["line"] and "zt0" in e["line"])
    assert not deleted, deleted

    # The first address of a subnet goes, the second stays, and routes leave from it.
    world.assign(member, [second, MEMBER_V6])
    eventually("the first address is gone", lambda: MEMBER not in member.host.run("ip", "-o", "address", "show", "zt0"))
    eventually("routes leave from the second", lambda: f"172.20.0.0/16 via {GATEWAY} dev zt0" in
               member.host.run("ip", "route") and f"src {second}" in member.host.run("ip", "route", "get", "172.20.1.1"))
    gone = monitor.last("garbage", lambda e: "Deleted" in e["line"] and f"inet {second}/" in e["line"])
    assert not gone, gone
    world.edit_network(routes=ROUTES[:2])
    eventually("the old routes are gone", lambda: "172." not in member.host.run("ip", "route"))


def _change_something(host: Host) -> None:
    for action in ("add", "delete"):
        host.run("ip", "route", action, "192.0.2.0/24", "dev", "lo")


def physical_routes_go_first(world: World) -> None:
    """A network does not take over a destination to which this machine has a way of its own."""
    member = world.member
    router = member.host.ip[:-1] + "1"
    member.host.run("ip", "route", "add", "172.20.0.0/16", "via", router, "metric", "100")
    world.start()
    eventually("both routes are there", lambda: member.host.run("ip", "route").count("172.20.0.0/16") == 2)
    assert "eth0" in member.host.run("ip", "route", "get", "172.20.1.1")
    member.host.run("ip", "route", "delete", "172.20.0.0/16", "via", router)
    assert "zt0" in member.host.run("ip", "route", "get", "172.20.1.1")


def default_routes_of_two_networks(world: World) -> None:
    """Of two networks that offer one, the network joined first has the default route, until it is gone."""
    member = world.member
    other, address = world.create_network(), "10.43.0.20"
    default = {"target": "0.0.0.0/0", "via": "10.43.0.1"}
    world.edit_network(other, routes=[{"target": "10.43.0.0/24"}, default])
    world.assign(member, [address], other)
    member.join(other)
    for network in (world.network, other):
        member.allow(network, default=True)
    world.start()
    member.come_up(other)

    def source() -> str:
        return member.host.run("ip", "route", "get", SERVER)

    eventually("both have one", lambda: member.host.run("ip", "route", "show", "table", "9993").count("default") == 2)
    eventually("the first has it", lambda: f"src {MEMBER} " in source())
    world.deny(member)
    eventually("the second has it", lambda: f"src {address} " in source())


def undone_after_a_crash(world: World) -> None:
    """A node that is killed leaves a host that works, and the next start takes away what it has left."""
    member, gateway = world.member, world.gateway
    before = member.host.routing()
    member.allow(world.network, default=True, dns=True)
    world.start()
    eventually("the server sees the gateway", lambda: member.seen_as() == gateway.host.ip)
    eventually("name servers are set", lambda: GATEWAY in member.host.resolv_conf.read_text())

    member.speaker.kill()
    assert (member.seen_as(), member.seen_as(SERVER_V6)) == (member.host.ip, member.host.ip6)
    assert member.host.routing() != before, "nothing to undo: this shows nothing"
    with member.host.resolv_conf.open("a") as resolv_conf:
        resolv_conf.write("options rotate\n")

    member.allow(world.network, default=False, dns=False)
    member.start()
    member.speaker.wait("started", 10)
    assert "9993" not in member.host.run("ip", "rule") + member.host.run("ip", "-6", "rule")
    assert member.host.resolv_conf.read_text() == RESOLV_CONF + "options rotate\n"
    assert not (member.home / "host.journal").exists()
    member.come_up(world.network)
    member.speaker.stop()
    assert member.host.routing() == before, member.host.routing()


def undone_when_access_is_denied(world: World) -> None:
    """A network that throws the member out leaves nothing on its host."""
    member, gateway = world.member, world.gateway
    member.allow(world.network, default=True, dns=True)
    world.start()
    eventually("the server sees the gateway", lambda: member.seen_as() == gateway.host.ip)

    world.deny(member)
    member.speaker.wait("network", 20, lambda e: e["status"] == "ACCESS_DENIED")
    eventually("the server sees the member", lambda: member.seen_as() == member.host.ip)
    eventually("name servers are gone", lambda: member.host.resolv_conf.read_text() == RESOLV_CONF)
    eventually("policy rules are gone", lambda: "9993" not in member.host.run("ip", "rule"))
    assert not (member.home / "host.journal").exists()


def name_servers_in_resolv_conf(world: World) -> None:
    """Without systemd-resolved the network's servers are asked first, until the node stops."""
    member = world.member
    member.allow(world.network, dns=True)
    world.start()

    def servers() -> List[str]:
        lines = member.host.resolv_conf.read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith("nameserver")]

    eventually("the network's servers go first", lambda: servers() == [*DNS["servers"], NAME_SERVER])
    world.edit_network(dns={"domain": "corp.example", "servers": ["10.42.0.9"]})
    eventually("the other server goes first", lambda: servers() == ["10.42.0.9", NAME_SERVER])

    member.speaker.stop()
    assert member.host.resolv_conf.read_text() == RESOLV_CONF


def name_servers_in_systemd_resolved(world: World) -> None:
    """With systemd-resolved the network's servers are asked about its domain, until the node stops."""
    member = world.member
    said = world.directory / "resolvectl.said"
    said.touch()
    resolvectl = member.host.programs / "resolvectl"
    resolvectl.write_text(f'#!/bin/sh\necho "$@" >>{said}\n')
    resolvectl.chmod(0o755)
    (member.host.runtime_files / "systemd/resolve").mkdir(parents=True)
    world.program(member.host, "listen", "/run/systemd/resolve/io.systemd.Resolve").wait("listening", 5)

    member.allow(world.network, dns=True)
    world.start()
    told = f"dns zt0 {' '.join(DNS['servers'])}\ndomain zt0 ~corp.example\n"
    eventually("systemd-resolved is told", lambda: said.read_text() == told)
    assert member.host.resolv_conf.read_text() == RESOLV_CONF

    member.speaker.stop()
    assert said.read_text() == told + "revert zt0\n"


ALL: List[Callable[[World], Optional[str]]] = [
    routes_change_without_a_gap,
    physical_routes_go_first,
    an_interface_that_was_there_before,
    default_route,
    default_route_only_while_online,
    default_routes_of_two_networks,
    undone_after_a_crash,
    undone_when_access_is_denied,
    name_servers_in_resolv_conf,
    name_servers_in_systemd_resolved,
]
