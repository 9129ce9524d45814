//! The ledger on PostgreSQL keeps the contract, and answers random sequences as the model does.

use paymux_testkit::store_contract::{Subject, random};

use crate::support::postgres;

paymux_testkit::store_contract!(postgres);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_random_sequences_as_the_model_does() {
    for seed in 0..SEEDS {
        let subject = postgres().await;
        random::compare(seed, STEPS, &Subject::memory(), &subject).await;
    }
}

const SEEDS: u64 = 12;
const STEPS: u32 = 300;
