//! The key with which an app or an operator calls: how it is written, wherever it travels.

/// Why what a request carries is no key that opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none, or none in that form.
    #[error("send `authorization: Bearer <key>`")]
    Missing,
    /// There are several.
    #[error("send one `authorization` field, not several")]
    Several,
    /// It is nobody's.
    #[error("this key opens nothing here")]
    Wrong,
}

/// The key in the `authorization` fields of a request, of which there must be one. A field that is no text is `None`.
pub fn bearer<'a>(fields: impl IntoIterator<Item = Option<&'a str>>) -> Result<&'a str, KeyError> {
    let mut fields = fields.into_iter();
    let field = fields.next().ok_or(KeyError::Missing)?;
    if fields.next().is_some() {
        return Err(KeyError::Several);
    }
    let (scheme, key) = field.and_then(|text| text.split_once(' ')).ok_or(KeyError::Missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(KeyError::Missing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_bearer_field_and_nothing_else() {
        check(&["Bearer k1"], Ok("k1"));
        check(&["bearer  k1 "], Ok("k1"));
        for bad in [&[][..], &["k1"], &["Basic k1"], &["Bearer"]] {
            check(bad, Err(KeyError::Missing));
        }
        check(&["Bearer k1", "Bearer k1"], Err(KeyError::Several));
        assert_eq!(bearer([None]), Err(KeyError::Missing));

        #[track_caller]
        fn check(fields: &[&str], want: Result<&str, KeyError>) {
            assert_eq!(bearer(fields.iter().copied().map(Some)), want, "{fields:?}");
        }
    }
}
