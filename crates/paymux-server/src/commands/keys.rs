//! `paymux keys new`.

use super::End;
use super::console;
use crate::rng::Keys;

/// Prints a fresh API key and a fresh notice secret.
pub(super) fn new(json: bool) -> End {
    let keys = match Keys::fresh() {
        Ok(keys) => keys,
        Err(error) => {
            console::error(&format!("{error:#}"));
            return End::Failed;
        }
    };
    let (api_key, notify_secret) = (keys.api_key.expose(), keys.notify_secret.expose());
    if json {
        console::line(&serde_json::json!({ "api_key": api_key, "notify_secret": notify_secret }).to_string());
    } else {
        console::line(&format!("api_key       {api_key}"));
        console::line(&format!("notify_secret {notify_secret}"));
    }
    End::Done
}
