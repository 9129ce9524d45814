//! The store in memory keeps the contract that the real ones are held to.

use paymux_testkit::store_contract::{Subject, random};

async fn memory() -> Subject {
    Subject::memory()
}

paymux_testkit::store_contract!(memory);

/// Nothing in it hangs on anything but the seed.
#[tokio::test]
async fn two_of_them_answer_alike() {
    for seed in 0..40 {
        random::compare(seed, 400, &Subject::memory(), &Subject::memory()).await;
    }
}
