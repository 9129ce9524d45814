//! The table `transfers`: one row a payout.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transfers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub app: String,
    #[sea_orm(column_type = "Text")]
    pub transfer_no: String,
    #[sea_orm(column_type = "Text")]
    pub channel: String,
    #[sea_orm(column_type = "Text")]
    pub provider: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    #[sea_orm(column_type = "Text")]
    pub product: String,
    #[sea_orm(column_type = "Text")]
    pub payee_masked: String,
    #[sea_orm(column_type = "Text")]
    pub reason: String,
    pub livemode: bool,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub fence: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub action_url: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub failure: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub reference: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub fingerprint: String,
    pub events: i64,
    pub created_at: i64,
    pub ended_at: Option<i64>,
    pub check_at: Option<i64>,
    pub checks: i64,
    #[sea_orm(column_type = "Text", nullable)]
    pub front: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
