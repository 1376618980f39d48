//! Which records an index leads to.

use std::io;

use roaring::{MultiOps, RoaringBitmap};

use super::build::ZONE;
use super::format::Zone;
use super::pages::to_usize;
use super::{Index, LISTED};
use crate::event::{Action, Severity};
use crate::query::condition::Condition;
use crate::query::field::{Field, Value};
use crate::query::matcher::{Matcher, ids_of};

/// The records that may be those that are asked for, by their numbers; `None` where nothing is asked that the index could
/// tell.
pub(super) fn find(index: &dyn Index, matcher: &Matcher<'_>) -> io::Result<Option<RoaringBitmap>> {
    let mut found = Found(None);
    if let Some(period) = matcher.period()
        && !meets_period(index.all_times()?, matcher, period)
    {
        return Ok(Some(RoaringBitmap::new()));
    }
    // The hashes of single values lead to the fewest records.
    for (field, condition) in &matcher.filter.conditions {
        if let Some(records) = hashed(index, field, condition)? {
            found.and(records);
        }
        if found.is_empty() {
            return Ok(found.0);
        }
    }
    for (field, condition) in &matcher.filter.conditions {
        if let Some(place) = listed(index, field) {
            let is_wanted = |text: &str| condition.any.iter().any(|value| meets(field, value, text));
            let is_unwanted = |text: &str| condition.none.iter().any(|value| meets(field, value, text));
            if !condition.any.is_empty() {
                found.narrow(index, place, &is_wanted)?;
            }
            found.leave_out(index, place, &is_unwanted)?;
        }
    }
    if let (Some(min), Some(place)) = (matcher.filter.severity_min, listed(index, &Field::Severity)) {
        found.narrow(index, place, &|text| Severity::named(text) >= Some(min))?;
    }
    if let Some(period) = matcher.period().filter(|_| !found.is_empty()) {
        found.narrow_by_time(index, &|zone| meets_period(zone, matcher, period))?;
    }
    Ok(found.0)
}

/// The records that may have one of the values, by the hashes of these; `None` where the hashes do not tell.
fn hashed(index: &dyn Index, field: &Field, condition: &Condition) -> io::Result<Option<RoaringBitmap>> {
    let places = match field {
        Field::UserId => &[Field::ActorId, Field::OnBehalfOfId, Field::TargetId][..],
        Field::Target => &[Field::TargetId][..],
        // It is derived of the action.
        Field::Category => return Ok(None),
        field if listed(index, field).is_some() => return Ok(None),
        field => std::slice::from_ref(field),
    };
    let texts: Option<Vec<String>> = condition.any.iter().map(Value::exact).collect();
    let Some(mut texts) = texts.filter(|texts| !texts.is_empty()) else {
        return Ok(None);
    };
    if *field == Field::Target {
        texts = texts
            .iter()
            .flat_map(|target| ids_of(target))
            .map(str::to_owned)
            .collect();
    }
    let term = index.term();
    let mut found = RoaringBitmap::new();
    for (place, text) in places
        .iter()
        .flat_map(|place| texts.iter().map(move |text| (place, text)))
    {
        found |= index.hashed(match place {
            Field::Metadata(key) => term.of_metadata(key, text),
            place => term.of(place, text),
        })?;
    }
    Ok(Some(found))
}

/// The place of the listed field whose values decide on a field.
pub(super) fn listed(index: &dyn Index, field: &Field) -> Option<usize> {
    let field = if *field == Field::Category {
        &Field::EventType
    } else {
        field
    };
    let place = LISTED.iter().position(|listed| listed == field)?;
    index.is_listed(place).then_some(place)
}

pub(super) fn meets(field: &Field, value: &Value, text: &str) -> bool {
    match field {
        Field::Category => value.is(Action::from(text).category()),
        _ => value.is(text),
    }
}

/// Whether some of these times may be in the period that is asked for.
fn meets_period(zone: Zone, matcher: &Matcher<'_>, (start, end): (i64, i64)) -> bool {
    let (first, last) = zone.times(matcher.filter.time);
    first < end && last >= start
}

/// What may be asked for: all records where nothing is known yet.
struct Found(Option<RoaringBitmap>);

impl Found {
    fn and(&mut self, records: RoaringBitmap) {
        match &mut self.0 {
            Some(found) => *found &= records,
            none => *none = Some(records),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.as_ref().is_some_and(RoaringBitmap::is_empty)
    }

    /// Leaves the records with values that are wanted.
    fn narrow(&mut self, index: &dyn Index, place: usize, is_wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let wanted = index.listed(place, is_wanted)?;
        match &mut self.0 {
            Some(few) if few.len() <= FEW => {
                let is_in = |number: &u32| wanted.iter().any(|(_, bitmap)| bitmap.contains(*number));
                *few = few.iter().filter(is_in).collect();
            }
            _ => self.and(wanted.iter().map(|(_, bitmap)| bitmap.as_ref()).union()),
        }
        Ok(())
    }

    fn leave_out(&mut self, index: &dyn Index, place: usize, is_unwanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
        let unwanted = index.listed(place, is_unwanted)?;
        if !unwanted.is_empty() {
            let all = || RoaringBitmap::from_sorted_iter(0..index.records()).unwrap_or_default();
            let found = self.0.get_or_insert_with(all);
            unwanted.iter().for_each(|(_, bitmap)| *found -= bitmap.as_ref());
        }
        Ok(())
    }

    fn narrow_by_time(&mut self, index: &dyn Index, is_wanted: &dyn Fn(Zone) -> bool) -> io::Result<()> {
        let zones = index.zones()?;
        if let Some(few) = self.0.as_mut().filter(|few| few.len() <= FEW) {
            let zone_of = |number: u32| zones.get(to_usize((number / ZONE).into()));
            let is_in = |number: &u32| zone_of(*number).is_some_and(|zone| is_wanted(*zone));
            *few = few.iter().filter(is_in).collect();
            return Ok(());
        }
        let mut inside = RoaringBitmap::new();
        let mut is_all = true;
        for (zone, number) in zones.iter().zip(0_u32..) {
            if is_wanted(*zone) {
                inside.insert_range(number * ZONE..(number + 1).saturating_mul(ZONE).min(index.records()));
            } else {
                is_all = false;
            }
        }
        // Where all records may be meant, reading them is as good.
        if !is_all || self.0.is_some() {
            self.and(inside);
        }
        Ok(())
    }
}

/// So few records are looked at one by one.
const FEW: u64 = 64;
