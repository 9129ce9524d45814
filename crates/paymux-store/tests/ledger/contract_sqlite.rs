//! The ledger on SQLite keeps the contract, and answers random sequences as the model does.

use paymux_testkit::store_contract::{Subject, random};

use crate::support::sqlite;

paymux_testkit::store_contract!(sqlite);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_random_sequences_as_the_model_does() {
    for seed in 0..SEEDS {
        let subject = sqlite().await;
        random::compare(seed, STEPS, &Subject::memory(), &subject).await;
    }
}

const SEEDS: u64 = 24;
const STEPS: u32 = 300;
