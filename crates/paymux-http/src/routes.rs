//! The handlers, one file for each kind of caller: merchants, providers, payers, probes.

pub(crate) mod callbacks;
pub(crate) mod health;
pub(crate) mod payments;
pub(crate) mod returns;
