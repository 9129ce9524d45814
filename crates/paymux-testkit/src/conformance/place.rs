//! Where in a message a value stands, and the same message with another one there.

use std::ops::Range;

use paymux_core::WireRequest;
use paymux_core::wire::Headers;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The whole body: each of its bytes counts.
    Body,
    /// A member of the JSON object in the body.
    Json(&'static str),
    /// A field of the form in the body.
    Form(&'static str),
    /// A parameter of the query.
    Query(&'static str),
    /// A header.
    Header(&'static str),
}

impl Place {
    /// The value as it travels, if it is there.
    pub(super) fn value(self, request: &WireRequest) -> Option<String> {
        let text = self.text(request)?;
        let span = self.span(&text)?;
        text.get(span).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The message with one byte of the value changed; of a body, once for each byte.
    pub(super) fn changed(self, request: &WireRequest) -> Option<Vec<WireRequest>> {
        let text = self.text(request)?;
        let span = self.span(&text)?;
        if self == Self::Body {
            return Some(span.map(|at| self.with(request, &flipped(&text, at))).collect());
        }
        Some(vec![self.with(request, &with_another_byte(&text, span))])
    }

    /// The message with the value's letters in the other case.
    pub(super) fn in_other_case(self, request: &WireRequest) -> Option<WireRequest> {
        let mut text = self.text(request)?;
        let span = self.span(&text)?;
        for byte in text.get_mut(span)? {
            *byte =
                if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
        }
        Some(self.with(request, &text))
    }

    /// The message without the value, and the message with an empty one.
    pub(super) fn removed(self, request: &WireRequest) -> Option<[WireRequest; 2]> {
        let text = self.text(request)?;
        let span = self.span(&text)?;
        let emptied = [text.get(..span.start)?, text.get(span.end..)?].concat();
        Some([self.absent(request, &text), self.with(request, &emptied)])
    }

    fn absent(self, request: &WireRequest, text: &[u8]) -> WireRequest {
        match self {
            Self::Body => self.with(request, b""),
            Self::Json(name) => {
                let Some((label, _)) = json_member(text, name) else { return request.clone() };
                self.with(request, &[&text[..=label], b"no_", &text[label + 1..]].concat())
            }
            Self::Form(name) | Self::Query(name) => {
                let text = String::from_utf8_lossy(text);
                let others = text.split('&').filter(|pair| pair.split('=').next() != Some(name));
                self.with(request, others.collect::<Vec<_>>().join("&").as_bytes())
            }
            Self::Header(name) => {
                let mut headers = Headers::new();
                let others = request.headers.iter().filter(|(own, _)| !own.eq_ignore_ascii_case(name));
                others.for_each(|(own, value)| headers.push(own, value));
                WireRequest { headers, ..request.clone() }
            }
        }
    }

    /// What holds the value.
    fn text(self, request: &WireRequest) -> Option<Vec<u8>> {
        Some(match self {
            Self::Body | Self::Json(_) | Self::Form(_) => request.body.to_vec(),
            Self::Query(_) => request.query.clone()?.into_bytes(),
            Self::Header(name) => request.headers.first(name)?.as_bytes().to_vec(),
        })
    }

    /// Where in that the value is.
    fn span(self, text: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::Body | Self::Header(_) => Some(0..text.len()),
            Self::Json(name) => json_span(text, name),
            Self::Form(name) | Self::Query(name) => form_span(text, name),
        }
    }

    fn with(self, request: &WireRequest, text: &[u8]) -> WireRequest {
        let shown = || String::from_utf8_lossy(text).into_owned();
        match self {
            Self::Body | Self::Json(_) | Self::Form(_) => {
                WireRequest { body: text.to_vec().into(), ..request.clone() }
            }
            Self::Query(_) => WireRequest { query: Some(shown()), ..request.clone() },
            Self::Header(name) => {
                let without = self.absent(request, text);
                without.header(name, shown())
            }
        }
    }
}

fn flipped(text: &[u8], at: usize) -> Vec<u8> {
    let flip = |(index, byte): (usize, &u8)| if index == at { byte ^ 1 } else { *byte };
    text.iter().enumerate().map(flip).collect()
}

/// With the first letter or digit of the span, outside of an escape, replaced by the next one; an empty value gets one.
fn with_another_byte(text: &[u8], span: Range<usize>) -> Vec<u8> {
    let mut out = text.to_vec();
    let escaped =
        |at: usize| (1..=2).any(|back| at >= span.start + back && text.get(at - back) == Some(&b'%'));
    let plain = |at: &usize| text.get(*at).is_some_and(u8::is_ascii_alphanumeric) && !escaped(*at);
    match span.clone().find(plain) {
        Some(at) => out[at] = next(out[at]),
        None => out.insert(span.start, b'1'),
    }
    out
}

fn next(byte: u8) -> u8 {
    match byte {
        b'9' => b'0',
        b'z' => b'a',
        b'Z' => b'A',
        _ => byte + 1,
    }
}

fn json_span(text: &[u8], name: &str) -> Option<Range<usize>> {
    let (_, from) = json_member(text, name)?;
    Some(match text.get(from)? {
        b'"' => from + 1..string_end(text, from)?,
        _ => from..from + text.get(from..)?.iter().position(|byte| b",}] \r\n".contains(byte))?,
    })
}

/// Where the label of a member of the outermost object begins, and where its value does.
fn json_member(text: &[u8], name: &str) -> Option<(usize, usize)> {
    let behind_blanks = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(text, at)?;
                let colon = behind_blanks(end + 1);
                let is_named = text.get(at + 1..end) == Some(name.as_bytes());
                if depth == 1 && is_named && text.get(colon) == Some(&b':') {
                    return Some((at, behind_blanks(colon + 1)));
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Where the string that begins at `from` has its closing quote.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn form_span(text: &[u8], name: &str) -> Option<Range<usize>> {
    let mut from = 0;
    for pair in text.split(|byte| *byte == b'&') {
        let is_named = pair.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='));
        if is_named {
            return Some(from + name.len() + 1..from + pair.len());
        }
        from += pair.len() + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use paymux_core::Verb;

    use super::*;

    fn message() -> WireRequest {
        WireRequest::new(Verb::Post, "/")
            .query("a=1&sign=ab%2Fc9&b=")
            .header("Sign", "ab9")
            .body("application/json", r#"{"in":{"n":7,"s":"\"}"},"a":"sign","sign" : "zZ9","n":12}"#)
    }

    #[test]
    fn finds_and_changes_a_value() {
        check(Place::Json("sign"), "zZ9", "aZ9");
        check(Place::Json("n"), "12", "22");
        check(Place::Query("sign"), "ab%2Fc9", "bb%2Fc9");
        check(Place::Query("b"), "", "1");
        check(Place::Header("sign"), "ab9", "bb9");

        #[track_caller]
        fn check(place: Place, value: &str, changed: &str) {
            assert_eq!(place.value(&message()).as_deref(), Some(value));
            let requests = place.changed(&message()).unwrap();
            assert_eq!(requests.len(), 1);
            assert_eq!(place.value(&requests[0]).as_deref(), Some(changed));
            let [absent, emptied] = place.removed(&message()).unwrap();
            assert_eq!(place.value(&absent), None, "{place:?}");
            assert_eq!(place.value(&emptied).as_deref(), Some(""), "{place:?}");
        }
    }

    #[test]
    fn a_body_is_changed_at_each_byte() {
        let bodies = Place::Body.changed(&message()).unwrap();
        assert_eq!(bodies.len(), message().body.len());
        assert!(bodies.iter().all(|other| other.body != message().body));
    }

    #[test]
    fn escapes_stay_whole() {
        let request = WireRequest::new(Verb::Post, "/").body("x", "price=%31%2E5&p=1");
        let changed = Place::Form("price").changed(&request).unwrap();
        assert_eq!(&changed[0].body[..], b"price=%31%2E6&p=1");
        assert_eq!(Place::Json("absent").changed(&request), None);
    }

    #[test]
    fn letters_change_their_case() {
        let other = Place::Json("sign").in_other_case(&message()).unwrap();
        assert_eq!(Place::Json("sign").value(&other).as_deref(), Some("Zz9"));
    }
}
