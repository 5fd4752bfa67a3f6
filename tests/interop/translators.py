"""What the kernel's packet filter makes of a host or a router: firewalls and address translators, as `nft` rules.

`masquerade` keeps a port that is free, so it is most often the same for every far end; `fully-random` draws one for
every far end. Either lets in whoever was sent to, by address and port. A router that takes in what nobody has asked for
keeps that as a connection of its own, whose port is then not free: towards a peer that probed first, a host behind it
gets another port than towards everybody else. So each router here has a firewall, as those have that people buy.
"""
from __future__ import annotations

from typing import Mapping

from namespaces import Host

PORT = 9993

FIREWALL = """
table inet firewall {
    chain entering {
        type filter hook input priority filter
        iifname "eth0" ct state established,related accept
        iifname "eth0" drop
    }
}
"""
"""Lets in answers only, by address and port."""

KEEPING_PORTS = """
table ip translator {
    chain leaving {
        type nat hook postrouting priority srcnat
        oifname "eth0" masquerade
    }
}
"""
"""A port that is most often the same for every far end."""

DRAWING_PORTS = KEEPING_PORTS.replace("masquerade", "masquerade fully-random")
"""Another port for every far end."""


def turning_round(router: Host, inside: Mapping[str, int]) -> str:
    """A translator by which those inside reach each other where the world sees them.

    `inside` says for each address inside which outside port its node has.
    """
    leaving = "\n".join(f"ip saddr {ip} udp sport {PORT} snat to {router.ip}:{port}" for ip, port in inside.items())
    arriving = "\n".join(f"udp dport {port} dnat to {ip}:{PORT}" for ip, port in inside.items())
    return f"""
table ip translator {{
    chain leaving {{
        type nat hook postrouting priority srcnat
        {leaving}
        oifname "eth0" masquerade
    }}
    chain arriving {{
        type nat hook prerouting priority dstnat
        iifname "bridge" ip daddr {router.ip} jump turning
    }}
    chain turning {{
        {arriving}
    }}
}}
"""


def only_udp_to(host: Host) -> str:
    """A firewall that lets UDP pass to and from one host, and to nobody else."""
    return f"""
table inet blocked {{
    chain leaving {{
        type filter hook output priority filter
        oifname "eth0" meta l4proto udp ip daddr != {host.ip} drop
    }}
    chain entering {{
        type filter hook input priority filter
        iifname "eth0" meta l4proto udp ip saddr != {host.ip} drop
    }}
}}
"""
