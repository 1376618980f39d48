//! What the service does, and what it records of it.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use indelible::event::{Auth, Context};
use indelible::{Actor, Change, Error, ErrorKind, Event, Hash, Target, action};
use serde::{Deserialize, Serialize};

use crate::context::RequestContext;
use crate::state::{Service, User, setting};

#[derive(Deserialize)]
pub(crate) struct Credentials {
    user: String,
    password: String,
}

#[derive(Serialize)]
struct Session {
    session: String,
}

/// `POST /login`: a session, once the login is recorded.
pub(crate) async fn login(
    State(service): State<Service>,
    RequestContext(context): RequestContext,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Refused> {
    let context = context.auth(Auth::new().method("password"));
    let known = User::find(&credentials.user);
    let Some(user) = known.filter(|user| user.has_password(&credentials.password)) else {
        service.log().append_async(failed_login(known, context)).await?;
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    };
    let session = new_session()?;
    let event = Event::new(action::AUTH_LOGIN_SUCCEEDED)
        .actor(user.actor())
        // The session's token is a secret. Its hash is not, and names it on all events.
        .context(context.session(&Hash::of(session.as_bytes()).to_string()[..16]));
    service.log().append_async(event).await?;
    service.sessions().insert(session.clone(), user);
    Ok(Json(Session { session }).into_response())
}

/// Who tried is not known. What was typed into the field for the user may be a password: only a user that there is stands in the event, as what was tried at.
fn failed_login(known: Option<User>, context: Context) -> Event {
    let event = Event::new(action::AUTH_LOGIN_FAILED)
        .actor(Actor::anonymous())
        .reason("invalid_credentials")
        .context(context);
    match known {
        Some(user) => event.target(Target::user(user.id)),
        None => event,
    }
}

/// `PUT /admin/settings/{name}` with the value as text: for administrators. It fails closed: the change is made once it is recorded, and not otherwise.
///
/// Anybody can ask for any name. Only one that there is stands in an event: a target is kept for good, and one that is too long would leave the refusal unrecorded.
pub(crate) async fn put_setting(
    State(service): State<Service>,
    Path(name): Path<String>,
    RequestContext(context): RequestContext,
    headers: HeaderMap,
    value: String,
) -> Result<StatusCode, Refused> {
    let (user, name) = (user_of(&service, &headers), setting(&name));
    let Some(admin) = user.filter(|user| user.is_admin) else {
        let actor = user.map_or_else(Actor::anonymous, |user| user.actor());
        let event = Event::new(action::ACCESS_DENIED)
            .actor(actor)
            .reason("not_an_administrator")
            .context(context);
        let event = match name {
            Some(name) => event.target(Target::new("setting", name)),
            None => event,
        };
        service.log().append_async(event).await?;
        return Ok(StatusCode::FORBIDDEN);
    };
    let Some(name) = name else {
        return Ok(StatusCode::NOT_FOUND);
    };
    // A client that goes away drops its handler: what must happen together is a task of its own.
    let task = tokio::spawn(change_setting(service, admin, name, value, context));
    task.await.unwrap_or(Ok(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn change_setting(
    service: Service,
    admin: User,
    name: &'static str,
    value: String,
    context: Context,
) -> Result<StatusCode, Refused> {
    let _changing = service.changing().await;
    let old = service.settings().get(name).cloned();
    let change = match old {
        Some(old) => Change::new(name, old, &value),
        None => Change::added(name, &value),
    };
    let event = Event::new(action::CONFIG_UPDATED)
        .actor(admin.actor())
        .target(Target::new("setting", name))
        .change(change)
        .context(context);
    service.log().append_async(event).await?;
    service.settings().insert(name, value);
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /`: the settings. It fails open: the view is put into the log's queue, and the page is served whatever becomes of it.
pub(crate) async fn page(
    State(service): State<Service>,
    RequestContext(context): RequestContext,
    headers: HeaderMap,
) -> String {
    let actor = user_of(&service, &headers).map_or_else(Actor::anonymous, |user| user.actor());
    let event = Event::new(action::DATA_ACCESSED)
        .actor(actor)
        .target(Target::new("page", "settings"));
    // The ticket is dropped: a failure after this is told to the log's on_error.
    if let Err(error) = service.log().submit(event.context(context)) {
        eprintln!("a page view was not recorded: {error}");
    }
    let settings = service.settings();
    settings
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect()
}

fn user_of(service: &Service, headers: &HeaderMap) -> Option<User> {
    let session = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    service.sessions().get(session).copied()
}

/// A token that nobody can guess.
fn new_session() -> Result<String, Refused> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Refused::NoRandom)?;
    Ok(Hash::of(&random).to_string())
}

/// Why a request was refused though its user may make it.
pub(crate) enum Refused {
    /// Its event was not recorded.
    Event(Error),
    /// The operating system gave no random bytes.
    NoRandom,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Event(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            // What an administrator sent does not fit into an event: a value that is too long, say.
            Self::Event(error) if error.kind() == ErrorKind::FixEvent => StatusCode::BAD_REQUEST.into_response(),
            Self::Event(error) => {
                eprintln!("refused, because it could not be recorded: {error}");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Self::NoRandom => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
