//! Where a request came from, for every event that it leads to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use indelible::event::{Context, Http};

/// The context of a request: its client's address and user agent, the request's id, method and path.
pub(crate) struct RequestContext(pub(crate) Context);

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        // An id that whoever forwarded the request gave it ties its log to this one. What is too long for one is none.
        let id = header("x-request-id").filter(|id| (1..=256).contains(&id.len()));
        let http = Http::new().method(parts.method.as_str()).path(parts.uri.path());
        let mut context = Context::new()
            .request(id.map_or_else(next_id, str::to_owned))
            .http(http);
        if let Some(agent) = header(USER_AGENT.as_str()) {
            context = context.user_agent(agent);
        }
        // Behind a proxy of your own, this is the proxy: take the client's address from what the proxy says, and from nobody else.
        if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
            context = context.ip(peer.ip());
        }
        Ok(Self(context))
    }
}

fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("req_{process}_{count}")
}
