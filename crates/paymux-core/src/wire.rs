//! HTTP messages as plain data: what plugins read and write, with no HTTP library in sight.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

/// The HTTP verbs that providers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
}

impl Verb {
    /// As it stands on the request line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// Reads the word of a request line.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

/// Header fields in the order of the message; names are kept in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Box<str>, Box<str>)>);

impl Headers {
    /// None at all.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field.
    pub fn push(&mut self, name: impl AsRef<str>, value: impl Into<Box<str>>) {
        self.0.push((name.as_ref().to_ascii_lowercase().into(), value.into()));
    }

    /// The first field of that name, whatever its case.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// All fields as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_ref(), v.as_ref()))
    }
}

/// A request, ours to a provider or a provider's to us.
///
/// `Debug` shows neither query nor body: signs, keys and buyers' data travel there.
#[derive(Clone, PartialEq, Eq)]
pub struct WireRequest {
    /// The verb.
    pub verb: Verb,
    /// The path as it travels, percent-encoded, starting with `/`, without the query.
    pub path: String,
    /// The raw query without `?`, percent-encoded as it travels.
    pub query: Option<String>,
    /// Header fields; for a request of ours, those that the protocol demands.
    pub headers: Headers,
    /// The body, byte for byte.
    pub body: Bytes,
    /// From where it came, as far as that can be believed; `None` where nobody knows, and of one of ours.
    pub sender: Option<IpAddr>,
}

impl WireRequest {
    /// A request without query, headers or body.
    pub fn new(verb: Verb, path: impl Into<String>) -> Self {
        Self {
            verb,
            path: path.into(),
            query: None,
            headers: Headers::new(),
            body: Bytes::new(),
            sender: None,
        }
    }

    /// With a raw query, already percent-encoded.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// With a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Box<str>>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// With a body of that media type.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.headers.push("content-type", media_type);
        self.body = body.into();
        self
    }

    /// The first value of a query parameter, percent-decoded, `+` read as a blank; `None` when it
    /// is absent or is not UTF-8.
    pub fn query_value(&self, name: &str) -> Option<String> {
        let pairs = self.query.as_deref()?.split('&');
        let value = pairs.map(|p| p.split_once('=').unwrap_or((p, ""))).find(|(n, _)| *n == name)?.1;
        let spaced = value.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    }
}

impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.query.is_some() { "?****" } else { "" };
        write!(f, "{} {}{query} ({} bytes)", self.verb.as_str(), self.path, self.body.len())
    }
}

/// An answer, a provider's to us or ours to a provider. `Debug` does not show the body.
#[derive(Clone, PartialEq, Eq)]
pub struct WireResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header fields.
    pub headers: Headers,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl WireResponse {
    /// A body of that media type with status 200.
    pub fn ok(media_type: &str, body: impl Into<Bytes>) -> Self {
        Self::with_status(200, media_type, body)
    }

    /// A body of that media type with that status.
    pub fn with_status(status: u16, media_type: &str, body: impl Into<Bytes>) -> Self {
        let mut headers = Headers::new();
        headers.push("content-type", media_type);
        Self { status, headers, body: body.into() }
    }
}

impl fmt::Debug for WireResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {} ({} bytes)", self.status, self.body.len())
    }
}

/// A base address: scheme, host, port and an optional path before every call's own.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(url::Url);

/// Why a text is not a usable address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EndpointError(&'static str);

impl Endpoint {
    /// Reads `https://host[:port][/path]`. Plain `http` is taken only for a loopback address, or
    /// anywhere when `plain` says so.
    pub fn parse(text: &str, plain: PlainHttp) -> Result<Self, EndpointError> {
        // The parser would drop some of them in silence, and the address would be another one.
        if text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
            return Err(EndpointError("no blank or control character may stand in an address"));
        }
        let url = url::Url::parse(text)
            .map_err(|_| EndpointError("write an address like https://host:port/path"))?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ if plain == PlainHttp::Anywhere => {
                return Err(EndpointError("the scheme must be https or http"));
            }
            _ => return Err(EndpointError("the scheme must be https")),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(EndpointError("the host is missing"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError("no user or password may stand in an address"));
        }
        if url.fragment().is_some() {
            return Err(EndpointError("no #fragment may stand in an address"));
        }
        if !https && plain == PlainHttp::LoopbackOnly && !is_loopback(&url) {
            return Err(EndpointError("must be https unless it is a loopback address"));
        }
        Ok(Self(url))
    }

    /// Whether it is https.
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host as written in an address: a name, `1.2.3.4` or `[::1]`.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address when the host is a literal one, canonical whatever its spelling was.
    pub fn ip(&self) -> Option<std::net::IpAddr> {
        match self.0.host()? {
            url::Host::Ipv4(ip) => Some(ip.into()),
            url::Host::Ipv6(ip) => Some(ip.into()),
            url::Host::Domain(_) => None,
        }
    }

    /// The port, the scheme's own when none was written.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The whole address of a call: this base, then the request's path and query.
    pub fn join(&self, path: &str, query: Option<&str>) -> String {
        let base = self.0.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        match query {
            Some(query) => format!("{base}{path}?{query}"),
            None => format!("{base}{path}"),
        }
    }

    /// Path and query that were written into the address itself, for a URL that is called as it is.
    pub fn path_and_query(&self) -> (&str, Option<&str>) {
        (self.0.path(), self.0.query())
    }

    /// The same host without path and query.
    #[must_use]
    pub fn origin(&self) -> Self {
        let mut url = self.0.clone();
        url.set_path("");
        url.set_query(None);
        Self(url)
    }

    /// The whole text, query included.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Where plain HTTP may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// To this machine only.
    LoopbackOnly,
    /// Anywhere: the settings asked for it.
    Anywhere,
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Debug for Endpoint {
    /// Shows no query: a sign may stand in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        match text.split_once('?') {
            Some((base, _)) => write!(f, "{base}?****"),
            None => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_https_or_loopback() {
        for good in ["https://api.example/x", "http://127.0.0.1:80", "http://[::1]/", "http://localhost:1/a"]
        {
            assert!(Endpoint::parse(good, PlainHttp::LoopbackOnly).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example",
            "ftp://x",
            "https://",
            "https://u:p@x/",
            "https://x/#f",
            "x",
            "http://0x7f000002.example",
            "https://x/a b",
            " https://x",
            "https://x/\r\ny",
            "https://x/\t",
        ] {
            assert!(Endpoint::parse(bad, PlainHttp::LoopbackOnly).is_err(), "{bad}");
        }
        assert!(Endpoint::parse("http://api.example", PlainHttp::Anywhere).is_ok());
    }

    #[test]
    fn joins_base_path_and_query() {
        check("https://h", "/2/rest/bill", None, "https://h/2/rest/bill");
        check("https://h/", "/a", Some("p=1"), "https://h/a?p=1");
        check("https://h:8443/pre/", "/a", None, "https://h:8443/pre/a");

        #[track_caller]
        fn check(base: &str, path: &str, query: Option<&str>, want: &str) {
            assert_eq!(Endpoint::parse(base, PlainHttp::LoopbackOnly).unwrap().join(path, query), want);
        }
    }

    #[test]
    fn spelt_addresses_are_seen_through() {
        for odd in ["https://0x7f.1/", "https://2130706433/", "https://0177.0.0.1/", "https://127.1/"] {
            let ip = Endpoint::parse(odd, PlainHttp::LoopbackOnly).unwrap().ip();
            assert_eq!(ip, Some(std::net::Ipv4Addr::LOCALHOST.into()), "{odd}");
        }
    }

    #[test]
    fn debug_hides_query_and_body() {
        let request =
            WireRequest::new(Verb::Post, "/pay").query("sign=abc").body("application/json", "{\"k\":1}");
        assert_eq!(format!("{request:?}"), "POST /pay?**** (7 bytes)");
        let endpoint = Endpoint::parse("https://h/n?sign=abc", PlainHttp::LoopbackOnly).unwrap();
        assert_eq!(format!("{endpoint:?}"), "https://h/n?****");
    }

    #[test]
    fn query_values_are_decoded_once() {
        let request = WireRequest::new(Verb::Get, "/").query("a=1&para=%7B%22x%22%3A+%22%252F%22%7D&b");
        assert_eq!(request.query_value("para").as_deref(), Some("{\"x\": \"%2F\"}"));
        assert_eq!(request.query_value("b").as_deref(), Some(""));
        assert_eq!(request.query_value("c"), None);
    }
}
