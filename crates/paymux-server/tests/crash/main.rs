//! The crash harness: the real binary under work, killed with `SIGKILL` again and again.
//!
//! The parent process holds the provider (simulated, with its own books), the merchant's endpoint
//! and the customers; it writes down every answer that acknowledged something. After the last kill
//! the books are compared: see [`judge`]. `PAYMUX_CRASH_KILLS` says how many kills on SQLite
//! (default 100; PostgreSQL takes a fifth of it), `PAYMUX_CRASH_SEED` replays a run's choices.
//!
//! A kill is not a power cut: what the operating system has taken survives it. That the disk has
//! it is read back from the database's settings at start.

#[cfg(test)]
mod child;
#[cfg(test)]
mod customers;
#[cfg(test)]
mod database;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod merchant;
#[cfg(test)]
mod run;
