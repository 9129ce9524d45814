//! Who is at the other end of a request, and how it travelled: what the connection says, and what a proxy says that
//! is believed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection. [`crate::serve`] puts it among the extensions of each request; a host that serves
/// the router itself can do the same, and answers for its line where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
}

/// An address, or all that begin with the same bits: `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    /// How many bits are the same.
    bits: u32,
}

/// What is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}`: write an address like 10.0.0.7, or a network like 10.0.0.0/8 whose other bits are 0")]
pub struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        Self::read(text).ok_or_else(|| NoNetwork(text.to_owned()))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let width = width(first);
        let bits = match bits {
            // `+8` is a number to the library and a slip here.
            Some(bits) => Some(bits).filter(|bits| bits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?,
            None => width,
        };
        let network = Self { first, bits };
        (bits <= width && network.start(first) == value(first)).then_some(network)
    }

    /// Whether the address is one of these.
    pub fn contains(&self, ip: IpAddr) -> bool {
        width(ip) == width(self.first) && self.start(ip) == value(self.first)
    }

    /// The address with the bits behind the prefix put out.
    fn start(&self, ip: IpAddr) -> u128 {
        let free = width(ip).saturating_sub(self.bits);
        value(ip).checked_shr(free).and_then(|prefix| prefix.checked_shl(free)).unwrap_or_default()
    }
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn value(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// Whose word for others is believed: `[server] trusted_proxies`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    /// These.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }
}

/// Who sent a request, as far as it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `None` where nobody said from where the router is called.
    pub(crate) ip: Option<IpAddr>,
    /// Whether it crossed a net in the open on its way here, as far as anybody knows.
    pub(crate) came_in_the_open: bool,
}

impl Origin {
    pub(crate) fn of(headers: &HeaderMap, peer: Option<Peer>, proxies: &Proxies) -> Self {
        let Some(peer) = peer else { return Self { ip: None, came_in_the_open: false } };
        let ip = peer.ip.to_canonical();
        if !proxies.trusts(ip) {
            return Self { ip: Some(ip), came_in_the_open: !peer.is_tls && !ip.is_loopback() };
        }
        let proto = list(headers, &FORWARDED_PROTO).pop();
        Self {
            ip: Some(forwarded_for(headers, ip, proxies)),
            came_in_the_open: proto.is_some_and(|proto| !proto.eq_ignore_ascii_case("https")),
        }
    }
}

/// From the right, where the nearest proxy writes, to the first address that is none of ours; whatever stands further
/// left the sender may have written.
fn forwarded_for(headers: &HeaderMap, proxy: IpAddr, proxies: &Proxies) -> IpAddr {
    let mut nearest = proxy;
    for text in list(headers, &FORWARDED_FOR).into_iter().rev() {
        let Some(ip) = address(text) else { return nearest };
        nearest = ip;
        if !proxies.trusts(ip) {
            return ip;
        }
    }
    nearest
}

/// Some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let ip = text.parse().ok().or_else(|| Some(text.parse::<std::net::SocketAddr>().ok()?.ip()))?;
    Some(IpAddr::to_canonical(&ip))
}

/// The parts of a field that may stand several times.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let fields = headers.get_all(name).iter();
    // What is no text is nobody's name.
    fields.flat_map(|field| field.to_str().unwrap_or("?").split(',')).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_network_is_a_prefix() {
        let inside = [
            ("10.0.0.7", "10.0.0.7"),
            ("10.0.0.0/8", "10.255.1.2"),
            ("10.0.0.128/25", "10.0.0.200"),
            ("0.0.0.0/0", "203.0.113.9"),
            ("::1", "::1"),
            ("fd00::/8", "fdff::7"),
            ("::/0", "2001:db8::1"),
        ];
        for (network, ip) in inside {
            assert!(contains(network, ip), "{ip} is in {network}");
        }
        let outside = [
            ("10.0.0.7", "10.0.0.8"),
            ("10.0.0.0/8", "11.0.0.0"),
            ("10.0.0.128/25", "10.0.0.127"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "10.0.0.1"),
            ("fd00::/8", "fe00::"),
        ];
        for (network, ip) in outside {
            assert!(!contains(network, ip), "{ip} is not in {network}");
        }

        fn contains(network: &str, ip: &str) -> bool {
            network.parse::<Network>().unwrap().contains(ip.parse().unwrap())
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in
            ["", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.1/8", "::/129", "fd00::1/8", "a/8"]
        {
            assert_eq!(bad.parse::<Network>(), Err(NoNetwork(bad.to_owned())));
        }
        assert_eq!("10.0.0.7".parse::<Network>().unwrap().to_string(), "10.0.0.7/32");
    }

    #[test]
    fn a_strangers_word_is_not_believed() {
        let headers = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        check(&headers, "198.51.100.1", "198.51.100.1", true);
        check(&[], "127.0.0.1", "127.0.0.1", false);
        check(&[], "::ffff:127.0.0.1", "127.0.0.1", false);
    }

    #[test]
    fn a_proxy_is_believed_as_far_as_proxies_reach() {
        let f = "x-forwarded-for";
        check(&[(f, "203.0.113.7")], "10.0.0.1", "203.0.113.7", false);
        // What the sender wrote stands before what our proxies did.
        check(&[(f, "192.0.2.1, 203.0.113.7, 10.0.0.9")], "10.0.0.1", "203.0.113.7", false);
        check(&[(f, "192.0.2.1"), (f, "203.0.113.7")], "10.0.0.1", "203.0.113.7", false);
        check(&[(f, "203.0.113.7:4711")], "10.0.0.1", "203.0.113.7", false);
        check(&[(f, "[2001:db8::7]:4711")], "10.0.0.1", "2001:db8::7", false);
        check(&[(f, "2001:db8::7")], "::ffff:10.0.0.1", "2001:db8::7", false);
        check(&[(f, "203.0.113.7, unknown")], "10.0.0.1", "10.0.0.1", false);
        check(&[(f, "unknown, 10.0.0.9")], "10.0.0.1", "10.0.0.9", false);
        check(&[], "10.0.0.1", "10.0.0.1", false);
    }

    #[test]
    fn a_proxy_says_how_its_client_came() {
        let p = "x-forwarded-proto";
        check(&[(p, "https")], "10.0.0.1", "10.0.0.1", false);
        check(&[(p, "HTTPS")], "10.0.0.1", "10.0.0.1", false);
        check(&[(p, "http")], "10.0.0.1", "10.0.0.1", true);
        check(&[(p, "https, http")], "10.0.0.1", "10.0.0.1", true);
        check(&[(p, "https"), (p, "")], "10.0.0.1", "10.0.0.1", true);
    }

    #[test]
    fn an_encrypted_line_is_not_open() {
        let peer = Some(Peer { ip: "198.51.100.1".parse().unwrap(), is_tls: true });
        assert!(!Origin::of(&HeaderMap::new(), peer, &Proxies::default()).came_in_the_open);
        let nobody = Origin::of(&HeaderMap::new(), None, &Proxies::default());
        assert_eq!(nobody, Origin { ip: None, came_in_the_open: false });
    }

    #[track_caller]
    fn check(fields: &[(&'static str, &'static str)], peer: &str, ip: &str, came_in_the_open: bool) {
        let fields = fields.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)));
        let headers: HeaderMap = fields.collect();
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let peer = Peer { ip: peer.parse().unwrap(), is_tls: false };
        let want = Origin { ip: Some(ip.parse().unwrap()), came_in_the_open };
        assert_eq!(Origin::of(&headers, Some(peer), &proxies), want, "{headers:?}");
    }
}
