#if canImport(NetworkExtension)
    import Foundation
    import LibZT
    @preconcurrency import NetworkExtension

    extension TunPlan {
        /// What the system is told of an interface that is as this plan wants it.
        func settings(defaultRoutes: Bool) -> NEPacketTunnelNetworkSettings {
            // A tunnel has many far ends; the system wants to be told of one.
            let settings = NEPacketTunnelNetworkSettings(tunnelRemoteAddress: "127.0.0.1")
            settings.mtu = NSNumber(value: mtu)
            let wanted = routes.filter { defaultRoutes || $0.bits > 0 }
            settings.ipv4Settings = ipv4(wanted.filter { !$0.target.contains(":") })
            settings.ipv6Settings = ipv6(wanted.filter { $0.target.contains(":") })
            if let dns, !dns.servers.isEmpty {
                settings.dnsSettings = NEDNSSettings(servers: dns.servers)
                if !dns.domain.isEmpty {
                    settings.dnsSettings?.matchDomains = [dns.domain]
                    settings.dnsSettings?.searchDomains = [dns.domain]
                }
            }
            return settings
        }

        private func ipv4(_ routes: [PlannedRoute]) -> NEIPv4Settings? {
            let own = addresses.filter { !$0.isIPv6 }
            if own.isEmpty { return nil }
            let settings = NEIPv4Settings(
                addresses: own.map(\.address), subnetMasks: own.map { subnetMask(bits: $0.bits) })
            let onLink = own.map(\.network).map {
                NEIPv4Route(destinationAddress: $0.address, subnetMask: subnetMask(bits: $0.bits))
            }
            settings.includedRoutes =
                onLink
                + routes.map {
                    let route = NEIPv4Route(destinationAddress: $0.target, subnetMask: subnetMask(bits: $0.bits))
                    route.gatewayAddress = $0.via
                    return route
                }
            return settings
        }

        private func ipv6(_ routes: [PlannedRoute]) -> NEIPv6Settings? {
            let own = addresses.filter(\.isIPv6)
            if own.isEmpty { return nil }
            let settings = NEIPv6Settings(
                addresses: own.map(\.address), networkPrefixLengths: own.map { NSNumber(value: $0.bits) })
            let onLink = own.map(\.network).map {
                NEIPv6Route(destinationAddress: $0.address, networkPrefixLength: NSNumber(value: $0.bits))
            }
            settings.includedRoutes =
                onLink
                + routes.map {
                    let route = NEIPv6Route(
                        destinationAddress: $0.target, networkPrefixLength: NSNumber(value: $0.bits))
                    route.gatewayAddress = $0.via
                    return route
                }
            return settings
        }
    }
#endif
