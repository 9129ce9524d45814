//! Lists, page by page: how many entries a page holds, and the cursor that names where the next one begins.

use std::fmt::Display;
use std::str::FromStr;

use crate::clock::Timestamp;

/// How many entries one page of a list holds when the client names no number.
pub const PAGE_DEFAULT: u32 = 20;
/// The most entries of one page.
pub const PAGE_MAX: u32 = 100;

/// What stands before every cursor: its form is ours alone, and may change with this word.
const FORM: &str = "c1";

/// How many entries a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u32);

/// Why a number or a text is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A page holds no such number of entries.
    #[error("write a number from 1 to {PAGE_MAX}")]
    Size,
    /// A cursor that was never given.
    #[error("send the `next_cursor` of the page before, unchanged")]
    Cursor,
}

impl Default for PageSize {
    fn default() -> Self {
        Self(PAGE_DEFAULT)
    }
}

impl PageSize {
    /// A page of so many entries.
    pub fn new(entries: u32) -> Result<Self, PageError> {
        if (1..=PAGE_MAX).contains(&entries) { Ok(Self(entries)) } else { Err(PageError::Size) }
    }

    /// How many entries to read: one more than is shown, to know whether there is more.
    pub const fn to_read(self) -> u32 {
        self.0 + 1
    }

    /// What is shown of the entries that were read, and the cursor that `cursor` makes of the last one if there is
    /// more.
    pub fn cut<T>(self, read: &[T], cursor: impl FnOnce(&T) -> String) -> (&[T], Option<String>) {
        let shown = usize::try_from(self.0).unwrap_or(usize::MAX).min(read.len());
        let has_more = read.len() > shown;
        let next = read[..shown].last().filter(|_| has_more).map(cursor);
        (&read[..shown], next)
    }
}

impl FromStr for PageSize {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, PageError> {
        text.parse().map_err(|_| PageError::Size).and_then(Self::new)
    }
}

/// The cursor that names the last entry by its id.
pub fn cursor_at(id: impl Display) -> String {
    format!("{FORM}{id}")
}

/// Reads what [`cursor_at`] wrote.
pub fn after<T: FromStr>(text: &str) -> Result<T, PageError> {
    text.strip_prefix(FORM).and_then(|id| id.parse().ok()).ok_or(PageError::Cursor)
}

/// The cursor that names the last entry by its moment and its id.
pub fn cursor_at_moment(at: Timestamp, id: impl Display) -> String {
    format!("{FORM}{}.{id}", at.ms())
}

/// Reads what [`cursor_at_moment`] wrote.
pub fn after_moment<T: FromStr>(text: &str) -> Result<(Timestamp, T), PageError> {
    let pair = text.strip_prefix(FORM).and_then(|pair| pair.split_once('.'));
    let read = pair.and_then(|(ms, id)| Some((Timestamp::from_ms(ms.parse().ok()?), id.parse().ok()?)));
    read.ok_or(PageError::Cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_what_it_may_and_says_whether_there_is_more() {
        check(2, &[1, 2, 3], &[1, 2], Some("c12"));
        check(2, &[1, 2], &[1, 2], None);
        check(2, &[], &[], None);

        #[track_caller]
        fn check(size: u32, read: &[i32], want: &[i32], next: Option<&str>) {
            let (shown, cursor) = PageSize::new(size).unwrap().cut(read, |last| cursor_at(last));
            assert_eq!((shown, cursor.as_deref()), (want, next));
        }
    }

    #[test]
    fn sizes_and_cursors_have_one_form() {
        assert_eq!((PageSize::default().to_read(), PageSize::new(PAGE_MAX).unwrap().to_read()), (21, 101));
        for refused in ["0", "101", "-1", "many", ""] {
            assert_eq!(refused.parse::<PageSize>(), Err(PageError::Size), "{refused}");
        }
        assert_eq!(after::<i32>(&cursor_at(7)), Ok(7));
        let at = Timestamp::from_ms(5);
        assert_eq!(after_moment::<i32>(&cursor_at_moment(at, 7)), Ok((at, 7)));
        for foreign in ["7", "c1", "c2.7", ""] {
            assert_eq!(after::<i32>(foreign), Err(PageError::Cursor), "{foreign}");
            assert_eq!(after_moment::<i32>(foreign), Err(PageError::Cursor), "{foreign}");
        }
    }
}
