//! Lists: one page of them, as it is written. Sizes and cursors are the core's.

use std::str::FromStr;

use axum::response::Response;
use http::StatusCode;
use paymux_core::Timestamp;
use paymux_core::page::{self, PAGE_DEFAULT, PAGE_MAX};
use paymux_core::payment::request::InvalidField;
use serde::Serialize;

use crate::envelope;
use crate::openapi::{Described, Param, schema};
use crate::query::{self, Query};

pub(crate) use paymux_core::page::{cursor_at, cursor_at_moment};

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
pub(crate) struct PageSize(page::PageSize);

impl PageSize {
    /// Reads `limit`.
    pub(crate) fn of(query: &Query) -> Result<Self, InvalidField> {
        Ok(Self(query.value("limit", query::id)?.unwrap_or_default()))
    }

    /// How many entries to read: one more than is shown, to know whether there is more.
    pub(crate) const fn to_read(self) -> u32 {
        self.0.to_read()
    }
}

/// One page of what was read, each entry as `view` shows it, with the cursor that `cursor` makes of the
/// last one if there is more.
pub(crate) fn page<'a, T, V: Serialize + Described>(
    read: &'a [T],
    size: PageSize,
    view: impl FnMut(&'a T) -> V,
    cursor: impl FnOnce(&T) -> String,
) -> Response {
    let (shown, next_cursor) = size.0.cut(read, cursor);
    let data: Vec<V> = shown.iter().map(view).collect();
    envelope::written(StatusCode::OK, &PageView { data, next_cursor })
}

/// The whole of a list that is never longer than a page.
pub(crate) fn whole<V: Serialize + Described>(data: Vec<V>) -> Response {
    envelope::written(StatusCode::OK, &PageView { data, next_cursor: None })
}

/// Reads what [`cursor_at`] wrote.
pub(crate) fn after<T: FromStr>(text: &str) -> Result<T, String> {
    page::after(text).map_err(|error| error.to_string())
}

/// Reads what [`cursor_at_moment`] wrote.
pub(crate) fn after_moment<T: FromStr>(text: &str) -> Result<(Timestamp, T), String> {
    page::after_moment(text).map_err(|error| error.to_string())
}
