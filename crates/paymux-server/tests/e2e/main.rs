//! The real binary from outside: started with a configuration file on either database, called over HTTP,
//! with the simulated provider on the other side.
//!
//! [`crash`] is the crash harness, which kills it in the middle of things; [`chaos`] breaks its lines to the others.

#[cfg(test)]
mod at_once;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod cloudpay;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crash_points;
#[cfg(test)]
mod database;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod fronts;
#[cfg(test)]
mod fufu;
#[cfg(test)]
mod http;
#[cfg(test)]
mod import;
#[cfg(test)]
mod ledger_commands;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod merchant;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod payment;
#[cfg(test)]
mod process;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod told;
#[cfg(test)]
mod world;
