//! A sorted set whose copies share what they have in common: a copy costs nothing, and a change of
//! a copy costs the path to what is changed.
//!
//! An AVL tree of shared nodes. It is short enough to be read, and needs no crate whose licence or
//! whose unsafe code somebody would have to judge.

use std::cmp::Ordering::{self, Equal, Greater, Less};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// By what the items of a set are sorted. Two that are equal by it are one item.
pub trait Order {
    type Item: Clone;

    fn order(a: &Self::Item, b: &Self::Item) -> Ordering;
}

/// The order that the items have by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Natural<T>(PhantomData<T>);

impl<T: Clone + Ord> Order for Natural<T> {
    type Item = T;

    fn order(a: &T, b: &T) -> Ordering {
        a.cmp(b)
    }
}

/// See the module.
pub struct Sorted<O: Order> {
    root: Link<O::Item>,
    len: usize,
}

type Link<T> = Option<Arc<Branch<T>>>;

#[derive(Clone)]
struct Branch<T> {
    item: T,
    height: u8,
    left: Link<T>,
    right: Link<T>,
}

impl<O: Order> Sorted<O> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts `item` in, and answers the equal one whose place it takes.
    pub fn insert(&mut self, item: O::Item) -> Option<O::Item> {
        let old = insert::<O>(&mut self.root, item);
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes out the item that `place` finds; see [`Sorted::find`].
    pub fn remove(&mut self, place: impl Fn(&O::Item) -> Ordering) -> Option<O::Item> {
        // Looked for first, so that nothing is copied for what is not there.
        self.find(&place)?;
        self.len -= 1;
        remove(&mut self.root, &place)
    }

    /// The item for which `place` answers `Equal`. It says of any item whether that one stands
    /// before, at or after what is looked for, by the order of the set.
    pub fn find(&self, place: impl Fn(&O::Item) -> Ordering) -> Option<&O::Item> {
        let mut at = &self.root;
        while let Some(branch) = at {
            match place(&branch.item) {
                Less => at = &branch.right,
                Greater => at = &branch.left,
                Equal => return Some(&branch.item),
            }
        }
        None
    }

    /// All items, in order.
    pub fn iter(&self) -> Iter<'_, O::Item> {
        self.from(|_| Equal)
    }

    /// The items in order from the first for which `place` answers no `Less`.
    pub fn from(&self, place: impl Fn(&O::Item) -> Ordering) -> Iter<'_, O::Item> {
        let mut above = Vec::new();
        let mut at = &self.root;
        while let Some(branch) = at {
            if place(&branch.item) == Less {
                at = &branch.right;
            } else {
                above.push(&**branch);
                at = &branch.left;
            }
        }
        Iter { above }
    }

    /// The items in order for which `place` answers `Equal`, which stand together.
    pub fn all<P>(&self, place: P) -> impl Iterator<Item = &O::Item>
    where
        P: Fn(&O::Item) -> Ordering,
    {
        self.from(&place).take_while(move |item| place(item) == Equal)
    }
}

/// Items of a [`Sorted`], in order.
pub struct Iter<'s, T> {
    /// Those whose left side is done: each before the one under it.
    above: Vec<&'s Branch<T>>,
}

impl<'s, T> Iterator for Iter<'s, T> {
    type Item = &'s T;

    fn next(&mut self) -> Option<&'s T> {
        let branch = self.above.pop()?;
        let mut at = &branch.right;
        while let Some(next) = at {
            self.above.push(next);
            at = &next.left;
        }
        Some(&branch.item)
    }
}

fn height<T>(link: &Link<T>) -> u8 {
    link.as_ref().map_or(0, |branch| branch.height)
}

fn insert<O: Order>(link: &mut Link<O::Item>, item: O::Item) -> Option<O::Item> {
    let Some(shared) = link else {
        *link = Some(Arc::new(Branch { item, height: 1, left: None, right: None }));
        return None;
    };
    // Copies this one branch if another set has it too.
    let branch = Arc::make_mut(shared);
    let old = match O::order(&branch.item, &item) {
        Less => insert::<O>(&mut branch.right, item),
        Greater => insert::<O>(&mut branch.left, item),
        Equal => return Some(std::mem::replace(&mut branch.item, item)),
    };
    branch.balance();
    old
}

fn remove<T: Clone>(link: &mut Link<T>, place: &impl Fn(&T) -> Ordering) -> Option<T> {
    let branch = Arc::make_mut(link.as_mut()?);
    let old = match place(&branch.item) {
        Less => remove(&mut branch.right, place),
        Greater => remove(&mut branch.left, place),
        Equal => match remove_first(&mut branch.right) {
            Some(next) => Some(std::mem::replace(&mut branch.item, next)),
            None => {
                let left = branch.left.take();
                let gone = std::mem::replace(link, left)?;
                return Arc::into_inner(gone).map(|branch| branch.item);
            }
        },
    };
    branch.balance();
    old
}

fn remove_first<T: Clone>(link: &mut Link<T>) -> Option<T> {
    let branch = Arc::make_mut(link.as_mut()?);
    if branch.left.is_some() {
        let first = remove_first(&mut branch.left);
        branch.balance();
        return first;
    }
    let right = branch.right.take();
    let gone = std::mem::replace(link, right)?;
    Arc::into_inner(gone).map(|branch| branch.item)
}

impl<T: Clone> Branch<T> {
    /// Mends heights that differ by two, as they may after one insertion or removal below.
    fn balance(&mut self) {
        let (left, right) = (height(&self.left), height(&self.right));
        if right + 1 < left {
            let inner = self.left.as_mut().map(Arc::make_mut);
            if let Some(inner) = inner.filter(|it| height(&it.left) < height(&it.right)) {
                inner.rotate_left();
            }
            self.rotate_right();
        } else if left + 1 < right {
            let inner = self.right.as_mut().map(Arc::make_mut);
            if let Some(inner) = inner.filter(|it| height(&it.right) < height(&it.left)) {
                inner.rotate_right();
            }
            self.rotate_left();
        } else {
            self.height = 1 + left.max(right);
        }
    }

    /// The left branch becomes the root of the two.
    fn rotate_right(&mut self) {
        let Some(mut shared) = self.left.take() else { return };
        let other = Arc::make_mut(&mut shared);
        self.left = other.right.take();
        std::mem::swap(self, other);
        other.height = 1 + height(&other.left).max(height(&other.right));
        self.right = Some(shared);
        self.height = 1 + height(&self.left).max(height(&self.right));
    }

    /// The right branch becomes the root of the two.
    fn rotate_left(&mut self) {
        let Some(mut shared) = self.right.take() else { return };
        let other = Arc::make_mut(&mut shared);
        self.right = other.left.take();
        std::mem::swap(self, other);
        other.height = 1 + height(&other.left).max(height(&other.right));
        self.left = Some(shared);
        self.height = 1 + height(&self.left).max(height(&self.right));
    }
}

impl<O: Order> Clone for Sorted<O> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<O: Order> Default for Sorted<O> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<O: Order> Extend<O::Item> for Sorted<O> {
    fn extend<I: IntoIterator<Item = O::Item>>(&mut self, items: I) {
        items.into_iter().for_each(|item| drop(self.insert(item)));
    }
}

impl<O: Order> FromIterator<O::Item> for Sorted<O> {
    fn from_iter<I: IntoIterator<Item = O::Item>>(items: I) -> Self {
        let mut set = Self::default();
        set.extend(items);
        set
    }
}

impl<O: Order<Item: fmt::Debug>> fmt::Debug for Sorted<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The height that the branches say, if it is right everywhere below `link`.
    fn checked_height(link: &Link<u64>) -> u8 {
        let Some(branch) = link else { return 0 };
        let (left, right) = (checked_height(&branch.left), checked_height(&branch.right));
        assert!(left.abs_diff(right) <= 1, "{left} and {right}");
        assert_eq!(branch.height, 1 + left.max(right));
        branch.height
    }

    /// Against a set too simple to be wrong, and with copies that must not feel later changes.
    fn compare(seed: u64) {
        let mut dice = seed;
        let mut roll = |below: u64| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (dice >> 33) % below
        };
        let (mut set, mut model) = (Sorted::<Natural<u64>>::default(), BTreeSet::new());
        let mut copies = Vec::new();
        for step in 0..400 {
            let number = roll(120);
            if roll(5) < 3 {
                assert_eq!(set.insert(number).is_none(), model.insert(number), "seed {seed}");
            } else {
                let removed = set.remove(|item| item.cmp(&number));
                assert_eq!(removed.is_some(), model.remove(&number), "seed {seed}");
            }
            checked_height(&set.root);
            assert_eq!(set.len(), model.len(), "seed {seed}");
            assert!(set.iter().eq(model.iter()), "seed {seed} at {step}");
            let from = roll(120);
            assert!(set.from(|item| item.cmp(&from)).eq(model.range(from..)), "seed {seed}");
            assert_eq!(set.find(|item| item.cmp(&from)), model.get(&from), "seed {seed}");
            if step % 50 == 0 {
                copies.push((set.clone(), model.clone()));
            }
        }
        assert!(copies.iter().all(|(set, model)| set.iter().eq(model.iter())), "seed {seed}");
    }

    #[test]
    fn holds_what_a_plain_set_holds_and_leaves_copies_alone() {
        (0..100).for_each(compare);
    }

    #[test]
    fn finds_all_that_stand_together() {
        let set: Sorted<Natural<(u8, u8)>> = (0..20).map(|number| (number / 5, number)).collect();
        let found: Vec<_> = set.all(|(tens, _)| tens.cmp(&2)).map(|(_, number)| *number).collect();
        assert_eq!(found, [10, 11, 12, 13, 14]);
        assert_eq!(set.all(|(tens, _)| tens.cmp(&9)).count(), 0);
    }

    #[test]
    fn a_change_leaves_most_of_a_copy_shared() {
        let set: Sorted<Natural<u64>> = (0..10_000).collect();
        let mut other = set.clone();
        other.insert(10_000);
        fn apart(a: &Link<u64>, b: &Link<u64>) -> usize {
            match (a, b) {
                (Some(a), Some(b)) if !Arc::ptr_eq(a, b) => {
                    1 + apart(&a.left, &b.left) + apart(&a.right, &b.right)
                }
                _ => 0,
            }
        }
        assert!(apart(&set.root, &other.root) < 30);
    }
}
