// swift-tools-version: 6.0
// The Swift binding of libzt; its README is in bindings/swift.

import PackageDescription

// What is in Rust: made by `bindings/swift/generate` on Linux, by `bindings/swift/xcframework` on a Mac.
#if os(Linux)
    let library = Target.systemLibrary(name: "CZT", path: "target/swift/CZT")
#else
    let library = Target.binaryTarget(name: "CZT", path: "target/swift/CZT.xcframework")
#endif

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
        .target(name: "LibZTTunnel", dependencies: ["LibZT"], path: "bindings/swift/Sources/LibZTTunnel"),
        .testTarget(name: "LibZTTests", dependencies: ["LibZT"], path: "bindings/swift/Tests/LibZTTests"),
        .testTarget(
            name: "LibZTTunnelTests",
            dependencies: ["LibZTTunnel"],
            path: "bindings/swift/Tests/LibZTTunnelTests"
        ),
    ],
    swiftLanguageModes: [.v6]
)
