//! What can be made to go wrong, and when it does.
//!
//! Rules stand in the order in which they came. The first one that matches, has turns left and
//! whose chance comes true is taken; each call and each try of a webhook meets at most one.
//! What a fault does is in `call` (calls) and `courier` (webhooks).

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// The most rules that may stand at once.
pub const RULES_MAX: usize = 10_000;

/// What goes wrong with a call. Times are real milliseconds, whatever the time scale is: they meet
/// the real deadlines of whoever calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CallFault {
    /// The call waits before it is worked on, also when the caller has gone by then.
    Latency {
        /// How long.
        ms: u64,
    },
    /// The call is worked on at once; its answer waits.
    Hang {
        /// How long; 30 s when absent.
        #[serde(default = "thirty_seconds")]
        ms: u64,
    },
    /// The connection is closed without a byte of an answer; the call has no effect.
    CloseBefore,
    /// The call is worked on, then the connection is closed without a byte of an answer.
    CloseAfter,
    /// HTTP 500 with an empty body.
    #[serde(rename = "http_500")]
    Http500 {
        /// Whether the call has its effect all the same.
        #[serde(default)]
        effect: FaultEffect,
    },
    /// HTTP 502 with a page of HTML, as a proxy writes it.
    #[serde(rename = "html_502")]
    Html502 {
        /// Whether the call has its effect all the same.
        #[serde(default)]
        effect: FaultEffect,
    },
    /// The call is worked on; its answer has status 200 and is not readable JSON.
    Malformed,
    /// The call is worked on; the connection is closed halfway through the answer's body.
    Truncated,
    /// The protocol's own result code, such as 14 or 7. Never meets a call whose sign or form was
    /// refused: that has its code already.
    Code {
        /// The code.
        code: i64,
        /// Whether the call has its effect all the same.
        #[serde(default)]
        effect: FaultEffect,
    },
    /// The order that is made does not end by its own time: only money or a close ends it. Meets creates only.
    NeverEnds,
    /// The payer pays and the webhook is tried before the create is answered. Meets creates only.
    PaidBeforeAnswer,
    /// The refund is done and its webhook tried before its call is answered. Meets refunds only.
    RefundedBeforeAnswer,
}

/// Whether a call that is answered with an error has its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultEffect {
    /// Nothing happens.
    #[default]
    None,
    /// It happens as if all were well.
    Done,
}

const fn thirty_seconds() -> u64 {
    30_000
}

/// What goes wrong with one try of a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NoticeFault {
    /// It counts as tried and is not sent.
    Lost,
    /// It is sent twice, whatever the first is answered.
    Duplicate,
    /// It comes late.
    Late {
        /// By how much; the time scale applies.
        ms: u64,
    },
    /// Its sign is wrong.
    BadSignature,
    /// It tells another sum, rightly signed.
    WrongAmount {
        /// The sum in minor units; one less than was paid when absent.
        #[serde(default)]
        amount: Option<i64>,
    },
    /// Every field stands in it a second time, in camel case.
    CamelTwins,
    /// Its time is cut to the whole minute.
    MinuteCut,
    /// It is signed with a secret that is not in force any more.
    RotatedSecret,
    /// It is another account's, sent to this one's address.
    OtherAccount,
}

impl CallFault {
    /// Whether it could do anything to a call of that operation. Where it could not it is neither
    /// taken nor counted.
    fn meets(&self, operation: &str) -> bool {
        match self {
            Self::PaidBeforeAnswer | Self::NeverEnds => operation == "pay",
            Self::RefundedBeforeAnswer => operation == "refund",
            Self::Code { .. } => operation != "unread",
            _ => true,
        }
    }

    /// Its word in the statistics: the `kind` of its JSON form.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Hang { .. } => "hang",
            Self::CloseBefore => "close_before",
            Self::CloseAfter => "close_after",
            Self::Http500 { .. } => "http_500",
            Self::Html502 { .. } => "html_502",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Code { .. } => "code",
            Self::NeverEnds => "never_ends",
            Self::PaidBeforeAnswer => "paid_before_answer",
            Self::RefundedBeforeAnswer => "refunded_before_answer",
        }
    }
}

impl NoticeFault {
    /// Its word in the statistics: the `kind` of its JSON form.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicate => "duplicate",
            Self::Late { .. } => "late",
            Self::BadSignature => "bad_signature",
            Self::WrongAmount { .. } => "wrong_amount",
            Self::CamelTwins => "camel_twins",
            Self::MinuteCut => "minute_cut",
            Self::RotatedSecret => "rotated_secret",
            Self::OtherAccount => "other_account",
        }
    }
}

/// Which calls or webhooks a fault meets, how often, and how likely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule<F> {
    /// Only calls of this operation: `pay`, `query`, `list`, `count`, `cancel`, `refund`,
    /// `query_refund`, `list_refunds`, `count_refunds`, `native` or `unread` (its sign or form was
    /// refused). Absent: any. Means nothing for webhooks.
    #[serde(default)]
    pub operation: Option<String>,
    /// Only those about this number, of an order or of a refund. Absent: any.
    #[serde(default)]
    pub number: Option<String>,
    /// How many matches to let pass first.
    #[serde(default)]
    pub skip: u32,
    /// How often at most. Absent: once, or without end where `per_million` is given.
    #[serde(default)]
    pub times: Option<u32>,
    /// How likely on each match, in a million. Absent: surely.
    #[serde(default)]
    pub per_million: Option<u32>,
    /// What goes wrong.
    pub fault: F,
}

impl<F> Rule<F> {
    /// The next match, once.
    pub fn once(fault: F) -> Self {
        Self { operation: None, number: None, skip: 0, times: None, per_million: None, fault }
    }

    /// Each match with that chance, without end.
    pub fn chance(per_million: u32, fault: F) -> Self {
        Self { per_million: Some(per_million), ..Self::once(fault) }
    }

    /// Only calls of this operation.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only those about this number.
    #[must_use]
    pub fn of(mut self, number: &str) -> Self {
        self.number = Some(number.to_owned());
        self
    }

    /// So often at most.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// After so many matches.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    fn matches(&self, operation: &str, number: Option<&str>) -> bool {
        self.operation.as_deref().is_none_or(|own| own == operation)
            && self.number.as_deref().is_none_or(|own| Some(own) == number)
    }

    /// Takes one turn, if it is this rule's. A rule with a chance and no `times` has no end.
    fn takes(&mut self, dice: &Dice) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        let is_endless = self.times.is_none() && self.per_million.is_some();
        let left = self.times.unwrap_or(1);
        if (left == 0 && !is_endless) || !dice.comes_true(self.per_million.unwrap_or(1_000_000)) {
            return false;
        }
        if !is_endless {
            self.times = Some(left - 1);
        }
        true
    }

    fn is_used_up(&self) -> bool {
        self.times == Some(0)
    }
}

/// All rules that stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// For calls.
    #[serde(default)]
    pub calls: Vec<Rule<CallFault>>,
    /// For webhooks.
    #[serde(default)]
    pub notices: Vec<Rule<NoticeFault>>,
}

impl FaultPlan {
    /// Adds rules behind those that stand.
    ///
    /// # Errors
    /// When more than [`RULES_MAX`] would stand; nothing is added then.
    pub(crate) fn extend(&mut self, more: Self) -> Result<(), TooManyRules> {
        let sum = [&self.calls, &more.calls].map(Vec::len).iter().sum::<usize>()
            + self.notices.len()
            + more.notices.len();
        if sum > RULES_MAX {
            return Err(TooManyRules);
        }
        self.calls.extend(more.calls);
        self.notices.extend(more.notices);
        Ok(())
    }

    pub(crate) fn draw_call(
        &mut self,
        operation: &str,
        number: Option<&str>,
        dice: &Dice,
    ) -> Option<CallFault> {
        draw(&mut self.calls, |rule| rule.matches(operation, number) && rule.fault.meets(operation), dice)
    }

    pub(crate) fn draw_notice(&mut self, number: &str, dice: &Dice) -> Option<NoticeFault> {
        draw(&mut self.notices, |rule| rule.matches("notice", Some(number)), dice)
    }
}

/// Too many rules stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {RULES_MAX} rules may stand; delete some first")]
pub struct TooManyRules;

fn draw<F: Clone>(rules: &mut Vec<Rule<F>>, matches: impl Fn(&Rule<F>) -> bool, dice: &Dice) -> Option<F> {
    let at = rules.iter_mut().position(|rule| matches(rule) && rule.takes(dice))?;
    let fault = rules[at].fault.clone();
    if rules[at].is_used_up() {
        rules.remove(at);
    }
    Some(fault)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(plan: &mut FaultPlan, operation: &str, number: &str, draws: usize) -> Vec<&'static str> {
        let dice = Dice::seeded(1);
        let draw = |_| plan.draw_call(operation, Some(number), &dice).map_or("-", |fault| fault.word());
        (0..draws).map(draw).collect()
    }

    fn plan(calls: Vec<Rule<CallFault>>) -> FaultPlan {
        FaultPlan { calls, notices: Vec::new() }
    }

    #[test]
    fn rules_are_used_up_in_their_order() {
        let mut plan = plan(vec![
            Rule::once(CallFault::Malformed),
            Rule::once(CallFault::CloseAfter).times(2),
            Rule::once(CallFault::Truncated).after(1),
        ]);
        assert_eq!(
            words(&mut plan, "pay", "A1", 6),
            ["malformed", "close_after", "close_after", "-", "truncated", "-"]
        );
        assert_eq!(plan, FaultPlan::default());
    }

    #[test]
    fn a_rule_meets_only_what_it_names() {
        let rules = || {
            plan(vec![
                Rule::once(CallFault::Malformed).on("list").times(9),
                Rule::once(CallFault::Truncated).of("A1").times(9),
            ])
        };
        assert_eq!(words(&mut rules(), "list", "B2", 1), ["malformed"]);
        assert_eq!(words(&mut rules(), "pay", "A1", 1), ["truncated"]);
        assert_eq!(words(&mut rules(), "pay", "B2", 1), ["-"]);
    }

    #[test]
    fn a_fault_waits_for_a_call_that_it_can_do_something_to() {
        let rules = vec![Rule::once(CallFault::PaidBeforeAnswer)];
        assert_eq!(words(&mut plan(rules.clone()), "list", "A1", 2), ["-", "-"]);
        let mut waits = plan(rules);
        assert_eq!(words(&mut waits, "list", "A1", 1), ["-"]);
        assert_eq!(words(&mut waits, "pay", "A1", 2), ["paid_before_answer", "-"]);
        let mut refund = plan(vec![Rule::once(CallFault::RefundedBeforeAnswer)]);
        assert_eq!(words(&mut refund, "pay", "A1", 1), ["-"]);
        assert_eq!(words(&mut refund, "refund", "A1", 2), ["refunded_before_answer", "-"]);
        let mut code = plan(vec![Rule::once(CallFault::Code { code: 14, effect: FaultEffect::None })]);
        assert_eq!(words(&mut code, "unread", "A1", 1), ["-"]);
        assert_eq!(words(&mut code, "query", "A1", 2), ["code", "-"]);
    }

    #[test]
    fn a_chance_has_no_end_unless_it_says_so() {
        let hits = |rule| {
            words(&mut plan(vec![rule]), "pay", "A1", 1000).iter().filter(|word| **word != "-").count()
        };
        let often = hits(Rule::chance(100_000, CallFault::CloseBefore));
        assert!((60..140).contains(&often), "{often}");
        assert_eq!(hits(Rule::chance(100_000, CallFault::CloseBefore).times(3)), 3);
        assert_eq!(hits(Rule::chance(0, CallFault::CloseBefore)), 0);
    }

    #[test]
    fn reads_what_a_person_writes() {
        let plan: FaultPlan = serde_json::from_value(json!({
            "calls": [
                {"operation": "pay", "fault": {"kind": "http_500", "effect": "done"}},
                {"fault": {"kind": "hang"}},
                {"fault": {"kind": "code", "code": 14}},
            ],
            "notices": [{"number": "A1", "times": 3, "fault": {"kind": "wrong_amount", "amount": 5}}],
        }))
        .unwrap();
        assert_eq!(plan.calls[0].fault, CallFault::Http500 { effect: FaultEffect::Done });
        assert_eq!(plan.calls[1].fault, CallFault::Hang { ms: 30_000 });
        assert_eq!(plan.calls[2].fault, CallFault::Code { code: 14, effect: FaultEffect::None });
        assert_eq!(plan.notices[0].fault, NoticeFault::WrongAmount { amount: Some(5) });
        for bad in [
            json!({"calls": [{"fault": {"kind": "http_501"}}]}),
            json!({"calls": [{"fault": {"kind": "latency"}}]}),
            json!({"calls": [{"fault": {"kind": "malformed"}, "time": 1}]}),
            json!({"call": []}),
        ] {
            assert!(serde_json::from_value::<FaultPlan>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_are_the_kinds_of_the_json_form() {
        let calls = [
            CallFault::Latency { ms: 1 },
            CallFault::Hang { ms: 1 },
            CallFault::CloseBefore,
            CallFault::CloseAfter,
            CallFault::Http500 { effect: FaultEffect::None },
            CallFault::Html502 { effect: FaultEffect::None },
            CallFault::Malformed,
            CallFault::Truncated,
            CallFault::Code { code: 14, effect: FaultEffect::None },
            CallFault::NeverEnds,
            CallFault::PaidBeforeAnswer,
            CallFault::RefundedBeforeAnswer,
        ];
        for fault in calls {
            assert_eq!(serde_json::to_value(&fault).unwrap()["kind"], fault.word());
        }
        let notices = [
            NoticeFault::Lost,
            NoticeFault::Duplicate,
            NoticeFault::Late { ms: 1 },
            NoticeFault::BadSignature,
            NoticeFault::WrongAmount { amount: None },
            NoticeFault::CamelTwins,
            NoticeFault::MinuteCut,
            NoticeFault::RotatedSecret,
            NoticeFault::OtherAccount,
        ];
        for fault in notices {
            assert_eq!(serde_json::to_value(&fault).unwrap()["kind"], fault.word());
        }
    }

    #[test]
    fn rules_have_a_limit() {
        let many = |count| plan(vec![Rule::once(CallFault::Malformed); count]);
        let mut stands = many(RULES_MAX - 1);
        assert_eq!(stands.extend(many(2)), Err(TooManyRules));
        assert_eq!(stands.extend(many(1)), Ok(()));
        assert_eq!(stands.calls.len(), RULES_MAX);
    }
}
