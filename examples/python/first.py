"""Joins a network, and tells what comes for this node: python first.py DIRECTORY NETWORK"""

import asyncio
import sys

import libzt


async def main(home: str, network_id: str) -> None:
    async with libzt.Node(home) as node:
        print(f"this is {node.address}, which the controller has to admit")
        network = await node.join(network_id)
        status = await network.ready()
        print("we are", *(prefix.address for prefix in status.addresses))
        async with network.packets() as packets:
            async for batch in packets:
                for packet in batch:
                    print(len(packet), "bytes")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
