//! Requests as text, so that bytes can be changed anywhere in them: verb and address, header fields, an empty line,
//! the body. Close to HTTP, and read in one way only; how HTTP itself is read is hyper's business.

use paymux_core::{Verb, WireRequest};

/// The text of a request.
pub(crate) fn bytes_of(request: &WireRequest) -> Vec<u8> {
    let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let first = format!("{} {}{query}\n", request.verb.as_str(), request.path);
    let fields = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
    let head: String = [first].into_iter().chain(fields).collect();
    [head.as_bytes(), b"\n", request.body.as_ref()].concat()
}

/// The request of a text; `None` where its head is no UTF-8, or no head.
pub(crate) fn request_of(input: &[u8]) -> Option<WireRequest> {
    let end = input.windows(2).position(|two| two == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&input[..end]).ok()?, &input[end + 2..]);
    let mut lines = head.split('\n');
    let (verb, address) = lines.next()?.split_once(' ')?;
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    let mut request = WireRequest::new(Verb::from_word(verb)?, path);
    request.query = query.map(str::to_owned);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request.headers.push(name, value);
    }
    request.body = body.to_vec().into();
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let request = WireRequest::new(Verb::Post, "/notify/a").query("sign=1").header("x-a", "b: c");
        let request = request.body("application/json", "{}\n\nbehind");
        assert_eq!(
            bytes_of(&request),
            b"POST /notify/a?sign=1\nx-a: b: c\ncontent-type: application/json\n\n{}\n\nbehind"
        );
        assert_eq!(request_of(&bytes_of(&request)), Some(request));
        let bare = WireRequest::new(Verb::Get, "/");
        assert_eq!(request_of(&bytes_of(&bare)), Some(bare));
    }

    #[test]
    fn what_has_no_head_is_none() {
        for bad in [&b""[..], b"\n\n", b"GET /", b"GET /\n", b"EAT /\n\n", b"GET /\nx\n\n", b"GET /\xff\n\n"]
        {
            assert_eq!(request_of(bad), None, "{}", bad.escape_ascii());
        }
    }
}
