//! A payment as tests and benches of the router ask for it: 19.99 CNY by QR code, at two in the afternoon.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::catalog::Catalog;
use paymux_core::ids::{AppId, IdError, OrderNo};
use paymux_core::payment::Payer;
use paymux_core::router::Ask;
use paymux_core::{Money, Region};

/// What an [`Ask`] borrows.
#[derive(Debug)]
pub struct Want {
    order_no: OrderNo,
    payer: Payer,
    metadata: BTreeMap<String, String>,
}

impl Want {
    /// Of a payer in Shanghai.
    ///
    /// # Errors
    /// Never: the order number is one.
    pub fn new() -> Result<Self, IdError> {
        let payer = Payer { region: Region::from_code("CN-31"), ..Payer::default() };
        Ok(Self { order_no: OrderNo::new("A1001")?, payer, metadata: BTreeMap::new() })
    }

    /// What the router looks at of it, in that app.
    pub fn ask(&self, catalog: &Catalog, app: &AppId) -> Ask<'_> {
        Ask {
            app: catalog.app_slot(app),
            order_no: &self.order_no,
            amount: Money::fen(1999),
            method: crate::channel::QR,
            expires_in: Duration::from_mins(30),
            payer: &self.payer,
            metadata: &self.metadata,
            pin: None,
            minute: 14 * 60,
            full: &[],
        }
    }
}
