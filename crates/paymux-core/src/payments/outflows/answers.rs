//! What a provider's answer about money on its way out means.

use super::{News, OutflowFacts, failure};
use crate::channel::{ChannelError, OutflowAnswer};
use crate::outflow::Happening;
use crate::payment::Failure;

type Answer = Result<OutflowAnswer, ChannelError>;

impl News {
    /// The answer of the one call that moves the money.
    pub(crate) fn of_call(answer: Answer) -> Self {
        match answer {
            Ok(OutflowAnswer::Pending { reference }) => referring(Happening::AnswerPending, reference),
            Ok(OutflowAnswer::Done { reference }) => referring(Happening::AnswerDone, reference),
            Ok(OutflowAnswer::Failed { code, message }) => {
                failing(Happening::AnswerFailed, refused(code, message))
            }
            Ok(OutflowAnswer::NeedsAction { url, message }) => {
                waiting(Happening::AnswerNeedsAction, url, message)
            }
            // It was just asked for: that it is not to be seen says nothing of what becomes of it.
            Ok(OutflowAnswer::NotFound) => {
                let what = "the provider took the call and shows nothing of it".to_owned();
                failing(Happening::AnswerUnknown, failure("unknown", what))
            }
            Err(ChannelError::Refused(refusal)) => {
                failing(Happening::AnswerFailed, refused(refusal.code, refusal.message))
            }
            Err(ChannelError::Unsupported) => {
                let what = ChannelError::Unsupported.to_string();
                failing(Happening::AnswerFailed, failure("refused", what))
            }
            Err(ChannelError::NotSent(why)) => {
                failing(Happening::AnswerNotSent, failure("not_sent", why.to_string()))
            }
            Err(ChannelError::Unknown(what)) => failing(Happening::AnswerUnknown, failure("unknown", what)),
        }
    }

    /// The answer of a query. One that gave no answer tells nothing, whatever the reason.
    pub(crate) fn of_query(answer: Answer) -> Self {
        match answer {
            Ok(OutflowAnswer::Pending { reference }) => referring(Happening::QueryPending, reference),
            Ok(OutflowAnswer::Done { reference }) => referring(Happening::QueryDone, reference),
            Ok(OutflowAnswer::Failed { code, message }) => {
                failing(Happening::QueryFailed, refused(code, message))
            }
            Ok(OutflowAnswer::NeedsAction { url, message }) => {
                waiting(Happening::QueryNeedsAction, url, message)
            }
            Ok(OutflowAnswer::NotFound) => Self::of(Happening::QueryNotFound),
            Err(_) => Self::of(Happening::QueryUnknown),
        }
    }

    /// That nothing was sent, for a reason of our own.
    pub(crate) fn not_sent(why: &str) -> Self {
        failing(Happening::AnswerNotSent, failure("not_sent", why.to_owned()))
    }
}

/// The metric label of an answer.
pub(crate) fn label(answer: &Answer) -> &'static str {
    match answer {
        Ok(OutflowAnswer::Pending { .. }) => "pending",
        Ok(OutflowAnswer::Done { .. }) => "done",
        Ok(OutflowAnswer::NeedsAction { .. }) => "needs_action",
        Ok(OutflowAnswer::Failed { .. }) | Err(ChannelError::Refused(_) | ChannelError::Unsupported) => {
            "refused"
        }
        Ok(OutflowAnswer::NotFound) | Err(ChannelError::Unknown(_)) => "unknown",
        Err(ChannelError::NotSent(_)) => "not_sent",
    }
}

fn referring(happening: Happening, reference: Option<String>) -> News {
    News::with(happening, OutflowFacts { reference, ..OutflowFacts::default() })
}

fn failing(happening: Happening, failure: Failure) -> News {
    News::with(happening, OutflowFacts { failure: Some(failure), ..OutflowFacts::default() })
}

fn waiting(happening: Happening, url: Option<String>, message: String) -> News {
    let failure = Some(failure("needs_action", message));
    News::with(happening, OutflowFacts { failure, action_url: url, ..OutflowFacts::default() })
}

fn refused(code: String, message: String) -> Failure {
    Failure { code: "refused".to_owned(), message, provider_code: Some(code) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Blame, Refusal};
    use crate::transport::NotSent;

    const CODES: [Option<&str>; 9] = [
        None,
        None,
        Some("refused"),
        Some("needs_action"),
        Some("unknown"),
        Some("refused"),
        Some("refused"),
        Some("not_sent"),
        Some("unknown"),
    ];

    fn answers() -> [Answer; 9] {
        let refusal = Refusal { code: "NO".to_owned(), message: "no".to_owned(), blame: Blame::Request };
        [
            Ok(OutflowAnswer::Pending { reference: Some("R".to_owned()) }),
            Ok(OutflowAnswer::Done { reference: Some("R".to_owned()) }),
            Ok(OutflowAnswer::Failed { code: "NO".to_owned(), message: "no".to_owned() }),
            Ok(OutflowAnswer::NeedsAction { url: Some("https://a".to_owned()), message: "open".to_owned() }),
            Ok(OutflowAnswer::NotFound),
            Err(ChannelError::Refused(refusal)),
            Err(ChannelError::Unsupported),
            Err(ChannelError::NotSent(NotSent::Connect)),
            Err(ChannelError::unknown("cut")),
        ]
    }

    #[test]
    fn a_call_is_judged_by_what_may_have_happened() {
        use Happening as H;
        let want = [
            H::AnswerPending,
            H::AnswerDone,
            H::AnswerFailed,
            H::AnswerNeedsAction,
            H::AnswerUnknown,
            H::AnswerFailed,
            H::AnswerFailed,
            H::AnswerNotSent,
            H::AnswerUnknown,
        ];
        for ((answer, want), code) in answers().into_iter().zip(want).zip(CODES) {
            let news = News::of_call(answer.clone());
            let failure = news.facts.failure.as_ref().map(|failure| failure.code.as_str());
            assert_eq!((news.happening, failure), (want, code), "{answer:?}");
        }
    }

    #[test]
    fn a_query_without_an_answer_tells_nothing() {
        use Happening as H;
        let want = [
            H::QueryPending,
            H::QueryDone,
            H::QueryFailed,
            H::QueryNeedsAction,
            H::QueryNotFound,
            H::QueryUnknown,
            H::QueryUnknown,
            H::QueryUnknown,
            H::QueryUnknown,
        ];
        for (answer, want) in answers().into_iter().zip(want) {
            assert_eq!(News::of_query(answer.clone()).happening, want, "{answer:?}");
        }
    }
}
