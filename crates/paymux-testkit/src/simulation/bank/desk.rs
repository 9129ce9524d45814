//! What the bank does with each request.

use super::form::{Fields, is_signed, read, written};
use super::{Bank, Books, Order, Outgo, OutgoKind, Take};
use crate::simulation::accounts::{ASKED, Close, End, FOREIGN, Form, Outflow, PROMISE_MS_MAX, Pace};
use crate::simulation::faults::{Fault, Faults};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(in crate::simulation) struct Request {
    /// `GET` or `POST`.
    pub(in crate::simulation) verb: &'static str,
    /// Without the query.
    pub(in crate::simulation) path: String,
    /// Query or body.
    pub(in crate::simulation) text: String,
}

/// What it answers, and what comes of it later.
#[derive(Debug)]
pub(in crate::simulation) struct Reply {
    /// The HTTP status.
    pub(in crate::simulation) status: u16,
    /// The body.
    pub(in crate::simulation) text: String,
    /// What is to follow.
    pub(in crate::simulation) next: Vec<Followup>,
}

/// What follows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulation) enum Followup {
    /// An order came to be.
    Opened(String),
    /// That order holds money now: tell.
    Took(String),
    /// The payer at the till types, and pays or gives up.
    Types(String),
    /// That outflow was taken in and ends later.
    Pends(OutgoKind, String),
    /// That outflow waits for a person.
    Waits(OutgoKind, String),
    /// That outflow has ended: tell.
    Ended(OutgoKind, String),
}

type Pairs = Vec<(&'static str, String)>;

fn text(value: impl Into<String>) -> String {
    value.into()
}

impl Bank {
    /// Does what is asked.
    pub(in crate::simulation) fn handle(&self, request: &Request, faults: &Faults, now: i64) -> Reply {
        let Some(fields) = read(&request.text).filter(|fields| is_signed(fields, &self.secret)) else {
            return Reply { status: 400, text: text("unreadable"), next: Vec::new() };
        };
        let number = fields.get("number").cloned().unwrap_or_default();
        let mut next = Vec::new();
        let mut books = self.books();
        let pairs = match (request.verb, request.path.as_str()) {
            ("POST", "/orders") => self.open(&mut books, &number, &fields, faults, now, &mut next),
            ("GET", "/orders") => self.show(&books, &number, now),
            ("POST", "/close") => self.close(&mut books, &number, faults, now),
            ("POST", "/backs") => self.move_out(&mut books, OutgoKind::Back, &fields, faults, now, &mut next),
            ("POST", "/payouts") => {
                self.move_out(&mut books, OutgoKind::Payout, &fields, faults, now, &mut next)
            }
            ("GET", "/backs") => show_outgo(&mut books, OutgoKind::Back, &number),
            ("GET", "/payouts") => show_outgo(&mut books, OutgoKind::Payout, &number),
            _ => return Reply { status: 404, text: text("no such call"), next: Vec::new() },
        };
        let mut pairs = pairs;
        pairs.push(("number", number));
        Reply { status: 200, text: written(&pairs, &self.secret), next }
    }

    fn open(
        &self,
        books: &mut Books,
        number: &str,
        fields: &Fields,
        faults: &Faults,
        now: i64,
        next: &mut Vec<Followup>,
    ) -> Pairs {
        if books.buried.contains(number) {
            return vec![("result", text("repeat"))];
        }
        if let Some(order) = books.orders.get(number) {
            return self.opened_before(order, number, now);
        }
        if faults.strikes(Fault::OrderRefused) {
            // What was refused once is refused when the network delivers it again.
            books.buried.insert(number.to_owned());
            let blame = self.dice.one_of(&["request", "account", "provider"]);
            return vec![("result", text("refused")), ("blame", text(blame)), ("reason", text("limit"))];
        }
        let Some(order) = self.order(fields, faults, now) else {
            let blame = text("request");
            return vec![("result", text("refused")), ("blame", blame), ("reason", text("fields"))];
        };
        let amount = order.amount;
        books.orders.insert(number.to_owned(), order);
        next.push(Followup::Opened(number.to_owned()));
        if self.account.form == Form::Qr {
            return vec![("result", text("open")), ("action", self.action(number))];
        }
        self.charge(books, number, amount, now, next)
    }

    /// The number came again: the same order, and nothing new.
    fn opened_before(&self, order: &Order, number: &str, now: i64) -> Pairs {
        if self.account.form == Form::Qr && order.is_payable(self.account, now) {
            return vec![("result", text("open")), ("action", self.action(number))];
        }
        vec![("result", text("repeat"))]
    }

    /// What a payer's code says.
    fn action(&self, number: &str) -> String {
        format!("qr:{}:{number}", self.account.id)
    }

    fn order(&self, fields: &Fields, faults: &Faults, now: i64) -> Option<Order> {
        let amount = fields.get("amount")?.parse().ok().filter(|amount| *amount > 0)?;
        let life: i64 = fields.get("life_ms")?.parse().ok()?;
        let ends_at = match self.account.end {
            End::Timer { .. } => Some(now + life),
            End::Call { .. } | End::Never => None,
        };
        let hides = faults.strikes(Fault::OrderHidden);
        let most = if self.account.absent_after_ms.is_some() { PROMISE_MS_MAX } else { 600_000 };
        let hidden_for = if hides { self.dice.between(1000, most) } else { 0 };
        Some(Order {
            subject: fields.get("subject")?.clone(),
            opened_at: now,
            ends_at,
            visible_at: now + hidden_for,
            ..Order::fresh(amount)
        })
    }

    /// At the till: most codes pay at once, some payers have to type, some cannot pay.
    fn charge(
        &self,
        books: &mut Books,
        number: &str,
        amount: i64,
        now: i64,
        next: &mut Vec<Followup>,
    ) -> Pairs {
        match self.dice.between(0, 99) {
            0..60 => {
                books.take(self.account, number, (amount, ASKED), 0, now);
                next.push(Followup::Took(number.to_owned()));
                receipt(&books.orders[number])
            }
            60..85 => {
                next.push(Followup::Types(number.to_owned()));
                vec![("result", text("paying"))]
            }
            _ => {
                if let Some(order) = books.orders.get_mut(number) {
                    order.ended_at = Some(now);
                }
                let blame = ("blame", text("request"));
                vec![("result", text("refused")), blame, ("reason", text("balance"))]
            }
        }
    }

    fn show(&self, books: &Books, number: &str, now: i64) -> Pairs {
        match books.orders.get(number) {
            Some(order) if now >= order.visible_at => self.state(order, number, now),
            _ if books.buried.contains(number) => vec![("result", text("closed"))],
            _ => vec![("result", text("absent"))],
        }
    }

    fn state(&self, order: &Order, number: &str, now: i64) -> Pairs {
        if order.is_paid() {
            return receipt(order);
        }
        if order.ended_at.is_some() {
            return vec![("result", text("closed"))];
        }
        // Some say "open" for ever, some notice that the timer is over.
        if order.ends_at.is_some() && !order.is_payable(self.account, now) && number.ends_with(['0', '1']) {
            return vec![("result", text("closed"))];
        }
        vec![("result", text("open"))]
    }

    fn close(&self, books: &mut Books, number: &str, faults: &Faults, now: i64) -> Pairs {
        let unwilling = |why: &str| vec![("result", text("unwilling")), ("reason", text(why))];
        if self.account.close == Close::Never {
            return unwilling("unknown call");
        }
        if faults.strikes(Fault::CloseRefused) {
            return unwilling("busy");
        }
        // What is given back, or may be, it does not send back beside that.
        let gives_back = books.backs.values().any(|back| back.order == number && back.state != "failed");
        let Some(order) = books.orders.get_mut(number) else {
            if self.account.close == Close::EndsOrBuries {
                books.buried.insert(number.to_owned());
                return vec![("result", text("closed"))];
            }
            return unwilling("absent");
        };
        if matches!(self.account.end, End::Call { not_before_ms } if now < order.opened_at + not_before_ms) {
            return unwilling("too early");
        }
        let gives_back = gives_back || order.is_returned;
        let may_reverse = self.account.close == Close::EndsOrReverses && !gives_back;
        if order.is_paid() && may_reverse && now < order.opened_at + 600_000 {
            reverse(&mut order.takes, now);
        }
        if order.is_paid() && !(now >= order.visible_at && faults.strikes(Fault::CloseBlind)) {
            return receipt(order);
        }
        if order.may_be_paid_now(self.account, now) && faults.strikes(Fault::PaysWithClose) {
            let amount = order.amount;
            books.take(self.account, number, (amount, ASKED), 0, now);
        }
        if let Some(order) = books.orders.get_mut(number) {
            order.ended_at = order.ended_at.or(Some(now));
        }
        vec![("result", text("closed"))]
    }

    fn move_out(
        &self,
        books: &mut Books,
        of: OutgoKind,
        fields: &Fields,
        faults: &Faults,
        now: i64,
        next: &mut Vec<Followup>,
    ) -> Pairs {
        let refused = |why: &str| vec![("result", text("refused")), ("reason", text(why))];
        let habit = match of {
            OutgoKind::Back => self.account.refund,
            OutgoKind::Payout => self.account.payout,
        };
        let Some((habit, number)) = habit.zip(fields.get("number")) else { return refused("unknown call") };
        if let Some(known) = books.outgoes(of).get_mut(number) {
            if !habit.idempotent && known.state == "done" {
                // No check at all: whoever sends it twice pays twice.
                known.left_at.push(now);
            }
            return outgo_state(known);
        }
        let amount = fields.get("amount").and_then(|amount| amount.parse().ok()).unwrap_or(0);
        let order = fields.get("order").cloned().unwrap_or_default();
        if of == OutgoKind::Back && !books.orders.get(&order).is_some_and(Order::is_paid) {
            return refused("not paid");
        }
        if amount <= 0 || books.buried.contains(number) || faults.strikes(Fault::OutflowRefused) {
            books.buried.insert(number.clone());
            return refused("limit");
        }
        let is_foreign = fields.get("currency").is_some_and(|currency| currency == FOREIGN);
        let currency = if is_foreign { FOREIGN } else { ASKED };
        let outgo = Outgo { currency, ..begin(habit, order, amount, now) };
        next.push(followup(habit, of, number));
        let pairs = outgo_state(&outgo);
        books.outgoes(of).insert(number.clone(), outgo);
        pairs
    }
}

/// What a query says of money: of the first sum that came.
fn receipt(order: &Order) -> Pairs {
    let Some(take) = order.takes.iter().find(|take| take.reversed_at.is_none()) else {
        return vec![("result", text("closed"))];
    };
    vec![
        ("result", text("paid")),
        ("received", take.amount.to_string()),
        ("currency", text(take.currency)),
        ("discount", take.discount.to_string()),
        ("trade_no", take.trade_no.clone()),
    ]
}

fn reverse(takes: &mut [Take], now: i64) {
    for take in takes {
        take.reversed_at = take.reversed_at.or(Some(now));
    }
}

fn begin(habit: Outflow, order: String, amount: i64, now: i64) -> Outgo {
    let (state, left_at) = match habit.pace {
        Pace::AtOnce => ("done", vec![now]),
        Pace::Later => ("pending", Vec::new()),
        Pace::ByPerson => ("person", Vec::new()),
    };
    Outgo { order, amount, currency: ASKED, state, left_at }
}

fn followup(habit: Outflow, of: OutgoKind, number: &str) -> Followup {
    let number = number.to_owned();
    match habit.pace {
        Pace::AtOnce => Followup::Ended(of, number),
        Pace::Later => Followup::Pends(of, number),
        Pace::ByPerson => Followup::Waits(of, number),
    }
}

fn show_outgo(books: &mut Books, of: OutgoKind, number: &str) -> Pairs {
    match books.outgoes(of).get(number) {
        Some(outgo) => outgo_state(outgo),
        None => vec![("result", text("absent"))],
    }
}

fn outgo_state(outgo: &Outgo) -> Pairs {
    let mut pairs = vec![("result", text(outgo.state))];
    if outgo.state == "person" {
        pairs.push(("url", text("https://bank.example/approve")));
    }
    pairs
}
