//! A client of HTTP/1.1 on one connection that stays open, for whatever calls in `end_to_end.rs`.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One connection.
pub(crate) struct Caller {
    line: SendRequest<Full<Bytes>>,
    host: String,
    authorization: Option<String>,
}

impl Caller {
    /// Connects, and says `authorization` with each request where one is given.
    pub(crate) async fn connect(address: SocketAddr, authorization: Option<&str>) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (line, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { line, host: address.to_string(), authorization: authorization.map(str::to_owned) })
    }

    /// Posts a JSON body, and gives status and body of the answer.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<(u16, Bytes), Failure> {
        let mut request =
            Request::post(path).header("host", &self.host).header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        self.line.ready().await?;
        let answer = self.line.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}
