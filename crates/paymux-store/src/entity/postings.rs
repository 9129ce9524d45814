//! The table `postings`: the books: one row a movement of money.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "postings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub id: String,
    pub at: i64,
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub debit: String,
    #[sea_orm(column_type = "Text")]
    pub credit: String,
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub payment: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub attempt: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub refund: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub transfer: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
