//! Locks and atomics of what several threads share while payments are routed: the standard library's, or, with the
//! feature `schedules`, those of an explorer that tries out in which order threads can come to them.

#[cfg(not(feature = "schedules"))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

#[cfg(feature = "schedules")]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
