//! Values that a server may change while a program runs: waiting times, mostly, of NAT-T and of dynamic DNS (C: `DYN_VALUE` and
//! the macros `DYN32` and `DYN64`, Mayaqua/Network.c, which keeps one list for the process). Whoever talks to such a server has a
//! [`DynList`] and asks it where the C asks with a macro.

use crate::pack::Pack;

/// Most names that a list keeps. (The C keeps every one that a server sends.)
pub const DYN_VALUES_MAX: usize = 256;

/// The element of a PACK that holds values, a PACK itself.
const ELEMENT: &str = "DynList";

/// Values by name, in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynList(Vec<(Box<str>, u64)>);

impl DynList {
    /// None (C: `InitDynList`, Mayaqua/Network.c).
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets a value; whether there was room for its name (C: `SetDynListValue`, Mayaqua/Network.c).
    pub fn set(&mut self, name: &str, value: u64) -> bool {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            *known = value;
            return true;
        }
        let has_room = self.0.len() < DYN_VALUES_MAX;
        if has_room {
            self.0.push((name.into(), value));
        }
        has_room
    }

    /// A value; 0 if there is none (C: `GetDynValue`, Mayaqua/Network.c).
    #[must_use]
    pub fn value(&self, name: &str) -> u64 {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(0, |(_, value)| *value)
    }

    /// A value between two others, or what holds without one (C: `GetDynValueOrDefault`, Mayaqua/Network.c).
    #[must_use]
    pub fn value_or(&self, name: &str, default: u64, least: u64, most: u64) -> u64 {
        match self.value(name) {
            0 => default,
            // Not `clamp`, which panics where the least is more than the most.
            value => value.max(least).min(most),
        }
    }

    /// The same, from a fifth of what holds without one to its fiftyfold (C: `GetDynValueOrDefaultSafe`, Mayaqua/Network.c).
    #[must_use]
    pub fn value_or_safe(&self, name: &str, default: u64) -> u64 {
        self.value_or(name, default, default / 5, default.saturating_mul(50))
    }

    /// Takes the values out of a server's message, if there are any (C: `ExtractAndApplyDynList`, `AddDynList`,
    /// Mayaqua/Network.c). An element that is no 64-bit integer sets 0, which is none.
    pub fn apply(&mut self, message: &Pack) {
        let Some(Ok(values)) = message.get_data(ELEMENT).map(Pack::decode) else { return };
        for element in values.elements() {
            let name = element.name();
            self.set(&name, values.get_int64(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_changes_values_within_limits() {
        let mut list = DynList::new();
        assert_eq!((list.value("WAIT"), list.value_or_safe("WAIT", 1000)), (0, 1000));
        let mut values = Pack::new();
        values.add_int64("WAIT", 3000).unwrap();
        values.add_int64("Huge", u64::MAX).unwrap();
        values.add_int64("tiny", 1).unwrap();
        values.add_int("of another type", 7).unwrap();
        let mut message = Pack::new();
        message.add_data("DynList", &values.encode().unwrap()).unwrap();
        list.apply(&message);
        assert_eq!((list.value("wait"), list.value_or_safe("Wait", 1000)), (3000, 3000));
        assert_eq!((list.value_or_safe("HUGE", 1000), list.value_or_safe("TINY", 1000)), (50_000, 200));
        assert_eq!(list.value_or("TINY", 1000, 20, 10), 10, "limits that cross");
        assert_eq!(list.value("of another type"), 0);
    }

    #[test]
    fn what_is_no_list_changes_nothing() {
        let mut list = DynList::new();
        list.set("WAIT", 5);
        let before = list.clone();
        list.apply(&Pack::new());
        let mut message = Pack::new();
        message.add_data("DynList", b"no PACK").unwrap();
        list.apply(&message);
        assert_eq!(list, before);
    }

    #[test]
    fn names_have_a_limit() {
        let mut list = DynList::new();
        assert!((0..DYN_VALUES_MAX).all(|number| list.set(&number.to_string(), 1)));
        assert!(!list.set("one more", 1));
        assert!(list.set("0", 2), "a known name has its place");
        assert_eq!((list.value("one more"), list.value("0")), (0, 2));
    }
}
