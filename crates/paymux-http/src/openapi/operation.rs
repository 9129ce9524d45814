//! One operation: a verb on a path, and all that its callers may know of it. It stands beside its handler, and the
//! handler reads from it which query keys there are.

use axum::routing::MethodFilter;
use paymux_core::catalog::Scope;

use super::schema::{Kind, Object};
use crate::problem::Refusal;

/// An operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// As the router writes it, and OpenAPI too: `/v1/payments/{id}`.
    pub(crate) path: &'static str,
    /// Its name in programs.
    pub(crate) id: &'static str,
    pub(crate) group: Group,
    /// What it does, in a few words.
    pub(crate) title: &'static str,
    /// What else there is to know.
    pub(crate) says: &'static str,
    /// What stands in the path.
    pub(crate) places: &'static [Param],
    /// What may stand in the query: nothing else is taken.
    pub(crate) query: &'static [Param],
    pub(crate) body: Body,
    /// Whether an `Idempotency-Key` may stand for it.
    pub(crate) is_keyed: bool,
    pub(crate) replies: &'static [Reply],
    /// Its own refusals; those of its kind are added in [`Operation::all_refusals`].
    pub(crate) refusals: &'static [Refusal],
    /// Who may call it: set by the router that guards it.
    pub(crate) access: Access,
}

impl Operation {
    /// `GET path`
    pub(crate) const fn get(path: &'static str, id: &'static str, group: Group) -> Self {
        Self {
            verb: Verb::Get,
            path,
            id,
            group,
            title: "",
            says: "",
            places: &[],
            query: &[],
            body: Body::None,
            is_keyed: false,
            replies: &[],
            refusals: &[],
            access: Access::Open,
        }
    }

    /// `POST path`, with a body that has nothing to say.
    pub(crate) const fn post(path: &'static str, id: &'static str, group: Group) -> Self {
        Self { verb: Verb::Post, body: Body::Empty, ..Self::get(path, id, group) }
    }

    /// What it refuses: its own refusals and those of its kind.
    pub(crate) fn all_refusals(&self) -> Vec<Refusal> {
        let mut all = self.refusals.to_vec();
        all.push(Refusal::Internal);
        if self.access != Access::Open {
            all.extend([Refusal::Unauthorized, Refusal::Overloaded]);
            if self.body != Body::Unread {
                all.push(Refusal::InvalidRequest);
            }
        }
        if matches!(self.access, Access::Scope(_)) {
            all.push(Refusal::Forbidden);
        }
        if matches!(self.body, Body::Empty | Body::Json(_) | Body::Raw) {
            all.extend([Refusal::RequestTimeout, Refusal::BodyTooLarge]);
        }
        if self.is_keyed {
            all.extend([Refusal::KeyMismatch, Refusal::InFlight]);
        }
        all.sort();
        all.dedup();
        all
    }
}

/// The verbs that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    Post,
}

impl Verb {
    /// As a request writes it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    /// As OpenAPI writes it.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }

    pub(crate) const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
        }
    }
}

/// What belongs together for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Payments,
    Refunds,
    Transfers,
    Routing,
    Events,
    Payers,
    Providers,
    Desk,
    Channels,
    Configuration,
    Sandbox,
    Probes,
    Manual,
}

impl Group {
    /// Its name, and what it is about.
    pub(crate) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Payments => ("Payments", "Take money."),
            Self::Refunds => ("Refunds", "Send money back, all of it or a part."),
            Self::Transfers => ("Transfers", "Pay out, on the channel that you name."),
            Self::Routing => ("Routing", "Which channel would take a payment, and why."),
            Self::Events => ("Events", "What your app was told, and how each notice fares."),
            Self::Payers => {
                ("Payers", "Pages for payers' browsers. Whoever knows a payment's id may see its page.")
            }
            Self::Providers => ("Providers", "Where providers' messages come in."),
            Self::Desk => ("Desk", "What waits for a person, and what that person says became of it."),
            Self::Channels => ("Channels", "Where channels stand in their lives, and what they do."),
            Self::Configuration => ("Configuration", "What is in force, read again."),
            Self::Sandbox => ("Sandbox", "Paying orders where no real money moves."),
            Self::Probes => ("Probes", "For whoever watches the process."),
            Self::Manual => ("Documentation", "This documentation, for programs and for people."),
        }
    }
}

/// Something that stands in the path or in the query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: fn() -> Kind,
    pub(crate) says: &'static str,
    pub(crate) is_required: bool,
    /// One that is right, for examples of calls.
    pub(crate) example: &'static str,
}

impl Param {
    /// A key that a query may have.
    pub(crate) const fn asked(name: &'static str, kind: fn() -> Kind, says: &'static str) -> Self {
        Self { name, kind, says, is_required: false, example: "" }
    }

    /// What must be there, and one of it.
    pub(crate) const fn needed(
        name: &'static str,
        kind: fn() -> Kind,
        says: &'static str,
        example: &'static str,
    ) -> Self {
        Self { name, kind, says, is_required: true, example }
    }
}

/// What a request's body is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// There is none.
    None,
    /// Nothing, or an empty object.
    Empty,
    /// An object of that form.
    Json(fn() -> Object),
    /// Whatever another's protocol puts there.
    Raw,
    /// Whatever it is, nobody looks at it, nor at the query.
    Unread,
}

impl PartialEq for Body {
    /// By kind: the form of an object is not compared.
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// An answer that is no refusal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    /// `None` where it may be any.
    pub(crate) status: Option<u16>,
    pub(crate) says: &'static str,
    pub(crate) content: Content,
}

impl Reply {
    /// An object.
    pub(crate) const fn json(status: u16, says: &'static str, object: fn() -> Object) -> Self {
        Self { status: Some(status), says, content: Content::Json(object) }
    }

    /// A page of a list.
    pub(crate) const fn list(says: &'static str, object: fn() -> Object) -> Self {
        Self { status: Some(200), says, content: Content::List(object) }
    }

    /// Something that is no JSON.
    pub(crate) const fn media(status: u16, says: &'static str, media_type: &'static str) -> Self {
        Self { status: Some(status), says, content: Content::Media(media_type) }
    }

    /// A browser is sent on.
    pub(crate) const fn elsewhere(says: &'static str) -> Self {
        Self { status: Some(303), says, content: Content::None }
    }
}

/// What an answer carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    None,
    Json(fn() -> Object),
    /// A page of a list of these.
    List(fn() -> Object),
    /// Something of that media type.
    Media(&'static str),
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Open,
    /// Any app, with its key.
    App,
    /// An app whose `scopes` list that.
    Scope(Scope),
    /// The operator.
    Operator,
}
