//! Who calls, what it may use, and how much it may ask: the same for every front of ours.

use crate::bearer::{KeyError, bearer};
use crate::catalog::Scope;
use crate::error::PaymentError;
use crate::ids::AppId;
use crate::throttle::Admission;

use super::Payments;
use super::outflows;

impl Payments {
    /// The app whose key stands in the `authorization` fields of a request. The key is looked up by its digest: how
    /// long that takes tells nothing about any key.
    ///
    /// # Errors
    /// When there is no key, or one that opens nothing.
    pub fn caller<'a>(
        &self,
        authorization: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<AppId, KeyError> {
        let key = bearer(authorization)?;
        self.catalog().app_by_key(key).map(|app| app.id.clone()).ok_or(KeyError::Wrong)
    }

    /// Whether that app may use that part of the API.
    ///
    /// # Errors
    /// When its `scopes` do not list it.
    pub fn check_scope(&self, app: &AppId, scope: Scope) -> Result<(), PaymentError> {
        outflows::check_scope(&self.catalog(), app, scope)
    }

    /// Counts a request of that app, which is under way as long as what this gives is kept.
    ///
    /// # Errors
    /// When the app asks for more than it may.
    pub fn admit(&self, app: &AppId) -> Result<Admission, PaymentError> {
        let admitted = self.0.throttle.admit(app, self.catalog().allowance, self.clock().mono());
        admitted.map_err(|pause| PaymentError::RateLimited { pause })
    }
}
