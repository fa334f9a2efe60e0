//! Numbered places in pages: what they hold is never moved, so that the table of ten thousand connections grows in as little time as
//! that of ten.

/// Places in a page.
const PAGE: usize = 64;

/// See the module's words.
#[derive(Clone, Debug)]
pub(super) struct Places<T> {
    /// All but the last are full.
    pages: Vec<Vec<Option<T>>>,
}

impl<T> Places<T> {
    pub(super) fn new() -> Self {
        Places { pages: Vec::new() }
    }

    /// How many there are, empty ones included.
    pub(super) fn len(&self) -> usize {
        let last = self.pages.last().map_or(0, Vec::len);
        self.pages.len().saturating_sub(1) * PAGE + last
    }

    /// Adds an empty one. Returns its number, which is the next.
    pub(super) fn add(&mut self) -> usize {
        let place = self.len();
        if place == self.pages.len() * PAGE {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        self.pages[place / PAGE].push(None);
        place
    }

    pub(super) fn at(&self, place: usize) -> &Option<T> {
        &self.pages[place / PAGE][place % PAGE]
    }

    pub(super) fn at_mut(&mut self, place: usize) -> &mut Option<T> {
        &mut self.pages[place / PAGE][place % PAGE]
    }

    /// All of them, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Option<T>> {
        self.pages.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Option<T>> {
        self.pages.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_place_stays_where_it_is_while_thousands_are_added() {
        let mut places = Places::new();
        let mut addresses = Vec::new();
        for number in 0..10 * PAGE {
            assert_eq!((places.len(), places.add()), (number, number));
            *places.at_mut(number) = Some(number);
            addresses.push(std::ptr::from_ref(places.at(number)));
        }
        assert!((0..10 * PAGE).all(|place| std::ptr::eq(places.at(place), addresses[place])));
        assert!(places.iter().flatten().copied().eq(0..10 * PAGE));
        assert_eq!(places.iter_mut().count(), places.len());
    }
}
