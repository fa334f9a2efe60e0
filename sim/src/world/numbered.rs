//! Connections by their numbers, which rise by one and never come again: each is found at its place, without a search, and all are
//! walked in the order in which they were made.

use quorate_core::vocabulary::{ConnId, LinkId};
use std::marker::PhantomData;

/// What is numbered from 1 on.
pub(super) trait Number: Copy {
    fn new(number: u64) -> Self;
    fn number(self) -> u64;
}

impl Number for ConnId {
    fn new(number: u64) -> Self {
        ConnId(number)
    }

    fn number(self) -> u64 {
        self.0
    }
}

impl Number for LinkId {
    fn new(number: u64) -> Self {
        LinkId(number)
    }

    fn number(self) -> u64 {
        self.0
    }
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Numbered<K, T> {
    /// Those that are gone have left their places empty.
    places: Vec<Option<Box<T>>>,
    key: PhantomData<K>,
}

impl<K, T> Default for Numbered<K, T> {
    fn default() -> Self {
        Numbered { places: Vec::new(), key: PhantomData }
    }
}

impl<K: Number, T> Numbered<K, T> {
    /// Gives `thing` the next number.
    pub(super) fn add(&mut self, thing: T) -> K {
        self.places.push(Some(Box::new(thing)));
        K::new(self.places.len() as u64)
    }

    fn place(key: K) -> usize {
        key.number() as usize - 1
    }

    pub(super) fn get(&self, key: K) -> Option<&T> {
        self.places.get(Self::place(key))?.as_deref()
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.places.get_mut(Self::place(key))?.as_deref_mut()
    }

    pub(super) fn remove(&mut self, key: K) -> Option<T> {
        self.places.get_mut(Self::place(key))?.take().map(|thing| *thing)
    }

    /// All that are there, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        let places = (1..).map(K::new).zip(&self.places);
        places.filter_map(|(key, thing)| Some((key, thing.as_deref()?)))
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        let places = (1..).map(K::new).zip(&mut self.places);
        places.filter_map(|(key, thing)| Some((key, thing.as_deref_mut()?)))
    }
}
