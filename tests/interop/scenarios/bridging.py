"""A member of ours is a bridge: hosts behind it, which run nothing of ZeroTier, take part in the network."""
from __future__ import annotations

from jsonlines import Speaker
from network import IPV6_POOL, MEGABYTE, PrivateNetwork
from world import Ours, Peer, World

LAN_IP, LAN_IP6 = "10.77.0.200", "fd77::200"
LAN_MAC = "00:00:5e:00:53:01"
"""As manufacturers give them, here out of the range for examples (RFC 7042 §2.1.1).

One that the kernel draws begins like those of the network's members in one case of 64, and is then
taken for one of a member that does not exist (spec 03 §1.1, §9.3).
"""


class Bystander(Peer):
    """A host that is on no network."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.host = world.host(name)

    @property
    def agent(self) -> Speaker:
        return self._world.kernel(self.host)


def tap_bridged_to_a_lan(world: World) -> None:
    """A host behind our TAP and members of either kind reach each other, by ARP and by neighbour discovery."""
    network = PrivateNetwork(world, **IPV6_POOL)
    reference = network.launch("reference")
    network.start()
    bridge = network.add_member("bridge", "--tap")
    network.admit(reference)
    for node in (reference, network.member):
        node.echo(node.ip6(network.id))
    lan = connect_to_lan(world, bridge)

    assert not lan.reaches(reference.ip(network.id)), "a member that is no bridge was one"
    assert bridge.dropped("foreign_source") > 0

    network.change_member(bridge, activeBridge=True)
    for node in (reference, network.member):
        node.exchange(LAN_IP, MEGABYTE)
        lan.exchange(node.ip(network.id), MEGABYTE)
        assert node.reaches(LAN_IP6), f"{node.host.name} does not reach the LAN by IPv6"
        assert lan.reaches(node.ip6(network.id)), f"the LAN does not reach {node.host.name} by IPv6"


def connect_to_lan(world: World, bridge: Ours) -> Bystander:
    """Puts the TAP into a bridge of the kernel, with a cable to a host that is returned."""
    lan = Bystander(world, "lan")
    lan.host.run("ip", "link", "add", "lan0", "address", LAN_MAC, "type", "veth",
                 "peer", "name", "to-lan", "netns", str(bridge.speaker.pid))
    lan.host.run("ip", "address", "add", f"{LAN_IP}/24", "dev", "lan0")
    lan.host.run("ip", "address", "add", f"{LAN_IP6}/64", "dev", "lan0", "nodad")
    lan.host.run("ip", "link", "set", "lan0", "up")
    bridge.host.run("ip", "link", "add", "bridge", "type", "bridge")
    for port in ("zt0", "to-lan"):
        bridge.host.run("ip", "link", "set", port, "master", "bridge", "up")
    bridge.host.run("ip", "link", "set", "bridge", "up")
    for ip in (LAN_IP, LAN_IP6):
        lan.echo(ip)
    return lan
