//! `PaymentService`: payments, refunds and transfers. Parse, ask the core, answer.

use std::pin::Pin;

use futures_util::Stream;
use paymux_core::catalog::Scope;
use paymux_core::page;
use paymux_core::payment::NewPayment;
use paymux_core::{AppId, NewRefund, NewTransfer, Payment, PaymentError, Payments};
use tonic::{Request, Response, Status};

use crate::guard::{self, Keyed};
use crate::v1::payment_service_server::PaymentService;
use crate::watch::{Lasting, Watches};
use crate::{refusal, reply, request, v1};

/// How a call of one answer ends.
type Answer<T> = Result<Response<T>, Status>;

/// The service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) payments: Payments,
    pub(crate) watches: Watches,
}

impl Service {
    /// Whose call it is, if that app may use that part of the API.
    fn caller<T>(&self, request: &Request<T>, scope: Scope) -> Result<AppId, Status> {
        let app = guard::caller(request)?;
        self.payments.check_scope(&app, scope).map_err(no)?;
        Ok(app)
    }

    fn shown(&self, payment: &Payment) -> v1::Payment {
        reply::payment(&self.payments.catalog(), payment)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an error's table is applied by `map_err`")]
fn no(error: PaymentError) -> Status {
    refusal::of(&error)
}

#[tonic::async_trait]
impl PaymentService for Service {
    async fn create_payment(
        &self,
        request: Request<v1::CreatePaymentRequest>,
    ) -> Answer<v1::CreatePaymentResponse> {
        let app = self.caller(&request, Scope::Payments)?;
        let keyed = Keyed::of("CreatePayment", &request).map_err(refusal::invalid)?;
        let written = request::payment(request.into_inner()).map_err(refusal::invalid)?;
        let new = NewPayment::check(&written).map_err(refusal::invalid)?;
        let keyed = keyed.claiming_if(self.payments.check_payment(&app, &new).is_ok());
        let (payments, owner) = (self.payments.clone(), app.clone());
        let work = async move { payments.create(owner, new).await };
        let answer = keyed.carry_out(&self.payments, app, work).await?;
        let payment = Some(self.shown(&answer.payment));
        Ok(Response::new(v1::CreatePaymentResponse { payment, created: answer.is_new }))
    }

    async fn get_payment(&self, request: Request<v1::GetPaymentRequest>) -> Answer<v1::Payment> {
        let app = self.caller(&request, Scope::Payments)?;
        let id = request::payment_id(&request.get_ref().id).map_err(no)?;
        let payment = self.payments.find(&app, id).await.map_err(no)?;
        Ok(Response::new(self.shown(&payment)))
    }

    async fn list_payments(
        &self,
        request: Request<v1::ListPaymentsRequest>,
    ) -> Answer<v1::ListPaymentsResponse> {
        let app = self.caller(&request, Scope::Payments)?;
        let (filter, size) = request::filter(app, request.get_ref()).map_err(refusal::invalid)?;
        let payments = self.payments.list(&filter).await.map_err(no)?;
        let (shown, next_cursor) = size.cut(&payments, |last| page::cursor_at(last.id));
        let data = shown.iter().map(|payment| self.shown(payment)).collect();
        Ok(Response::new(v1::ListPaymentsResponse { data, next_cursor }))
    }

    async fn cancel_payment(&self, request: Request<v1::CancelPaymentRequest>) -> Answer<v1::Payment> {
        let app = self.caller(&request, Scope::Payments)?;
        let keyed = Keyed::of("CancelPayment", &request).map_err(refusal::invalid)?;
        let id = request::payment_id(&request.get_ref().id).map_err(no)?;
        let (payments, owner) = (self.payments.clone(), app.clone());
        let work = async move { payments.cancel(owner, id).await };
        let payment = keyed.carry_out(&self.payments, app, work).await?;
        Ok(Response::new(self.shown(&payment)))
    }

    async fn sync_payment(&self, request: Request<v1::SyncPaymentRequest>) -> Answer<v1::Payment> {
        let app = self.caller(&request, Scope::Payments)?;
        let keyed = Keyed::of("SyncPayment", &request).map_err(refusal::invalid)?;
        let id = request::payment_id(&request.get_ref().id).map_err(no)?;
        let (payments, owner) = (self.payments.clone(), app.clone());
        let work = async move { payments.sync(owner, id).await };
        let payment = keyed.carry_out(&self.payments, app, work).await?;
        Ok(Response::new(self.shown(&payment)))
    }

    async fn create_refund(
        &self,
        request: Request<v1::CreateRefundRequest>,
    ) -> Answer<v1::CreateRefundResponse> {
        let app = self.caller(&request, Scope::Refunds)?;
        let keyed = Keyed::of("CreateRefund", &request).map_err(refusal::invalid)?;
        let (payment, written) = request::refund(request.into_inner());
        let new = NewRefund::check(&written).map_err(refusal::invalid)?;
        let payment = request::payment_id(&payment).map_err(no)?;
        let (payments, owner) = (self.payments.clone(), app.clone());
        let work = async move { payments.refund(owner, payment, new).await };
        let answer = keyed.carry_out(&self.payments, app, work).await?;
        let refund = Some(reply::refund(&answer.refund));
        Ok(Response::new(v1::CreateRefundResponse { refund, created: answer.is_new }))
    }

    async fn get_refund(&self, request: Request<v1::GetRefundRequest>) -> Answer<v1::Refund> {
        let app = self.caller(&request, Scope::Refunds)?;
        let id = request::refund_id(&request.get_ref().id).map_err(no)?;
        let refund = self.payments.find_refund(&app, id).await.map_err(no)?;
        Ok(Response::new(reply::refund(&refund)))
    }

    async fn create_transfer(
        &self,
        request: Request<v1::CreateTransferRequest>,
    ) -> Answer<v1::CreateTransferResponse> {
        let app = self.caller(&request, Scope::Transfers)?;
        let keyed = Keyed::of("CreateTransfer", &request).map_err(refusal::invalid)?;
        let written = request::transfer(request.into_inner()).map_err(refusal::invalid)?;
        let new = NewTransfer::check(&written).map_err(refusal::invalid)?;
        let keyed = keyed.claiming_if(self.payments.check_transfer(&app, &new).is_ok());
        let (payments, owner) = (self.payments.clone(), app.clone());
        let work = async move { payments.transfer(owner, new).await };
        let answer = keyed.carry_out(&self.payments, app, work).await?;
        let transfer = Some(reply::transfer(&answer.transfer));
        Ok(Response::new(v1::CreateTransferResponse { transfer, created: answer.is_new }))
    }

    async fn get_transfer(&self, request: Request<v1::GetTransferRequest>) -> Answer<v1::Transfer> {
        let app = self.caller(&request, Scope::Transfers)?;
        let id = request::transfer_id(&request.get_ref().id).map_err(no)?;
        let transfer = self.payments.find_transfer(&app, id).await.map_err(no)?;
        Ok(Response::new(reply::transfer(&transfer)))
    }

    type WatchPaymentStream = Pin<Box<dyn Stream<Item = Result<v1::Payment, Status>> + Send + 'static>>;

    async fn watch_payment(
        &self,
        request: Request<v1::WatchPaymentRequest>,
    ) -> Answer<Self::WatchPaymentStream> {
        let app = self.caller(&request, Scope::Payments)?;
        let id = request::payment_id(&request.get_ref().id).map_err(no)?;
        let payment = self.payments.find(&app, id).await.map_err(no)?;
        let states: Self::WatchPaymentStream = Box::pin(self.watches.open(app, payment)?);
        let mut answer = Response::new(states);
        answer.extensions_mut().insert(Lasting);
        Ok(answer)
    }
}
