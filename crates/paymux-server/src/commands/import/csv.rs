//! Orders in a table of a merchant's own: comma-separated values with a heading (RFC 4180), one paid order a line.

use std::path::Path;

use paymux_core::channel::{ListedOrder, ListedTerms};
use paymux_core::{Currency, Method, Money, Timestamp};

/// The largest table that is read, in bytes (64 MiB).
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// So many mistakes are told; further ones are counted.
const TOLD_MAX: usize = 20;

/// What a column tells. The first four must be there.
const COLUMNS: [&str; 10] = [
    "number",
    "amount",
    "method",
    "created_at",
    "received",
    "currency",
    "paid_at",
    "trade_no",
    "reference",
    "subject",
];
const NEEDED: usize = 4;

/// The orders of that file.
///
/// # Errors
/// Every mistake with its line, up to a bound: nothing of such a file is taken.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<ListedOrder>> {
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| anyhow::anyhow!("{name}: cannot be read: {error}"))?;
    if bytes.len() > FILE_BYTES_MAX {
        anyhow::bail!("{name}: has more than {FILE_BYTES_MAX} bytes; split it");
    }
    let text = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{name}: not UTF-8"))?;
    orders(&text).map_err(|mistakes| {
        let mut lines: Vec<String> =
            mistakes.iter().take(TOLD_MAX).map(|mistake| format!("{name}:{mistake}")).collect();
        if mistakes.len() > TOLD_MAX {
            lines.push(format!("and {} more", mistakes.len() - TOLD_MAX));
        }
        anyhow::anyhow!("{}", lines.join("\n"))
    })
}

fn orders(text: &str) -> Result<Vec<ListedOrder>, Vec<String>> {
    // Excel begins a table with a mark.
    let mut records = records(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|told| vec![told])?;
    if records.is_empty() {
        return Err(vec![format!("1: write a heading: {}", COLUMNS.join(","))]);
    }
    let places = places(&records.remove(0).1)?;
    let (mut orders, mut mistakes) = (Vec::new(), Vec::new());
    for (line, cells) in &records {
        match (Row { cells, places: &places }).order() {
            Ok(order) => orders.push(order),
            Err(rule) => mistakes.push(format!("{line}: {rule}")),
        }
    }
    if mistakes.is_empty() { Ok(orders) } else { Err(mistakes) }
}

/// Where each column stands.
type Places = [Option<usize>; COLUMNS.len()];

fn places(heading: &[String]) -> Result<Places, Vec<String>> {
    let mut places: Places = [None; COLUMNS.len()];
    let mut mistakes = Vec::new();
    for (place, name) in heading.iter().enumerate() {
        match COLUMNS.iter().position(|column| *column == name.trim()) {
            None => {
                mistakes.push(format!("1: unknown column `{}`; known: {}", name.trim(), COLUMNS.join(", ")));
            }
            Some(column) if places[column].is_some() => {
                mistakes.push(format!("1: column `{}` stands twice", COLUMNS[column]));
            }
            Some(column) => places[column] = Some(place),
        }
    }
    let missing = COLUMNS.iter().zip(&places).take(NEEDED).filter(|(_, place)| place.is_none());
    mistakes.extend(missing.map(|(name, _)| format!("1: column `{name}` is missing")));
    if mistakes.is_empty() { Ok(places) } else { Err(mistakes) }
}

/// One line of the table.
struct Row<'a> {
    cells: &'a [String],
    places: &'a Places,
}

impl Row<'_> {
    fn order(&self) -> Result<ListedOrder, String> {
        let currency = self.maybe("currency", |text| {
            Currency::from_code(text).ok_or_else(|| "write an ISO 4217 code in capitals, like CNY".to_owned())
        })?;
        let money = |text: &str| {
            let minor = text.parse().ok().filter(|minor: &i64| *minor > 0);
            let minor = minor.ok_or_else(|| "write minor units, more than zero".to_owned())?;
            Ok(Money::new(minor, currency.unwrap_or(Currency::CNY)))
        };
        let moment = |text: &str| {
            text.parse::<Timestamp>().map_err(|_| "write a moment like 2024-03-01T09:30:00+08:00".to_owned())
        };
        let words = |text: &str| Ok(text.to_owned());
        let amount = self.needed("amount", money)?;
        Ok(ListedOrder {
            number: self.needed("number", words)?,
            amount: Some(amount),
            received: Some(self.maybe("received", money)?.unwrap_or(amount)),
            reverted: false,
            flaw: None,
            created_at: self.needed("created_at", moment)?,
            terms: Some(Box::new(ListedTerms {
                method: self.needed("method", |text| text.parse::<Method>().map_err(|e| e.to_string()))?,
                memo: String::new(),
                subject: self.maybe("subject", words)?.unwrap_or_default(),
                reference: self.maybe("reference", words)?,
                trade_no: self.maybe("trade_no", words)?,
                paid_at: self.maybe("paid_at", moment)?,
                refunded: false,
            })),
        })
    }

    fn needed<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
        self.maybe(name, read)?.ok_or_else(|| format!("{name}: required"))
    }

    /// An empty cell tells nothing.
    fn maybe<T>(&self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
        let column = COLUMNS.iter().position(|column| *column == name);
        let place = column.and_then(|column| self.places.get(column).copied().flatten());
        let text = place.and_then(|place| self.cells.get(place)).map_or("", |cell| cell.trim());
        if text.is_empty() {
            return Ok(None);
        }
        read(text).map(Some).map_err(|rule| format!("{name}: {rule}"))
    }
}

/// The records of the table, each with the line on which it begins; empty lines are none.
fn records(text: &str) -> Result<Vec<(usize, Vec<String>)>, String> {
    let (mut records, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut is_quoted) = (1, 1, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if is_quoted => {
                is_quoted = false;
                if !matches!(chars.peek(), None | Some(',' | '\r' | '\n')) {
                    return Err(format!("{line}: after a quoted cell a comma or the line's end must follow"));
                }
            }
            '"' if cell.is_empty() => is_quoted = true,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !is_quoted => {
                end(&mut records, begun, &mut cells, &mut cell);
                line += 1;
                begun = line;
            }
            c => {
                line += usize::from(c == '\n');
                cell.push(c);
            }
        }
    }
    if is_quoted {
        return Err(format!("{begun}: a quoted cell does not end"));
    }
    end(&mut records, begun, &mut cells, &mut cell);
    Ok(records)
}

fn end(records: &mut Vec<(usize, Vec<String>)>, begun: usize, cells: &mut Vec<String>, cell: &mut String) {
    if cells.is_empty() && cell.trim().is_empty() {
        cell.clear();
        return;
    }
    cells.push(std::mem::take(cell));
    records.push((begun, std::mem::take(cells)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "number,amount,method,created_at";

    #[test]
    fn a_line_is_a_paid_order() {
        let text = "\u{feff}subject,number,amount,received,currency,method,created_at,paid_at,trade_no,reference\r\n\
                    \"Tea, \"\"green\"\"\",A-1,1999,1899,CNY,wechat.native,2024-03-01T09:30:00+08:00,\
                    2024-03-01T01:31:00Z,T1,b-1\r\n\r\n,A-2,5,,,alipay.web,2024-03-01T01:30:00Z,,,";
        let orders = orders(text).unwrap();
        let terms = orders[0].terms.as_deref().unwrap();
        assert_eq!((orders[0].number.as_str(), orders[0].amount), ("A-1", Some(Money::fen(1999))));
        assert_eq!(orders[0].received, Some(Money::fen(1899)));
        assert_eq!(orders[0].created_at.to_string(), "2024-03-01T01:30:00.000Z");
        assert_eq!(
            (terms.subject.as_str(), terms.method.to_string().as_str()),
            ("Tea, \"green\"", "wechat.native")
        );
        assert_eq!((terms.trade_no.as_deref(), terms.reference.as_deref()), (Some("T1"), Some("b-1")));
        assert_eq!(terms.paid_at.unwrap().to_string(), "2024-03-01T01:31:00.000Z");
        let terms = orders[1].terms.as_deref().unwrap();
        assert_eq!(
            (orders[1].received, terms.paid_at, terms.trade_no.as_ref()),
            (Some(Money::fen(5)), None, None)
        );
        assert_eq!(orders.len(), 2);
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let good = "A1,1999,wechat.native,2024-03-01T01:30:00Z";
        let told = |text: &str| orders(text).unwrap_err();
        assert_eq!(told("").len(), 1);
        assert_eq!(told("number,amount,method"), ["1: column `created_at` is missing"]);
        assert_eq!(told(&format!("{HEADING},number"))[0], "1: column `number` stands twice");
        assert!(
            told(&format!("{HEADING},price"))[0].starts_with("1: unknown column `price`; known: number, ")
        );
        let rows = [
            ",1,wechat.native,2024-03-01T01:30:00Z",
            "A1,19.99,wechat.native,2024-03-01T01:30:00Z",
            "A1,0,wechat.native,2024-03-01T01:30:00Z",
            "A1,1,wechat,2024-03-01T01:30:00Z",
            "A1,1,wechat.native,yesterday",
            good,
        ];
        let mistakes = told(&format!("{HEADING}\n{}", rows.join("\n")));
        let begin = ["2: number: required", "3: amount: ", "4: amount: ", "5: method: ", "6: created_at: "];
        assert_eq!(mistakes.len(), begin.len(), "{mistakes:?}");
        for (mistake, begin) in mistakes.iter().zip(begin) {
            assert!(mistake.starts_with(begin), "{mistake}");
        }
        assert_eq!(told(&format!("{HEADING}\n\"A1,1")), ["2: a quoted cell does not end"]);
        assert!(told(&format!("{HEADING}\n\"A1\"x,1"))[0].starts_with("2: after a quoted cell"));
    }
}
