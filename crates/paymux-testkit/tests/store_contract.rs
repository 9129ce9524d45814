//! The store in memory keeps the contract that the real ones are held to.

use paymux_testkit::store_contract::Subject;

async fn memory() -> Subject {
    Subject::memory()
}

paymux_testkit::store_contract!(memory);
