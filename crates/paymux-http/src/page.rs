//! Lists: what one page of them holds, and the cursor to the next.

use std::fmt::Display;
use std::str::FromStr;

use axum::response::Response;
use http::StatusCode;
use paymux_core::Timestamp;
use paymux_core::payment::request::InvalidField;
use serde::Serialize;

use crate::envelope;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::openapi::{Described, Param, schema};
use crate::query::Query;

/// What stands before every cursor: its form is ours alone, and may change with this word.
const FORM: &str = "c1";

/// How many entries a page holds.
pub(crate) const LIMIT: Param = Param::asked(
    "limit",
    || schema::whole(1..=PAGE_MAX.into()).or_default(PAGE_DEFAULT),
    "How many entries the page holds at most.",
);
/// Where a page begins.
pub(crate) const CURSOR: Param = Param::asked(
    "cursor",
    || schema::text_of(1..=CURSOR_CHARS_MAX),
    "The `next_cursor` of the page before, unchanged.",
);
/// No cursor is longer: a moment and an id, or a name.
const CURSOR_CHARS_MAX: usize = 200;

/// The page as it is written.
#[derive(Serialize)]
struct PageView<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

/// How many entries a page holds: the query's `limit`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize(u32);

impl PageSize {
    /// Reads `limit`.
    pub(crate) fn of(query: &Query) -> Result<Self, InvalidField> {
        Ok(Self(query.value("limit", page_size)?.unwrap_or(PAGE_DEFAULT)))
    }

    /// How many entries to read: one more than is shown, to know whether there is more.
    pub(crate) const fn to_read(self) -> u32 {
        self.0 + 1
    }
}

fn page_size(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size| (1..=PAGE_MAX).contains(size));
    size.ok_or_else(|| format!("write a number from 1 to {PAGE_MAX}"))
}

/// One page of what was read, each entry as `view` shows it, with the cursor that `cursor` makes of the
/// last one if there is more.
pub(crate) fn page<'a, T, V: Serialize + Described>(
    read: &'a [T],
    size: PageSize,
    view: impl FnMut(&'a T) -> V,
    cursor: impl FnOnce(&T) -> String,
) -> Response {
    let shown = usize::try_from(size.0).unwrap_or(usize::MAX).min(read.len());
    let has_more = read.len() > shown;
    let next_cursor = read[..shown].last().filter(|_| has_more).map(cursor);
    let data: Vec<V> = read[..shown].iter().map(view).collect();
    envelope::written(StatusCode::OK, &PageView { data, next_cursor })
}

/// The whole of a list that is never longer than a page.
pub(crate) fn whole<V: Serialize + Described>(data: Vec<V>) -> Response {
    envelope::written(StatusCode::OK, &PageView { data, next_cursor: None })
}

/// The cursor that names the last entry by its id.
pub(crate) fn cursor_at(id: impl Display) -> String {
    format!("{FORM}{id}")
}

/// Reads what [`cursor_at`] wrote.
pub(crate) fn after<T: FromStr>(text: &str) -> Result<T, String> {
    text.strip_prefix(FORM).and_then(|id| id.parse().ok()).ok_or_else(foreign)
}

/// The cursor that names the last entry by its moment and its id.
pub(crate) fn cursor_at_moment(at: Timestamp, id: impl Display) -> String {
    format!("{FORM}{}.{id}", at.ms())
}

/// Reads what [`cursor_at_moment`] wrote.
pub(crate) fn after_moment<T: FromStr>(text: &str) -> Result<(Timestamp, T), String> {
    let pair = text.strip_prefix(FORM).and_then(|pair| pair.split_once('.'));
    let read = pair.and_then(|(ms, id)| Some((Timestamp::from_ms(ms.parse().ok()?), id.parse().ok()?)));
    read.ok_or_else(foreign)
}

fn foreign() -> String {
    "send the `next_cursor` of the page before, unchanged".to_owned()
}
