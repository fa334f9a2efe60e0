//! Values that are too large to be kept all: of each it is known from which other it was made, and by what, so that it can be made again.
//!
//! The newest are kept, and of every way one in so many, so that few steps lead from a kept one to any.

use std::collections::VecDeque;
use std::rc::Rc;

/// One in so many of a way is kept for good.
const STRIDE: u8 = 8;

#[derive(Debug)]
struct Place<T, S> {
    kept: Option<Rc<T>>,
    /// From which it was made, and by what; the first ones from none.
    origin: Option<(u32, S)>,
    /// Steps from one that is kept for good.
    steps: u8,
}

/// See the module's words.
#[derive(Debug)]
pub(super) struct Shelf<T, S> {
    places: Vec<Place<T, S>>,
    /// Kept for now, oldest first.
    recent: VecDeque<u32>,
    room: usize,
}

impl<T, S: Copy> Shelf<T, S> {
    /// Room for so many that are kept for now.
    pub(super) fn new(room: usize) -> Self {
        Shelf { places: Vec::new(), recent: VecDeque::new(), room }
    }

    /// The number of the next one.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Puts one behind all others.
    pub(super) fn add(&mut self, value: T, origin: Option<(u32, S)>) {
        let steps = origin.map_or(0, |(from, _)| (self.places[from as usize].steps + 1) % STRIDE);
        let number = super::table::next(self.places.len());
        self.places.push(Place { kept: Some(Rc::new(value)), origin, steps });
        self.note(number);
    }

    /// One of them, made `again` if it is not kept.
    pub(super) fn get(&mut self, number: u32, mut again: impl FnMut(&T, S) -> T) -> Rc<T> {
        let mut missing = Vec::new();
        let mut at = number;
        let mut value = loop {
            match &self.places[at as usize] {
                Place { kept: Some(value), .. } => break Rc::clone(value),
                Place { origin, .. } => {
                    let (from, by) = origin.expect("the first ones are kept");
                    missing.push(by);
                    at = from;
                }
            }
        };
        if missing.is_empty() {
            return value;
        }
        for by in missing.into_iter().rev() {
            value = Rc::new(again(&value, by));
        }
        self.places[number as usize].kept = Some(Rc::clone(&value));
        self.note(number);
        value
    }

    /// One of them, if it is kept.
    pub(super) fn peek(&self, number: u32) -> Option<&T> {
        self.places[number as usize].kept.as_deref()
    }

    /// One more is kept for now.
    fn note(&mut self, number: u32) {
        if self.places[number as usize].steps == 0 {
            return;
        }
        self.recent.push_back(number);
        if self.recent.len() > self.room
            && let Some(oldest) = self.recent.pop_front()
        {
            self.places[oldest as usize].kept = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_made_again_from_what_is() {
        let mut shelf = Shelf::new(3);
        shelf.add(0_u32, None);
        (1..40).for_each(|number| shelf.add(number, Some((number - 1, 1))));
        let kept = (0..40).filter(|number| shelf.peek(*number).is_some());
        assert_eq!(kept.collect::<Vec<u32>>(), [0, 8, 16, 24, 32, 37, 38, 39]);
        let mut steps = 0;
        let again = |value: &u32, by: u32| {
            steps += 1;
            value + by
        };
        assert_eq!(*shelf.get(23, again), 23);
        assert_eq!((steps, shelf.peek(23), shelf.peek(37)), (7, Some(&23), None));
    }
}
