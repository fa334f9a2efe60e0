//! Values with numbers: equal ones have the same, and each is kept once.

use super::disk::SEED;
use quorate_core::vocabulary::LookupMap;
use std::hash::Hash;
use std::rc::Rc;

/// See the module's words.
#[derive(Debug)]
pub(super) struct Table<T> {
    numbers: LookupMap<Rc<T>, u32>,
    values: Vec<Rc<T>>,
}

impl<T: Hash + Eq> Table<T> {
    pub(super) fn new() -> Self {
        Table { numbers: LookupMap::new(SEED), values: Vec::new() }
    }

    /// The number of a value.
    pub(super) fn number(&mut self, value: T) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = next(self.values.len());
        let value = Rc::new(value);
        self.numbers.insert(Rc::clone(&value), number);
        self.values.push(value);
        number
    }

    pub(super) fn at(&self, number: u32) -> &Rc<T> {
        &self.values[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// The number of what is put behind so many.
pub(super) fn next(count: usize) -> u32 {
    u32::try_from(count).expect("memory ends before numbers do")
}
