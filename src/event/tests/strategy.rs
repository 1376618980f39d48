//! Arbitrary events that meet all rules.

use std::net::IpAddr;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let metadata = btree_map(key(), (value(), any::<bool>()), 0..5);
    (
        head().boxed(),
        people().boxed(),
        any_context().boxed(),
        vec(change().boxed(), 0..4),
        metadata.boxed(),
    )
        .prop_map(|(head, (actor, other, targets), context, changes, metadata)| {
            let mut event = head.actor(actor).context(context);
            event = other.into_iter().fold(event, Event::on_behalf_of);
            event = targets.into_iter().fold(event, Event::target);
            event = changes.into_iter().fold(event, Event::change);
            metadata.into_iter().fold(event, |event, (key, (value, personal))| {
                if personal {
                    event.personal_metadata(key, value)
                } else {
                    event.metadata(key, value)
                }
            })
        })
}

/// A key of metadata, now and then one that names a secret.
pub(super) fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[A-Za-z0-9_.-]{0,40}", 1 => "[a-z]{0,3}[_.-]?(password|Api_Key|client-secret|ToKen|pin)"]
}

/// A JSON value of I-JSON.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>()
            .prop_filter("of I-JSON", |number| Json::of(number, 1).is_ok())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![any::<String>(), key()];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z_]{1,12}"]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{1,60}", "[a-z]{3}_[0-9]{1,6}"]
}

fn head() -> impl Strategy<Value = Event> {
    let listed = (0..catalogue().len()).prop_map(|index| Action::from(catalogue().nth(index).unwrap().action));
    let action = prop_oneof![
        listed,
        "[a-z][a-z0-9_]{0,9}(\\.[a-z][a-z0-9_]{0,9}){1,3}".prop_map(Action::from)
    ];
    let action = action.prop_filter("open to hosts", |action| !action.is_reserved());
    let time = (Timestamp::MIN.unix_micros()..=Timestamp::MAX.unix_micros()).prop_map(Timestamp::from_unix_micros);
    let outcome = prop::sample::select(&Outcome::ALL[..]);
    let severity = prop::sample::select(&Severity::ALL[..]);
    let levels = (of(outcome), of(severity));
    (
        action,
        of("[A-Za-z0-9._:-]{1,64}"),
        of(text()),
        levels,
        time,
        any::<bool>(),
        of(id()),
        of(text()),
    )
        .prop_map(
            |(action, id, reason, (outcome, severity), time, timed, tenant, source)| {
                let mut event = Event::new(action);
                event = id.into_iter().fold(event, Event::id);
                event = reason.into_iter().fold(event, Event::reason);
                event = outcome.into_iter().fold(event, Event::outcome);
                event = severity.into_iter().fold(event, Event::severity);
                event = time.into_iter().filter(|_| timed).fold(event, Event::occurred_at);
                event = tenant.into_iter().fold(event, Event::tenant);
                source.into_iter().fold(event, Event::source)
            },
        )
}

fn people() -> impl Strategy<Value = (Actor, Option<Actor>, Vec<Target>)> {
    (actor(), of(actor()), vec(target(), 0..4))
}

fn actor() -> impl Strategy<Value = Actor> {
    (prop::sample::select(&ActorType::ALL[..]), id(), of(text()), of(text())).prop_map(
        |(actor_type, id, name, email)| {
            let actor = name.into_iter().fold(Actor::new(actor_type, id), Actor::name);
            email.into_iter().fold(actor, Actor::email)
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    (text(), id(), of(text()), of(text())).prop_map(|(target_type, id, name, email)| {
        let target = name.into_iter().fold(Target::new(target_type, id), Target::name);
        email.into_iter().fold(target, Target::email)
    })
}

fn change() -> impl Strategy<Value = Change> {
    let field = prop_oneof![text(), key()];
    (field, of(value()), of(value()), any::<bool>()).prop_map(|(field, old, new, personal)| {
        let change = match (old, new) {
            (Some(old), Some(new)) => Change::new(field, old, new),
            (Some(old), None) => Change::removed(field, old),
            (None, Some(new)) => Change::added(field, new),
            (None, None) => Change::named(field),
        };
        if personal { change.personal() } else { change }
    })
}

fn any_context() -> impl Strategy<Value = Context> {
    let ids = (of(id()), of(id()), of(id()), of(id()));
    let auth = (of(text()), of(any::<bool>()), of(text()), of(text()), of(id()));
    let http = (of(text()), of(text()), of(any::<u16>()));
    let score = any::<f64>().prop_filter("of I-JSON", |number| Json::of(number, 1).is_ok());
    let risk = (of(score), vec(text(), 0..3));
    let client = (of(any::<IpAddr>()), vec(text(), 0..3), of(text()));
    let place = (of(text()), of(text()), of(text()), of((-90.0..=90.0, -180.0..=180.0)));
    let device = (of(id()), of(text()), of(text()));
    (ids, auth, http, risk, client, place, device).prop_map(
        |(ids, auth, http, (score, reasons), (ip, forwarded_for, user_agent), place, device)| {
            let coordinates = place.3.unzip();
            Context {
                session_id: ids.0,
                request_id: ids.1,
                trace_id: ids.2,
                correlation_id: ids.3,
                auth: Auth {
                    method: auth.0,
                    mfa: auth.1,
                    factor: auth.2,
                    connection: auth.3,
                    client_id: auth.4,
                },
                http: Http {
                    method: http.0,
                    path: http.1.and_then(|path| Http::new().path(path).path),
                    status: http.2,
                },
                risk: Risk { score, reasons },
                ip,
                forwarded_for,
                user_agent,
                location: Location {
                    country: place.0,
                    region: place.1,
                    city: place.2,
                    latitude: coordinates.0,
                    longitude: coordinates.1,
                },
                device: Device {
                    id: device.0,
                    device_type: device.1,
                    os: device.2,
                },
            }
        },
    )
}
