//! The least that a router of payments can be, for comparison: a server that parses, writes, calls the provider on a
//! kept connection, writes, answers; a writer that puts all waiting writes into one durable commit; and a provider
//! that says yes at once. No routing, no signs but the callback's, no states, no books, no events.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use paymux_sign::{HexCase, Md5Digest, Md5Text};
use rusqlite::Connection;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

use crate::caller::{Caller, Failure};

/// The account of both, made up.
pub(crate) const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
pub(crate) const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";
/// The most writes in one commit.
const BATCH_MAX: usize = 256;
/// What the provider answers to every create.
const OPENED: &str = r#"{"result_code":0,"result_msg":"OK","err_detail":"","id":"record-1","code_url":"weixin://wxpay/bizpayurl?pr=x"}"#;

/// One durable write of a payment.
pub(crate) enum Write {
    /// The payment and its attempt, before the provider is called.
    Open { number: String, amount: i64 },
    /// What the provider said.
    Opened { number: String, action: String },
    /// What a callback said.
    Paid { number: String, received: i64 },
}

/// Where writes are handed in.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<(Write, oneshot::Sender<()>)>);

impl Writer {
    /// A ledger of two tables in a new file, durable as paymux's own is.
    pub(crate) fn open(file: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(file)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE payments (number TEXT PRIMARY KEY, amount INTEGER NOT NULL, status TEXT NOT NULL,
                 received INTEGER NOT NULL, action TEXT) STRICT;
             CREATE TABLE attempts (number TEXT PRIMARY KEY, payment TEXT NOT NULL, state TEXT NOT NULL) STRICT;",
        )?;
        let (queue, writes) = mpsc::channel();
        thread::spawn(move || serve(&connection, &writes).expect("a ledger that takes what it is given"));
        Ok(Self(queue))
    }

    /// Returns once it is on the disk.
    pub(crate) async fn write(&self, write: Write) -> Result<(), Failure> {
        let (caller, answer) = oneshot::channel();
        self.0.send((write, caller)).map_err(|_| "the writer has ended")?;
        Ok(answer.await?)
    }
}

fn serve(
    connection: &Connection,
    writes: &mpsc::Receiver<(Write, oneshot::Sender<()>)>,
) -> rusqlite::Result<()> {
    let mut payment = connection.prepare("INSERT INTO payments VALUES (?1, ?2, 'processing', 0, NULL)")?;
    let mut attempt = connection.prepare("INSERT INTO attempts VALUES (?1, ?1, 'sending')")?;
    let mut status = connection
        .prepare("UPDATE payments SET status = ?2, received = ?3, action = ?4 WHERE number = ?1")?;
    let mut state = connection.prepare("UPDATE attempts SET state = ?2 WHERE number = ?1")?;
    while let Ok(first) = writes.recv() {
        let batch: Vec<_> = [first].into_iter().chain(writes.try_iter().take(BATCH_MAX - 1)).collect();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (write, _) in &batch {
            match write {
                Write::Open { number, amount } => {
                    payment.execute((number, amount))?;
                    attempt.execute((number,))?;
                }
                Write::Opened { number, action } => {
                    status.execute((number, "pending", 0, action))?;
                    state.execute((number, "open"))?;
                }
                Write::Paid { number, received } => {
                    status.execute((number, "succeeded", received, None::<&str>))?;
                    state.execute((number, "paid"))?;
                }
            }
        }
        connection.execute_batch("COMMIT")?;
        for (_, caller) in batch {
            // One that went away has its write done all the same.
            let _ = caller.send(());
        }
    }
    Ok(())
}

/// Starts a provider that opens every order.
pub(crate) async fn provider() -> Result<SocketAddr, Failure> {
    let (listener, address) = listener().await?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let _ = stream.set_nodelay(true);
            let opened = service_fn(|request: Request<Incoming>| async move {
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(json(Bytes::from_static(OPENED.as_bytes())))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), opened));
        }
    });
    Ok(address)
}

/// Starts the bare pipeline. Each of its connections has one of its own to the provider.
pub(crate) async fn pipeline(provider: SocketAddr, writer: Writer) -> Result<SocketAddr, Failure> {
    let (listener, address) = listener().await?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            let _ = stream.set_nodelay(true);
            let Ok(out) = Caller::connect(provider, None).await else { return };
            let line = Arc::new(Line { out: Mutex::new(out), writer: writer.clone() });
            let answer = service_fn(move |request: Request<Incoming>| {
                let line = Arc::clone(&line);
                async move { line.answer(request).await.map(json) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    Ok(address)
}

async fn listener() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

/// What one connection works with.
struct Line {
    out: Mutex<Caller>,
    writer: Writer,
}

/// What a merchant sends.
#[derive(Deserialize)]
struct Create<'a> {
    order_no: &'a str,
    amount: i64,
    subject: &'a str,
}

/// What a provider answers.
#[derive(Deserialize)]
struct Opened<'a> {
    result_code: i64,
    code_url: &'a str,
}

/// What a provider sends.
#[derive(Deserialize)]
struct Callback<'a> {
    signature: &'a str,
    transaction_id: &'a str,
    transaction_fee: i64,
}

/// A provider's callback for a number of its, signed as BeeCloud signs.
pub(crate) fn callback(number: &str, amount: i64) -> String {
    let signature = sign(number, amount).to_hex();
    let signature = signature.as_str();
    format!(
        r#"{{"signature":"{signature}","timestamp":1709251260000,"channel_type":"WX","sub_channel_type":"WX_NATIVE","transaction_type":"PAY","transaction_id":"{number}","transaction_fee":{amount},"trade_success":true,"message_detail":{{"transaction_id":"4200000000202403010000000001","total_fee":"{amount}"}},"optional":{{}}}}"#
    )
}

fn sign(number: &str, amount: i64) -> Md5Digest {
    Md5Text::new().pieces([APP_ID, number, "PAY", "WX"]).number(amount).piece(MASTER_SECRET).digest()
}

impl Line {
    async fn answer(&self, request: Request<Incoming>) -> Result<Bytes, Failure> {
        let is_callback = request.uri().path() == "/notify";
        let body = request.into_body().collect().await?.to_bytes();
        if is_callback { self.paid(&body).await } else { self.create(&body).await }
    }

    async fn create(&self, body: &[u8]) -> Result<Bytes, Failure> {
        let Create { order_no, amount, subject } = serde_json::from_slice(body)?;
        let number = || order_no.to_owned();
        self.writer.write(Write::Open { number: number(), amount }).await?;
        let call = format!(
            r#"{{"channel":"WX_NATIVE","bill_no":"{order_no}","total_fee":{amount},"title":"{subject}"}}"#
        );
        let (_, answer) = self.out.lock().await.post("/2/rest/bill", call.into()).await?;
        let Opened { result_code, code_url } = serde_json::from_slice(&answer)?;
        if result_code != 0 {
            return Err("the provider opens every order".into());
        }
        self.writer.write(Write::Opened { number: number(), action: code_url.to_owned() }).await?;
        Ok(format!(r#"{{"id":"{order_no}","status":"pending","provider_order_no":"{order_no}","next_action":{{"type":"qr","qr":"{code_url}"}}}}"#).into())
    }

    async fn paid(&self, body: &[u8]) -> Result<Bytes, Failure> {
        let Callback { signature, transaction_id, transaction_fee } = serde_json::from_slice(body)?;
        if !Md5Digest::from_hex(signature, HexCase::Lower)?.matches(sign(transaction_id, transaction_fee)) {
            return Err("not signed".into());
        }
        let number = transaction_id.to_owned();
        self.writer.write(Write::Paid { number, received: transaction_fee }).await?;
        Ok(Bytes::from_static(b"success"))
    }
}
