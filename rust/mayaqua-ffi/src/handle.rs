//! Objects behind numbers: what a handle means, and that a wrong one means nothing.
//!
//! A number is `generation << 32 | kind << 24 | place + 1`. Freeing an object ends its place's generation; a place whose
//! generations are used up is never used again. So no number is ever given out twice, and one that was freed finds
//! nothing. Locks are taken in this order: the table's, for a moment, then the object's.

use crate::error::{Failure, Status};
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Most objects of one kind at a time.
pub(crate) const MAX_OBJECTS: usize = (1 << 24) - 1;

/// The objects of one kind.
#[derive(Debug)]
pub struct Table<T> {
    kind: u8,
    places: RwLock<Places<T>>,
}

#[derive(Debug)]
struct Places<T> {
    places: Vec<Place<T>>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    object: Option<Arc<Mutex<T>>>,
}

thread_local! {
    /// Numbers of the objects that this thread holds the locks of.
    static HELD: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl<T> Table<T> {
    /// A table without objects. Kinds are different numbers.
    #[must_use]
    pub const fn new(kind: u8) -> Self {
        Self { kind, places: RwLock::new(Places { places: Vec::new(), free: Vec::new() }) }
    }

    /// Keeps an object and gives its number.
    ///
    /// # Errors
    ///
    /// [`Status::NotInitialized`]; [`Status::NoMemory`] beyond [`MAX_OBJECTS`].
    pub fn insert(&self, object: T) -> Result<u64, Failure> {
        crate::library::require()?;
        let object = Some(Arc::new(Mutex::new(object)));
        let mut places = self.write();
        let place = match places.free.pop() {
            Some(place) => place,
            None if places.places.len() < MAX_OBJECTS => {
                places.places.push(Place { generation: 0, object: None });
                places.places.len() - 1
            }
            None => {
                return Err(Failure::new(
                    Status::NoMemory,
                    format_args!("{MAX_OBJECTS} objects of one kind are in use"),
                ));
            }
        };
        let Some(slot) = places.places.get_mut(place) else { return Err(Status::Panicked.into()) };
        slot.object = object;
        Ok(u64::from(slot.generation) << 32 | u64::from(self.kind) << 24 | (place as u64 + 1))
    }

    /// Runs `body` on the object. Other threads wait meanwhile.
    ///
    /// # Errors
    ///
    /// [`Status::BadHandle`]; [`Status::Busy`] if this thread is inside a call on the same object; those of `body`.
    pub fn with<R>(&self, number: u64, body: impl FnOnce(&mut T) -> Result<R, Failure>) -> Result<R, Failure> {
        let object = {
            let places = self.read();
            let slot = self
                .place(number)
                .and_then(|(place, generation)| places.places.get(place).filter(|slot| slot.generation == generation));
            slot.and_then(|slot| slot.object.clone()).ok_or(Status::BadHandle)?
        };
        let _held = Held::new(number)?;
        // A panic inside leaves a sound object: its functions are safe code.
        body(&mut object.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets the object; calls that are inside finish on it. The number 0 is none, and freeing it does nothing.
    ///
    /// # Errors
    ///
    /// [`Status::BadHandle`].
    pub fn remove(&self, number: u64) -> Result<(), Failure> {
        if number == 0 {
            return Ok(());
        }
        let removed = {
            let mut places = self.write();
            let (place, generation) = self.place(number).ok_or(Status::BadHandle)?;
            let slot = places.places.get_mut(place).filter(|slot| slot.generation == generation);
            let slot = slot.filter(|slot| slot.object.is_some()).ok_or(Status::BadHandle)?;
            let removed = slot.object.take();
            if let Some(next) = slot.generation.checked_add(1) {
                slot.generation = next;
                places.free.push(place);
            }
            removed
        };
        // Outside the table's lock: an object may be large.
        drop(removed);
        Ok(())
    }

    /// Forgets all objects. Their numbers stay used.
    pub fn clear(&self) {
        let mut removed = Vec::new();
        let mut places = self.write();
        let Places { places: slots, free } = &mut *places;
        for (place, slot) in slots.iter_mut().enumerate() {
            if let Some(object) = slot.object.take() {
                removed.push(object);
                if let Some(next) = slot.generation.checked_add(1) {
                    slot.generation = next;
                    free.push(place);
                }
            }
        }
        drop(places);
        drop(removed);
    }

    /// Place and generation of a number of this kind.
    fn place(&self, number: u64) -> Option<(usize, u32)> {
        let generation = u32::try_from(number >> 32).ok()?;
        let kind = (number >> 24 & 0xff) == u64::from(self.kind);
        let place = usize::try_from(number & 0xff_ffff).ok()?.checked_sub(1)?;
        kind.then_some((place, generation))
    }

    fn read(&self) -> RwLockReadGuard<'_, Places<T>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Places<T>> {
        self.places.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that this thread is inside a call on an object.
struct Held(u64);

impl Held {
    fn new(number: u64) -> Result<Self, Failure> {
        HELD.with_borrow_mut(|held| {
            if held.contains(&number) {
                return Err(Status::Busy.into());
            }
            held.push(number);
            Ok(Self(number))
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = HELD.try_with(|held| held.borrow_mut().retain(|number| *number != self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status<R: std::fmt::Debug>(result: Result<R, Failure>) -> Status {
        crate::error::boundary(|| result.map(drop))
    }

    #[test]
    fn a_freed_number_never_finds_anything_again() {
        crate::library::mayaqua_init(crate::library::MAYAQUA_ABI_VERSION);
        let table = Table::new(7);
        let first = table.insert('a').unwrap();
        assert_eq!(status(table.remove(first)), Status::Ok);
        assert_eq!(status(table.remove(first)), Status::BadHandle);
        let second = table.insert('b').unwrap();
        assert_ne!(first, second);
        assert_eq!(status(table.with(first, |_| Ok(()))), Status::BadHandle);
        assert_eq!(table.with(second, |object| Ok(*object)).unwrap(), 'b');
        table.clear();
        assert_eq!(status(table.with(second, |_| Ok(()))), Status::BadHandle);
        assert_eq!(status(table.remove(0)), Status::Ok);
    }

    #[test]
    fn numbers_of_another_kind_and_numbers_that_never_were() {
        crate::library::mayaqua_init(crate::library::MAYAQUA_ABI_VERSION);
        let (one, other) = (Table::new(1), Table::new(2));
        let number = one.insert(()).unwrap();
        assert_eq!(status(other.with(number, |()| Ok(()))), Status::BadHandle);
        for number in [0, 1, u64::MAX, number + 1, number + (1 << 32), number | 1 << 63] {
            assert_eq!(status(one.with(number, |()| Ok(()))), Status::BadHandle);
        }
    }

    #[test]
    fn a_place_whose_generations_are_used_up_is_not_used_again() {
        crate::library::mayaqua_init(crate::library::MAYAQUA_ABI_VERSION);
        let table = Table::new(1);
        let first = table.insert(()).unwrap();
        table.write().places[0].generation = u32::MAX;
        let last = first & 0xffff_ffff | u64::from(u32::MAX) << 32;
        assert_eq!(status(table.remove(last)), Status::Ok);
        assert_eq!(table.insert(()).unwrap() & 0xff_ffff, 2);
    }

    #[test]
    fn a_call_inside_a_call_on_one_object_is_an_answer() {
        crate::library::mayaqua_init(crate::library::MAYAQUA_ABI_VERSION);
        let table = Table::new(1);
        let (a, b) = (table.insert(()).unwrap(), table.insert(()).unwrap());
        let inner = |number| table.with(a, |()| Ok(status(table.with(number, |()| Ok(()))))).unwrap();
        assert_eq!((inner(a), inner(b)), (Status::Busy, Status::Ok));
        assert_eq!(status(table.with(a, |()| Ok(()))), Status::Ok);
    }
}
