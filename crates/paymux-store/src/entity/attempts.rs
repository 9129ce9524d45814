//! The table `attempts`: one row a try of a payment on one channel.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub payment: String,
    pub ordinal: i64,
    #[sea_orm(column_type = "Text")]
    pub channel: String,
    #[sea_orm(column_type = "Text")]
    pub provider: String,
    #[sea_orm(column_type = "Text")]
    pub number: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub fence: i64,
    #[sea_orm(column_type = "Text")]
    pub memo: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub reference: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub trade_no: Option<String>,
    pub received: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub received_currency: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub failure: Option<String>,
    pub created_at: i64,
    pub ends_at: i64,
    pub check_at: Option<i64>,
    pub checks: i64,
    #[sea_orm(column_type = "Text")]
    pub more: String,
    pub refunding: i64,
    pub refunded: i64,
    pub closing_until: Option<i64>,
    pub contested: i64,
    pub said_paid_at: Option<i64>,
    pub limits_day: Option<i64>,
    pub reserved: i64,
    pub in_flight: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
