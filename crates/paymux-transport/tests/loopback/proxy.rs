//! The environment has no say in where a call goes.

use std::process::{Command, Stdio};

use crate::support::{OK, Server, body, post, send};

const TARGET: &str = "PAYMUX_TEST_PROXY_TARGET";

/// Runs itself in a child process whose environment names a proxy: this process's own cannot be changed
/// safely.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "the environment is what this test is about")]
async fn proxy_variables_are_ignored() {
    if let Ok(target) = std::env::var(TARGET) {
        assert_eq!(body(&send(post(&target)).await), "ok");
        return;
    }
    let (proxy, server) = (Server::answering(OK).await, Server::answering(OK).await);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "proxy::proxy_variables_are_ignored"])
        .env(TARGET, server.url())
        .stdout(Stdio::null());
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        child.env(name, proxy.url());
    }
    let status = tokio::task::spawn_blocking(move || child.status().unwrap()).await.unwrap();
    assert!(status.success());
    assert_eq!((proxy.connections_at_last().await, server.connections_at_last().await), (0, 1));
}
