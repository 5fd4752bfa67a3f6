// swift-tools-version: 6.0
// The Swift binding of libzt; its README is in bindings/swift.

import PackageDescription

// What is in Rust: made by `bindings/swift/generate` on Linux, by `bindings/swift/xcframework` on a Mac.
#if os(Linux)
    let library = Target.systemLibrary(name: "CZT", path: "target/swift/CZT")
#else
    let library = Target.binaryTarget(name: "CZT", path: "target/swift/CZT.xcframework")
#endif

// Of Apple's frameworks, what is used of them, so that the code that needs them is compiled and tested without; see
// `tests/swift`.
let standIns = Context.environment["LIBZT_STAND_INS"] != nil ? ["Network", "NetworkExtension", "Security"] : []

let package = Package(
    name: "libzt",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "LibZT", targets: ["LibZT"]),
        .library(name: "LibZTTunnel", targets: ["LibZTTunnel"]),
    ],
    targets: [
        library,
        .target(name: "LibZT", dependencies: ["CZT"], path: "bindings/swift/Sources/LibZT"),
        .target(
            name: "LibZTTunnel",
            dependencies: ["LibZT"] + standIns.map { .byName(name: $0) },
            path: "bindings/swift/Sources/LibZTTunnel"
        ),
        .executableTarget(name: "FirstProgram", dependencies: ["LibZT"], path: "bindings/swift/Tests/FirstProgram"),
        .target(name: "Lab", dependencies: ["LibZT"], path: "bindings/swift/Tests/Lab"),
        .testTarget(name: "LibZTTests", dependencies: ["Lab"], path: "bindings/swift/Tests/LibZTTests"),
        .testTarget(
            name: "LibZTTunnelTests",
            dependencies: ["Lab", "LibZTTunnel"],
            path: "bindings/swift/Tests/LibZTTunnelTests",
            swiftSettings: standIns.isEmpty ? [] : [.define("STAND_INS")]
        ),
    ],
    swiftLanguageModes: [.v6]
)

for name in standIns {
    // As Apple's headers, they promise nothing about threads.
    package.targets.append(
        .target(
            name: name, path: "bindings/swift/Tests/StandIns/\(name)", swiftSettings: [.swiftLanguageMode(.v5)]))
}
