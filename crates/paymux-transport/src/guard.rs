//! Which addresses a merchant's notice URL may reach: no way in to machines that stand beside us.
//!
//! Syntax is core's (`Endpoint::parse`); names are resolved and checked again when we dial
//! (`names.rs`). Providers' addresses are written by operators and are not guarded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use paymux_core::wire::Endpoint;

/// The rules for merchants' notice URLs. The default is the strict one: https to public addresses.
///
/// Allowed ports are the scheme's own and everything from 1024 up: below it live services of the
/// operating system (mail, shells, directories) that a notice has no business with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guard {
    /// Lets everything pass, plain http and every port included: for demos and tests, where
    /// notices go to loopback.
    pub allow_private_addresses: bool,
    /// Lets plain http pass, still only to public addresses.
    pub allow_plain_http: bool,
}

/// Why an address may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Plain http.
    #[error("the scheme must be https")]
    Scheme,
    /// A port of the operating system's services.
    #[error("port `{0}` is not allowed: use 443 or one from 1024 up")]
    Port(u16),
    /// A name that means a machine beside us wherever it is resolved.
    #[error("the host must be a public name with a dot, like shop.example.com")]
    Name,
    /// An address that is not a public one.
    #[error("address `{0}` is not public: use one that the whole Internet can reach")]
    Address(IpAddr),
}

impl Guard {
    /// Whether scheme, port and host may be called, as far as they can be judged without a look-up.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(self, endpoint: &Endpoint) -> Result<(), Refusal> {
        if self.allow_private_addresses {
            return Ok(());
        }
        if !endpoint.is_tls() && !self.allow_plain_http {
            return Err(Refusal::Scheme);
        }
        let own_port = if endpoint.is_tls() { 443 } else { 80 };
        if endpoint.port() != own_port && endpoint.port() < 1024 {
            return Err(Refusal::Port(endpoint.port()));
        }
        match endpoint.ip() {
            Some(ip) if !is_public(ip) => Err(Refusal::Address(ip)),
            None if !is_public_name(endpoint.host()) => Err(Refusal::Name),
            _ => Ok(()),
        }
    }

    /// Whether a connection to this address may be made.
    pub fn admits(self, ip: IpAddr) -> bool {
        self.allow_private_addresses || is_public(ip)
    }
}

/// Names that never leave a machine or a local network (RFC 6761, 6762, 8375, 9476, and the suffix
/// that ICANN keeps free for private use), and names without a dot, which search lists complete.
fn is_public_name(host: &str) -> bool {
    const LOCAL: [&str; 9] =
        ["localhost", "local", "internal", "home.arpa", "localdomain", "lan", "intranet", "alt", "onion"];
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_under = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| rest.ends_with('.'));
    host.contains('.')
        && !host.ends_with('.')
        && !LOCAL.into_iter().any(is_under)
        && !LOCAL.contains(&host.as_str())
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Blocks that are not public. Source: IANA IPv4 Special-Purpose Address Registry (RFC 6890 and
/// its updates) and RFC 5771 for multicast, unless a line says otherwise.
const REFUSED_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carrier-grade NAT; Alibaba Cloud's metadata service
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's host service; public by number only (Azure docs)
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; other clouds' metadata services
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments; Oracle Cloud's metadata service
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, broadcast
];

fn is_public_v4(ip: Ipv4Addr) -> bool {
    !REFUSED_V4.iter().any(|(block, bits)| (ip.to_bits() ^ block.to_bits()) >> (32 - bits) == 0)
}

/// Blocks inside 2000::/3 that are not public. Source: IANA IPv6 Special-Purpose Address Registry.
const REFUSED_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: any IPv4 address in disguise
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// IPv6 is judged by what is allowed: global unicast (2000::/3) without the blocks above. That
/// leaves out loopback, link-local, unique local and multicast, and IPv4 addresses written as IPv6
/// (`::ffff:0:0/96`, `::/96`).
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let within = |block: Ipv6Addr, bits: u32| (ip.to_bits() ^ block.to_bits()) >> (128 - bits) == 0;
    // NAT64 (RFC 6052): on an IPv6-only network every IPv4 host has such an address.
    if within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        let [.., a, b, c, d] = ip.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !REFUSED_V6.into_iter().any(|(block, bits)| within(block, bits))
}

#[cfg(test)]
mod tests {
    use paymux_core::wire::PlainHttp;

    use super::*;

    const STRICT: Guard = Guard { allow_private_addresses: false, allow_plain_http: false };

    #[test]
    fn takes_https_to_public_hosts() {
        for good in [
            "https://shop.example.com/hook",
            "https://shop.example.com./hook?a=b",
            "https://shop.example.com:8443/",
            "https://shop.example.com:1024/",
            "https://93.184.215.14/",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
            "https://[64:ff9b::93.184.215.14]/",
            "https://xn--fiqs8s.example.com/",
            "https://mylocal.example/",
            "https://internal.example.com/",
        ] {
            check(STRICT, good, Ok(()));
        }
    }

    #[test]
    fn plain_http_passes_only_when_allowed_and_only_to_public_hosts() {
        let plain = Guard { allow_plain_http: true, ..STRICT };
        check(STRICT, "http://shop.example.com/", Err(Refusal::Scheme));
        check(plain, "http://shop.example.com/", Ok(()));
        check(plain, "http://shop.example.com:443/", Err(Refusal::Port(443)));
        check(plain, "https://shop.example.com:80/", Err(Refusal::Port(80)));
        check(plain, "http://127.0.0.1/", Err(Refusal::Address(Ipv4Addr::LOCALHOST.into())));
    }

    #[test]
    fn everything_passes_where_private_addresses_are_allowed() {
        let open = Guard { allow_private_addresses: true, ..STRICT };
        for any in ["http://127.0.0.1:22/", "https://localhost/", "http://10.0.0.1/", "http://[::1]:9/"] {
            check(open, any, Ok(()));
        }
    }

    #[test]
    fn ports_of_the_operating_system_are_refused() {
        for port in [0, 1, 21, 22, 25, 80, 110, 389, 442, 444, 465, 993, 1023] {
            check(STRICT, &format!("https://shop.example.com:{port}/"), Err(Refusal::Port(port)));
        }
        check(STRICT, "https://shop.example.com:443/", Ok(()));
    }

    #[test]
    fn blocks_end_where_they_end() {
        for (last_outside, first, last, first_outside) in [
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"),
            ("168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"),
            ("2001:0200::", "2001::", "2001:1ff:ffff::", "2001:200::1"),
            ("2002:ffff::".replace("2002", "2001").as_str(), "2002::", "2002:ffff:ffff::", "2003::"),
            ("3ffe::1", "3fff::", "3fff:fff::", "3fff:1000::"),
        ] {
            for outside in [last_outside, first_outside] {
                assert!(is_public(outside.parse().unwrap()), "{outside}");
            }
            for inside in [first, last] {
                assert!(!is_public(inside.parse().unwrap()), "{inside}");
            }
        }
    }

    #[track_caller]
    fn check(guard: Guard, text: &str, want: Result<(), Refusal>) {
        let endpoint = Endpoint::parse(text, PlainHttp::Anywhere).unwrap();
        assert_eq!(guard.check(&endpoint), want, "{text}");
    }
}
