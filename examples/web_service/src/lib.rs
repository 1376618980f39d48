//! An authentication service on axum that keeps an audit log.
//!
//! One [`AuditLog`](indelible::AuditLog) is opened at the start and shared by all handlers: a clone of it is a handle, no second log. What each handler does when an event
//! cannot be recorded is its own decision:
//!
//! | request | if it cannot be recorded |
//! | --- | --- |
//! | `POST /login` | 503: nobody gets in unseen |
//! | `PUT /admin/settings/{name}` | 503, and nothing is changed: it fails closed |
//! | `GET /` | the page is served: it fails open |
//!
//! At the end no more connections are taken, the requests under way are answered, and then the log is closed: [`serve`].

mod context;
mod handlers;
mod state;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use tokio::net::TcpListener;

pub use state::Service;

/// The routes of the service.
pub fn router(service: Service) -> Router {
    Router::new()
        .route("/", get(handlers::page))
        .route("/login", post(handlers::login))
        .route("/admin/settings/{name}", put(handlers::put_setting))
        .with_state(service)
}

/// Serves until `shutdown`, answers what is under way, and then closes the log: in this order every request that was answered is in it, before `audit_log.stopped`.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let log = service.log().clone();
    let routes = router(service).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, routes).with_graceful_shutdown(shutdown).await?;
    // Closing waits for the disk: not on a thread that others' futures run on.
    let closed = tokio::task::spawn_blocking(move || log.close(CLOSE_LIMIT)).await;
    closed.map_err(io::Error::other)?.map_err(io::Error::other)
}

const CLOSE_LIMIT: Duration = Duration::from_secs(10);
