//! Where a request came from, for every event that it leads to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use indelible::event::{Context, Http};

/// The context of a request: its client's address and user agent, the request's id, method and route.
///
/// Anybody can send a request with anything in it. So nothing of it may make an event too large to be recorded, and what is kept for good (all but address and agent) is none of the client's words: the route stands for the path, and an id has the form of one.
pub(crate) struct RequestContext(pub(crate) Context);

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        // An id that whoever forwarded the request gave it ties its log to this one.
        let id = header("x-request-id").filter(|id| is_id(id));
        let mut http = Http::new().method(parts.method.as_str());
        if let Some(route) = parts.extensions.get::<MatchedPath>() {
            http = http.path(route.as_str());
        }
        let mut context = Context::new()
            .request(id.map_or_else(next_id, str::to_owned))
            .http(http);
        if let Some(agent) = header(USER_AGENT.as_str()) {
            // It is ASCII, so it can be cut anywhere.
            context = context.user_agent(agent.get(..AGENT_BYTES_MAX).unwrap_or(agent));
        }
        // Behind a proxy of your own, this is the proxy: take the client's address from what the proxy says, and from nobody else.
        if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() {
            context = context.ip(peer.ip());
        }
        Ok(Self(context))
    }
}

fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn next_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    format!("req_{process}_{count}")
}

const AGENT_BYTES_MAX: usize = 512;
