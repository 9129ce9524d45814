//! BeeCloud's own records of a span of time, page by page to the end.
//!
//! Source: BeeCloud V2 document, filters of `bills` and `refunds`: creation time with both ends
//! included, `skip`, and a `limit` of 10 to 50. The order of rows is not stated and not relied on.

use std::collections::BTreeSet;
use std::ops::Range;

use paymux_core::channel::ListedOrder;
use paymux_core::{ChannelError, Cx, Timestamp, Verb};
use serde_json::Value;

use super::{BeeCloud, failure};
use crate::map::refunds::{listed_order, made_at, one_of};
use crate::map::results::{self, Class, Step};
use crate::wire::refunds::Page;
use crate::wire::{BillsQuery, Reply};

/// The largest page that BeeCloud gives.
const PAGE_MAX: usize = 50;
/// The smallest: a shorter one is the last, whatever became of our `limit`.
const PAGE_MIN: usize = 10;
/// The most records that one list takes up.
const RECORDS_MAX: usize = 1_000_000;

/// One kind of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// Behind the prefix of the books.
    path: &'static str,
    /// The list's name in an answer.
    name: &'static str,
    step: Step,
}

/// Orders.
pub(super) const BILLS: Kind = Kind { path: "/bills", name: "bills", step: Step::Query };
/// Refunds.
pub(super) const REFUNDS: Kind = Kind { path: "/refunds", name: "refunds", step: Step::AskRefund };

impl BeeCloud {
    /// All records of that kind that were made in that time, each once. Late rows can push others onto
    /// the next page, so a row can come twice; none is lost, since the end of the time stands still.
    pub(super) async fn records(
        &self,
        cx: &Cx<'_>,
        kind: Kind,
        made: Range<Timestamp>,
    ) -> Result<Vec<Value>, ChannelError> {
        let path = format!("{}{}", self.account.books.prefix(), kind.path);
        let mut records = Records { made, seen: BTreeSet::new(), rows: Vec::new(), passed: 0 };
        loop {
            let reply = self.call(cx, Verb::Get, &path, &records.next_page()).await?;
            if results::class(reply.code, kind.step) != Class::Done {
                return Err(failure(&reply, kind.step, cx.now()));
            }
            if records.take(page(&reply, kind)?)? == Turn::Last {
                return Ok(records.rows);
            }
        }
    }
}

impl BeeCloud {
    /// The record of that number, whoever made the order.
    pub(super) async fn record_of(
        &self,
        cx: &Cx<'_>,
        number: &str,
    ) -> Result<Option<ListedOrder>, ChannelError> {
        let path = format!("{}{}", self.account.books.prefix(), BILLS.path);
        let asked = BillsQuery { bill_no: number, channel: None };
        let reply = self.call(cx, Verb::Get, &path, &asked).await?;
        match results::class(reply.code, Step::Query) {
            Class::Done => {}
            Class::Absent => return Ok(None),
            _ => return Err(failure(&reply, Step::Query, cx.now())),
        }
        let is_of_it = |row: &&Value| row.get("bill_no").and_then(Value::as_str) == Some(number);
        let mut seen = BTreeSet::new();
        let rows = page(&reply, BILLS)?.iter().filter(is_of_it).filter(|row| seen.insert(identity(row)));
        let orders: Result<Vec<_>, _> = rows.map(listed_order).collect();
        orders.map(one_of)
    }
}

fn page(reply: &Reply, kind: Kind) -> Result<&[Value], ChannelError> {
    let rows = reply.fields.get(kind.name).and_then(Value::as_array);
    rows.map(Vec::as_slice)
        .ok_or_else(|| ChannelError::unknown(format!("code 0 without the list `{}`", kind.name)))
}

/// Whether more pages can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Next,
    Last,
}

/// What was listed so far.
struct Records {
    made: Range<Timestamp>,
    seen: BTreeSet<String>,
    rows: Vec<Value>,
    /// Rows that came, twice or not.
    passed: usize,
}

impl Records {
    fn next_page(&self) -> Page {
        Page {
            start_time: self.made.start.ms(),
            // Both ends are included there.
            end_time: self.made.end.ms().saturating_sub(1),
            skip: self.passed,
            limit: PAGE_MAX,
        }
    }

    fn take(&mut self, page: &[Value]) -> Result<Turn, ChannelError> {
        let before = self.seen.len();
        for row in page {
            // A server that reads the ends differently shows more; a row without a time is an error.
            let is_asked_for = self.made.contains(&made_at(row)?);
            if self.seen.insert(identity(row)) && is_asked_for {
                self.rows.push(row.clone());
            }
        }
        self.passed = self.passed.saturating_add(page.len());
        if page.len() < PAGE_MIN {
            return Ok(Turn::Last);
        }
        if self.seen.len() == before {
            return Err(ChannelError::unknown("BeeCloud's list repeats itself instead of ending"));
        }
        if self.rows.len() > RECORDS_MAX {
            return Err(ChannelError::unknown("more records than can be listed; ask for a shorter time"));
        }
        Ok(Turn::Next)
    }
}

/// What makes a row the same row: its record id, else all of it.
fn identity(row: &Value) -> String {
    let id = row.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    id.map_or_else(|| row.to_string(), str::to_owned)
}
