//! Broken lines: between paymux and the provider, the database, the merchant (whom it tells, and who calls)
//! stands a proxy that cuts, resets, stalls and refuses. What must hold is money's truth, not a fair answer.

mod callers;
mod database;
mod merchant;
mod provider;
