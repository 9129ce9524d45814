//! The table `deliveries`: the outbox: one row an event that has an address.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub event: String,
    #[sea_orm(column_type = "Text")]
    pub app: String,
    #[sea_orm(column_type = "Text")]
    pub state: String,
    pub next_at: i64,
    pub tries: i64,
    pub fence: i64,
    pub delivered_at: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub detail: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
