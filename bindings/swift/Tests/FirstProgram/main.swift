import Foundation
import LibZT

let node = try await ZTNode.start(Config(home: "zt", profile: .desktop))
print("this is \(node.address)")
let telling = Task { for await event in await node.events() { print(event) } }

let network = try await node.join(NetworkId(CommandLine.arguments[1])!)
do {
    print(try await network.configured(within: .seconds(30)).addresses)
} catch let error as ZTError where error.code == .timeout {
    print(error.message)
}

let packets = try await network.packets()
let reading = Task {
    for await batch in packets { print("\(batch.count) packets, \(batch.byteCount) bytes") }
}
try await Task.sleep(for: .seconds(60))
try await node.stop()
await reading.value
await telling.value
