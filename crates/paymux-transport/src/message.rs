//! Between core's plain messages and HTTP's: what is written on the request line and in its
//! headers, and how an answer is read.
//!
//! Not here: sending and deadlines (`dialler.rs`), the connection (`line.rs`).

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use paymux_core::transport::{NotSent, Outgoing};
use paymux_core::wire::{Endpoint, Headers, Verb, WireRequest, WireResponse};

use crate::line::Fault;

const OUR_NAME: &str = concat!("paymux/", env!("CARGO_PKG_VERSION"));

/// Headers that frame the message or belong to the connection. They are ours to write: one that a
/// caller sets could make the other side read another message than the one we counted.
const OURS: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Builds the request as it travels.
pub(crate) fn request(call: &Outgoing) -> Result<Request<Full<Bytes>>, NotSent> {
    let target = target(&call.endpoint, &call.request).ok_or(NotSent::Unbuildable)?;
    let headers = headers(&call.endpoint, &call.request).ok_or(NotSent::Unbuildable)?;
    let mut request = Request::new(Full::new(call.request.body.clone()));
    *request.method_mut() = match call.request.verb {
        Verb::Get => http::Method::GET,
        Verb::Post => http::Method::POST,
        Verb::Put => http::Method::PUT,
        Verb::Delete => http::Method::DELETE,
    };
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    Ok(request)
}

/// Path and query, byte for byte as the caller wrote them: a sign may cover them.
fn target(endpoint: &Endpoint, request: &WireRequest) -> Option<PathAndQuery> {
    let travels =
        |text: &str, marks: &[u8]| text.bytes().all(|b| b.is_ascii_graphic() && !marks.contains(&b));
    let query = request.query.as_deref();
    if !request.path.starts_with('/')
        || !travels(&request.path, b"?#")
        || !query.is_none_or(|q| travels(q, b"#"))
    {
        return None;
    }
    let whole: Uri = endpoint.join(&request.path, query).parse().ok()?;
    whole.into_parts().path_and_query
}

fn headers(endpoint: &Endpoint, request: &WireRequest) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::try_from(host(endpoint)).ok()?);
    headers.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let has_body = matches!(request.verb, Verb::Post | Verb::Put) || !request.body.is_empty();
    if has_body {
        headers.insert(CONTENT_LENGTH, request.body.len().into());
    }
    for (name, value) in request.headers.iter() {
        let name = HeaderName::try_from(name).ok()?;
        if OURS.contains(&name.as_str()) {
            return None;
        }
        let value = HeaderValue::try_from(value).ok()?;
        if name == USER_AGENT {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    Some(headers)
}

fn host(endpoint: &Endpoint) -> String {
    let own_port = if endpoint.is_tls() { 443 } else { 80 };
    match endpoint.port() {
        port if port == own_port => endpoint.host().to_owned(),
        port => format!("{}:{port}", endpoint.host()),
    }
}

/// Reads an answer to its end; nothing beyond `bytes_max` of its body is kept.
pub(crate) async fn answer(response: Response<Incoming>, bytes_max: usize) -> Result<WireResponse, Fault> {
    let (head, body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        // We never ask for it; whatever follows is not HTTP.
        return Err(Fault::Unreadable);
    }
    let body = whole(body, bytes_max).await?;
    Ok(WireResponse { status: head.status.as_u16(), headers: plain(&head.headers), body })
}

async fn whole(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > u64::try_from(bytes_max).unwrap_or(u64::MAX) {
        return Err(Fault::TooLarge);
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // A frame that is not data holds trailers, which nobody asked for.
        let Ok(data) = frame?.into_data() else { continue };
        if data.len() > bytes_max - read.len() {
            return Err(Fault::TooLarge);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

/// Header values are text in core. Bytes that are not UTF-8 become U+FFFD; no protocol of ours signs
/// such a header.
fn plain(headers: &HeaderMap) -> Headers {
    let mut plain = Headers::new();
    for (name, value) in headers {
        plain.push(name, String::from_utf8_lossy(value.as_bytes()));
    }
    plain
}

#[cfg(test)]
mod tests {
    use paymux_core::clock::Mono;
    use paymux_core::transport::{Deadline, Destination};
    use paymux_core::wire::PlainHttp;

    use super::*;

    #[test]
    fn path_and_query_travel_as_written() {
        check("https://h", "/2/rest/bill", None, Some("/2/rest/bill"));
        check("https://h/pre/", "/a", Some("sign=%2F+&b"), Some("/pre/a?sign=%2F+&b"));
        check("https://h", "/a/../b", None, Some("/a/../b"));
        check("https://h:8443", "/", Some(""), Some("/?"));

        #[track_caller]
        fn check(base: &str, path: &str, query: Option<&str>, want: Option<&str>) {
            let built = build(base, path, query, &[]).map(|request| request.uri().to_string());
            assert_eq!(built.as_deref(), want, "{base} {path} {query:?}");
        }
    }

    #[test]
    fn refuses_what_would_change_the_request_line() {
        for path in
            ["", "a", "@evil.example/", "/a b", "/a\r\nx: y", "/a\n", "/a?b", "/a#b", "/é", "/a\0", "/a\tb"]
        {
            assert!(build("https://h", path, None, &[]).is_none(), "{path:?}");
        }
        for query in ["a b", "a\r\nx: y", "a#b", "é", "\u{7f}"] {
            assert!(build("https://h", "/", Some(query), &[]).is_none(), "{query:?}");
        }
    }

    #[test]
    fn host_names_the_port_unless_it_is_the_scheme_s_own() {
        for (base, want) in [
            ("https://h", "h"),
            ("https://h:443", "h"),
            ("http://h:80", "h"),
            ("https://h:80", "h:80"),
            ("http://h:443", "h:443"),
            ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(build(base, "/", None, &[]).unwrap().headers()[HOST], want, "{base}");
        }
    }

    #[test]
    fn says_who_we_are_and_asks_no_compression() {
        let request = build("https://h", "/", None, &[("x-a", "1"), ("x-a", "2")]).unwrap();
        assert_eq!(request.headers()[USER_AGENT], OUR_NAME);
        assert_eq!(request.headers()[ACCEPT_ENCODING], "identity");
        assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.headers()[CONTENT_LENGTH], "4");
        let request = build("https://h", "/", None, &[("User-Agent", "other/1")]).unwrap();
        assert_eq!(request.headers().get_all(USER_AGENT).iter().collect::<Vec<_>>(), ["other/1"]);
    }

    #[test]
    fn refuses_headers_that_frame_the_message_or_are_none() {
        for name in OURS {
            assert!(build("https://h", "/", None, &[(name, "x")]).is_none(), "{name}");
        }
        for (name, value) in [("x y", "z"), ("", "z"), ("x:", "z"), ("x", "a\r\nb: c"), ("x", "a\0")] {
            assert!(build("https://h", "/", None, &[(name, value)]).is_none(), "{name:?}: {value:?}");
        }
    }

    fn build(
        base: &str,
        path: &str,
        query: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Option<Request<Full<Bytes>>> {
        let mut wire = WireRequest::new(Verb::Post, path);
        wire.query = query.map(str::to_owned);
        wire.body = Bytes::from_static(b"body");
        for (name, value) in headers {
            wire.headers.push(name, *value);
        }
        let endpoint = Endpoint::parse(base, PlainHttp::Anywhere).unwrap();
        let deadline = Deadline {
            dispatch_by: Mono(std::time::Duration::ZERO),
            answer_by: Mono(std::time::Duration::ZERO),
        };
        let call = Outgoing {
            destination: Destination::Provider,
            endpoint,
            request: wire,
            deadline,
            response_bytes_max: 0,
        };
        request(&call).ok()
    }
}
