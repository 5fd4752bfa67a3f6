"""What must hold behind a gateway that maps ports when asked: miniupnpd's, one function a protocol."""
from __future__ import annotations

import re
import time
from pathlib import Path

from hosts import FORWARDING
from world import SERVER_PORT, Node, World, eventually

from jsonlines import Speaker  # of interop, which `world` leads to

# A gateway asks nobody whether it still knows a mapping more often than this.
NOTICED_SECONDS = 75

# As hard as translators get: another port for each far end, which nobody can foretell, and strangers
# are let in only by miniupnpd's chains.
TRANSLATOR = """
table inet filter {
    chain miniupnpd {}
    chain prerouting_miniupnpd {}
    chain postrouting_miniupnpd {}
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "lan" accept
        jump miniupnpd
    }
    chain arriving { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
    chain leaving {
        type nat hook postrouting priority srcnat;
        jump postrouting_miniupnpd
        oifname "eth0" masquerade fully-random
    }
}"""


class Home:
    """A member behind a translator, which has a public address."""

    def __init__(self, world: World, name: str, *options: str) -> None:
        self._world = world
        self.gateway = world.internet.public_host(f"{name}-gw")
        inside = world.internet.host_behind(self.gateway, name)
        self._lan = inside.ip.rsplit(".", 1)[0] + ".0/24"
        self.gateway.set(*FORWARDING)
        self._load(TRANSLATOR)
        self.node = Node(world, name, "--tun", "zt0", "--join", world.network, *options)
        self.ip = f"10.42.0.{100 + len(world.internet.hosts)}"
        world.assign(self.node, [self.ip])

    def start(self) -> None:
        """Starts the member, and waits until it is on the network."""
        self.node.start()
        self.node.come_up(self._world.network)

    def talk_to(self, other: Home, path: str) -> None:
        """Talks to the member of another home until it is known how to reach it, and that is `path`."""
        self._world.program(other.node.host, "serve", other.ip, str(SERVER_PORT)).wait("listening", 5)
        talking = self._world.program(self.node.host, "talk", other.ip, str(SERVER_PORT))
        talking.wait("talking", 30)
        self.node.speaker.wait("peer", 30, lambda e: e["address"] == other.node.address and e["path"] == path)

    def map_ports(self, **protocols: bool) -> None:
        """Starts what maps ports, by these of `natpmp`, which includes PCP, and `upnp`."""
        settings = {"ext_ifname": "eth0", "listening_ip": "lan", "secure_mode": "yes", "ipv6_disable": "yes",
                    "uuid": "2c4d0a1e-7b6f-4f0e-9c1a-5d3e2b1a0f9c"}
        settings.update({f"enable_{name}": "yes" if wanted else "no" for name, wanted in protocols.items()})
        lines = [f"{key}={value}" for key, value in settings.items()]
        configuration = self._file("miniupnpd.conf")
        configuration.write_text("\n".join([*lines, f"allow 1024-65535 {self._lan} 1024-65535", ""]))
        self.daemon: Speaker = self._world.speaker("miniupnpd", self.gateway, "miniupnpd", "-d", "-f", str(configuration),
                                                   "-P", str(self._file("miniupnpd.pid")))

    def forget(self) -> None:
        """Has the gateway forget every mapping, as if its power had failed."""
        self._load("flush ruleset\n" + TRANSLATOR)

    def mapped(self) -> bool:
        """Whether the gateway maps a port to the member."""
        return f"dnat ip to {self.node.host.ip}:" in self.gateway.run("nft", "list", "ruleset")

    def _load(self, rules: str) -> None:
        (file := self._file("rules.nft")).write_text(rules)
        self.gateway.run("nft", "-f", str(file))

    def _file(self, name: str) -> Path:
        return self._world.directory / f"{self.gateway.name}.{name}"


def port_mapped_by_pcp(world: World) -> str:
    """Strangers reach a member behind the hardest translator, also after that has forgotten; not after it stops."""
    home = _mapped(world, "pcp", natpmp=True, upnp=False)
    _reached_from_outside(world, home)

    # Long enough that the time a gateway has been up tells the one before from the one after.
    time.sleep(10)
    home.daemon.stop()
    home.forget()
    assert not home.mapped()
    home.map_ports(natpmp=True, upnp=False)
    took = eventually("the port is mapped again", home.mapped, NOTICED_SECONDS)
    _gone_after_stop(home)
    return f"mapped again after {took:.0f} s"


def port_mapped_by_upnp(world: World) -> None:
    """The same by UPnP, whose device has to be found first."""
    home = _mapped(world, "upnp", natpmp=False, upnp=True)
    _reached_from_outside(world, home)
    _gone_after_stop(home)


def no_port_mapped(world: World) -> None:
    """Without a mapping the two are relayed: that they meet shows the mapping, and nothing else."""
    world.infra.start()
    home, far = Home(world, "home", "--no-port-mapping"), Home(world, "far", "--no-port-mapping")
    home.map_ports(natpmp=True, upnp=True)
    home.start()
    far.start()
    far.talk_to(home, "relay")
    # As long as it takes to try everything twice.
    time.sleep(35)
    assert not far.node.speaker.last("peer", lambda e: e["address"] == home.node.address and e["path"] != "relay")
    assert not home.mapped()


def _mapped(world: World, method: str, **protocols: bool) -> Home:
    """Returns a home whose gateway has mapped a port to the member by `method`."""
    world.infra.start()
    home = Home(world, "home")
    home.map_ports(**protocols)
    home.start()
    said = home.node.speaker.wait("port mapping", 30, lambda e: e["mapped"])
    assert said["mapped"]["method"] == method, said
    assert said["mapped"]["external"].startswith(f"{home.gateway.ip}/"), said
    assert home.mapped()
    return home


def _reached_from_outside(world: World, home: Home) -> None:
    """A peer behind a translator as hard, where nobody maps ports, gets through by the mapped port."""
    said = home.node.speaker.last("port mapping", lambda e: e["mapped"])
    far = Home(world, "far", "--no-port-mapping")
    far.start()
    far.talk_to(home, said["mapped"]["external"])


def _gone_after_stop(home: Home) -> None:
    assert home.node.speaker.stop() == 0
    assert not home.mapped(), home.gateway.run("nft", "list", "ruleset")


ALL = [port_mapped_by_pcp, port_mapped_by_upnp, no_port_mapped]
