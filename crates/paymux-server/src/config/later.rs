//! Keys that the contract has and this version does not act on yet. They are refused by name: a rule
//! that is written down and silently not kept is worse than none.

/// What is said of each of them.
pub(super) const RULE: &str = "not supported by this version yet; remove it";

/// They, with `[]` for any place in a list.
const KEYS: [&str; 4] =
    ["server.grpc", "operators", "limits.requests_per_second", "limits.concurrent_requests"];

/// Whether the key of that shape comes later.
pub(super) fn is_key(shape: &str) -> bool {
    KEYS.contains(&shape)
}
