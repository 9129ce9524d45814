//! The table `callbacks`: what providers sent us, byte for byte.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "callbacks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    #[sea_orm(column_type = "Text")]
    pub channel: String,
    pub received_at: i64,
    #[sea_orm(column_type = "Text")]
    pub verb: String,
    #[sea_orm(column_type = "Text")]
    pub path: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub query: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub headers: String,
    pub body: Vec<u8>,
    pub size: i64,
    #[sea_orm(column_type = "Text")]
    pub verdict: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub event_key: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub payment: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub detail: Option<String>,
    pub settled_at: Option<i64>,
    pub times: i64,
    pub spare: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
