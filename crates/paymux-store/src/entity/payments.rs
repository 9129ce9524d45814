//! The table `payments`: one row a payment.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub app: String,
    #[sea_orm(column_type = "Text")]
    pub order_no: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub amount_received: i64,
    pub amount_discount: i64,
    pub amount_refunded: i64,
    #[sea_orm(column_type = "Text")]
    pub method: String,
    #[sea_orm(column_type = "Text")]
    pub subject: String,
    pub livemode: bool,
    #[sea_orm(column_type = "Text", nullable)]
    pub held: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub next_action: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    pub paid_at: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub failure: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub metadata: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub return_url: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub notify_url: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub route: String,
    #[sea_orm(column_type = "Text")]
    pub fingerprint: String,
    pub version: i64,
    pub events: i64,
    pub cancel_requested: bool,
    #[sea_orm(column_type = "Text", nullable)]
    pub front: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub origin: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
